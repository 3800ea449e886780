"""Arguments of a forward: tensors for ``--input``, from a file, or from the model's own example."""

from __future__ import annotations

import inspect
import math
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from convlint.runtime.build.load_target import signature_text
from convlint.runtime.build.scripted_modules import traced_inputs
from convlint.runtime.failures import ProblemError, one_line
from convlint.runtime.record.steps import tensors_in
from convlint.settings.input_shapes import InputSpec, nested
from convlint.settings.jobs import Job
from convlint.support.dataclass import dataclass, field
from convlint.support.errors import UsageError


@dataclass(frozen=True)
class Inputs:
    """The arguments of one forward. ``source`` is the text that a report shows for their origin.

    If they are guessed and fail, ``runs_with`` is an input of an unusual size that does not.
    """

    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    source: str = ""
    runs_with: InputSpec | None = None

    @property
    def tensors(self) -> list[Tensor]:
        return list(tensors_in((self.args, self.kwargs)))

    @property
    def batch_size(self) -> int:
        return next((t.shape[0] for t in self.tensors if t.dim()), 1)

    @property
    def nbytes(self) -> int:
        return sum(t.numel() * t.element_size() for t in self.tensors)

    def map(self, change: Callable[[Tensor], Tensor]) -> Inputs:
        """Return the same arguments with ``change`` applied to every tensor."""
        return Inputs(_mapped(self.args, change), _mapped(self.kwargs, change), self.source, self.runs_with)


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(_mapped(item, change) for item in value))
    if isinstance(value, tuple | list):
        return type(value)(_mapped(item, change) for item in value)
    if isinstance(value, dict):
        kind = Fields if type(value) is Fields else dict
        return kind({key: _mapped(item, change) for key, item in value.items()})
    return value


def requested(model: nn.Module, job: Job) -> Inputs | None:
    """The inputs that the job or the model specifies, or None. Raises ProblemError if they do not fit ``forward``."""
    if job.input_file is not None:
        found = _from_file(job.input_file)
    elif job.inputs:
        tensors = [(spec.name, make_tensor(spec, model, job)) for spec in job.inputs]
        args = tuple(tensor for name, tensor in tensors if name is None)
        found = Inputs(args, _by_keyword({name: tensor for name, tensor in tensors if name}), job.inputs_from)
    else:
        found_example = _example(model)
        if found_example is None:
            return None
        found = _arguments(*found_example)
    found = found.map(lambda tensor: tensor.detach().to(job.device))
    check_signature(model, found)
    return found


_EXAMPLES = ("example_input_array", "dummy_inputs", "dummy_input")  # of Lightning, and of transformers and diffusers


def _example(model: nn.Module) -> tuple[Any, str] | None:
    """The inputs that a model has for itself, and where they come from; None if it has none.

    Raises ProblemError if the model's code that makes them fails.
    """
    for name in _EXAMPLES:
        try:
            example = getattr(model, name, None)
            if inspect.ismethod(example) and not inspect.signature(example).parameters:
                example = example()
        except Exception as error:
            text = f"`{name}` of the model raises {type(error).__name__}: {error}; specify an input with --input"
            raise ProblemError("input", text) from error
        is_given = example is not None and name == _EXAMPLES[0]
        if is_given or (isinstance(example, Tensor | tuple | list | dict) and list(tensors_in(example))):
            return example, name
    traced = traced_inputs(model)
    return None if traced is None else (traced, "the inputs of torch.jit.trace")


class MissingInputError(KeyError, AttributeError):
    """The model reads an item that an input does not have."""

    def __str__(self) -> str:
        return str(self.args[0])


class Fields(dict[str, Any]):
    """An input that is a dict, whose items are attributes as well."""

    def __missing__(self, name: str) -> Any:
        given = ", ".join(map(repr, self))
        option = f"--input NAME.{name}=C,H,W"
        raise MissingInputError(f"forward reads item {name!r} of an input that has {given}; pass it with {option}")

    def __getattr__(self, name: str) -> Any:
        return self[name]


