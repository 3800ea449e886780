"""Check files: lint them, add the findings of model runs, and apply fixes, suppression comments or a baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from convlint.findings.select import joined
from convlint.ir import Finding, Problem, Report
from convlint.pipelines.lint_files import Linter, read_files
from convlint.pipelines.model_coverage import of_models, shortfall
from convlint.pipelines.requests import CheckRequest
from convlint.settings import discovery
from convlint.settings.config import Config
from convlint.source_text.texts import SourceTexts
from convlint.support import links
from convlint.support.dataclass import dataclass, replace

if TYPE_CHECKING:
    from convlint.findings.confirm import ProveClaim


class Change(NamedTuple):
    """A file before and after fixes or suppression comments."""

    path: str
    before: bytes
    after: bytes


@dataclass(frozen=True, repr=False)
class Outcome:
    """The result of a check.

    ``files`` were checked, ``fixed`` are findings that fixes removed. ``suppressed`` is the number of findings that got
    a suppression comment, ``recorded`` of those in a new baseline; None without ``--add-noqa`` or
    ``--update-baseline``. ``stdin`` is the text of standard input, after fixes.
    """

    report: Report
    files: tuple[str, ...] = ()
    fixed: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    suppressed: int | None = None
    recorded: int | None = None
    stdin: bytes | None = None


def check_files(
    paths: Sequence[str],
    stdin: bytes | None,
    ran: Report,
    config: Config,
    request: CheckRequest,
    prove_claim: ProveClaim | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Outcome:
    """Check files and directories.

    Args: ``stdin`` is the text of standard input, if it is checked too; ``ran`` the report of model runs, to which
    the findings are added. ``prove_claim`` builds and runs the classes of latent findings; None runs nothing.
    ``progress`` is called before each file with the number of files that are done, and of all files.
    """
    found = discovery.find(paths, exclude=config.exclude, root=config.root, force=request.force_exclude)
    contents, unread = read_files(found.files)
    given = {} if stdin is None else {_stdin_path(request): stdin}
    contents |= given
    texts = SourceTexts(given)
    baseline = None
    if request.baseline is not None:
        from convlint.findings import baseline as baselines

        baseline = baselines.read(request.baseline, missing_ok=request.update_baseline)
    hidden = None if request.update_baseline else baseline
    linter = Linter(config, _cache_folder(request, config), hidden, request.jobs, progress, decided=ran.decided)
    if hidden:
        ran = replace(ran, findings=tuple(hidden.new_findings(ran.findings, texts)))
    outcome = _Check(contents, texts, ran.findings, linter, request).outcome(prove_claim)
    texts = texts.with_overlays({change.path: change.after for change in outcome.changes})
    findings = outcome.report.findings
    recorded = baseline.write(findings, texts) if baseline and request.update_baseline else None
    coverage = (*of_models(ran.models), *linter.coverage)
    problems = (*ran.problems, *found.problems, *unread, *linter.problems, *outcome.report.problems)
    if request.min_coverage is not None:
        problems = (*problems, *shortfall(coverage, request.min_coverage))
    left = findings if recorded is None else ()
    return replace(
        outcome,
        report=Report(left, ran.models, problems, coverage, texts=texts),
        files=tuple(contents),
        recorded=recorded,
        stdin=None if stdin is None else texts.data(_stdin_path(request)),
    )


def _stdin_path(request: CheckRequest) -> str:
    """The path that findings in standard input are reported at."""
    return request.stdin_filename or "-"


def model_linter(config: Config, request: CheckRequest | None = None) -> Linter:
    """The linter for the files of models that are run; what a baseline hides is left out later."""
    request = CheckRequest() if request is None else request
    return Linter(config, _cache_folder(request, config), jobs=request.jobs)


def _cache_folder(request: CheckRequest, config: Config) -> str | None:
    if request.no_cache:
        return None
    return request.cache_dir or discovery.cache_folder(config.root)


class _Check:
    """One check: the contents of the files, and ``ran``, the findings of model runs."""

    def __init__(
        self,
        contents: Mapping[str, bytes],
        texts: SourceTexts,
        ran: Sequence[Finding],
        linter: Linter,
        request: CheckRequest,
    ) -> None:
        self.contents = contents
        self.texts = texts
        self.ran = ran
        self.linter = linter
        self.request = request

    def outcome(self, prove_claim: ProveClaim | None) -> Outcome:
        if self.request.add_noqa:
            return self._add_suppressions()
        if self.request.fix or self.request.diff:
            return self._fix()
        return Outcome(Report(tuple(joined(self.ran, self.linter.find(self.contents, prove_claim, self.texts)))))

    def _fix(self) -> Outcome:
        """Apply the fixes of model runs once, because no model is run again; then those of static analysis until
        nothing changes.
        """
        from convlint.findings import fix_loop

        unsafe = self.request.unsafe_fixes
        before = {**self.contents, **self._files_of_models()}
        step = fix_loop.fix_once(before, self.ran, unsafe=unsafe)
        texts = self.texts.with_overlays(step.files)

        def find(now: Mapping[str, bytes]) -> Sequence[Finding]:
            return self.linter.find({path: now[path] for path in self.contents}, texts=texts.with_overlays(now))

        def load(path: str) -> bytes | None:
            try:
                before.setdefault(path, self.texts.data(path))
                return texts.data(path)
            except OSError:
                return None

        checked = {path: step.files[path] for path in self.contents}
        result = fix_loop.fix_files(checked, find, unsafe=unsafe, load=load)
        changes = _changes(before, {**before, **step.files, **result.files})
        written, problems = (changes, []) if self.request.diff else self._write(changes)
        paths = {change.path for change in written}
        remaining = result.remaining
        if unwritten := {problem.path for problem in problems}:  # their findings are as before
            remaining = tuple(find({path: (before if path in unwritten else result.files)[path] for path in checked}))
        fixed = (*step.applied, *result.applied)
        left = [finding for finding in self.ran if finding not in step.applied]
        return Outcome(
            Report(tuple(joined(left, remaining)), problems=tuple(problems)),
            fixed=tuple(f for f in fixed if f.site and f.site.path in paths),
            changes=tuple(written),
        )

    def _add_suppressions(self) -> Outcome:
        """Add a suppression comment to the line of every finding."""
        from convlint.findings import suppressions

        before = {**self.contents, **self._files_of_models()}
        findings = joined(self.ran, self.linter.find(self.contents, texts=self.texts))
        after, suppressed = {}, 0
        for path, data in before.items():
            after[path], count = suppressions.add_noqa(data, [f for f in findings if f.site and f.site.path == path])
            suppressed += count
        written, problems = self._write(_changes(before, after))
        now = before | {change.path: change.after for change in written}
        left = [f for f in self.ran if not (f.site and suppressions.suppresses(now.get(f.site.path, b""), f))]
        remaining = self.linter.find({path: now[path] for path in self.contents}, texts=self.texts)
        report = Report(tuple(joined(left, remaining)), problems=tuple(problems))
        return Outcome(report, changes=tuple(written), suppressed=suppressed)

    def _files_of_models(self) -> dict[str, bytes]:
        """The files with findings of model runs, and those that their fixes edit, except the checked files."""
        files = {}
        paths = {finding.site.path for finding in self.ran if finding.site}
        paths |= {edit.site.path for finding in self.ran if finding.fix for edit in finding.fix.edits}
        for path in sorted(paths - self.contents.keys()):
            with suppress(OSError):
                files[path] = self.texts.data(path)
        return files

    def _write(self, changes: Sequence[Change]) -> tuple[list[Change], list[Problem]]:
        """Write changed files and return the changes that succeeded; the caller writes standard input."""
        from convlint.source_text import edits

        written, problems = [], []
        for change in changes:
            if change.path != _stdin_path(self.request) and links.leads_out(change.path):
                text = f"{links.refusal(change.path)}; pass this path to change the file"
                problems.append(Problem("unwritable-file", text, path=change.path))
                continue
            try:
                if change.path != _stdin_path(self.request):
                    edits.write_atomically(change.path, change.after)
                written.append(change)
            except OSError as error:
                text = f"{change.path} cannot be written: {error.strerror or error}"
                problems.append(Problem("unwritable-file", text, path=change.path))
        return written, problems


def _changes(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> list[Change]:
    return [Change(path, data, after[path]) for path, data in before.items() if after[path] != data]
