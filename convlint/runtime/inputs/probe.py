"""Find an input that a model runs on, and the smallest input size that it accepts."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from convlint.analysis import ops
from convlint.ir import Graph, Shape
from convlint.runtime import isolation
from convlint.runtime.failures import ProblemError
from convlint.runtime.inputs.make_inputs import Inputs, keyword_only, make_tensor, required
from convlint.runtime.inputs.parts import list_items
from convlint.runtime.isolation import Args, CallModule, Kwargs
from convlint.runtime.record.record import record, set_training, training_flags_restored
from convlint.settings.input_shapes import InputSpec
from convlint.settings.jobs import Job
from convlint.support.dataclass import replace

_SIZES = {
    1: (32, 64, 128, 224, 512, 1024, 4096, 16_000),
    2: (32, 64, 128, 224, 28, 256, 299, 384, 512),
    3: (16, 32, 64, 112, 224),
}
_SIZE_NAMES = ("in_size", "img_size", "image_size", "input_size")
_CONFIGS = ("pretrained_cfg", "default_cfg")  # of timm: dicts with an input_size of (C, H, W)
_INPUT_LAYERS = (nn.modules.conv._ConvNd, nn.Linear, nn.Embedding, nn.EmbeddingBag)
_COMMON = 5  # sizes that are compared by their number of failures if the model runs on none
_STEPS = 3  # to the size that a linear layer requires
_LARGEST = 1024
_SECONDS = 20.0
TOO_SMALL = re.compile(  # error messages of PyTorch
    r"kernel size can't be greater than actual input|output size is too small|smaller than kernel"
    r"|padding size should be less than|wrapping around more than once|must be non-negative"
    r"|invalid computed output size|must be at least one|too large relative to input"
    r"|output sizes should be greater than 0|more than 1 spatial element",
    re.IGNORECASE,
)


def guess_inputs(model: nn.Module, job: Job) -> Inputs:
    """Guess an input: the channels of the first layer that is called, at the size that the model declares or else the
    smallest common size that runs. If no size runs, return the one with the fewest failures, of common sizes and the
    size that a linear layer requires. If only the latter runs, the layer may be wrong: it becomes ``runs_with``.

    Raises ProblemError if ``forward`` needs more than one input, or a list of them.
    """
    names = required(model)
    if not names:
        return Inputs(source="none: forward takes no input")
    if len(names) > 1:
        text = f"forward takes {len(names)} inputs, but only one can be guessed; use {_input_options(names, job)}"
        raise ProblemError("input", text)
    items = list_items(model, names[0])
    if items:
        text = (
            f"forward reads `{names[0]}` as a list of tensors, which is not guessed; use {_input_options(items, job)}"
        )
        raise ProblemError("input", text)
    tried: list[InputSpec] = []
    for spec in candidate_specs(model, job):
        tried.append(spec)
        inputs = inputs_for(model, job, spec)
        if _runs(model, inputs):
            return inputs
    specs = [spec for spec in tried if spec.shape[0] == tried[0].shape[0]][:_COMMON]
    guesses = [inputs_for(model, job, spec) for spec in specs]
    graphs = [record(model, each.args, each.kwargs).graph() for each in guesses]
    runs_with = None
    for _ in range(_STEPS):
        size = required_size(specs, graphs)
        if size is None or any(size == spec.shape[-1] for spec in specs):
            break
        spec = InputSpec((specs[0].shape[0], *(size,) * len(specs[0].shape[1:])))
        inputs = inputs_for(model, job, spec)
        if _runs(model, inputs):
            runs_with = spec
            break
        specs.append(spec)
        guesses.append(inputs)
        graphs.append(record(model, inputs.args, inputs.kwargs).graph())
    counts = [(graph.failure is not None, sum(node.error is not None for node in graph.nodes)) for graph in graphs]
    return replace(guesses[counts.index(min(counts))], runs_with=runs_with)


def required_size(specs: Sequence[InputSpec], graphs: Sequence[Graph]) -> int | None:
    """The size of a square input for which a linear layer that failed receives as many features as it expects; None if
    none failed. ``graphs`` are of runs with the inputs ``specs``.

    The map that the layer reads grows in steps of the total stride, which two runs with other sizes determine.
    """
    maps = sorted((spec.shape[-1], *found) for spec, graph in zip(specs, graphs, strict=True) if (found := _map(graph)))
    if not maps or not maps[0][1] < maps[-1][1]:
        return None
    stride = (maps[-1][0] - maps[0][0]) / (maps[-1][1] - maps[0][1])
    size, has, needs = min(maps, key=lambda each: abs(each[1] - each[2]))
    return min(max(1, size + round((needs - has) * stride)), _LARGEST)


def _map(graph: Graph) -> tuple[int, int] | None:
    """The size of the square map that the first linear layer that fails reads flattened, and the size that has as many
    features as it expects; None if there is no such layer.
    """
    node = next((node for node in graph.nodes if node.op == "linear" and node.error), None)
    if node is None or is_too_small(graph):
        return None
    before = graph.producer(node.inputs[0])
    shape = graph.tensor(before.inputs[0]).shape if before.op in ops.FLATTENING and before.inputs else ()
    features = node.attrs.get("in_features")
    if len(shape) < 3 or len({*shape[2:]}) != 1 or not isinstance(features, int):
        return None
    needs = round((features / shape[1]) ** (1 / len(shape[2:])))
    return (shape[2], needs) if shape[1] * needs ** len(shape[2:]) == features else None


def _input_options(names: Sequence[str], job: Job) -> str:
    """Describe how to pass inputs with these names: as command line options, or in Python."""
    if job.inputs_from == "input":
        return "input={" + ", ".join(f'"{name}": ...' for name in names) + "}"
    return " ".join(f"--input {name}=..." for name in names)


def inputs_for(model: nn.Module, job: Job, spec: InputSpec) -> Inputs:
    """The arguments of a forward with one input, as specified by ``spec``."""
    tensor, source = make_tensor(spec, model, job), f"inferred, {job.inputs_from} {spec}"
    names = keyword_only(model)
    return Inputs((), {names[0]: tensor}, source) if names else Inputs((tensor,), {}, source)


def _runs(model: nn.Module, inputs: Inputs) -> bool:
    """Return whether a forward in eval mode succeeds."""
    with training_flags_restored(model), torch.no_grad():
        set_training(model, training=False)
        try:
            model(*inputs.args, **inputs.kwargs)
        except ProblemError:
            raise
        except Exception:
            return False  # the recorded run reports errors that occur at every size
    return True


def candidate_specs(model: nn.Module, job: Job, sizes: Mapping[int, Sequence[int]] = _SIZES) -> Iterator[InputSpec]:
    """Inputs for the first layer, the most likely channels first; ``sizes`` to try are by number of dimensions."""
    layer, seen = _first_layer(model, job)
    if isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        yield from (InputSpec((length,), dtype="int64") for length in (16, 64, 128))
        return
    if isinstance(layer, nn.Linear):
        yield InputSpec((layer.in_features,))
        yield InputSpec((16, layer.in_features))
        yield from (InputSpec((3, size, size)) for size in _SIZES[2][:_COMMON])
        return
    spatial = 2 if layer is None else len(layer.kernel_size)
    declared = declared_size(model) if spatial == 2 else None
    shapes = [(size,) * spatial for size in sizes[spatial]]
    for channels in _channels(layer, seen):
        for shape in dict.fromkeys([declared, *shapes] if declared else shapes):
            yield InputSpec((channels, *shape))


def declared_size(model: nn.Module) -> tuple[int, int] | None:
    """The image height and width that a model declares in an attribute, or in one of its patch embedding; None if it
    declares none. No code of the model is run.
    """
    attributes = vars(model)
    values = [c.get("input_size") for n in _CONFIGS if isinstance(c := attributes.get(n), dict)]
    values += [inspect.getattr_static(model, name, None) for name in _SIZE_NAMES]
    values += [vars(part).get(name) for part in model.modules() for name in _SIZE_NAMES[1:3]]
    return next((size for value in values if (size := _as_size(value)) is not None), None)


def _as_size(value: Any) -> tuple[int, int] | None:
    sizes = tuple(value)[-2:] if isinstance(value, tuple | list) else (value, value)
    if len(sizes) == 2 and all(isinstance(size, int) and 1 < size <= 4096 for size in sizes):
        return int(sizes[0]), int(sizes[1])
    return None


def _channels(layer: Any, seen: int | None) -> list[int]:
    """Channel counts of the input, the most likely first; ``seen`` are the channels that the layer receives for 3."""
    if layer is None:
        return [3, 1]
    wanted = max(1, int(layer.in_channels))
    found = [wanted, 3, 1]
    if seen is not None and (wanted * 3) % seen == 0:
        found.insert(0, wanted * 3 // seen)  # an operation before the layer changes the count
    return list(dict.fromkeys(found))


class _FoundError(Exception):
    """Ends a forward at the first layer with a known number of input channels."""


def _first_layer(model: nn.Module, job: Job) -> tuple[Any, int | None]:
    """The first convolution, linear layer or embedding that a forward calls, and the channels that it receives for an
    image of three; if none is called, the first that is registered.
    """
    found: list[tuple[nn.Module, int | None]] = []

    def call_or_stop(call: CallModule, module: nn.Module, args: Args, kwargs: Kwargs) -> Any:
        if isinstance(module, _INPUT_LAYERS):
            tensor = args[0] if args and isinstance(args[0], Tensor) else None
            found.append((module, tensor.shape[1] if tensor is not None and tensor.dim() > 1 else None))
            raise _FoundError
        return call(module, *args, **kwargs)

    with isolation.module_calls(call_or_stop):
        _runs(model, inputs_for(model, job, InputSpec((3, 64, 64))))
    if found:
        return found[0]
    return next((m for m in model.modules() if isinstance(m, _INPUT_LAYERS)), None), None


def smallest_size(model: nn.Module, inputs: Inputs, graph: Graph) -> Shape | None:
    """Find the smallest spatial size at which no call fails because its input is too small.

    All spatial sizes are equal (8x8). Searches only if such a call failed in ``graph``, and only for a model with one
    image-like input. Returns None if it did not search or found none up to 1024.
    """
    tensors = inputs.tensors
    if not is_too_small(graph) or len(tensors) != 1 or tensors[0].dim() < 3:
        return None
    (image,) = tensors
    spatial = image.dim() - 2
    until = time.monotonic() + _SECONDS

    def fits(size: int) -> bool:
        shape = (*image.shape[:2], *(size,) * spatial)
        other = inputs.map(lambda _: torch.zeros(shape, dtype=image.dtype, device=image.device))
        return not is_too_small(record(model, other.args, other.kwargs).graph())

    lower, upper = 0, max(image.shape[2:])
    while not fits(upper):
        lower, upper = upper, upper * 2
        if upper > _LARGEST or time.monotonic() > until:
            return None
    while upper - lower > 1 and time.monotonic() < until:
        middle = (lower + upper) // 2
        lower, upper = (lower, middle) if fits(middle) else (middle, upper)
    return (upper,) * spatial


def is_too_small(graph: Graph) -> bool:
    """Return whether a call failed because its input is too small."""
    failed = [node.error for node in graph.nodes if node.error]
    if graph.failure is not None:
        failed.append(graph.failure.message)
    return any(TOO_SMALL.search(message) for message in failed)
