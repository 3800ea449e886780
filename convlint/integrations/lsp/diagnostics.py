"""Findings and problems as diagnostics of an editor, at the present positions of their lines."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from lsprotocol import types
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.documents import Documents, uri_of
from convlint.integrations.lsp.positions import exact_range, moved, range_of
from convlint.ir import Edit, Finding, Problem, Site
from convlint.outputs.parts.sentences import finding_lines, headline, problem_sentence
from convlint.rules import registry
from convlint.support.dataclass import dataclass, replace

STATIC, RUN = "convlint", "convlint (run)"  # sources of diagnostics

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "info": types.DiagnosticSeverity.Information,
}


@dataclass(frozen=True, slots=True)
class FileDiagnostic:
    """The diagnostic of a ``finding`` or a problem, with its file's absolute path and lines when it was created."""

    path: str
    lines: Sequence[str]
    diagnostic: types.Diagnostic
    finding: Finding | None = None

    def is_current(self, lines: Sequence[str]) -> bool:
        return lines is self.lines or lines == self.lines

    def moved_to(self, lines: Sequence[str]) -> types.Diagnostic | None:
        """Return the diagnostic for a file that now has these ``lines``; None if the lines of the finding changed.

        A finding of a run only holds for the text that was run. Others move with their lines and lose their fix.
        """
        if self.is_current(lines):
            return self.diagnostic
        place = self.diagnostic.range
        shift = moved(self.lines, lines, place.start.line + 1, place.end.line + 1)
        if self.diagnostic.source == RUN or shift is None:
            return None
        return attrs.evolve(self.diagnostic, range=_shifted(place, shift), data=None)


def _shifted(place: types.Range, lines: int) -> types.Range:
    start = attrs.evolve(place.start, line=place.start.line + lines)
    return types.Range(start, attrs.evolve(place.end, line=place.end.line + lines))


class RulePages:
    """The pages of the rules as files that an editor can open, written when they are first needed."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def uri(self, code: str) -> str:
        """Return the URI of a rule's page. Raises OSError if it cannot be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="convlint-rules-")
        path = Path(self._folder.name, f"{code}.md")
        if not path.exists():
            from convlint.docsgen import rule_pages  # which loads all rules

            path.write_text(rule_pages.page(code), encoding="utf-8")
        return uri_of(str(path))

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


class DiagnosticBuilder:
    """Builds diagnostics with the features that the editor supports."""

    def __init__(self, documents: Documents, pages: RulePages) -> None:
        self._documents = documents
        self._pages = pages
        self._supported = types.PublishDiagnosticsClientCapabilities()
        self.codec = PositionCodec()

    def adapt(self, capabilities: types.ClientCapabilities, codec: PositionCodec) -> None:
        documents = capabilities.text_document
        self._supported = (documents and documents.publish_diagnostics) or self._supported
        self.codec = codec

    @property
    def versions(self) -> bool:
        """Return whether the editor expects the version of the document with its diagnostics."""
        return bool(self._supported.version_support)

    def finding(self, finding: Finding, source: str, lines_of: Callable[[str], list[str]], home: str) -> FileDiagnostic:
        """Build the diagnostic of a finding; ``home`` is the file of a finding without a site."""
        site = finding.site or Site(home, 1)
        path = os.path.abspath(site.path)
        lines = lines_of(path)
        diagnostic = types.Diagnostic(
            range=range_of(lines, site, self.codec),
            message="\n".join(_message_lines(finding)),
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            code_description=self._page(finding.code),
            source=source,
            tags=self._tags(finding),
            related_information=self._related(finding, lines_of),
            data=self._data(finding, lines_of),
        )
        return FileDiagnostic(path, lines, diagnostic, finding)

    def problem(self, problem: Problem, source: str, lines_of: Callable[[str], list[str]], home: str) -> FileDiagnostic:
        """Build the diagnostic of a problem, at its line or at the first line of the file."""
        path = os.path.abspath(problem.path or home)
        lines = lines_of(path)
        site = Site(path, problem.line if problem.path and problem.line else 1)
        diagnostic = types.Diagnostic(
            range=range_of(lines, site, self.codec),
            message=problem_sentence(problem),
            severity=types.DiagnosticSeverity.Error,
            code=problem.kind,
            source=source,
        )
        return FileDiagnostic(path, lines, diagnostic)

    def edits(self, edits: Iterable[Edit], lines_of: Callable[[str], list[str]]) -> dict[str, list[types.TextEdit]]:
        """Convert edits to those of an editor, without duplicates, by path."""
        by_path: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            path = os.path.abspath(edit.site.path)
            lines = lines_of(path)
            text = edit.text.replace("\n", _line_end(lines))
            converted = types.TextEdit(exact_range(lines, edit.site, self.codec), text)
            if converted not in by_path.setdefault(path, []):
                by_path[path].append(converted)
        return by_path

    def _page(self, code: str) -> types.CodeDescription | None:
        try:
            return types.CodeDescription(self._pages.uri(code)) if self._supported.code_description_support else None
        except OSError:
            return None  # the finding is published without its page

    def _tags(self, finding: Finding) -> list[types.DiagnosticTag] | None:
        known = self._supported.tag_support.value_set if self._supported.tag_support else ()
        wanted = registry.rule(finding.code).unnecessary_code and types.DiagnosticTag.Unnecessary in known
        return [types.DiagnosticTag.Unnecessary] if wanted else None

    def _related(
        self, finding: Finding, lines_of: Callable[[str], list[str]]
    ) -> list[types.DiagnosticRelatedInformation] | None:
        if not finding.related or not self._supported.related_information:
            return None
        related = []
        for other in finding.related:
            place = range_of(lines_of(os.path.abspath(other.site.path)), other.site, self.codec)
            location = types.Location(self._documents.uri(other.site.path), place)
            related.append(types.DiagnosticRelatedInformation(location, other.message))
        return related

    def _data(self, finding: Finding, lines_of: Callable[[str], list[str]]) -> Any:
        """Return the fix for editors that keep it: title, applicability, and edits by URI."""
        fix = finding.fix
        if fix is None or not self._supported.data_support:
            return None
        changes = {self._documents.uri(path): edits for path, edits in self.edits(fix.edits, lines_of).items()}
        return {"fix": {"title": fix.title, "applicability": fix.applicability, "changes": changes}}


def _message_lines(finding: Finding) -> list[str]:
    """Return the message of a finding, its modules if they are several, and its fix if it is not a code action."""
    display = finding.fix is not None and finding.fix.applicability == "display"
    without = replace(finding, fix=finding.fix if display else None, repairs=())
    return [headline(finding), *finding_lines(without)[1:]]


def _line_end(lines: Sequence[str]) -> str:
    first = lines[0] if lines else ""
    return first[len(first.rstrip("\r\n")) :] or "\n"


def lines_from(known: Mapping[str, list[str]], documents: Documents) -> Callable[[str], list[str]]:
    """Return a function that returns the lines of a file by its absolute path: the ``known`` or the present ones."""
    cache = dict(known)

    def lines_of(path: str) -> list[str]:
        return cache[path] if path in cache else cache.setdefault(path, documents.lines(path))

    return lines_of
