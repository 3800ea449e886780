"""``python -m convlint``, and the command ``convlint``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. The worker starts first, so that it loads torch while the rest loads."""
    from convlint.trace.client import Worker  # noqa: PLC0415 - loaded when needed

    worker = Worker() if _runs_models(sys.argv[1:]) else None
    from convlint import cli  # noqa: PLC0415 - loaded when needed

    try:
        cli.main(worker)
    finally:
        if worker is not None:
            worker.close()


def _runs_models(arguments: list[str]) -> bool:
    """Whether a command line is about to run a model, as far as can be told without parsing it."""
    return arguments[:1] in (["check"], ["summary"]) and not {"--help", "-h"} & set(arguments)


if __name__ == "__main__":
    if not sys.flags.safe_path:
        del sys.path[0]  # the working directory: a random.py of the user's is not the standard one
    main()
