"""convlint as a plugin of flake8: what ``convlint check`` finds in the text of a file, told by flake8.

The settings of convlint hold here too: which rules are selected, and which comments silence them.
flake8 then selects and silences by its own. It knows no severities, so that only what makes
``convlint check`` fail is told. Nothing but what registers the plugin is imported with this file.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

import convlint

if TYPE_CHECKING:
    from convlint.settings.config import Config
    from convlint.static import Project


class Plugin:
    """One file, as flake8 hands it over."""

    name = "convlint"
    version = convlint.__version__

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        """Raises UsageError where the settings cannot be understood; flake8 tells it in one line."""
        del tree  # a plugin that asks for it is called once for a file
        self._path = filename
        self._data = encoded(lines)
        self._settings, self._project = _shared()

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """The findings in the file: line from 1, column from 0, code and message, and who says it."""
        from convlint import static
        from convlint.findings import suppressions
        from convlint.ir import Report
        from convlint.pipelines.lint_files import reported

        if suppressions.skips_file(self._data):
            return
        checked = static.check_file(self._path, self._data, self._project)
        for finding in reported(
            self._path, self._data, checked.findings, self._settings, self._project.texts
        ):
            site = finding.site
            if site is None or os.path.abspath(site.path) != os.path.abspath(self._path):
                continue  # told of the file that it is in
            if Report((finding,)).exit_code(self._settings.fail_on):
                yield site.line, site.column - 1, f"{finding.code} {finding.message}", type(self)
        for problem in checked.problems:  # raised, it would end the check of all other files
            yield problem.line or 1, 0, f"CVL902 {problem.message}", type(self)


@cache
def _shared() -> tuple[Config, Project]:
    """What all files of one process have in common."""
    from convlint import static
    from convlint.settings import config

    settings = config.discover()
    return settings, static.Project(settings.root, settings.models)


def encoded(lines: Sequence[str]) -> bytes:
    """The bytes of a file of which only the decoded lines are at hand, in the encoding that it declares."""
    from convlint.source_text.lines import encode

    return encode("".join(lines))
