"""The input sizes that a model needs where maps of odd size do not fit: "heights and widths divisible by 8"."""

from __future__ import annotations

from collections.abc import Iterator

from convlint.analysis import ops
from convlint.analysis.size_flow import flow
from convlint.ir import Graph, Shape

_MULTIPLES = (2, 4, 8, 16, 32, 64, 128)
_SEVERAL = (0, 1, 2, 5)  # multiples that are tried, counted from the nearest above
_NAMES = {1: "lengths", 2: "heights and widths", 3: "depths, heights and widths"}


def working_sizes(graph: Graph) -> str | None:
    """Describe the input sizes for which no merge of the graph fails: "heights and widths divisible by 8".

    None if no such rule is known: the model has other failures, or works for no multiple.
    """
    images = dict(_images(graph))
    if not images:
        return None
    spatial = {len(shape) - 2 for shape in images.values()}
    failing = [node for node in graph.nodes if node.error is not None]
    if len(spatial) != 1 or len({shape[2:] for shape in images.values()}) != 1 or not failing:
        return None
    for multiple in _MULTIPLES:
        if all(_works(graph, images, multiple, more) for more in _SEVERAL):
            return f"{_NAMES.get(spatial.pop(), 'sizes')} divisible by {multiple}"
    return None


def _images(graph: Graph) -> Iterator[tuple[int, Shape]]:
    """The tensors passed to the model that are maps, with a batch dimension."""
    passed = {id for call in graph.calls[-1:] if not call.layer or call.start == 0 for id in call.inputs}
    for node in graph.nodes:
        if node.op == "input" or (not node.inputs and not passed.isdisjoint(tensor.id for tensor in node.outputs)):
            for tensor in node.outputs:
                readers = [reader.op for reader in graph.consumers(tensor.id) if reader.op in ops.ALL_CONVS]
                if all(ops.spatial_dims(op) == len(tensor.shape) - 2 for op in readers) and len(tensor.shape) > 2:
                    yield tensor.id, tensor.shape


def _works(graph: Graph, images: dict[int, Shape], multiple: int, more: int) -> bool:
    changed = {
        id: (*shape[:2], *[multiple * (-(-size // multiple) + more + at) for at, size in enumerate(shape[2:])])
        for id, shape in images.items()
    }
    result = flow(graph, changed)
    failing = [node for node in graph.nodes if node.error is not None]
    known = all(None not in result.shapes[id] for node in failing for id in node.inputs)
    return known and not result.failed
