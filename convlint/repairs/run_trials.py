"""Repairs of a model that was run: the edited texts are built and run again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence

from convlint.analysis.diagnosis import without_consequences
from convlint.ir import Edit, Finding, Graph
from convlint.repairs.budget import Budget
from convlint.repairs.candidate import Candidate
from convlint.repairs.conflict import Conflict, Outcome, Place
from convlint.repairs.findings import repaired
from convlint.repairs.followed import followed_first
from convlint.repairs.outcomes import conflicts, is_failing, outcome
from convlint.repairs.proposals import proposed
from convlint.repairs.search import Explanation, explain
from convlint.repairs.slicer import Slicer
from convlint.source_text.edits import EditError, apply
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import dataclass, field, replace

Texts = Mapping[str, bytes]
"""New contents of files."""
RunTexts = Callable[[Sequence[Texts]], Sequence[Graph | None]]
"""Builds and runs the model with other contents of files, once for each mapping; None where that failed."""
Lint = Callable[[Graph], Sequence[Finding]]
"""The findings of the rules in a graph."""

_FIRST_BATCH = 2  # candidates that run together: the first ones are the most likely
_MOST = 6


@dataclass
class RunTrials:
    """The model under edits of its files.

    Edits that are ``expected`` to follow run together with those that are requested, as far as the time in ``seconds``
    allows it.
    """

    texts: SourceTexts
    run: RunTexts
    lint: Lint
    seconds: float
    expected: Sequence[tuple[Edit, ...]] = ()
    _spent: float = 0.0
    _runs: int = 0
    _graphs: dict[tuple[Edit, ...], Graph] = field(default_factory=dict)
    _known: dict[tuple[Edit, ...], Outcome | None] = field(default_factory=dict)

    def __call__(self, edits: Sequence[Edit], settles: Conflict | None = None) -> Outcome | None:  # noqa: ARG002
        """Run the model after ``edits``; None where they cannot be made, or where the run itself failed."""
        key = tuple(edits)
        if key not in self._known:
            self._run(self._batch(key))
        return self._known[key]

    def graph(self, edits: Sequence[Edit]) -> Graph | None:
        """The graph of the run after edits that were tried."""
        return self._graphs.get(tuple(edits))

    def edited(self, edits: Sequence[Edit]) -> Texts | None:
        """The contents of the files that edits change; None where they cannot be made."""
        by_path: dict[str, list[Edit]] = {}
        for edit in edits:
            by_path.setdefault(edit.site.path, []).append(edit)
        try:
            return {path: apply(self.texts.data(path), each) for path, each in by_path.items()}
        except (EditError, OSError):
            return None

    def _batch(self, edits: tuple[Edit, ...]) -> list[tuple[Edit, ...]]:
        position = next((i for i, each in enumerate(self.expected) if edits[-len(each) :] == each), None)
        if position is None:
            return [edits]
        settled = edits[: -len(self.expected[position])]
        if any(known and not known.conflicts for key, known in self._known.items() if key[: len(settled)] == settled):
            return [edits]  # only one more is of interest
        taken = {edit.site for edit in settled}
        following = [each for each in self.expected[position + 1 :] if taken.isdisjoint(edit.site for edit in each)]
        others = [(*settled, *each) for each in following[: self._size(position) - 1]]
        return [edits, *(each for each in others if each not in self._known)]

    def _size(self, position: int) -> int:
        """The number of candidates to run together: fewer as the time runs out."""
        if position == 0 or not self._runs:
            return _FIRST_BATCH
        left = self.seconds - self._spent
        return max(1, min(_MOST, int(left * self._runs / self._spent)))

    def _run(self, batch: Sequence[tuple[Edit, ...]]) -> None:
        self._known.update(dict.fromkeys(batch))
        written = {edits: texts for edits in batch if (texts := self.edited(edits)) is not None}
        start = time.monotonic()
        graphs = self.run([*written.values()]) if written else []
        self._spent += time.monotonic() - start
        self._runs += len(written)
        for (edits, texts), graph in zip(written.items(), graphs, strict=True):
            if graph is not None:
                edited = self._graphs[edits] = without_consequences(
                    replace(graph, texts=self.texts.with_overlays(texts))
                )
                self._known[edits] = outcome(edited, self.lint(edited) if is_failing(edited) else ())


@dataclass(frozen=True)
class Repaired:
    """The causes of a failing run, and the ``edits`` that repair them; ``runs`` if nothing fails after these.

    ``graph`` is that of the run after the edits.
    """

    causes: tuple[Explanation, ...]
    edits: tuple[Edit, ...]
    runs: bool
    graph: Graph | None


def search(
    start: Outcome, slicer: Slicer, trials: RunTrials, suspected: Collection[Place], followed: Sequence[Finding] = ()
) -> Repaired:
    """Search for the repairs of a failing run.

    Args:
        start: the outcome of the run.
        slicer: follows numbers through the files of the project.
        trials: runs the model after edits.
        suspected: lines of classes that fail for some arguments.
        followed: findings of static analysis. Their verified repairs are tried first, because it knows more than a run:
            other calls, and other arguments of a class.
    """

    def propose(conflict: Conflict, edits: Sequence[Edit]) -> list[Candidate]:
        if conflict.finding.severity != "error":
            return []
        return followed_first(conflict, proposed(conflict, slicer.after(edits), suspected), followed)

    def expect(candidates: Sequence[Candidate]) -> None:
        trials.expected = [candidate.edits for candidate in candidates]

    causes = explain(start, propose, trials, Budget(trials.seconds), expect=expect)
    edits = tuple(edit for cause in causes if cause.repair is not None for edit in cause.repair.edits)
    after = trials(edits) if edits else None
    return Repaired(tuple(causes), edits, after is not None and not after.failing, trials.graph(edits))


def findings_of(graph: Graph, findings: Sequence[Finding], found: Repaired) -> list[Finding]:
    """The findings of a run with one for each cause.

    What only follows from a cause is left out, and so is that a layer which is repaired might fail for other arguments.
    """
    runs = found.runs and not any(node.op == "unseen" for node in graph.nodes)  # whether those work is not known
    effect = "the model then runs" if runs else "this error is then gone"
    if runs and sum(cause.repair is not None for cause in found.causes) > 1:
        effect = "with the other repairs, the model then runs"
    causes = [repaired(cause, "run", effect) for cause in found.causes]
    program = next((finding.program for finding in findings if finding.program), "")
    causes = [each if each.step is None else each.with_(program=program, step=step) for step, each in enumerate(causes)]
    explained = {site for cause in found.causes if cause.repair is not None for site in cause.conflict.frames[1:2]}
    once = {(finding.code, finding.site, finding.module): finding for finding in reversed(causes)}
    rest = [f for f in findings if not conflicts(graph, f) and not (f.claim is not None and f.site in explained)]
    return [*reversed(once.values()), *rest]
