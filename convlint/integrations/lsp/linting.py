"""Lint the documents of an editor, as ``convlint check`` would if all of them were saved.

An ``EditorLinter`` keeps parsed files and findings between calls, so it is called from one thread only.
"""

from __future__ import annotations

import ast
import os
import traceback
from collections.abc import Mapping, Sequence
from functools import partial

from convlint import symbolic
from convlint.findings import baseline, fix_loop, suppressions
from convlint.integrations.lsp.static_shapes import ExecutionShapes, shapes_in
from convlint.ir import Edit, Finding, Problem, Site
from convlint.pipelines.lint_files import Linter
from convlint.settings import config, discovery
from convlint.settings.targets import Target
from convlint.source_text import call_sites, lines
from convlint.source_text.texts import SourceTexts
from convlint.static import Project
from convlint.static import affected_models as models_of
from convlint.static.program.project import Parsed
from convlint.support.dataclass import dataclass
from convlint.support.errors import UsageError

Buffers = Mapping[str, bytes]  # contents of all open documents, by absolute path


@dataclass(frozen=True, slots=True)
class LintResult:
    """The findings in a file, and what could not be checked."""

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _ProjectLinter:
    """The linter of a project, with the settings and the baseline that it was created for."""

    settings: config.Config
    baseline: tuple[int, int] | None  # its modification time and size
    linter: Linter
    parsed: Parsed  # the syntax trees of its files


