"""Findings and problems as an editor shows them, at the places where their lines are by now."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import attrs
from lsprotocol.types import (
    ClientCapabilities,
    CodeDescription,
    Diagnostic,
    DiagnosticRelatedInformation,
    DiagnosticSeverity,
    DiagnosticTag,
    Location,
    PublishDiagnosticsClientCapabilities,
    Range,
    TextEdit,
)
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.documents import Documents, uri_of
from convlint.integrations.lsp.positions import exact_range, moved, range_of
from convlint.ir import Edit, Finding, Problem, Site
from convlint.outputs.parts.sentences import finding_lines, problem_sentence
from convlint.rules import registry

READ, RAN = "convlint", "convlint (run)"
"""Who says it: the text of the file, or a run of a model."""

_SEVERITIES = {
    "error": DiagnosticSeverity.Error,
    "warning": DiagnosticSeverity.Warning,
    "info": DiagnosticSeverity.Information,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """A diagnostic, and the lines that its file had when it was made. ``path`` is absolute; without ``finding``
    it is about something that could not be checked.
    """

    path: str
    lines: Sequence[str]
    diagnostic: Diagnostic
    finding: Finding | None = None

    @property
    def ran(self) -> bool:
        return self.diagnostic.source == RAN

    def holds(self, lines: Sequence[str]) -> bool:
        """Whether the file still has the lines that this was found in."""
        return lines is self.lines or lines == self.lines

    def now(self, lines: Sequence[str]) -> Diagnostic | None:
        """The diagnostic where the file has these ``lines``; None if what it is about has changed.

        What a run found holds for the very text that was run. Other findings move with their lines, and have no
        fix then.
        """
        if self.holds(lines):
            return self.diagnostic
        place = self.diagnostic.range
        shift = moved(self.lines, lines, place.start.line + 1, place.end.line + 1)
        if self.ran or shift is None:
            return None
        return attrs.evolve(self.diagnostic, range=_shifted(place, shift), data=None)


def _shifted(place: Range, lines: int) -> Range:
    start = attrs.evolve(place.start, line=place.start.line + lines)
    return Range(start, attrs.evolve(place.end, line=place.end.line + lines))


class Pages:
    """The pages of the rules as files, for an editor to open: written when they are first named."""

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def uri(self, code: str) -> str:
        """The page of a rule. Raises OSError where it cannot be written."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="convlint-rules-")
        path = Path(self._folder.name, f"{code}.md")
        if not path.exists():
            from convlint.docsgen import (
                rule_pages as pages,
            )  # loaded when needed: with it all rules are

            path.write_text(pages.page(code), encoding="utf-8")
        return uri_of(str(path))

    def close(self) -> None:
        if self._folder is not None:
            self._folder.cleanup()


