"""Failures that only follow from another one are no failures of their own."""

from __future__ import annotations

from dataclasses import replace

from convlint.analysis.diagnosis import without_consequences
from convlint.ir import Graph, Node, Tensor

CONV = {"kernel_size": (3, 3), "stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}


def tensors(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [Tensor(id, shape) for id, shape in enumerate(shapes)]


def failing(graph: Graph) -> list[str]:
    return [node.op for node in without_consequences(graph).nodes if node.error]


def sum_of(left: tuple[int, ...], right: tuple[int, ...], after: tuple[int, ...], *more: Node) -> Graph:
    """A sum that fails, and calls that read its output, tensor 2."""
    a, b, c = tensors(left, right, after)
    nodes = [
        Node(0, "input", outputs=(a,)),
        Node(1, "input", outputs=(b,)),
        Node(2, "add", inputs=(0, 1), outputs=(c,), error="must match"),
    ]
    return Graph(nodes=(*nodes, *[replace(node, id=3 + at) for at, node in enumerate(more)]))


def linear(features: int, read: int, *shape: int) -> Node:
    attrs = {"in_features": features, "out_features": 5}
    return Node(0, "linear", inputs=(read,), outputs=(Tensor(9, shape),), attrs=attrs, error="cannot be multiplied")


def flatten(read: int, made: int, *shape: int) -> Node:
    return Node(0, "flatten", inputs=(read,), outputs=(Tensor(made, shape),), attrs={"start_dim": 1, "end_dim": -1})


def test_a_linear_layer_after_a_sum_of_two_sizes() -> None:
    graph = sum_of((1, 6, 20, 20), (1, 6, 40, 40), (1, 6, 40, 40), flatten(2, 3, 1, 9600), linear(2400, 3, 1, 5))
    assert failing(graph) == ["add"]


def test_a_layer_that_fits_one_of_two_widths() -> None:
    conv = Node(0, "conv2d", inputs=(2,), outputs=(Tensor(3, (1, 4, 6, 6)),), attrs={**CONV, "out_channels": 4})
    for channels, expected in ((16, ["add"]), (32, ["add"]), (20, ["add", "conv2d"])):
        reader = replace(conv, attrs={**conv.attrs, "in_channels": channels}, error="expected input")
        assert failing(sum_of((1, 32, 8, 8), (1, 16, 8, 8), (1, 32, 8, 8), reader)) == expected


def test_a_global_pool_makes_sizes_known_again() -> None:
    pooled = Node(
        0, "adaptive_avg_pool2d", inputs=(2,), outputs=(Tensor(3, (1, 6, 1, 1)),), attrs={"output_size": (1, 1)}
    )
    graph = sum_of((1, 6, 20, 20), (1, 6, 40, 40), (1, 6, 40, 40), pooled, flatten(3, 4, 1, 6), linear(7, 4, 1, 5))
    assert failing(graph) == ["add", "linear"]


def test_a_kernel_that_is_too_large_leaves_no_size() -> None:
    image, after = tensors((1, 3, 2, 2), (1, 4, 1, 1))
    attrs = {**CONV, "in_channels": 3, "out_channels": 4}
    nodes = (
        Node(0, "input", outputs=(image,)),
        Node(1, "conv2d", inputs=(0,), outputs=(after,), attrs=attrs, error="Kernel size can't be greater"),
        replace(flatten(1, 2, 1, 4), id=2),
        replace(linear(64, 2, 1, 5), id=3),
    )
    assert failing(Graph(nodes=nodes)) == ["conv2d"]


def test_what_does_not_depend_on_the_failure_is_judged() -> None:
    graph = sum_of((1, 6, 20, 20), (1, 6, 40, 40), (1, 6, 40, 40), flatten(0, 3, 1, 2400), linear(9, 3, 1, 5))
    assert failing(graph) == ["add", "linear"]
