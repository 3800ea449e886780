"""Batches of the user: the function that ``--data`` names is called, and what it yields is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from convlint.ir import Shape
from convlint.runtime.build import load_target
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.settings.targets import parse_target
from convlint.support.dataclass import dataclass

MAX_SAMPLES = 2048
_SECONDS_SHARE = 0.25  # of the time limit, after which no further batch is taken


@dataclass(frozen=True, slots=True)
class Batch:
    """The inputs of a forward, and the target; None without one."""

    inputs: Inputs
    target: Tensor | None

    @property
    def samples(self) -> int:
        tensors = [tensor for tensor in tensors_in((self.inputs.args, self.inputs.kwargs)) if tensor.dim()]
        return len(tensors[0]) if tensors else 1

    @property
    def sizes(self) -> tuple[Shape, ...]:
        """The sizes of the inputs, but for the number of samples."""
        return tuple(tuple(tensor.shape[1:]) for tensor in tensors_in((self.inputs.args, self.inputs.kwargs)))


@dataclass(frozen=True, slots=True)
class Data:
    """The batches that were taken; ``complete`` if the loader ended by itself."""

    batches: tuple[Batch, ...]
    complete: bool

    @property
    def samples(self) -> int:
        return sum(batch.samples for batch in self.batches)


def load(text: str, root: str, model: nn.Module, timeout: float) -> Data:
    """Take batches from the loader ``module.py:function`` until it ends, or there are enough.

    Raises ProblemError if it cannot be loaded, raises, yields nothing, or yields what the model does not accept.
    """
    target = parse_target(text)
    if target.name is None:
        raise ProblemError("data", f"--data {text} names no function; write it as in data.py:loader")
    try:
        made = load_target.find_object(target, root)
    except ProblemError as error:
        raise ProblemError("data", f"--data {text}: {error.problem.message}") from error
    seconds = _SECONDS_SHARE * timeout
    batches: list[Batch] = []
    accepted: set[tuple[Shape, ...]] = set()
    samples, complete = 0, True
    try:
        with at_most(seconds):
            for value in _iterated(made, text):
                batch = _batch(value, text)
                if batch.sizes not in accepted:
                    _check(model, batch, text)
                    accepted.add(batch.sizes)
                batches.append(batch)
                samples += batch.samples
                if samples >= MAX_SAMPLES:
                    complete = False
                    break
    except ProblemError:
        raise
    except TooLongError:
        complete = False
        if not batches:
            text = f"--data {text} yields no batch within {seconds:g} s; --timeout sets the limit"
            raise ProblemError("data", text) from None
    except Exception as error:
        failure = failure_of(error, "forward")
        place = f" at {failure.site}" if failure.site else ""
        count = "1 batch" if len(batches) == 1 else f"{len(batches)} batches"
        text = f"--data {text} fails{place} after {count}: {failure.type}: {failure.message}"
        raise ProblemError("data", text) from error
    if not batches:
        raise ProblemError("data", f"--data {text} yields no batch")
    return Data(tuple(batches), complete)


def _iterated(value: Any, text: str) -> Iterator[Any]:
    made = value() if callable(value) and not isinstance(value, type(iter(()))) else value
    try:
        return iter(made)
    except TypeError:
        raise ProblemError(
            "data", f"--data {text} returns an object of type {type(made).__name__}, which yields no batches"
        ) from None


def _batch(value: Any, text: str) -> Batch:
    """``input``, or ``(input, target)``; an input is a tensor, a tuple of arguments or a dict of named ones."""
    target: Tensor | None = None
    if isinstance(value, tuple | list) and len(value) == 2:
        value, given = value
        target = torch.as_tensor(given) if not isinstance(given, Mapping | tuple) else None
    if isinstance(value, Mapping):
        return Batch(Inputs((), dict(value), "--data"), target)
    args = tuple(value) if isinstance(value, tuple | list) else (value,)
    if not any(isinstance(each, Tensor) for each in args):
        kind = type(args[0]).__name__ if args else "an empty tuple"
        raise ProblemError("data", f"--data {text} yields {kind}; expected a tensor, or (input, target)")
    return Batch(Inputs(args, {}, "--data"), target)


def _check(model: nn.Module, batch: Batch, text: str) -> None:
    """Raise ProblemError if the model does not accept a batch of these sizes."""
    try:
        with torch.no_grad():
            model(*batch.inputs.args, **batch.inputs.kwargs)
    except Exception as error:
        shapes = ", ".join("x".join(map(str, tensor.shape)) for tensor in tensors_in(batch.inputs.args))
        message = f"the model does not accept the batch {shapes} of --data {text}: {one_line(error)}"
        raise ProblemError("data", message) from error
