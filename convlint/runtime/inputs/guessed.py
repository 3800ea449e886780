"""Failures with a guessed input: which of them any input has, and which may only be the fault of the guess.

A width that does not fit fails for every size. What depends on the size or kind of the input proves nothing about the
model: such failures become a problem that says how to give an input.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from convlint.analysis import graph_queries, ops
from convlint.ir import Failure, Graph, Node, Shape, Site
from convlint.runtime.failures import ProblemError
from convlint.runtime.inputs.make_inputs import Inputs, required
from convlint.runtime.inputs.parts import read_parts
from convlint.runtime.inputs.probe import TOO_SMALL
from convlint.runtime.record.record import record
from convlint.settings.jobs import Job
from convlint.support.dataclass import replace

_LARGE = 256  # sizes above are halved and not doubled
# Exceptions that no input causes, and messages of others, about an object of a class of the model.
_OF_THE_CODE = frozenset({"NameError", "UnboundLocalError"})
_ABOUT_A_CLASS = re.compile(r"'(\w+)' object has no attribute|(\w+)\.\w+\(\) (?:missing|takes|got)")

Key = tuple[str, str | None, object, int]  # of a call in several runs


def without_guesses(graph: Graph, model: nn.Module, inputs: Inputs, job: Job) -> Graph:
    """Return the graph without the failures that may depend on the guessed input.

    Raises ProblemError if no other failures are left.
    """
    failed = [node for node in graph.nodes if node.error is not None]
    others = [(other, dict(_keyed(other))) for other in _with_other_sizes(model, inputs)] if failed else []
    certain = {node.id for key, node in _keyed(graph) if node.error and _is_certain(graph, node, key, others)}
    failure = graph.failure
    if failure is not None and not _is_of_the_code(failure, model):
        failure = None
    broken_constructors = any(layer.error for layer in graph.layers)
    if failure is None and not certain and not broken_constructors and (failed or graph.failure):
        raise ProblemError("input", _problem(graph, failed, model, inputs, job), _place(graph, failed))
    nodes = [
        replace(node, op="unseen", error=None, attrs={}) if node.error and node.id not in certain else node
        for node in graph.nodes
    ]
    return replace(graph, nodes=tuple(nodes), failure=failure)


# --- the same call with other sizes


def _with_other_sizes(model: nn.Module, inputs: Inputs) -> Iterator[Graph]:
    """Record the forward on inputs of other sizes: twice or half as large, and neither square nor even."""
    (tensor,) = inputs.tensors
    if tensor.dim() < 3 or not tensor.dtype.is_floating_point:
        return
    doubled = tuple(size // 2 if size > _LARGE else size * 2 for size in tensor.shape[2:])
    odd = tuple(size + 5 + 6 * position for position, size in enumerate(tensor.shape[2:]))
    for sizes in (doubled, odd):
        resized = torch.zeros((*tensor.shape[:2], *sizes), dtype=tensor.dtype, device=tensor.device)
        other = inputs.map(partial(_replaced, resized))
        yield record(model, other.args, other.kwargs).graph()


def _replaced(replacement: Tensor, _: Tensor) -> Tensor:
    return replacement


def _keyed(graph: Graph) -> Iterator[tuple[Key, Node]]:
    counts: Counter[object] = Counter()
    for node in graph.nodes:
        known = (node.layer, node.site) if node.layer or node.site else node.op
        yield (node.op, node.layer, node.site, counts[known]), node
        counts[known] += 1


def _is_certain(graph: Graph, node: Node, key: Key, others: Sequence[tuple[Graph, dict[Key, Node]]]) -> bool:
    """Return whether a call fails for any input: it does with other sizes, too, and for the same numbers."""
    if TOO_SMALL.search(node.error or "") or not node.inputs:
        return False
    if _reads_the_input(graph, node) and not _fits_another(graph):
        return False
    same = [(other, calls[key]) for other, calls in others if key in calls]
    if not all(call.error for _, call in same):
        return False
    numbers = _numbers(graph, node)
    if numbers is None:
        return len(same) == len(others) > 0
    return all(_numbers(other, call) == numbers for other, call in same)


def _reads_the_input(graph: Graph, node: Node) -> bool:
    """Return whether the tensor of a call is the input of the model, apart from changes of its size."""
    for before in graph_queries.producers(graph, node):
        if before.op == "input":
            return True
        if before.op not in ops.CHANNEL_PRESERVING:
            return False
    return False


def _fits_another(graph: Graph) -> bool:
    """Return whether another layer accepts the channels of the input: no input suits both."""
    projections = [node for node in graph.nodes if node.op in ops.PROJECTIONS and node.error is None]
    return any(_reads_the_input(graph, node) for node in projections)


def _numbers(graph: Graph, node: Node) -> object:
    """The numbers that a call fails for, as far as they depend on no size; None if it fails for sizes."""
    shapes = [graph.tensor(id).shape for id in node.inputs]
    shape = shapes[0]
    if node.op in ops.ALL_CONVS:
        return shape[-ops.spatial_dims(node.op) - 1 :][:1]
    if node.op == "linear":
        return _features(graph, node, shape)
    if node.op in ops.NORMS | {"prelu"}:
        return shape[1:2], len(shape)
    if node.op in ops.ELEMENTWISE | {"cat", "stack"}:
        channels = {each[1] for each in shapes if len(each) > 1}
        return None if len(channels) < 2 else sorted(channels)
    return None


def _features(graph: Graph, node: Node, shape: Shape) -> object:
    """The features that a linear layer receives; if they are those of a map of which no size fits, its channels."""
    before = graph.producer(node.inputs[0])
    if before.op in ops.FLATTENING and before.inputs:
        image = graph.tensor(before.inputs[0]).shape
        expected = node.attrs.get("in_features")
        if len(image) > 2 and isinstance(expected, int) and expected % image[1]:
            return image[1], expected
    return shape[-1:]


# --- exceptions


def _is_of_the_code(failure: Failure, model: nn.Module) -> bool:
    """Return whether an exception is about the code of the model and not about a value."""
    if failure.type in _OF_THE_CODE:
        return True
    match = _ABOUT_A_CLASS.search(failure.message)
    return match is not None and (match[1] or match[2]) in {type(module).__name__ for module in model.modules()}


# --- the problem


def _problem(graph: Graph, failed: Sequence[Node], model: nn.Module, inputs: Inputs, job: Job) -> str:
    (tensor,) = inputs.tensors
    guess = ",".join(map(str, tensor.shape[1:]))
    if failed:
        node = failed[0]
        what = f"{graph_queries.name(graph, node)} raises {node.error!r}"
    else:
        assert graph.failure is not None
        what = f"forward raises {graph.failure.type}: {graph.failure.message}"
    keys = read_parts(model, required(model))
    if job.inputs_from == "input":
        option = "input=..."
    else:
        option = " ".join(f"--input {key}=C,H,W" for key in keys) or f"--input {_form(tensor)}"
    fits = f"; it runs with {inputs.runs_with}" if inputs.runs_with else ""
    return f"no input is known: with the guessed input {guess}, {what}; pass the input with {option}{fits}"


def _form(tensor: Tensor) -> str:
    """The channels of such an input, and letters for its sizes: ``3,H,W``."""
    letters = {3: "L", 4: "H,W", 5: "D,H,W"}.get(tensor.dim())
    return "SHAPE" if letters is None else f"{tensor.shape[1]},{letters}"


def _place(graph: Graph, failed: Sequence[Node]) -> Site | None:
    if failed:
        return failed[0].site
    return None if graph.failure is None else graph.failure.site
