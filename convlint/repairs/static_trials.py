"""Repairs of a file that was checked statically: the edited text is analyzed again."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from convlint.ir import Edit, Finding
from convlint.repairs.broken_classes import RepairedClasses, broken_classes, is_found, one_after_the_other
from convlint.repairs.budget import Budget
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict import Conflict, Operation, Outcome
from convlint.repairs.findings import repaired
from convlint.repairs.followed import class_of, classes_of, followed_first
from convlint.repairs.outcomes import conflicts, position
from convlint.repairs.proposals import proposed
from convlint.repairs.search import Explanation, explain
from convlint.repairs.slicer import Slicer
from convlint.repairs.values_in_classes import reread
from convlint.source_text.edits import EditError, apply
from convlint.source_text.packages import package_folder
from convlint.static import EQUALITY, INPUT_OF, CheckedFile, Project, Search, check_file
from convlint.static.overruled_defaults import is_overruled
from convlint.static.plain_numbers import WIDTHS
from convlint.support.dataclass import dataclass

_SHARE = 5  # the steps for trials, as a multiple of those of the check
_LEAST = 200_000  # steps for trials, however short the check was: four or five seconds


_IMAGES = tuple([f"{INPUT_OF} {channels} channels" for channels in (1, 2, 3, 4)])
_IMAGE = f"{INPUT_OF} 3 channels"


class StaticTrials:
    """The program of one file under edits. ``checked`` is its check without any, and ``project`` where it was made."""

    def __init__(self, path: str, checked: CheckedFile, project: Project) -> None:
        self._path = path
        self._checked = checked
        self._project = project
        self._known: dict[tuple[Edit, ...], tuple[CheckedFile, Outcome]] = {(): (checked, outcome(checked))}

    def __call__(self, edits: Sequence[Edit], settles: Conflict | None = None) -> Outcome | None:
        """Analyze the program after ``edits``; None where an edit cannot be made, or less is known after it, or the
        conflict that they are to settle is still there.

        If the execution with that conflict has another one that was not there, the outcome is of that execution alone.
        A number that a text makes unknown contradicts nothing.
        """
        edited = self._edited(edits)
        if edited is None:
            return None
        data, project = edited
        if settles is not None:
            alone = self._alone(settles, data, project, edits)
            if alone is not None and settles.operation in alone.failing:
                return None
            if alone is not None and not all(map(self._known_before(edits)[1].may_fail, alone.conflicts)):
                return alone
        checked = check_file(self._path, data, project, with_reached=True)
        if not self._is_known(checked, edits, settles):
            return None
        after = outcome(checked)
        self._known[tuple(edits)] = checked, after
        return after

    def checked(self, edits: Sequence[Edit], search: Search) -> tuple[Outcome, Sequence[Finding]] | None:
        """Check the program after ``edits`` with a search in its classes; None where it cannot be checked."""
        edited = self._edited(edits)
        if edited is None:
            return None
        checked = check_file(self._path, *edited, search=search, with_reached=True)
        if not self._is_known(checked, edits):
            return None
        after = outcome(checked)
        self._known[tuple(edits)] = checked, after
        return after, checked.findings

    def _edited(self, edits: Sequence[Edit]) -> tuple[bytes, Project] | None:
        """The contents of the file and the project after edits."""
        before = self._project
        by_path: dict[str, list[Edit]] = {}
        for edit in edits:
            by_path.setdefault(edit.site.path, []).append(edit)
        try:
            texts = before.texts.with_overlays(
                {path: apply(before.texts.data(path), each) for path, each in by_path.items()}
            )
        except (EditError, OSError):
            return None
        data = texts.data(self._path)
        before.work.steps += data.count(b"\n")  # it takes about as long to parse a line
        return data, before.with_texts(texts)

    def _known_before(self, edits: Sequence[Edit]) -> tuple[CheckedFile, Outcome]:
        """The result for the most of these edits, from the first on: one repair may consist of several."""
        counts = reversed(range(len(edits)))
        return next(self._known[key] for count in counts if (key := tuple(edits[:count])) in self._known)

    def _alone(self, conflict: Conflict, data: bytes, project: Project, edits: Sequence[Edit]) -> Outcome | None:
        """The outcome of the execution that shows a conflict, after the last edits; None if no single one shows it.

        Most edits settle nothing, and one execution shows that.
        """
        checked, before = self._known_before(edits)
        graphs = [each.graph for each in before.conflicts if each.operation == conflict.operation]
        execution = next((checked.executions[id(graph)] for graph in graphs if id(graph) in checked.executions), None)
        return None if execution is None else outcome(check_file(self._path, data, project, only=execution))

    def _is_known(self, checked: CheckedFile, edits: Sequence[Edit], settled: Conflict | None = None) -> bool:
        """Return whether as much is known as before edits, and a conflict does not depend on parameters now.

        A width may become unknown in an execution other than that with the conflict, such as that of a class whose
        block is chosen by a name, without one. Images stay images, or become those of three channels.
        """
        if checked.problems or any(finding.code == "CVL901" for finding in checked.findings):
            return False
        places = () if settled is None else (settled.operation[:2],)
        graph = 0 if settled is None else id(settled.graph)
        own = next((c.executions[graph] for c, _ in self._known.values() if graph in c.executions), None)
        of_images = {execution for execution, _, what in self._checked.unknown if what in _IMAGES}
        before = self._checked.unknown | self._known_before(edits)[0].unknown
        anywhere = {(execution[:2], place, what) for execution, place, what in before}  # other branches are taken now
        for execution, place, what in checked.unknown - before:
            if (execution[:2], place, what) in anywhere or what == _IMAGE:
                continue
            if what.startswith(INPUT_OF) and execution not in of_images:
                continue
            is_elsewhere = own in checked.ran and what in WIDTHS and execution != own
            if (what != EQUALITY or place in places) and not is_elsewhere:
                return False
        return True


def outcome(checked: CheckedFile) -> Outcome:
    """The conflicts that a check found, in the order of execution."""
    found: dict[Operation, Conflict] = {}
    for finding in checked.findings:
        if finding.graph is not None:
            for conflict in conflicts(finding.graph, finding) or [Conflict(finding, finding.graph)]:
                known = found.get(conflict.operation)
                if known is None or (_is_blamed(conflict) and not _is_blamed(known)):
                    found[conflict.operation] = conflict
    return Outcome(tuple(sorted(found.values(), key=position)), checked.reached)


def _is_blamed(conflict: Conflict) -> bool:
    """Return whether the finding of a conflict is reported at the layer that fails."""
    node = None if conflict.node is None else conflict.graph.nodes[conflict.node]
    return node is not None and conflict.graph.where(node) == conflict.finding.site


def explained(path: str, checked: CheckedFile, project: Project, search: Search) -> list[Finding]:
    """The findings of a checked file, its conflicts explained by repairs: one finding for each cause.

    What a class that fails for all arguments needs is tried in the class first. Where the program then fails elsewhere,
    or nothing is known about it, fewer repairs of the program itself explain it better.

    Args:
        path: the file.
        checked: its check.
        project: the project that it is in.
        search: completes the findings of a check by those in classes.
    """
    with _garbage_collected():
        found = _explained(path, checked, project, search)
        if not found.is_open:
            return found.findings
        plain = check_file(path, project.texts.data(path), project, with_reached=True)
        instead = _explained(path, plain, project, search)
        if not all(each.repairs for each in instead.errors) or len(instead.errors) > len(found.errors):
            return found.findings
        if len(instead.errors) == len(found.errors) and found.edits:
            return found.findings
        after = StaticTrials(path, plain, project).checked(instead.edits, search) if instead.errors else None
        if after is None or broken_classes(after[1]):
            return found.findings
        rest = [each for each in found.findings if each not in found.errors and not is_found(each, instead.errors)]
        return [*instead.errors, *(each for each in rest if each.claim is None or is_found(each, after[1]))]


@dataclass(frozen=True)
class _Explained:
    """The findings of a file, and the ``edits`` that repair it as far as they are known to.

    ``is_open``: the program itself may show more than its classes, which fail for all arguments.
    """

    findings: list[Finding]
    edits: tuple[Edit, ...] = ()
    is_open: bool = False

    @cached_property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "error"]


def _explained(path: str, checked: CheckedFile, project: Project, search: Search) -> _Explained:
    start = outcome(checked)
    slicer = Slicer(project.texts, project.root, package_folder(path))
    trials = StaticTrials(path, checked, project)
    budget = Budget(max(_SHARE * checked.steps, _LEAST), lambda: project.work.steps)
    of_classes = [finding for finding in checked.findings if finding.graph is None]
    rest = reread(of_classes, start, lambda edits: trials.checked(edits, search), slicer, budget.half)
    broken = broken_classes(rest)
    if not start.conflicts and not broken:
        return _Explained(rest)
    latent = [each for each in rest if each not in broken and each.claim is not None]
    suspected = {(f.site.path, f.site.line) for f in rest if f.claim is not None and f.site is not None}

    def propose(conflict: Conflict, edits: Sequence[Edit]) -> list[Candidate]:
        if is_overruled(conflict.finding):
            return []
        own = [each for each in latent if class_of(each.site) == class_of(conflict.place)]
        around = [each for each in latent if each not in own and class_of(each.site) in classes_of(conflict)]
        return followed_first(conflict, proposed(conflict, slicer.after(edits), suspected), own, around)

    repaired_classes = RepairedClasses((), (), start)
    is_refused = any(conflict.node is None for conflict in start.conflicts)  # by the constructor of a layer
    if not is_refused:
        repaired_classes = one_after_the_other(broken, start, lambda edits: trials.checked(edits, search), budget.half)
    causes = explain(repaired_classes.outcome, propose, trials, budget, repaired_classes.edits)
    is_open = bool(broken) and not start.conflicts and (bool(causes) or not repaired_classes.edits)
    if not start.conflicts:  # these appeared after a class: which number is wrong must be known
        causes = [cause for cause in causes if cause.repair is not None]
    classes = tuple(broken) if is_refused else repaired_classes.causes
    made = [edit for cause in causes if cause.repair is not None for edit in cause.repair.edits]
    edits = (*repaired_classes.edits, *made)
    unrepaired = [
        each for each in classes if is_refused or not each.repairs
    ]  # these may follow from the causes, as a latent one
    after = trials.checked(edits, search) if made and (unrepaired or latent) else None
    followed = [] if after is None else [e for e in (*unrepaired, *latent) if not is_found(e, after[1])]
    found = [repaired(cause, "static") for cause in _in_order(causes, checked, start)]
    others = [finding for finding in rest if finding not in broken and finding not in followed]
    errors = [finding for finding in classes if finding not in followed]
    if start.conflicts:
        others, errors = [*errors, *others], []
    numbered = [each.with_(program=path, step=step) for step, each in enumerate([*errors, *found])]
    return _Explained([*numbered, *others], edits, is_open)


def _in_order(causes: Sequence[Explanation], checked: CheckedFile, start: Outcome) -> list[Explanation]:
    """Sort the causes of one program in the order of execution, and programs as they are in the file.

    A cause that appeared after the repair of another one follows it.
    """
    programs = {id(finding.graph): -number for number, finding in enumerate(reversed(checked.findings))}
    known = {each.operation: (programs[id(each.graph)], *position(each)) for each in start.conflicts}
    positions: list[tuple[int, bool, int]] = []
    for cause in causes:
        operations = [conflict.operation for conflict in (cause.conflict, *cause.settled)]
        own = [known[operation] for operation in operations if operation in known]
        positions.append(min(own or positions[-1:] or [(0, False, 0)]))
    return [causes[i] for i in sorted(range(len(causes)), key=lambda i: positions[i])]


@contextmanager
def _garbage_collected() -> Iterator[None]:
    """Free the programs of trials afterwards: they refer to themselves, and no garbage is collected while linting.

    Everything older is frozen in the meantime: to traverse it would take longer than the trials.
    """
    is_frozen = gc.get_freeze_count() > 0
    if not is_frozen:
        gc.freeze()
    try:
        yield
    finally:
        gc.collect()
        if not is_frozen:
            gc.unfreeze()
