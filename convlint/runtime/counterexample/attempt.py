"""Build and run a suspected class with one set of arguments, and observe the suspected layer."""

from __future__ import annotations

import dis
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Literal

import torch
from torch import Tensor, nn

from convlint.ir import Claim, Instantiation, Shape, Site
from convlint.runtime import code_sites
from convlint.runtime.build import construction_sites
from convlint.runtime.counterexample.call_again import ClassCall
from convlint.runtime.failures import ProblemError, failure_of
from convlint.runtime.inputs import probe
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.settings.jobs import Job
from convlint.settings.targets import Target

Outcome = Literal["fails", "works", "refused", "broken"]
# ``fails``: at the suspected layer, for the suspected reason. ``refused``: the class raises an error of its own.
# ``broken``: any other error.

_SIZES = {1: (7, 16, 32, 64, 128, 1024), 2: (7, 8, 16, 32, 64, 128, 224), 3: (7, 16, 32, 64)}
_RAISE = dis.opmap["RAISE_VARARGS"]

Result = tuple[Outcome, Inputs, Exception | None]


class SuspectCall:
    """A constructor call of the class, and how the suspected layers behave when its model runs."""

    def __init__(self, call: ClassCall, claim: Claim, attempt: Instantiation) -> None:
        self._call = call
        self._claim = claim
        self._attempt = attempt
        self._model: nn.Module | None = None
        self._channel_errors: list[Exception] = []
        self._accepted = 0

    def find_working_input(self) -> Inputs | None:
        """Find the smallest input that the class runs on; None if there is none."""
        if self._build() is not None:
            return None
        return next((inputs for inputs in self._inputs() if self._run(inputs) is None), None)

    def outcome(self, control: Inputs) -> Result:
        """Run the call on inputs of the control's size, with all channel counts that it may accept."""
        error = self._build()
        if error is not None:
            return self._of_constructor(error), Inputs(), error
        result: Result = ("broken", Inputs(), None)
        failing: Result | None = None
        accepted = False
        for inputs in self._inputs(tuple(control.tensors[0].shape[2:]) if control.tensors else ()):
            error = self._run(inputs)
            if error is None and self._accepted:
                return "works", inputs, None
            accepted |= self._accepted > 0 and not self._channel_errors
            if any(error is raised for raised in self._channel_errors):
                failing = failing or ("fails", inputs, error)
            elif error is not None and result[0] == "broken":
                result = ("refused" if is_raised_by_user(error) else "broken"), inputs, error
        # A layer that accepts one of the inputs does not contradict its class.
        return result if failing is None or accepted else failing

    def _build(self) -> Exception | None:
        try:
            self._model = self._call.build().eval()
        except Exception as error:
            return error
        for module in self._model.modules():
            built = construction_sites.construction_of(module)
            if built is not None and self._is_suspected(built.site):
                self._watch(module)
        return None

    def _of_constructor(self, error: Exception) -> Outcome:
        groups = isinstance(error, ValueError) and "divisible by groups" in str(error)
        chain = failure_of(error, "constructor").chain
        if groups and self._claim.fails_in == "constructor" and self._is_suspected(*chain[:1]):
            return "fails"
        return "refused" if is_raised_by_user(error) else "broken"

    def _is_suspected(self, site: Site | None = None) -> bool:
        return site is not None and any(_is_same(site, other) for other in self._claim.sites)

    def _watch(self, module: nn.Module) -> None:
        """Count when a layer accepts its input, and keep the errors about its channels."""
        original = module.forward

        def forward(*args: Any, **kwargs: Any) -> Any:
            try:
                result = original(*args, **kwargs)
            except Exception as error:
                tensors = [v for v in (*args, *kwargs.values()) if isinstance(v, Tensor)]
                if tensors and _does_not_fit(module, tensors[0].shape):
                    self._channel_errors.append(error)
                raise
            self._accepted += 1
            return result

        module.__dict__["forward"] = forward

    def _inputs(self, spatial: Shape | None = None) -> Iterator[Inputs]:
        """Inputs to try, the smallest first; only those with this spatial size if it is not None."""
        assert self._model is not None
        for shapes in _shapes(self._attempt.channels, self._claim.inputs):
            if spatial in (None, shapes[0][2:]):
                yield Inputs(tuple(torch.rand(shape) for shape in shapes))
        job = Job(Target(self._call.text))
        with suppress(ProblemError):
            for spec in probe.candidate_specs(self._model, job, _SIZES):
                if spatial in (None, spec.shape[1:]):
                    yield probe.inputs_for(self._model, job, spec)

    def _run(self, inputs: Inputs) -> Exception | None:
        assert self._model is not None
        self._channel_errors.clear()
        self._accepted = 0
        try:
            self._model(*inputs.args, **inputs.kwargs)
        except Exception as error:
            return error
        return None


def _shapes(channels: Sequence[int], recorded: Sequence[Shape]) -> Iterator[tuple[Shape, ...]]:
    """Shapes of all inputs with the channels of an attempt: small maps, then the recorded sizes."""
    known = recorded and len(channels) == len(recorded) and min(channels) > 0
    if not known or min(map(len, recorded)) < 2:
        return
    if len({shape[2:] for shape in recorded}) == 1:
        rank = len(recorded[0]) - 2
        for size in _SIZES.get(rank, ()):
            yield tuple([(1, count, *(size,) * rank) for count in channels])
    yield tuple([(1, n, *shape[2:]) for n, shape in zip(channels, recorded, strict=True)])


def _does_not_fit(module: nn.Module, shape: torch.Size) -> bool:
    """Return whether an input has other channels than a layer expects."""
    if isinstance(module, nn.Linear):
        return bool(shape[-1] != module.in_features)
    names = ("in_channels", "num_features", "num_channels", "num_parameters")
    asked = next((getattr(module, name) for name in names if hasattr(module, name)), None)
    return asked is not None and len(shape) > 1 and bool(shape[1] != asked)


def is_raised_by_user(error: Exception) -> bool:
    """Return whether an exception comes from a ``raise`` or ``assert`` in the user's code."""
    *_, (code, offset) = code_sites.instants(error)
    return not code_sites.is_foreign(code) and code.co_code[offset] == _RAISE


def _is_same(one: Site, other: Site) -> bool:
    return len({(os.path.realpath(site.path), site.line, site.column) for site in (one, other)}) == 1
