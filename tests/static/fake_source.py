"""A fake static analysis, for tests of its callers with files of one line.

It reports words in capitals: BAD is an error (CVL101), ODD a warning with an unsafe fix (CVL301), MEND
a warning with a safe fix (CVL302), both to ``good``. ``LATENT = Net`` is a latent finding about the
class Net (CVL201). ``uses NAME`` depends on the file NAME: if that contains WIDE, the line is an error
(CVL102). ``blames NAME`` is an error in the first line of the file NAME (CVL103). CRASH makes the
analysis fail, and SLOW is a problem.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from convlint import static
from convlint.ir import Claim, Edit, Finding, Fix, Problem, Severity, Site
from convlint.source_text.texts import SourceTexts

RULES: dict[str, tuple[str, str, Severity, Any]] = {
    "BAD": ("CVL101", "groups-not-dividing", "error", None),
    "ODD": ("CVL301", "bias-before-norm", "warning", "unsafe"),
    "MEND": ("CVL302", "padded-pointwise", "warning", "safe"),
}


class Imports:
    def read_files(self) -> list[str]:
        return []


class Project:
    lines = 0
    imports = Imports()

    def __init__(
        self, root: str, entries: Sequence[Any] = (), texts: SourceTexts | None = None, _parsed: object = None
    ) -> None:
        self.root, self.entries, self.texts = root, entries, texts or SourceTexts()

    def text(self, path: str) -> bytes:
        return self.texts.data(path) if os.path.exists(path) or self.texts.has_overlay(path) else b""


@dataclass
class Fake:
    """Checks files and records which."""

    judged: list[str] = field(default_factory=list)
    projects: list[Project] = field(default_factory=list)

    def check_file(self, path: str, data: bytes, project: Project, **_: object) -> static.CheckedFile:
        self.judged.append(path)
        self.projects.append(project)
        text = data.decode()
        if "CRASH" in text:
            raise RecursionError("too deep")
        if "SLOW" in text:
            return static.CheckedFile(problems=(Problem("timeout", "it took too long", path),))
        used = tuple(map(os.path.abspath, re.findall(r"uses (\S+)", text)))
        return static.CheckedFile(tuple(self._found(path, text, project)), {os.path.abspath(path): used})

    def _found(self, path: str, text: str, project: Project) -> Iterator[Finding]:
        for number, line in enumerate(text.splitlines(), start=1):
            for match in re.finditer(r"BAD|ODD|MEND", line):
                site = Site(path, number, match.start() + 1, number, match.end() + 1, "f")
                code, name, severity, kind = RULES[match[0]]
                fix = Fix("write good", kind, (Edit(site, "good"),)) if kind else None
                yield Finding(code, name, severity, f"{match[0]} is found", site, fix=fix)
            if match := re.search(r"LATENT = (\w+)", line):
                site = Site(path, number, 1, number, len(line) + 1, "f")
                claim = Claim(path, match[1], (), (), (site,))
                text = "fails for other numbers"
                yield Finding("CVL201", "latent-norm-channels", "warning", text, site, claim=claim)
            if match := re.search(r"blames (\S+)", line):
                text = "what is built here does not fit"
                yield Finding("CVL103", "norm-channels", "error", text, Site(match[1], 1, 1, 1, 2))
            if (use := re.search(r"uses (\S+)", line)) and b"WIDE" in project.text(use[1]):
                site = Site(path, number, 1, number, len(line) + 1, "f")
                yield Finding("CVL102", "conv-input-channels", "error", f"{use[1]} is wide", site)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    stand_in = Fake()
    monkeypatch.setattr(static, "Project", Project)
    monkeypatch.setattr(static, "check_file", stand_in.check_file)
    return stand_in
