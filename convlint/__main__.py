"""``python -m convlint``, and the command ``convlint``."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line. Where it runs a model, the worker starts first: it loads torch while the rest loads."""
    # Nearly all that is made lives to the end, and to look through it takes a fifth of the time:
    # every 50,000 new objects rather than 700, and not once more when Python ends.
    gc.set_threshold(50_000)
    _open_closed_streams()
    try:
        _main()
    except KeyboardInterrupt:
        sys.stderr.write("convlint: interrupted\n")
        raise SystemExit(130) from None
    finally:
        gc.freeze()


def _open_closed_streams() -> None:
    """Put something in the place of streams that the caller closed, as in ``>&-``: files opened later would get their
    numbers. What is written to standard output then fails, for it is lost.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # the lowest free
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, "r" if name == "stdin" else "w", encoding="utf-8"))


def _main() -> None:
    worker = None
    if runs_models(sys.argv[1:]):
        from convlint.runtime.worker.client import Worker

        worker = Worker()
    from convlint import cli

    try:
        cli.main(worker)
    finally:
        if worker is not None:
            worker.close()


_MODEL = re.compile(r".+\.py:[^\W\d].*|[^\W\d]\w*(\.\w+)*:[^\W\d].*", re.DOTALL)


def runs_models(arguments: Sequence[str]) -> bool:
    """Whether a command line is about to run a model, as far as can be told without parsing it.

    Where this is mistaken, the worker starts later, or ends unused.
    """
    if arguments[:1] not in (["check"], ["summary"]) or {"--help", "-h"} & {*arguments}:
        return False
    rest = arguments[1:]
    return (
        bool({"--confirm", "--prove"} & {*rest})
        or not rest
        or any(_MODEL.fullmatch(word) for word in rest)
    )


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory: a random.py of the user's is not the standard one
    main()
