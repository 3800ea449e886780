"""Multiply-accumulates (MACs) of single calls, as pure functions of shapes.

One MAC is one multiplication and one addition: two floating point operations (FLOPs). Biases, norms, activations and
pooling are not counted, as in fvcore and ``torch.utils.flop_counter``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isqrt, prod

from convlint.analysis import ops
from convlint.ir import Graph, Node, Shape, Tensor


def conv_macs(node: Node, x: Tensor, out: Tensor) -> int:
    """``out * in_channels / groups * prod(kernel)``: each output value is a sum over a window.

    Transposed, each *input* value is multiplied with a window: ``in * out_channels / groups * prod(kernel)``.
    Source: Dumoulin and Visin, A guide to convolution arithmetic, arXiv:1603.07285.
    """
    attrs = node.attrs
    groups = max(int(attrs["groups"]), 1)  # of an invalid call too
    window = int(prod(attrs["kernel_size"]))
    positions, channels = (x, "out_channels") if attrs["transposed"] else (out, "in_channels")
    return positions.numel * max(int(attrs[channels]), 0) // groups * window


def attention_macs(q: Tensor, k: Tensor, out: Tensor) -> int:
    """``(q + out) * S``: ``q @ k.T`` over S keys, then the weights times the S values; masks save nothing.

    Source: Vaswani et al., Attention Is All You Need, arXiv:1706.03762, equation 1.
    """
    return (q.numel + out.numel) * k.shape[-2]


def recurrent_macs(x: Tensor, weights: Sequence[Tensor]) -> int:
    """``steps * batch * sum of all weight matrices``: each is applied once per step."""
    return x.numel // (x.shape[-1] or 1) * sum(w.numel for w in weights if len(w.shape) == 2)


def einsum_macs(equation: str, shapes: Sequence[Shape]) -> int | None:
    """The product of all index sizes, pair by pair from the left; a pair without a summed index costs nothing.

    None if the equation has an ellipsis.
    """
    if "." in equation:
        return None
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    sizes = {name: n for term, shape in zip(terms, shapes, strict=True) for name, n in zip(term, shape, strict=True)}
    if not arrow:
        result = "".join(name for name in sizes if left.count(name) == 1)
    total, done = 0, set(terms[0])
    for position, term in enumerate(terms[1:], 2):
        wanted = set(result).union(*terms[position:])
        both = done | set(term)
        if done & set(term) - wanted:
            total += prod(sizes[name] for name in both)
        done = both & wanted
    return total


def macs(graph: Graph, node: Node) -> int | None:
    """The multiply-accumulates of one call; None if it was not traced into.

    - ``linear``: ``out * in_features``; matrix products: ``out * K``, with the size K of the summed dimension
    - ``linear_cross_entropy``: its linear layer, all weights for each vector of the input
    - ``bilinear``: ``out * in1 * (in2 + 1)``: the weight with the second input, the result with the first
    - ``deform_conv2d``: as a convolution, without the interpolation of its input
    - convolutions, attention, recurrent layers and ``einsum``: see the functions above
    """
    if node.op in _OPAQUE:
        return None
    ins = [graph.tensor(id) for id in node.inputs]
    if not ins or not node.outputs:
        return 0
    out = node.outputs[0]
    if node.op in ops.ALL_CONVS and "kernel_size" in node.attrs:
        return conv_macs(node, ins[0], out)
    if "scaled_dot_product" in node.op:
        return attention_macs(ins[0], ins[1], out)
    if node.op in _RECURRENT:
        return recurrent_macs(ins[0], [t for t in ins if graph.producer(t.id).op == "parameter"])
    if node.op == "einsum":
        equation = node.attrs.get("equation")
        return einsum_macs(equation, [t.shape for t in ins]) if equation else None
    formula = _FORMULAS.get(node.op)
    return 0 if formula is None else formula(node, ins, out)


def _matmul(_: Node, ins: list[Tensor], out: Tensor) -> int:
    return out.numel * ins[0].shape[-1]


def _addmm(_: Node, ins: list[Tensor], __: Tensor) -> int:
    return ins[1].numel * (ins[2].shape[-1] if len(ins[2].shape) > 1 else 1)


def _deform_conv(_: Node, ins: list[Tensor], out: Tensor) -> int:
    return out.numel * prod(next(t for t in ins[1:] if t.shape[0] == out.shape[1]).shape[1:])


_FORMULAS: dict[str, Callable[[Node, list[Tensor], Tensor], int]] = {
    "linear": lambda node, ins, out: out.numel * int(node.attrs.get("in_features", ins[0].shape[-1])),
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner"), _matmul),
    **dict.fromkeys(("addmm", "addbmm", "baddbmm", "addmv"), _addmm),
    "tensordot": lambda _, ins, out: isqrt(ins[0].numel * ins[1].numel * out.numel),  # MK * KN * MN = (MKN) ** 2
    "bilinear": lambda _, ins, out: out.numel * ins[0].shape[-1] * (ins[1].shape[-1] + 1),
    "deform_conv2d": _deform_conv,
    "linear_cross_entropy": lambda _, ins, __: ins[0].numel // (ins[0].shape[-1] or 1) * ins[1].numel,
}
_RECURRENT = ops.RECURRENT | ops.RECURRENT_CELLS
_OPAQUE = frozenset(
    {"unseen", "_native_multi_head_attention", "_transformer_encoder_layer_fwd", "mkldnn_rnn_layer"}
    | {"chain_matmul", "multi_dot", "linalg_multi_dot", "conv_tbc"}
)
