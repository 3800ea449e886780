"""Lint files statically: apply the rules, the selection of the configuration, and suppression comments.

No code of the user's is imported or run, and torch is not loaded.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convlint.findings.select import merged, selected
from convlint.ir import Coverage, Finding, Problem
from convlint.pipelines.cache import Cache, Checked
from convlint.pipelines.file_linter import FileLinter, LintedFile
from convlint.settings.config import Config, ModelEntry
from convlint.settings.discovery import unreadable
from convlint.source_text.texts import SourceTexts
from convlint.support.errors import NOTEBOOK, not_python, notebook_advice
from convlint.support.regular_file import read_regular_file

if TYPE_CHECKING:
    from convlint.findings.baseline import Baseline
    from convlint.findings.confirm import ProveClaim
    from convlint.static.program.project import Parsed

UNUSED_SUPPRESSION = "CVL900"
_MIN_FILES_FOR_PROCESSES = 16  # for fewer files, starting processes takes longer than it saves


def read_files(paths: Iterable[str]) -> tuple[dict[str, bytes], list[Problem]]:
    """The contents of files, and the problems of those that cannot be read."""
    contents: dict[str, bytes] = {}
    problems = []
    for path in paths:
        if path.endswith(NOTEBOOK):
            problems.append(Problem("notebook", notebook_advice(path), path=path))
            continue
        try:
            data = read_regular_file(path)
        except OSError as error:
            problems.append(unreadable(path, error))
            continue
        if advice := not_python(path, data):
            problems.append(Problem("not-python", advice, path=path))
        else:
            contents[path] = data
    return contents, problems


class Linter:
    """Lints files, and again only those that changed or that depend on a changed file.

    ``jobs`` is the number of processes. ``progress`` is called before each file with the number of files that are
    done, and of all files. ``parsed`` keeps the syntax trees of imported files from one call of ``find`` to the next.
    ``decided`` findings are not reported, because runs refuted them or report them. ``problems`` and ``coverage`` are
    those of the last call.
    """

    def __init__(
        self,
        config: Config,
        cache_folder: str | None = None,
        baseline: Baseline | None = None,
        jobs: int = 1,
        progress: Callable[[int, int], None] | None = None,
        parsed: Parsed | None = None,
        decided: Sequence[Finding] = (),
    ) -> None:
        self._config = config
        self._cache = Cache(cache_folder, (config.root, config.models))
        self._baseline = baseline
        self._jobs = jobs
        self._progress = progress
        self._parsed = parsed
        self._decided = frozenset((finding.code, finding.site) for finding in decided)
        self.problems: tuple[Problem, ...] = ()
        self.coverage: tuple[Coverage, ...] = ()

    def find(
        self, files: Mapping[str, bytes], prove_claim: ProveClaim | None = None, texts: SourceTexts | None = None
    ) -> list[Finding]:
        """The findings in files with these contents that are selected, not suppressed and not in the baseline.

        ``prove_claim`` builds and runs the classes of latent findings, as they are on disk; None runs nothing.
        ``texts`` gives the files that these import; None reads them from disk.
        """
        texts = (texts or SourceTexts()).with_overlays(files)
        linted = self.linted(files, texts)
        self.problems = tuple(problem for each in linted.values() for problem in each.problems)
        self.coverage = tuple(coverage for each in linted.values() for coverage in each.coverage)
        in_files = by_file(finding for each in linted.values() for finding in each.findings)
        found: list[Finding] = []
        for path, each in linted.items():
            in_file = in_files.get(os.path.abspath(path), ())
            findings = [finding for finding in each.findings if (finding.code, finding.site) not in self._decided]
            found += reported(path, files[path], findings, self._config, texts, prove_claim, in_file)
        findings = merged(found)
        return findings if self._baseline is None else self._baseline.new_findings(findings, texts)

    def linted(self, files: Mapping[str, bytes], texts: SourceTexts) -> dict[str, LintedFile]:
        """All findings in files that are not skipped, whichever are selected; from the cache if it has them."""
        contents = {path: data for path, data in files.items() if not _is_skipped(data)}
        linted = {}
        self._cache.forget_files()
        for path in contents:
            known = self._cache.get(path, texts)
            if known is not None:
                linted[path] = LintedFile(known.findings, coverage=known.coverage)
        unknown = [path for path in contents if path not in linted]
        uses: dict[str, set[str]] = {}
        for path, result in zip(unknown, self._lint(unknown, texts), strict=True):
            linted[path] = result
            for user, used in result.uses.items():
                uses.setdefault(user, set()).update(used)
        complete = {
            path: Checked(linted[path].findings, linted[path].coverage) for path in unknown if not linted[path].problems
        }
        self._cache.put(complete, uses, texts)
        return linted

    def forget(self, path: str) -> None:
        """Free what is kept of a file."""
        self._cache.forget(path)

    def _lint(self, paths: Sequence[str], texts: SourceTexts) -> list[LintedFile]:
        if not paths:
            return []
        program = (self._config.root, self._entries(texts), texts)
        if self._jobs < 2 or len(paths) < _MIN_FILES_FOR_PROCESSES:
            with _without_collector():
                linter = FileLinter(program, self._parsed)
                return [linter.lint(path) for path in self._with_progress(paths)]
        from convlint.pipelines.lint_processes import lint_in_processes  # with few files, there is one process

        results = lint_in_processes(paths, program, min(self._jobs, len(paths)))
        return [result for _, result in zip(self._with_progress(paths), results, strict=True)]

    def _with_progress(self, paths: Sequence[str]) -> Iterator[str]:
        for done, path in enumerate(paths):
            if self._progress is not None:
                self._progress(done, len(paths))
            yield path

    def _entries(self, texts: SourceTexts) -> tuple[ModelEntry, ...]:
        return tuple(e for e in self._config.models if e.target.path and texts.has_overlay(e.target.path))


@contextmanager
def _without_collector() -> Iterator[None]:
    """Turn the garbage collector off: the syntax trees of a project are kept in any case, and traversing them again
    and again took a third of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


