"""The words that convlint does not use, in messages, help, docstrings, comments and documentation.

Readers come from Ruff, torchinfo and PyTorch. Each entry names a word or phrase that slowed them down, and what to
write instead. A line may keep one where it quotes something: then it is in ``EXCEPTIONS``, with the reason.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BANNED = {
    r"\bwould fit\b": "use NAME=VALUE",
    r"\barriv(e|es|ed|ing)\b": "receives",
    r"\b(tell|tells|told|telling)\b": "report, say, print",
    r"\bbehind\b": "after",
    r"\bin front of\b": "before",
    r"\bbeside\b": "next to, compared with, as a control",
    r"(?<!\bthere )\b(is|are|was|were) no (?!longer\b|more than\b|better\b|worse\b)[a-z]": "is not a",
    r"\bin spite of\b": "despite",
    r"\bshared out\b": "divisible by",
    r"\banew\b": "again",
    r"\btomorrow\b": "for other arguments",
    r"\bby luck\b": "only for some arguments",
    r"\b(nobody|somebody)\b": "the subject that is meant",
    r"\bfound nothing\b": "no findings",
    r"\bat its peak\b": "peak",
    r"\bsum(med)? up\b": "collapse",
    r"\bsilences?\b": "suppress",
    r"\bwish(es|ed)?\b": "option, request",
    r"\b(stands?|stood|standing) (in|at|on|there|above|below|alone|here|where|with)\b": "is",
    r"\blie(s)? (in|at|there|below|above|on|beside|here|deeper)\b": "is",
    r", for (it|they|there|this|that|what|nothing|all) (is|are|has|have|can|may|must|needs)\b": "because",
    r"\bwhose doing\b": "caused by",
    r"\bas it is by now\b": "current",
    r"\bnothing is (known|reported|told) of\b": "convlint does not know",
    r"\bof what is\b": "of values that are",
    r"\b(less|save) what\b": "except",
    r"\bgoes on\b": "continues",
    r"\bmade for one\b": "assumes one",
    r"\basked (for|of|anew)\b": "requested",
    r"\bis worth\b": "evaluates to",
    r"\bteaches\b": "installs",
    r"\bmends?\b": "fixes",
}
"""What is not written, as a regular expression without regard to case, and what to write instead."""

OPENINGS = re.compile(r"(What|Which|Whose|Who|Whether|Where|How)\b")
"""A docstring begins with a verb or a noun: not with a question word as the subject of a riddle."""

NAMES = re.compile(
    r"(^|_)(told|tell|tells|asked|shown|made|way|ways|sound|judge|judges|judging|whose|anew|beside|behind|arrives?|arrived)(_|$)"
)
"""Words that are no names for functions, classes and modules: a finding, an option and a path have names."""

EXCEPTIONS: dict[str, str] = {"What it does": "a heading of rule pages, as in Ruff"}
"""Lines that keep a word, by a part of the line, and why."""


def strings_and_comments(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a Python file that people read: comments and strings that hold a space."""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        spoken = token.type == tokenize.COMMENT or (
            token.type in (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
            and " " in token.string
        )
        if spoken:
            for offset, line in enumerate(token.string.splitlines()):
                yield token.start[0] + offset, line


def docstrings(text: str) -> Iterator[tuple[int, str]]:
    """The first line of each docstring, with its line number."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, kinds) and (said := ast.get_docstring(node)):
            yield node.body[0].lineno, said.splitlines()[0]


def complaints(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for number, line in lines:
        if not any(part in line for part in EXCEPTIONS):
            for pattern, instead in BANNED.items():
                if found := re.search(pattern, line, re.IGNORECASE):
                    yield f"{number}: {found.group(0)!r}, write {instead!r}: {line.strip()}"


def sources(*folders: str) -> list[Path]:
    files = [file for folder in folders for file in sorted((ROOT / folder).rglob("*.py"))]
    return [file for file in files if not {"examples", "followed", "nets"} & set(file.parts)]


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("file", sources("convlint"), ids=lambda file: str(file.relative_to(ROOT)))
def test_code_is_written_in_plain_english(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found = list(complaints(strings_and_comments(text)))
    found += [
        f"{number}: a docstring opens with {opening!r}"
        for number, opening in docstrings(text)
        if OPENINGS.match(opening) and not any(part in opening for part in EXCEPTIONS)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("file", sources("convlint"), ids=lambda file: str(file.relative_to(ROOT)))
def test_names_are_nouns_of_the_domain(file: Path) -> None:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, kinds)]
    assert not [name for name in [file.stem, *names] if NAMES.search(name.lower())]


@pytest.mark.parametrize("file", pages(), ids=lambda file: str(file.relative_to(ROOT)))
def test_documentation_is_written_in_plain_english(file: Path) -> None:
    lines = enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    found = list(complaints(lines))
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "4096 arrive",
        "16 would fit",
        "X is no class of nn.Module",
        "what stands in the file",
        "Say of every layer that is told why.",
    ],
)
def test_a_banned_phrase_is_found(line: str) -> None:
    assert list(complaints(iter([(1, line)])))
