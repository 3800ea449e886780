"""Batches of the user: the function that ``--data`` names is called, and what it yields is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
_JOINED = 64, 1 << 20  # samples and values of a batch that smaller ones are joined to
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
    except SystemExit as error:
        raise ProblemError("data", f"--data {text} called sys.exit({error.code!r})") from error
    except Exception as error:
        failure = failure_of(error, "forward")
        place = f" at {failure.site}" if failure.site else ""
        count = "1 batch" if len(batches) == 1 else f"{len(batches)} batches"
        text = f"--data {text} fails{place} after {count}: {failure.type}: {failure.message}"
        raise ProblemError("data", text) from error
    if not batches:
        raise ProblemError("data", f"--data {text} yields no batch")
    joined = list(_joined(batches))
    try:
        _check(model, joined[0], text)
    except ProblemError:  # it has been written for batches of this size
        joined = batches
    return Data(tuple(joined), complete)


def _joined(batches: Sequence[Batch]) -> Iterator[Batch]:
    """The same samples in fewer batches, which takes less time. Batches of other than tensors stay as they are."""
    parts: list[Batch] = []
    for batch in batches:
        samples = sum(part.samples for part in (*parts, batch))
        values = sum(tensor.numel() for part in (*parts, batch) for tensor in tensors_in(_tensors(part)))
        if parts and (samples > _JOINED[0] or values > _JOINED[1] or not _is_like(parts[0], batch)):
            yield _one_of(parts)
            parts = []
        parts.append(batch)
    yield _one_of(parts)


def _tensors(batch: Batch) -> tuple[Any, ...]:
    return (*batch.inputs.args, *([] if batch.target is None else [batch.target]))


def _is_like(first: Batch, second: Batch) -> bool:
    """Return whether two batches have one sample in each row of each tensor, and nothing else."""
    one, two = (
        [(t.shape[1:], t.dtype) if _rows(t) == b.samples else None for t in _tensors(b)] for b in (first, second)
    )
    return one == two and None not in one and not first.inputs.kwargs and not second.inputs.kwargs


def _rows(value: Any) -> int:
    return len(value) if isinstance(value, Tensor) and value.dim() else 0


def _one_of(parts: Sequence[Batch]) -> Batch:
    if len(parts) == 1:
        return parts[0]
    joined = [torch.cat(each) for each in zip(*map(_tensors, parts), strict=True)]
    target = None if parts[0].target is None else joined.pop()
    return Batch(Inputs(tuple(joined), {}, "--data"), target)


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
    if not all(bool(tensor.isfinite().all()) for tensor in tensors_in(args)):
        raise ProblemError("data", f"--data {text} yields a batch with values that are nan or infinite")
    return Batch(Inputs(args, {}, "--data"), target)


def _check(model: nn.Module, batch: Batch, text: str) -> None:
    """Raise ProblemError if the model does not accept a batch of these sizes."""
    try:
        with torch.no_grad():
            model(*batch.inputs.args, **batch.inputs.kwargs)
    except Exception as error:
        shapes = ", ".join(
            "x".join(map(str, tensor.shape)) for tensor in tensors_in((batch.inputs.args, batch.inputs.kwargs))
        )
        message = f"the model does not accept the batch {shapes} of --data {text}: {one_line(error)}"
        raise ProblemError("data", message) from error
