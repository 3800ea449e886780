"""``python -m convlint``, and the command ``convlint``."""

from __future__ import annotations

import atexit
import gc
import os
import re
import sys
from collections.abc import Sequence


def main() -> None:
    """Run the command line. For a model, the worker process starts first and imports torch in the meantime."""
    # Most objects live until the end, and traversing them takes a fifth of the time: collect garbage
    # after 50,000 new objects instead of 700, and not at exit.
    gc.set_threshold(50_000)
    _open_closed_streams()
    try:
        _main()
    except KeyboardInterrupt:
        sys.stderr.write("convlint: interrupted\n")
        raise SystemExit(130) from None
    except SystemExit as ended:
        _exit_at_once(ended.code)
        raise
    finally:
        gc.freeze()


def _exit_at_once(code: object) -> None:
    """Exit without freeing what is in memory, which takes a twentieth of the time of a small file.

    Returns if something may be left to do: threads, a profiler or debugger, a program that called this function.
    """
    is_program = os.path.basename(sys.argv[0]) in ("convlint", "__main__.py")
    is_watched = sys.getprofile() or sys.gettrace() or sys.flags.inspect or sys.flags.interactive
    if not is_program or is_watched or "threading" in sys.modules or not isinstance(code, int):
        return
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no other name for it
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _open_closed_streams() -> None:
    """Open streams that the caller closed, as in ``>&-``, because files opened later would get their numbers.

    Standard output is opened for reading, so that writing results to it fails.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY)  # gets the lowest free number
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


_MODEL = r"(?s).+\.py:[^\W\d].*|[^\W\d]\w*(\.\w+)*:[^\W\d].*"


def runs_models(arguments: Sequence[str]) -> bool:
    """Guess from unparsed arguments if the command runs a model.

    If the guess is wrong, the worker starts later, or ends unused.
    """
    if arguments[:1] not in (["check"], ["summary"], ["suggest"]) or {"--help", "-h"} & {*arguments}:
        return False
    rest = arguments[1:]
    return (
        bool({"--confirm", "--prove"} & {*rest})
        or not rest
        or any(":" in word and re.fullmatch(_MODEL, word) for word in rest)
    )


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory: the user's random.py must not replace the standard one
    main()
