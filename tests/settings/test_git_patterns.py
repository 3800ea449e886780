"""The patterns of ``.gitignore`` files: as git matches them, in time that does not explode."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from convlint.settings.git_patterns import GitPatterns

NAMES = ["a", "b", "ab", "aab", "ba", "z", "1", "-", "]", "a-b", "!a", "#b", "a b", "é", "a\nb"]
PARTS = ["**", "*", "a", "b*", "?", "a*b", "***", "[ab]", "**a", "[!a]", "*a*a*b", "é", "[é]", "??"]
SETS = ["[[:alpha:]]", "[[:digit:]b]", "[a-b]", "[!a-b]", "[^z]", "[]a]", "[!]a]", "[\\]a]", "[a", "[z-a]", "[a-]"]
ODD = [*SETS, "[-a]", "[[:foo:]]", "[[:a]", "[/]", "[[:a:b]", "a", "*", "\\a", "\\*", "\\", "!", "#", " ", "\\ ", "/"]


def ignored(patterns: str, path: str) -> bool:
    """Whether patterns ignore a file, or a folder that it lies in."""
    names, matcher = path.split("/"), GitPatterns(patterns.encode())
    above = ("/".join(names[:end]) for end in range(1, len(names)))
    return any(matcher.ignores(each, folder=True) for each in above) or bool(matcher.ignores(path, folder=False))


def ignored_by_git(repository: Path, patterns: str, paths: Sequence[str]) -> set[str]:
    (repository / ".gitignore").write_bytes(patterns.encode())
    command = ("git", "check-ignore", "--no-index", "--stdin", "-z")
    done = subprocess.run(command, cwd=repository, input="\0".join(paths).encode(), capture_output=True, check=False)
    return {path.decode() for path in done.stdout.split(b"\0")[:-1]}


def drawn_lines(draw: random.Random) -> Iterator[str]:
    for _ in range(draw.choice([1, 1, 2, 4])):
        sign = draw.choice(["", "", "!"])
        if draw.random() < 0.5:
            yield sign + "/".join(draw.choices(PARTS, k=draw.randint(1, 5))) + draw.choice(["", "", "/"])
        else:
            yield sign + "".join(draw.choices(ODD, k=draw.randint(1, 4)))


def test_a_path_is_ignored_where_git_ignores_it(tmp_path: Path) -> None:
    command = ("git", "init", "-q", str(tmp_path))
    subprocess.run(command, check=True)
    for seed in range(150):
        draw = random.Random(seed)
        patterns = "\n".join(drawn_lines(draw)) + "\n"
        paths = sorted({"/".join(draw.choices(NAMES, k=draw.randint(1, 4))) for _ in range(60)})
        assert {path for path in paths if ignored(patterns, path)} == ignored_by_git(tmp_path, patterns, paths), (
            patterns
        )


@pytest.mark.parametrize(
    "pattern",
    [
        "*a" * 100 + "b",
        "/" + "*a*/" * 20 + "b",
        "**/" * 30 + "b",
        "/".join(["**", "*a*"] * 30) + "/b",
        "a**" * 30 + "b",
        "***/***/" + "***a" * 30 + "b",
        "?*" * 100 + "b",
    ],
)
def test_stars_cost_no_more_for_being_many(pattern: str) -> None:
    assert not ignored(pattern, "/".join(["a" * 200] * 20))


def test_the_last_pattern_decides() -> None:
    patterns = "*.py\n!keep/*.py\n" * 1000 + "/keep/not.py\n"
    assert ignored(patterns, "a.py")
    assert not ignored(patterns, "keep/a.py")
    assert ignored(patterns, "keep/not.py")
