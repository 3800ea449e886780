"""Static analysis of the texts of an editor: what ``convlint check`` would find if all of them were saved.

A ``Judge`` keeps parsed files and findings from one text to the next, so it is called from one thread only.
"""

from __future__ import annotations

import ast
import os
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from convlint.findings import baseline, fix_loop, suppressions
from convlint.ir import Finding, Problem, Site
from convlint.pipelines.lint_files import Linter
from convlint.settings import config, discovery
from convlint.settings.targets import Target
from convlint.source_text import call_sites, lines
from convlint.source_text.texts import SourceTexts
from convlint.static import affected_models as models_of
from convlint.support.errors import UsageError

Buffers = Mapping[str, bytes]
"""The contents of all open documents, by their absolute paths."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found in a file, and what of it could not be checked."""

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """The linter of a project, and what it was made for."""

    settings: config.Config
    known: tuple[int, int] | None
    linter: Linter


class Judge:
    """Judges the files of any number of projects. ``baseline`` is a path relative to each project."""

    def __init__(self, baseline: str | None = None) -> None:
        self._baseline = baseline
        self._kept: dict[str, _Kept] = {}
        self._models: dict[str, tuple[config.Config, list[Target]]] = {}

    def judge(self, path: str, buffers: Buffers) -> Judged:
        """What is found in the open document at a path. Never raises."""
        try:
            settings = config.discover(os.path.dirname(path))
            if _is_excluded(path, settings):
                return Judged()
            linter = self._linter(settings)
            found = linter.find(
                {discovery.display_path(path): buffers[path]}, texts=SourceTexts(buffers)
            )
            return Judged(tuple(found), linter.problems)
        except UsageError as error:
            return Judged(problems=(Problem("settings", str(error)),))
        except Exception as error:  # noqa: BLE001 - a mistake of ours is told, and the server goes on
            text = f"convlint failed: {type(error).__name__}: {error}; please report this"
            return Judged(problems=(Problem("internal", text, traceback=traceback.format_exc()),))

    def _linter(self, settings: config.Config) -> Linter:
        """The linter of a project: a new one when its settings or its baseline changed."""
        path = None if self._baseline is None else os.path.join(settings.root, self._baseline)
        known = _stamp(path)
        kept = self._kept.get(settings.root)
        if kept is None or (kept.settings, kept.known) != (settings, known):
            hidden = baseline.read(path) if path is not None and known is not None else None
            kept = _Kept(settings, known, Linter(settings, baseline=hidden, parsed={}))
            self._kept[settings.root] = kept
        return kept.linter

    # --- changes of the text

    def fixed(self, path: str, buffers: Buffers) -> bytes:
        """The text with every safe fix made that changes this file only. Raises UsageError."""
        settings = config.discover(os.path.dirname(path))
        if _is_excluded(path, settings):
            return buffers[path]
        linter, shown = self._linter(settings), discovery.display_path(path)
        texts = SourceTexts(buffers)

        def find(now: fix_loop.Files) -> Sequence[Finding]:
            return linter.find(now, texts=texts)

        return fix_loop.fix_files({shown: buffers[path]}, find).files.get(shown, buffers[path])

    def can_be_made(self, finding: Finding, buffers: Buffers) -> bool:
        """Whether the fix of a finding can be made in the texts as they are, and leaves files that parse."""
        texts = SourceTexts(buffers)
        edits = finding.fix.edits if finding.fix else ()
        try:
            files = {edit.site.path: texts.data(edit.site.path) for edit in edits}
        except OSError:
            return False
        return bool(fix_loop.fix_once(files, [finding], unsafe=True).applied)

    def silenced(self, finding: Finding, data: bytes) -> bytes:
        """The text with a comment that silences a finding in it; as it was where none could."""
        return suppressions.add_noqa(data, [finding])[0]

    # --- models

    def models_of(self, path: str) -> tuple[config.Config, list[Target]]:
        """The settings of a file, and the configured models that it is part of; kept until ``look_again``. Raises
        UsageError.
        """
        if path not in self._models:
            settings = config.discover(os.path.dirname(path))
            found = models_of.models_of([path], settings) if settings.models else []
            self._models[path] = settings, found
        return self._models[path]

    def look_again(self) -> None:
        """Files were saved or changed on the disk: look anew which models they make."""
        self._models.clear()

    def call_at(
        self, path: str, line: int, column: int, buffers: Buffers
    ) -> call_sites.WrittenCall | None:
        """The innermost call around a place in an open document."""
        tree = lines.parse(buffers[path])
        if tree is None:
            return None
        texts = SourceTexts(buffers)
        source = texts.lines(path)
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        sites = [lines.span(path, node, source) for node in calls]
        around = [site for site in sites if contains(site, line, column)]
        return call_sites.at(innermost(around), texts) if around else None

    def layer_call_at(
        self, path: str, line: int, column: int, buffers: Buffers
    ) -> call_sites.WrittenCall | None:
        """The innermost call around a place, if it is written as one of a layer that may have a cheaper form."""
        call = self.call_at(path, line, column, buffers)
        if call is None:
            return None
        from convlint.rewriting.kinds import kinds

        bases = {f"torch.nn.{kind.base}" for kind in kinds().values()}
        return call if call.callee in bases else None


def contains(site: Site, line: int, column: int) -> bool:
    """Whether a place lies in a span, its end included: that is where a cursor stands behind it."""
    end = (site.end_line or site.line, site.end_column or site.column)
    return (site.line, site.column) <= (line, column) <= end


def innermost(sites: Sequence[Site]) -> Site:
    """Of spans around one place the one that starts last and ends first."""
    return max(sites, key=lambda s: (s.line, s.column, -s.end_line, -s.end_column))


def _is_excluded(path: str, settings: config.Config) -> bool:
    found = discovery.find([path], exclude=settings.exclude, root=settings.root, force=True)
    return not found.files and not found.problems


def _stamp(path: str | None) -> tuple[int, int] | None:
    """What tells that a file is another than before; None where there is none."""
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size)
