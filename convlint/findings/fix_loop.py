"""Apply the fixes of findings, until nothing is left to fix."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from convlint.ir import Edit, Finding, Fix
from convlint.source_text import edits, lines
from convlint.support.dataclass import dataclass

MAX_ROUNDS = 10

Files = Mapping[str, bytes]  # contents, by the paths that findings have
Lint = Callable[[Files], Sequence[Finding]]
Load = Callable[[str], bytes | None]  # reads a file; None if it cannot be read


@dataclass(frozen=True, slots=True)
class Round:
    """The result of one round of fixes.

    ``files`` are all files. ``applied`` are the findings that were fixed, ``dropped`` those whose fix would break the
    syntax of a file, or needs a character that the file's encoding lacks.
    """

    files: dict[str, bytes]
    applied: tuple[Finding, ...]
    dropped: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FixResult:
    """The result of all rounds of fixes.

    ``files`` has the new contents of the changed files only. ``applied`` are the findings that were fixed, in order,
    ``dropped`` those of the last round (see ``Round``), ``remaining`` the findings in the fixed files. ``converged`` is
    False if the last round still applied fixes.
    """

    files: dict[str, bytes]
    applied: tuple[Finding, ...]
    dropped: tuple[Finding, ...]
    remaining: tuple[Finding, ...]
    rounds: int
    converged: bool


def fix_files(
    files: Files, lint: Lint, *, unsafe: bool = False, max_rounds: int = MAX_ROUNDS, load: Load | None = None
) -> FixResult:
    """Apply the fixes of the findings that ``lint`` returns, lint again, and so on until there is nothing to fix.

    Safe fixes are applied, with ``unsafe`` the unsafe ones too, display-only fixes never. Only ``files`` are changed: a
    fix that also edits another file is skipped, except a repair that was tried, whose files ``load`` reads. ``lint`` is
    called with the present contents of all these files, at most ``max_rounds + 1`` times. Nothing is written to disk.
    """
    before = dict(files)
    current = dict(files)
    applied: list[Finding] = []
    for rounds in range(max_rounds + 1):
        findings = lint(current)
        if load is not None and unsafe:
            loaded = _loaded(findings, current, load)
            before |= loaded
            current |= loaded
        step = fix_once(current, findings, unsafe=unsafe)
        if not step.applied or rounds == max_rounds:
            break
        current = step.files
        applied += step.applied
    changed = {path: data for path, data in current.items() if data != before[path]}
    return FixResult(changed, tuple(applied), step.dropped, tuple(findings), rounds, not step.applied)


def _loaded(findings: Iterable[Finding], files: Files, load: Load) -> dict[str, bytes]:
    """The other files that repairs edit."""
    edited = {edit.site.path for f in findings if f.repairs and f.fix for edit in f.fix.edits}
    contents = {path: load(path) for path in sorted(edited - files.keys())}
    return {path: data for path, data in contents.items() if data is not None}


def fix_once(files: Files, findings: Iterable[Finding], *, unsafe: bool = False) -> Round:
    """Apply all fixes that do not overlap, once.

    For findings that cannot be recomputed from the changed text, such as those of a model run.
    """
    by_fix: dict[Fix, list[Finding]] = {}
    for finding in _tried_together(findings):
        if (fix := finding.fix) is not None and _is_applicable(fix, files, unsafe):
            by_fix.setdefault(fix, []).append(finding)
    chosen = edits.compatible(list(by_fix))
    current, applied = dict(files), chosen
    try:
        current |= _edited(files, chosen)
    except edits.EditError:  # so each fix is tried after those that work
        applied = []
        for fix in chosen:
            try:
                current |= _edited(files, [*applied, fix])
            except edits.EditError:
                continue
            applied.append(fix)
    dropped = [fix for fix in chosen if fix not in applied]
    return Round(current, _findings_of(by_fix, applied), _findings_of(by_fix, dropped))


def can_apply(files: Files, changes: Iterable[Edit]) -> bool:
    """Check whether edits can be applied together, and leave files that parse."""
    try:
        return bool(_edited(files, [Fix("", "unsafe", tuple(changes))]))
    except edits.EditError:
        return False


def _tried_together(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Leave out repairs of a program that edit a file which repairs of another program edit as well.

    The repairs of a program were tried together, those of several programs were not.
    """
    programs: dict[str, str] = {}
    for finding in findings:
        paths = {edit.site.path for edit in finding.fix.edits} if finding.fix and finding.repairs else set()
        if all(programs.setdefault(path, finding.program) == finding.program for path in paths):
            yield finding


def _is_applicable(fix: Fix, files: Files, unsafe: bool) -> bool:
    allowed = ("safe", "unsafe") if unsafe else ("safe",)
    return fix.applicability in allowed and bool(fix.edits) and all(edit.site.path in files for edit in fix.edits)


def _edited(files: Files, fixes: Iterable[Fix]) -> dict[str, bytes]:
    """Return the files that ``fixes`` change. Raises EditError if one would not parse afterwards."""
    by_path: dict[str, list[Edit]] = {}
    for fix in fixes:
        for edit in fix.edits:
            by_path.setdefault(edit.site.path, []).append(edit)
    edited = {path: edits.apply(files[path], in_file) for path, in_file in by_path.items()}
    for path, data in edited.items():
        if lines.parse(data) is None:
            raise edits.EditError(f"{path} would not parse after its fixes")
    return edited


def _findings_of(by_fix: Mapping[Fix, list[Finding]], fixes: Iterable[Fix]) -> tuple[Finding, ...]:
    return tuple(finding for fix in fixes for finding in by_fix[fix])
