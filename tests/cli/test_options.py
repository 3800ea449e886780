"""The table of options: its help texts, and the options that documents name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from convlint.cli import app
from convlint.pipelines.options import Option

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TABLE = [
    pytest.param(option, id=f"{command} {option.flag}")
    for command, (request, _) in app.COMMANDS.items()
    for option in request.options(command).values()
]


@pytest.mark.parametrize("option", TABLE)
def test_a_help_text_is_a_sentence_and_a_value_has_a_name(option: Option) -> None:
    assert option.help[0].isupper()
    assert option.help.endswith(".")
    assert option.is_switch != bool(re.fullmatch("[A-Z]+", option.metavar))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_names_only_options_that_exist(document: Path) -> None:
    known = {
        flag
        for request, _ in app.COMMANDS.values()
        for option in request.options().values()
        for flag in (option.flag, option.short)
    }
    known |= {"--help", "-h", "--version", "--install-completion"}
    for line in re.findall(r"convlint (?:check|suggest|summary|sweep|init|rule)\b[^\n`|>#]*", document.read_text()):
        assert set(re.findall(r"(?<=\s)--?[a-z][a-z-]*", line)) <= known, line
