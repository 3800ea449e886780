"""Prove a claim by its repair: a call of the class fails, and works on the same input once the repair is written in.

Which layer fails is then of no importance, so that sums, reshapes and layers deep inside are proved alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from torch import nn

from convlint.ir import Claim, Instantiation, Proof, Shape, Witness
from convlint.runtime.counterexample.attempt import Outcome, is_raised_by_user
from convlint.runtime.counterexample.call_again import ClassCall, call_of
from convlint.runtime.counterexample.stand_in import StandIn, settings
from convlint.runtime.counterexample.tried_inputs import Form, Sizes, channel_counts, known_form, usual_forms
from convlint.runtime.failures import one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.support.dataclass import dataclass, field

_SECONDS = 5.0  # for one call
_MOST_FORMS = 160  # of inputs of which nothing is known


def proof_by_repair(cls: type[nn.Module], repaired: type[nn.Module], claim: Claim, until: float) -> Proof:
    """Run the trials of a claim on the class as it is and as it is after its repair. Raises CannotCallError.

    The claim is refuted if the class itself works for all arguments that should fail, or refuses them in its own words.
    """
    outcomes: set[Outcome] = set()
    reason = "no control call works"
    for trial in claim.trials:
        if time.monotonic() > until:
            return Proof("unknown", reason="the time limit was reached")
        control = ""
        if trial.control is not None:
            works = Built(cls, claim, trial.control).working()
            if works is None:
                continue
            control = works.text
        failing, edited = Built(cls, claim, trial.failing), Built(repaired, claim, trial.failing)
        try:
            with at_most(_SECONDS):
                outcome, run = _outcome(failing, edited, trial.failing)
        except TooLongError:
            outcome, run = "broken", Run(failing.call.text, error=TimeoutError("it takes too long"))
        if outcome == "fails":
            shapes = tuple("x".join(map(str, tensor.shape)) for tensor in run.inputs.tensors)
            holds = trial.control is None or Built(repaired, claim, trial.control).working() is not None
            return Proof("fails", Witness(edited.call.text, shapes, run.reason, control), repaired=holds)
        outcomes.add(outcome)
        reason = ": ".join(filter(None, (f"{run.text} {outcome}", run.reason)))
    return Proof("works" if outcomes and outcomes <= {"works", "refused"} else "unknown", reason=reason)


@dataclass(frozen=True)
class Run:
    """A forward of a class, and the error that it raised."""

    text: str
    inputs: Inputs = field(default_factory=Inputs)
    error: Exception | None = None

    @property
    def reason(self) -> str:
        return f"{type(self.error).__name__}: {one_line(self.error)}" if self.error else ""


class Built:
    """A call of a class, the module that it builds, and the inputs to call that on."""

    def __init__(self, cls: type[nn.Module], claim: Claim, attempt: Instantiation) -> None:
        self.call: ClassCall = call_of(cls, claim, attempt)
        values = [*self.call.args, *self.call.kwargs.values()]
        self._stand_ins = [value for value in values if isinstance(value, StandIn)]
        self._numbers = [n for value in values for n in (value if isinstance(value, list | tuple) else (value,))]
        self.shapes = attempt.shapes
        self.model: nn.Module | None = None
        self.error: Exception | None = None
        try:
            self.model = self.call.build().eval()
        except Exception as error:
            self.error = error

    def working(self) -> Run | None:
        """The first run without an error; None if there is none in time."""
        try:
            with at_most(_SECONDS):
                runs = (self.run(inputs) for inputs in self.inputs(self.shapes))
                return next((run for run in runs if run.error is None), None)
        except TooLongError:
            return None

    def run(self, inputs: Inputs) -> Run:
        """Call the module; those that stand for arguments get what may fit."""
        assert self.model is not None
        first: Exception | None = None
        for _ in settings(self._stand_ins, self._widths()):
            try:
                self.model(*inputs.args, **inputs.kwargs)
            except Exception as error:
                first = first or error
            else:
                return Run(self.call.text, inputs)
        return Run(self.call.text, inputs, first)

    def inputs(self, shapes: Sequence[Shape]) -> Iterator[Inputs]:
        """The inputs to try, the likeliest first."""
        if self.model is None:
            return
        for form, sizes in self.forms(shapes):
            yield form.inputs(self.model, sizes)

    def forms(self, shapes: Sequence[Shape]) -> Iterator[tuple[Form, Sizes]]:
        """The forms of inputs to try, each with its sizes."""
        if self.model is None:
            return
        form = known_form(self.model, shapes)
        if form is not None:
            for each in (form, *form.with_other_channels(self.counts())):
                yield from ((each, sizes) for sizes in each.sizes(is_known=True))
            return
        for number, usual in enumerate(usual_forms(self.model, self.counts())):
            if number == _MOST_FORMS:
                return
            yield from ((usual, sizes) for sizes in usual.sizes(is_known=False))

    def counts(self) -> list[int]:
        """Numbers of channels that the input may have."""
        assert self.model is not None
        return channel_counts(self.model, self._numbers)

    def _widths(self) -> list[int]:
        """Numbers of channels that a module passed to the class may output."""
        assert self.model is not None
        found = [vars(m).get(name) for m in self.model.modules() for name in ("out_channels", "out_features")]
        return list(dict.fromkeys(n for n in (*reversed(found), *self._numbers) if type(n) is int and n > 0))


def _outcome(failing: Built, edited: Built, attempt: Instantiation) -> tuple[Outcome, Run]:
    """Run a call as it is on all inputs on which it may work, and after the repair on the first on which that works."""
    if failing.error is not None:
        run = Run(failing.call.text, error=failing.error)
        if is_raised_by_user(failing.error):
            return "refused", run
        return ("broken" if edited.working() is None else "fails"), run
    failed: Run | None = None
    last = Run(failing.call.text)
    for form, sizes in edited.forms(attempt.shapes) if edited.model is not None else failing.forms(attempt.shapes):
        assert failing.model is not None
        inputs = form.inputs(failing.model, sizes)
        run = failing.run(inputs)
        if run.error is None:
            return "works", run
        last = run
        if failed is None and edited.model is not None and edited.run(inputs).error is None:
            if is_raised_by_user(run.error):
                return "refused", run
            failed = run
            for other in form.with_other_channels(failing.counts()):
                again = failing.run(other.inputs(failing.model, sizes))
                if again.error is None:
                    return "works", again
            if attempt.shapes and known_form(failing.model, attempt.shapes) is not None:
                break
    return ("broken", last) if failed is None else ("fails", failed)
