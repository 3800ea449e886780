"""Draw the picture of README.md: ``python -m bench.terminal_picture`` writes what a command prints as SVG.

It is the output of a real run, in the colors that a terminal gets. The fonts are those of the reader: the SVG of rich
would load one from the network.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "images" / "terminal.svg"
COMMAND = "convlint check fixtures/gdconv.py"
WIDTH = 116  # columns
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def output() -> str:
    """Return what the command prints on a terminal with colors."""
    arguments = shlex.split(COMMAND)[1:]
    environment = {**os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color", "NO_COLOR": ""}
    command = [sys.executable, "-m", "convlint", *arguments, "--no-cache", "--color", "always"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, env=environment)
    return done.stdout


def picture(printed: str) -> str:
    """Return the SVG of a terminal with the command and what it printed."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(Text(f"$ {COMMAND}", style="bold"))
    console.print(Text.from_ansi(printed))
    svg = console.export_svg(title="", theme=DIMMED_MONOKAI, unique_id="convlint")
    svg = _FONT_FACE.sub("", svg).replace("Fira Code", "ui-monospace, DejaVu Sans Mono, Menlo, Consolas")
    return "\n".join(line.rstrip() for line in svg.splitlines()).strip() + "\n"


def main() -> None:
    argparse.ArgumentParser(prog="python -m bench.terminal_picture", description=__doc__).parse_args()
    PICTURE.write_text(picture(output()), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