# --- selection and suppression


def _is_skipped(data: bytes) -> bool:
    if b"skip-file" not in data.lower():
        return False
    from convlint.findings import suppressions

    return suppressions.skips_file(data)


def reported(
    path: str,
    data: bytes,
    findings: Sequence[Finding],
    config: Config,
    texts: SourceTexts,
    prove_claim: ProveClaim | None = None,
    in_file: Sequence[Finding] | None = None,
) -> list[Finding]:
    """The findings of a linted file to report: selected, not suppressed, not refuted; and unused suppressions.

    ``findings`` may be in other files that this one imports. ``in_file`` are the findings in this file, of whichever
    file that was linted; None stands for ``findings``.
    """
    chosen = [finding for finding in selected(findings, config) if not _is_suppressed_elsewhere(finding, path, texts)]
    lower = data.lower()
    if b"noqa" in lower or b"convlint:" in lower:
        from convlint.findings import suppressions

        if b"cvl" in lower and config.selects(UNUSED_SUPPRESSION):
            suppressible = findings if in_file is None else in_file
            chosen += selected(_unused_suppressions(path, data, suppressible, config), config)
        chosen = [f for f in chosen if not (_is_in(f, path) and suppressions.suppresses(data, f))]
    if any(finding.claim or (prove_claim and finding.calls) for finding in chosen):
        from convlint.findings.confirm import confirmed

        chosen = confirmed(chosen, prove_claim)
    return chosen


def by_file(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by the absolute paths of their files."""
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.site is not None:
            found.setdefault(os.path.abspath(finding.site.path), []).append(finding)
    return found


def _is_in(finding: Finding, path: str) -> bool:
    return finding.site is None or os.path.abspath(finding.site.path) == os.path.abspath(path)


def _is_suppressed_elsewhere(finding: Finding, path: str, texts: SourceTexts) -> bool:
    """Return True for a finding that a comment in another file than ``path`` suppresses."""
    if _is_in(finding, path):
        return False
    from convlint.findings import suppressions

    return suppressions.is_suppressed(finding, texts)


def _unused_suppressions(path: str, data: bytes, findings: Sequence[Finding], config: Config) -> Iterator[Finding]:
    from convlint.findings import suppressions
    from convlint.rules.registry import rule, rules

    active = {
        code
        for code, each in rules().items()
        if "source" in each.decided_by and config.selects(code) and config.allows_in(path, code)
    }
    for comment in suppressions.unused(path, data, findings, active):
        text = f"unused suppression: no {', '.join(comment.codes)} on this line"
        yield rule(UNUSED_SUPPRESSION).finding(text, comment.site, fix=comment.fix)