class EditorLinter:
    """Lints files of any number of projects. ``baseline`` is a path relative to each project."""

    def __init__(self, baseline: str | None = None) -> None:
        self._baseline = baseline
        self._linters: dict[str, _ProjectLinter] = {}
        self.generation = object()  # another one after files on disk have changed
        self._models_of_files: dict[str, tuple[config.Config, list[Target]]] = {}

    def lint(self, path: str, buffers: Buffers) -> LintResult:
        """Lint an open document. Never raises."""
        try:
            settings = config.discover(os.path.dirname(path))
            if _is_excluded(path, settings):
                return LintResult()
            linter = self._project(settings).linter
            findings = linter.find({discovery.display_path(path): buffers[path]}, texts=SourceTexts(buffers))
            return LintResult(tuple(findings), linter.problems)
        except UsageError as error:
            return LintResult(problems=(Problem("settings", str(error)),))
        except Exception as error:  # noqa: BLE001 - an internal error is reported, and the server continues
            text = f"convlint failed: {type(error).__name__}: {error}; please report this"
            return LintResult(problems=(Problem("internal", text, traceback=traceback.format_exc()),))
        finally:
            symbolic.forget()  # every edit brings other names and sizes

    def _project(self, settings: config.Config) -> _ProjectLinter:
        """Return the linter of a project; a new one if its settings or its baseline changed."""
        path = None if self._baseline is None else os.path.join(settings.root, self._baseline)
        version = _version(path)
        linter = self._linters.get(settings.root)
        if linter is None or (linter.settings, linter.baseline) != (settings, version):
            hidden = baseline.read(path) if path is not None and version is not None else None
            parsed: Parsed = {}
            linter = _ProjectLinter(settings, version, Linter(settings, baseline=hidden, parsed=parsed), parsed)
            self._linters[settings.root] = linter
        return linter

    def forget(self, path: str) -> None:
        """Free what is kept of a document that was closed; a file that another imports is read again."""
        self._models_of_files.pop(path, None)
        for each in self._linters.values():
            each.parsed.pop(path, None)
            each.linter.forget(path)

    def shapes(self, path: str, buffers: Buffers) -> tuple[ExecutionShapes, ...] | None:
        """Return the shapes that static analysis knows in an open document; None if it cannot be parsed.

        They come from the document's own entry points, and from the configured models that use it.
        """
        if lines.parse(buffers[path]) is None:
            return None
        try:
            settings, targets = self.models_of(path)
            if _is_excluded(path, settings):
                return ()
            entries = tuple([e for e in settings.models if e.target in targets and e.target.path is not None])
            files = dict.fromkeys(discovery.display_path(os.path.abspath(e.target.path or "")) for e in entries)
            texts = SourceTexts(buffers)
            project = Project(settings.root, entries, texts, self._project(settings).parsed)
            here = discovery.display_path(path)
            return shapes_in(here, [file for file in files if file != here], project, texts)
        except Exception:  # noqa: BLE001 - linting the document reports the error
            return ()

    def fix_all(self, path: str, buffers: Buffers) -> bytes:
        """Return the file after all safe fixes that change only this file. Raises UsageError."""
        settings = config.discover(os.path.dirname(path))
        if _is_excluded(path, settings):
            return buffers[path]
        display_path = discovery.display_path(path)
        find = partial(self._project(settings).linter.find, texts=SourceTexts(buffers))
        return fix_loop.fix_files({display_path: buffers[path]}, find).files.get(display_path, buffers[path])

    def can_apply(self, edits: Sequence[Edit], buffers: Buffers) -> bool:
        """Return whether edits apply to the present texts, and the files still parse after them."""
        texts = SourceTexts(buffers)
        try:
            files = {edit.site.path: texts.data(edit.site.path) for edit in edits}
        except OSError:
            return False
        return fix_loop.can_apply(files, edits)

    def with_noqa(self, finding: Finding, data: bytes) -> bytes:
        """Return the file with a comment that suppresses a finding; unchanged if that is impossible."""
        return suppressions.add_noqa(data, [finding])[0]

    def models_of(self, path: str) -> tuple[config.Config, list[Target]]:
        """Return the settings of a file and the models that depend on it, from a cache. Raises UsageError."""
        if path not in self._models_of_files:
            settings = config.discover(os.path.dirname(path))
            models = models_of.models_of([path], settings) if settings.models else []
            self._models_of_files[path] = settings, models
        return self._models_of_files[path]

    def forget_models(self) -> None:
        """Forget which models depend on which files, because files changed on disk."""
        self.generation = object()
        self._models_of_files.clear()

    def call_at(self, path: str, line: int, column: int, buffers: Buffers) -> call_sites.WrittenCall | None:
        """Return the innermost call around a position in an open document."""
        tree = lines.parse(buffers[path])
        if tree is None:
            return None
        texts = SourceTexts(buffers)
        source = texts.lines(path)
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
        sites = [lines.span(path, node, source) for node in calls]
        around = [site for site in sites if contains(site, line, column)]
        return call_sites.at(innermost(around), texts) if around else None

    def layer_call_at(self, path: str, line: int, column: int, buffers: Buffers) -> call_sites.WrittenCall | None:
        """Return the innermost call around a position if it builds a layer that ``suggest`` can rewrite."""
        call = self.call_at(path, line, column, buffers)
        if call is None:
            return None
        from convlint.rewriting.kinds import kinds

        return call if call.callee in {f"torch.nn.{base}" for kind in kinds().values() for base in kind.bases} else None


def contains(site: Site, line: int, column: int) -> bool:
    """Return whether a position is in a span; its end is included, because the cursor can be there."""
    end = (site.end_line or site.line, site.end_column or site.column)
    return (site.line, site.column) <= (line, column) <= end


def innermost(sites: Sequence[Site]) -> Site:
    """Return the span that starts last and ends first, of spans around one position."""
    return max(sites, key=lambda s: (s.line, s.column, -s.end_line, -s.end_column))


def _is_excluded(path: str, settings: config.Config) -> bool:
    files = discovery.find([path], exclude=settings.exclude, root=settings.root, force=True)
    return not files.files and not files.problems


def _version(path: str | None) -> tuple[int, int] | None:
    """Return the modification time and size of a file; None if there is none."""
    try:
        status = os.stat(path) if path is not None else None
    except OSError:
        return None
    return None if status is None else (status.st_mtime_ns, status.st_size)