class Shower:
    """Makes diagnostics in the forms that an editor understands."""

    def __init__(self, documents: Documents, pages: Pages) -> None:
        self._documents = documents
        self._pages = pages
        self._can = PublishDiagnosticsClientCapabilities()
        self.codec = PositionCodec()

    def adapt(self, capabilities: ClientCapabilities, codec: PositionCodec) -> None:
        """Make what this editor understands from now on."""
        about = capabilities.text_document
        self._can = (about and about.publish_diagnostics) or self._can
        self.codec = codec

    @property
    def versions(self) -> bool:
        """Whether the editor wants to know which version of a text diagnostics are about."""
        return bool(self._can.version_support)

    def finding(
        self, finding: Finding, source: str, lines_of: Callable[[str], list[str]], home: str
    ) -> Shown:
        """A finding as a diagnostic. ``home`` is the file to tell it of where it names none; paths that are
        relative are so to the working directory.
        """
        site = finding.site or Site(home, 1)
        path = os.path.abspath(site.path)
        lines = lines_of(path)
        diagnostic = Diagnostic(
            range=range_of(lines, site, self.codec),
            message="\n".join(_told(finding)),
            severity=_SEVERITIES[finding.severity],
            code=finding.code,
            code_description=self._page(finding.code),
            source=source,
            tags=self._tags(finding),
            related_information=self._related(finding, lines_of),
            data=self._data(finding, lines_of),
        )
        return Shown(path, lines, diagnostic, finding)

    def problem(
        self, problem: Problem, source: str, lines_of: Callable[[str], list[str]], home: str
    ) -> Shown:
        """What could not be checked, at its line, or at the first of the file."""
        path = os.path.abspath(problem.path or home)
        lines = lines_of(path)
        site = Site(path, problem.line if problem.path and problem.line else 1)
        diagnostic = Diagnostic(
            range=range_of(lines, site, self.codec),
            message=problem_sentence(problem),
            severity=DiagnosticSeverity.Error,
            code=problem.kind,
            source=source,
        )
        return Shown(path, lines, diagnostic)

    def edits(
        self, edits: Iterable[Edit], lines_of: Callable[[str], list[str]]
    ) -> dict[str, list[TextEdit]]:
        """Edits as an editor makes them, each once, by the paths of the files."""
        found: dict[str, list[TextEdit]] = {}
        for edit in edits:
            path = os.path.abspath(edit.site.path)
            lines = lines_of(path)
            text = edit.text.replace("\n", _line_end(lines))
            made = TextEdit(exact_range(lines, edit.site, self.codec), text)
            if made not in found.setdefault(path, []):
                found[path].append(made)
        return found

    def _page(self, code: str) -> CodeDescription | None:
        try:
            return (
                CodeDescription(self._pages.uri(code))
                if self._can.code_description_support
                else None
            )
        except OSError:
            return None  # no room for the page: the finding is told without

    def _tags(self, finding: Finding) -> list[DiagnosticTag] | None:
        known = self._can.tag_support.value_set if self._can.tag_support else ()
        wanted = registry.rule(finding.code).unnecessary_code and DiagnosticTag.Unnecessary in known
        return [DiagnosticTag.Unnecessary] if wanted else None

    def _related(
        self, finding: Finding, lines_of: Callable[[str], list[str]]
    ) -> list[DiagnosticRelatedInformation] | None:
        if not finding.related or not self._can.related_information:
            return None
        return [
            DiagnosticRelatedInformation(
                Location(
                    self._documents.uri(other.site.path),
                    range_of(lines_of(os.path.abspath(other.site.path)), other.site, self.codec),
                ),
                other.message,
            )
            for other in finding.related
        ]

    def _data(self, finding: Finding, lines_of: Callable[[str], list[str]]) -> Any:
        """The fix, for editors that keep it: what it does, how safe that is, and its edits by URI."""
        if finding.fix is None or not self._can.data_support:
            return None
        fix = finding.fix
        edits = self.edits(fix.edits, lines_of)
        changes = {self._documents.uri(path): made for path, made in edits.items()}
        return {"fix": {"title": fix.title, "applicability": fix.applicability, "changes": changes}}


def _told(finding: Finding) -> list[str]:
    """A finding in lines, and which layers it is about where they are several. A fix that can be made is an action
    of the editor; only one that cannot is told.
    """
    display = finding.fix is not None and finding.fix.applicability == "display"
    lines = finding_lines(finding if display else replace(finding, fix=None))
    if len(finding.instances) > 1:
        names = ", ".join(finding.instances[:6])
        more = len(finding.instances) - 6
        lines.append(f"Layers: {names} and {more} more" if more > 0 else f"Layers: {names}")
    return lines


def _line_end(lines: Sequence[str]) -> str:
    """How the lines of a text end."""
    first = lines[0] if lines else ""
    return first[len(first.rstrip("\r\n")) :] or "\n"


def lines_from(known: Mapping[str, list[str]], documents: Documents) -> Callable[[str], list[str]]:
    """The lines of files by their absolute paths: those that are ``known``, or else as they are now."""
    kept = dict(known)

    def lines_of(path: str) -> list[str]:
        if path not in kept:
            kept[path] = documents.lines(path)
        return kept[path]

    return lines_of