def _by_keyword(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    try:
        return nested(tensors, Fields)
    except UsageError as error:
        raise ProblemError("input", str(error)) from None


def make_tensor(spec: InputSpec, model: nn.Module, job: Job) -> Tensor:
    """Create a batch (B, *spec.shape): seeded uniform values in the range of the spec, else in [0, 1), or zeros for
    integers (indices). Integers of a range include its largest and smallest: an index may be too large.
    """
    dtype = getattr(torch, spec.dtype) if spec.dtype else floating_dtype(model, job.dtype)
    shape = (job.batch_size, *spec.shape)
    try:
        if job.device == "meta":
            return torch.empty(shape, dtype=dtype, device="meta")
        seeded = torch.Generator("cpu").manual_seed(0)
        low, high = spec.range or (0, 1)
        if not (dtype.is_floating_point or dtype.is_complex):
            most = max(math.ceil(high), math.ceil(low) + 1)
            values = torch.randint(math.ceil(low), most, shape, generator=seeded, device="cpu")
            if values.numel():
                values.view(-1)[-1], values.view(-1)[0] = math.ceil(low), most - 1
            return values.to(dtype)
        wide = dtype if dtype.is_complex else torch.float32
        return (low + (high - low) * torch.rand(shape, dtype=wide, generator=seeded, device="cpu")).to(dtype)
    except (RuntimeError, MemoryError) as error:
        raise ProblemError("input", f"input {spec} cannot be created: {one_line(error)}") from error


def floating_dtype(model: nn.Module, name: str | None) -> torch.dtype:
    """The dtype of inputs: that of the job, of the first floating-point parameter, or of the first complex one."""
    if name is not None:
        return getattr(torch, name)  # type: ignore[no-any-return]
    floats = [p.dtype for p in model.parameters() if p.dtype.is_floating_point or p.dtype.is_complex]
    return min(floats, key=lambda dtype: dtype.is_complex, default=torch.get_default_dtype())


def _from_file(path: str) -> Inputs:
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ProblemError("missing-file", f"input file {path} does not exist") from None
    except pickle.UnpicklingError as error:
        message = f"input file {path} contains objects other than tensors; write it with torch.save(x, {path!r})"
        raise ProblemError("input", message) from error
    except Exception as error:
        raise ProblemError("input", f"input file {path} cannot be read as tensors: {one_line(error)}") from error
    return _arguments(value, path)


def _arguments(value: Any, source: str) -> Inputs:
    """Arguments from a tensor, a tuple or list of positional arguments, or a dict of keyword arguments."""
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        found = Inputs((), dict(value), source)
    else:
        found = Inputs(tuple(value) if isinstance(value, tuple | list) else (value,), {}, source)
    if not found.tensors:
        raise ProblemError("input", f"{source} contains no tensor: it is of type {type(value).__name__}")
    for tensor in found.tensors:
        if tensor.numel() == 0:
            raise ProblemError("input", f"{source}: a tensor of shape {tuple(tensor.shape)} is empty")
    return found


def signature_of(model: nn.Module) -> inspect.Signature | None:
    """The signature of ``forward``, None if it has none: if it is scripted or written in C."""
    if isinstance(model, torch.jit.ScriptModule):
        return None
    try:
        return inspect.signature(model.forward)
    except (TypeError, ValueError):
        return None


def check_signature(model: nn.Module, inputs: Inputs) -> None:
    """Raise ProblemError unless the inputs match the signature of ``forward``."""
    signature = signature_of(model)
    if signature is None:
        return
    try:
        signature.bind(*inputs.args, **inputs.kwargs)
    except TypeError as error:
        count = len(inputs.args) + len(inputs.kwargs)
        given = f"{inputs.source} has {count} input{'' if count == 1 else 's'}"
        text = f"forward takes {signature_text(signature)}, but {given}: {one_line(error)}"
        raise ProblemError("input", text) from None


def required(model: nn.Module) -> list[str]:
    """Names of the required parameters of ``forward``; ``*args`` counts as one."""
    signature = signature_of(model)
    if signature is None:
        return ["input"]
    return [
        name
        for name, p in signature.parameters.items()
        if p.kind is p.VAR_POSITIONAL or (p.default is p.empty and p.kind is not p.VAR_KEYWORD)
    ]


def keyword_only(model: nn.Module) -> list[str]:
    """Names of the required parameters of ``forward`` that are keyword-only."""
    signature = signature_of(model)
    parameters = signature.parameters if signature else {}
    by_name = [name for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY]
    return [name for name in required(model) if name in by_name]
