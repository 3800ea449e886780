"""``python -m convlint``, and the command ``convlint``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. The worker starts first, so that it loads torch while the rest loads."""
    from convlint.trace.client import Worker

    worker = Worker() if _runs_models(sys.argv[1:]) else None
    from convlint import cli

    try:
        cli.main(worker)
    finally:
        if worker is not None:
            worker.close()


def _runs_models(arguments: list[str]) -> bool:
    """Whether a command line is about to run a model, as far as can be told without parsing it."""
    return arguments[:1] in (["check"], ["summary"]) and not {"--help", "-h"} & set(arguments)


if __name__ == "__main__":
    main()
