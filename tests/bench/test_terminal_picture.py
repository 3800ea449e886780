"""The picture of README.md is what the command prints today, and loads nothing."""

from __future__ import annotations

from bench import terminal_picture


def test_the_picture_is_what_the_command_prints() -> None:
    drawn = terminal_picture.picture(terminal_picture.output())
    assert terminal_picture.PICTURE.read_text(encoding="utf-8") == drawn, "run `python -m bench.terminal_picture`"
    assert drawn.count("http") == drawn.count("http://www.w3.org") + drawn.count("https://www.textualize.io")
    assert "@font-face" not in drawn
