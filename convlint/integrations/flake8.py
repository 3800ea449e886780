"""The flake8 plugin: the static findings of ``convlint check``, reported by flake8.

The settings and suppression comments of convlint apply first, then those of flake8. flake8 has no severities, so only
findings that make ``convlint check`` fail are reported. Other modules are imported when they are needed, so that flake8
starts fast.
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
    """One file that flake8 checks."""

    name = "convlint"
    version = convlint.__version__

    def __init__(self, tree: ast.AST, filename: str, lines: Sequence[str]) -> None:
        """Raises UsageError for invalid settings, which flake8 reports in one line."""
        del tree  # the parameter makes flake8 call the plugin once per file
        self._path = filename
        self._data = encoded(lines)
        self._settings, self._project = _shared()

    def run(self) -> Iterator[tuple[int, int, str, type]]:
        """Yield the findings in the file: line from 1, column from 0, code with message, and this class."""
        from convlint.findings import suppressions
        from convlint.findings.select import merged
        from convlint.ir import Report
        from convlint.outputs.parts.sentences import headline
        from convlint.pipelines.file_linter import lint_text
        from convlint.pipelines.lint_files import reported

        if suppressions.skips_file(self._data):
            return
        linted = lint_text(self._path, self._data, self._project)
        chosen = reported(self._path, self._data, linted.findings, self._settings, self._project.texts)
        for finding in merged(chosen):
            site = finding.site
            if site is None or os.path.abspath(site.path) != os.path.abspath(self._path):
                continue  # it is reported for its own file
            if Report((finding,)).exit_code_at(self._settings.fail_on):
                yield site.line, site.column - 1, f"{finding.code} {headline(finding)}", type(self)
        for problem in linted.problems:  # an exception would end the check of all other files
            yield problem.line or 1, 0, f"CVL902 {problem.message}", type(self)


@cache
def _shared() -> tuple[Config, Project]:
    """The settings and the project of all files that a process checks."""
    from convlint import static
    from convlint.settings import config

    settings = config.discover()
    return settings, static.Project(settings.root, settings.models)


def encoded(lines: Sequence[str]) -> bytes:
    """Return the bytes of a file from its decoded lines, in the encoding that it declares."""
    from convlint.source_text.lines import encode

    return encode("".join(lines))
