"""Failures that are not bugs of the model: out of memory, an unsupported option, an input in another layout.

Each of them is a problem and not a finding.
"""

from __future__ import annotations

from convlint.ir import Failure, Graph, Layer, Shape
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.settings.jobs import Job

_ALLOCATION = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc")


def raise_if_out_of_memory(error: BaseException | None) -> None:
    """Raise ProblemError if the exception reports that memory ran out."""
    if error is None:
        return
    message = one_line(error)
    allocation = isinstance(error, RuntimeError) and any(words in message for words in _ALLOCATION)
    if allocation or isinstance(error, MemoryError):
        text = f"out of memory: {message}; --max-memory sets the limit, --device meta runs without values"
        raise ProblemError("out-of-memory", text, failure_of(error, "forward").site) from error


def raise_if_environment(failure: Failure | None, job: Job) -> None:
    """Raise ProblemError if the device, the dtype or a missing package caused the failure."""
    if failure is None:
        return
    message = f"{failure.type}: {failure.message}"
    if failure.type in ("ModuleNotFoundError", "ImportError"):
        text = f"the {failure.phase} imports a module that is not available: {message}"
        raise ProblemError("import-error", text, failure.site)
    if failure.type == "MissingInputError":
        raise ProblemError("input", failure.message, failure.site)
    if job.device == "meta" and "meta" in failure.message.lower():
        text = f"the model needs tensor values, which the meta device does not have: {message}; drop --device meta"
        raise ProblemError("device", text, failure.site)
    if job.dtype is not None and "not implemented for" in failure.message:
        raise ProblemError("dtype", f"--dtype {job.dtype} is not supported by this model: {message}", failure.site)


def raise_if_other_layout(graph: Graph, job: Job) -> None:
    """Raise ProblemError if a requested input has another rank than the convolution that receives it, or its channels
    last.
    """
    first = _first_convolution(graph) if job.inputs else None
    if first is None:
        return
    layer, shape = first
    spatial, channels = int(layer.base[-2]), layer.attrs.get("in_channels", "C")
    is_last = len(shape) == spatial + 2 and shape[-1] == channels != shape[1]
    if len(shape) == spatial + 2 and not is_last:
        return
    takes = ",".join([str(channels), *("D", "H", "W")[-spatial:]])
    given = " ".join(f"--input {spec}" for spec in job.inputs)
    expected = f"{takes} ({spatial + 1} sizes, without the batch dimension)"
    sizes = shape[2:]  # of a sample that was given with its batch dimension
    if len(shape) == spatial + 3 and channels in (sizes[0], sizes[-1]):
        expected = f"{takes}: leave out the batch dimension, as in --input {','.join(map(str, sizes))}"
        if channels != sizes[0]:
            expected = f"{takes}: leave out the batch dimension, and channels come first, as in --input "
            expected += ",".join(map(str, (channels, *sizes[:-1])))
    if is_last:
        first_channels = ",".join(map(str, (channels, *shape[1:-1])))
        expected = f"{takes}: channels come first, as in --input {first_channels}"
    text = f"{given} does not fit the model: its {layer.base} `{layer.name}` expects {expected}"
    raise ProblemError("input", text, layer.site)


def _first_convolution(graph: Graph) -> tuple[Layer, Shape] | None:
    """The convolution that receives an input of the model unchanged, and the shape of that input; None without one."""
    inputs = {t.id: t for node in graph.nodes if node.op == "input" for t in node.outputs}
    for node in graph.nodes:
        layer = graph.layer(node.layer)
        if layer is not None and _is_convolution(layer) and node.inputs[:1] and node.inputs[0] in inputs:
            return layer, inputs[node.inputs[0]].shape
    failed = graph.layer(graph.failure.module) if graph.failure else None
    if failed is None or not _is_convolution(failed):
        return None
    for call in graph.calls_of(failed.name):
        if call.inputs and call.inputs[0] in inputs:
            return failed, inputs[call.inputs[0]].shape
    return None


def _is_convolution(layer: Layer) -> bool:
    return layer.base.removeprefix("Lazy").startswith("Conv") and layer.base.endswith("d")
