"""The check command: models that were run and files that are read -> findings -> what is done about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from convlint.findings.select import joined
from convlint.ir import Finding, Problem, Report
from convlint.pipelines.lint_files import Linter, read
from convlint.settings import discovery as files
from convlint.settings.config import Config
from convlint.source_text import lines

if TYPE_CHECKING:
    from convlint.findings.confirm import Runs


@dataclass(frozen=True, slots=True)
class Options:
    """How files are checked, and what is done about what is found."""

    fix: bool = False
    unsafe_fixes: bool = False
    diff: bool = False  # as fix, but files are left as they are
    add_noqa: bool = False
    baseline: str | None = None
    update_baseline: bool = False
    force_exclude: bool = False
    stdin_filename: str = "-"
    jobs: int = 1
    cache_folder: str | None = None
    progress: Callable[[int, int], None] | None = (
        None  # called with the files that were read, and all of them
    )


@dataclass(frozen=True, slots=True)
class Change:
    """What fixes, or comments that silence, make of a file."""

    path: str
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. ``files`` were read, ``fixed`` were found at first and are no more.

    ``silenced`` is the number of findings that got a comment, ``recorded`` of those in a new baseline, None where
    no such thing was asked for.
    """

    report: Report
    files: tuple[str, ...] = ()
    fixed: tuple[Finding, ...] = ()
    changes: tuple[Change, ...] = ()
    silenced: int | None = None
    recorded: int | None = None
    standing: Mapping[str, bytes] = field(default_factory=dict)  # standard input, as it is by now


def check(
    paths: Sequence[str],
    stdin: bytes | None,
    ran: Report,
    config: Config,
    options: Options,
    proves: Runs | None = None,
) -> Outcome:
    """Check the files that ``paths`` stand for, and the text of ``stdin``; ``ran`` is what runs of models found.

    ``proves`` builds and runs the classes of suspicions; None: no code of the user's is run.
    """
    found = files.find(paths, exclude=config.exclude, root=config.root, force=options.force_exclude)
    texts, unread = read(found.files)
    if stdin is not None:
        texts[options.stdin_filename] = stdin
    known = None
    if options.baseline is not None:
        from convlint.findings import baseline

        known = baseline.read(options.baseline, missing_ok=options.update_baseline)
    hidden = None if options.update_baseline else known
    linter = Linter(config, options.cache_folder, hidden, options.jobs, options.progress)
    standing = {} if stdin is None else {options.stdin_filename: stdin}
    with lines.standing_for(standing):
        ran = replace(ran, findings=tuple(hidden.unknown(ran.findings) if hidden else ran.findings))
        outcome = _treated(texts, ran, linter, options, proves)
        found_now = outcome.report.findings
        recorded = known.write(found_now) if known and options.update_baseline else None
    problems = (*ran.problems, *found.problems, *unread, *linter.problems, *outcome.report.problems)
    after = {change.path: change.after for change in outcome.changes if change.path in standing}
    return replace(
        outcome,
        report=Report(found_now if recorded is None else (), ran.models, problems),
        files=tuple(texts),
        recorded=recorded,
        standing={**standing, **after},
    )


def _treated(
    texts: Mapping[str, bytes],
    ran: Report,
    linter: Linter,
    options: Options,
    proves: Runs | None,
) -> Outcome:
    if options.add_noqa:
        return _silenced(texts, ran, linter, options)
    if options.fix or options.diff:
        return _fixed(texts, ran, linter, options)
    return Outcome(Report(tuple(joined(ran.findings, linter.find(texts, proves)))))


def _fixed(texts: Mapping[str, bytes], ran: Report, linter: Linter, options: Options) -> Outcome:
    """Fix what the runs found, once, as that cannot be seen anew; then what the text shows, until it is settled."""
    from convlint.findings import fix_loop

    unsafe = options.unsafe_fixes
    every = {**texts, **_of_models(ran, texts)}
    step = fix_loop.once(every, ran.findings, unsafe=unsafe)

    def find(now: Mapping[str, bytes]) -> Sequence[Finding]:
        with lines.standing_for({path: now[path] for path in now if now[path] != every[path]}):
            return linter.find(now)

    result = fix_loop.fixed({path: step.texts[path] for path in texts}, find, unsafe=unsafe)
    after = {**step.texts, **result.texts}
    changes = [
        Change(path, every[path], after[path]) for path in every if after[path] != every[path]
    ]
    written, problems = (changes, []) if options.diff else _write(changes, options)
    paths = {change.path for change in written}
    fixed = (*step.applied, *result.applied)
    left = [finding for finding in ran.findings if finding not in step.applied]
    return Outcome(
        Report(tuple(joined(left, result.remaining)), problems=tuple(problems)),
        fixed=tuple(finding for finding in fixed if finding.site and finding.site.path in paths),
        changes=tuple(written),
    )


def _silenced(texts: Mapping[str, bytes], ran: Report, linter: Linter, options: Options) -> Outcome:
    """Put a comment that silences it on the line of every finding."""
    from convlint.findings import suppressions

    every = {**texts, **_of_models(ran, texts)}
    found = joined(ran.findings, linter.find(texts))
    changes, silenced = [], 0
    for path, data in every.items():
        here = [finding for finding in found if finding.site and finding.site.path == path]
        after, count = suppressions.add_noqa(data, here)
        silenced += count
        if after != data:
            changes.append(Change(path, data, after))
    written, problems = _write(changes, options)
    now = every | {one.path: one.after for one in written}
    left = [
        f
        for f in ran.findings
        if not (f.site and suppressions.silences(now.get(f.site.path, b""), f))
    ]
    found = joined(left, linter.find({path: now[path] for path in texts}))
    report = Report(tuple(found), problems=tuple(problems))
    return Outcome(report, changes=tuple(written), silenced=silenced)


def _of_models(ran: Report, texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files in which runs found something, besides those that are read anyway."""
    paths = {finding.site.path for finding in ran.findings if finding.site}
    return read(sorted(filter(lines.is_readable, paths - texts.keys())))[0]


def _write(changes: Sequence[Change], options: Options) -> tuple[list[Change], list[Problem]]:
    """Write changed files; the text of standard input is the caller's to write."""
    from convlint.source_text import edits

    written, problems = [], []
    for change in changes:
        try:
            if change.path != options.stdin_filename:
                edits.write_atomically(change.path, change.after)
            written.append(change)
        except OSError as error:
            text = f"{change.path} cannot be written: {error.strerror or error}"
            problems.append(Problem("unwritable-file", text, path=change.path))
    return written, problems
