"""What a model costs: multiply-accumulates (MACs), parameters and bytes, as pure functions of shapes.

One MAC is one multiplication and one addition: two floating point operations (FLOPs). Biases, norms,
activations and pooling count as none, as in fvcore and ``torch.utils.flop_counter``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isqrt, prod

from convlint.model import Call, Graph, Layer, Model, Node, Row, Shape, Tensor, Totals


def conv_macs(node: Node, x: Tensor, out: Tensor) -> int:
    """``out * in_channels / groups * prod(kernel)``: every output value is a sum over its window.

    Transposed, every *input* value is spread over a window: ``in * out_channels / groups * prod(kernel)``.
    Source: Dumoulin and Visin, A guide to convolution arithmetic, arXiv:1603.07285.
    """
    attrs, groups = node.attrs, max(node.attrs["groups"], 1)
    window = prod(attrs["kernel_size"])
    if attrs["transposed"]:
        return x.numel * attrs["out_channels"] // groups * window
    return out.numel * attrs["in_channels"] // groups * window


def attention_macs(q: Tensor, k: Tensor, out: Tensor) -> int:
    """``(q + out) * S``: ``q @ k.T`` over S keys, then the weights times the S values; masks save none.

    Source: Vaswani et al., Attention Is All You Need, arXiv:1706.03762, equation 1.
    """
    return (q.numel + out.numel) * k.shape[-2]


def recurrent_macs(x: Tensor, weights: Sequence[Tensor]) -> int:
    """``steps * batch * sum of all weight matrices``: each is applied once at every step."""
    return x.numel // (x.shape[-1] or 1) * sum(w.numel for w in weights if len(w.shape) == 2)


def einsum_macs(equation: str, shapes: Sequence[Shape]) -> int | None:
    """The product of all index sizes, pair by pair from the left; a pair that sums over nothing costs none.

    None where an index is hidden behind an ellipsis.
    """
    if "." in equation:
        return None
    left, arrow, result = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    sizes = {
        name: n
        for term, shape in zip(terms, shapes, strict=True)
        for name, n in zip(term, shape, strict=True)
    }
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
    """The multiply-accumulates of one call; None for what was not seen inside.

    - ``linear``: ``out * in_features``; matrix products: ``out * K``, K being what is summed over
    - ``bilinear``: ``out * in1 * (in2 + 1)``: the weight with the second input, that with the first
    - ``deform_conv2d``: as a convolution, the interpolation of its input counts as none
    - convolutions, attention, recurrent layers and ``einsum``: see the functions above
    """
    if node.op in _NOT_SEEN_INSIDE:
        return None
    ins = [graph.tensor(id) for id in node.inputs]
    if not ins or not node.outputs:
        return 0
    out = node.outputs[0]
    if node.op.startswith("conv") and "kernel_size" in node.attrs:
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


def _linear(node: Node, ins: list[Tensor], out: Tensor) -> int:
    return out.numel * int(node.attrs.get("in_features", ins[0].shape[-1]))


def _matmul(_: Node, ins: list[Tensor], out: Tensor) -> int:
    return out.numel * ins[0].shape[-1]


def _addmm(_: Node, ins: list[Tensor], __: Tensor) -> int:
    return ins[1].numel * (ins[2].shape[-1] if len(ins[2].shape) > 1 else 1)


def _tensordot(_: Node, ins: list[Tensor], out: Tensor) -> int:
    return isqrt(ins[0].numel * ins[1].numel * out.numel)  # MK * KN * MN = (MKN) ** 2


def _bilinear(_: Node, ins: list[Tensor], out: Tensor) -> int:
    return out.numel * ins[0].shape[-1] * (ins[1].shape[-1] + 1)


def _deformed(_: Node, ins: list[Tensor], out: Tensor) -> int:
    weight = next(t for t in ins[1:] if t.shape[0] == out.shape[1])
    return out.numel * prod(weight.shape[1:])


_FORMULAS: dict[str, Callable[[Node, list[Tensor], Tensor], int]] = {
    "linear": _linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "vdot", "inner"), _matmul),
    **dict.fromkeys(("addmm", "addbmm", "baddbmm", "addmv"), _addmm),
    "tensordot": _tensordot,
    "bilinear": _bilinear,
    "deform_conv2d": _deformed,
}
_RECURRENT = frozenset(
    f"{kind}{cell}" for kind in ("lstm", "gru", "rnn_tanh", "rnn_relu") for cell in ("", "_cell")
)
_NOT_SEEN_INSIDE = frozenset(
    {"unseen", "_native_multi_head_attention", "_transformer_encoder_layer_fwd", "mkldnn_rnn_layer"}
    | {"chain_matmul", "multi_dot", "linalg_multi_dot", "conv_tbc"}
)


# --- rows of the table


def rows(graph: Graph) -> tuple[Row, ...]:
    """The layer table: what was called, in the order of the first call, then what never was.

    A row is a leaf layer; a module that has parameters of its own beside its parts (a class token);
    or a call with MACs that no leaf layer owns, named ``module.op``. Parameters of all rows sum up to
    the model's. ``failed`` marks the row that ended a partial run, and those that ran on a stand-in.
    """
    found: list[
        tuple[int, int, Row]
    ] = []  # first node, rank: a module stands before what ran in it
    leaves = _leaves(graph)
    for rank, layer in enumerate(graph.layers):
        calls = graph.calls_of(layer.name)
        failed = _failed(graph, layer)
        if layer.name in leaves or layer.params or failed:
            first = calls[0].start if calls else len(graph.nodes)
            found.append(
                (
                    first,
                    rank,
                    _layer_row(graph, layer, calls, leaf=layer.name in leaves, failed=failed),
                )
            )
    found += [(node.id, len(graph.layers), row) for node, row in _functional_rows(graph, leaves)]
    return tuple(row for *_, row in sorted(found, key=lambda item: item[:2]))


def _leaves(graph: Graph) -> set[str]:
    """Layers that are rows of their own: those of torch.nn and without parts, unless others are called inside."""
    names = {layer.name for layer in graph.layers if layer.leaf}
    called = {
        name: layer.name for name in {c.layer for c in graph.calls} if (layer := graph.layer(name))
    }
    open_calls: list[Call] = []
    for call in sorted(graph.calls, key=lambda c: (c.start, -c.stop)):
        while open_calls and open_calls[-1].stop <= call.start:
            open_calls.pop()
        if called.get(call.layer) in names and call.stop > call.start:
            names -= {
                called[outer.layer]
                for outer in open_calls
                if outer.layer in called and outer.layer != call.layer
            }
        open_calls.append(call)
    return names


def _failed(graph: Graph, layer: Layer) -> str | None:
    failure = graph.failure
    if failure is not None and failure.phase == "forward" and graph.layer(failure.module) is layer:
        return f"{failure.type}: {failure.message}"
    errors = [node.error for node in graph.nodes_of(layer.name) if node.error]
    return layer.error or (errors[0] if errors else None)


def _layer_row(
    graph: Graph, layer: Layer, calls: Sequence[Call], *, leaf: bool, failed: str | None
) -> Row:
    nodes = graph.nodes_of(layer.name)
    main = next((node for node in nodes if "kernel_size" in node.attrs), None)
    attrs = {**layer.attrs, **(main.attrs if main else {})}
    outputs = [graph.tensor(id) for call in calls for id in call.outputs]
    ins = [graph.tensor(id).shape for id in calls[0].inputs] if calls else []
    outs = [graph.tensor(id).shape for id in calls[0].outputs] if calls else []
    return Row(
        name=layer.name,
        kind=layer.kind,
        calls=len(calls),
        input_shape=ins[0] if ins else None,
        output_shape=outs[0] if outs else None,
        kernel_size=_sizes(attrs.get("kernel_size")),
        stride=_sizes(attrs.get("stride")),
        padding=attrs["padding"]
        if isinstance(attrs.get("padding"), str)
        else _sizes(attrs.get("padding")),
        dilation=_sizes(attrs.get("dilation")),
        groups=attrs.get("groups"),
        bias=attrs.get("bias"),
        params=layer.params,
        trainable_params=layer.trainable_params,
        params_bytes=layer.params_bytes,
        macs=_sum([macs(graph, node) for node in nodes]) if leaf else 0,
        output_bytes=sum(t.nbytes for t in outputs) if leaf else 0,
        saved_bytes=layer.saved_bytes,
        site=layer.site,
        failed=failed,
    )


def _functional_rows(graph: Graph, leaves: set[str]) -> Iterator[tuple[Node, Row]]:
    """Calls with MACs outside the leaves, one row for each line of the source that makes them."""
    places: dict[tuple[object, ...], list[Node]] = {}
    for node in graph.nodes:
        if (node.layer is None or node.layer not in leaves) and macs(graph, node) != 0:
            places.setdefault((node.module, node.op, node.site), []).append(node)
    names: dict[str, int] = {}
    for (module, op, site), nodes in places.items():
        name = f"{module}.{op}".lstrip(".")
        names[name] = names.get(name, 0) + 1
        first, attrs = nodes[0], nodes[0].attrs
        yield (
            first,
            Row(
                name=name if names[name] == 1 else f"{name}#{names[name]}",
                kind=f"F.{op}",
                calls=len(nodes),
                input_shape=graph.tensor(first.inputs[0]).shape if first.inputs else None,
                output_shape=first.outputs[0].shape if first.outputs else None,
                kernel_size=attrs.get("kernel_size"),
                stride=attrs.get("stride"),
                padding=attrs.get("padding"),
                dilation=attrs.get("dilation"),
                groups=attrs.get("groups"),
                bias=attrs.get("bias"),
                macs=_sum([macs(graph, node) for node in nodes]),
                output_bytes=sum(t.nbytes for node in nodes for t in node.outputs),
                site=site if first.site is None else first.site,
                failed=next((node.error for node in nodes if node.error), None),
            ),
        )


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum, None if one of them is not known."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _sizes(value: object) -> Shape | None:
    """A size as a tuple, also where the source gave one number for all dimensions."""
    if isinstance(value, int):
        return (value,)
    return tuple(value) if isinstance(value, tuple) else None


# --- the model


def totals(graph: Graph) -> Totals:
    """Sums over the model.

    - ``macs``: of all calls; those that were not seen inside add nothing
    - ``forward_backward_bytes``: twice the outputs of all leaf layers, as torchsummary and torchinfo count
    - ``training_bytes``: see ``training_bytes``
    """
    leaves = _leaves(graph)
    outputs = [
        graph.tensor(id).nbytes
        for call in graph.calls
        if (layer := graph.layer(call.layer)) is not None and layer.name in leaves
        for id in call.outputs
    ]
    return Totals(
        params=sum(layer.params for layer in graph.layers),
        trainable_params=sum(layer.trainable_params for layer in graph.layers),
        params_bytes=sum(layer.params_bytes for layer in graph.layers),
        macs=sum(macs(graph, node) or 0 for node in graph.nodes),
        input_bytes=graph.input_bytes,
        forward_backward_bytes=2 * sum(outputs),
        peak_inference_bytes=graph.peak_inference_bytes,
        saved_bytes=graph.saved_bytes,
        training_bytes=training_bytes(graph),
    )


def training_bytes(graph: Graph) -> int | None:
    """``params + gradients + Adam's two states + the most that a step holds beside them``.

    That is ``saved``, when backward begins; or, where it is more, what was saved up to a convolution
    or linear layer and what its backward needs (``backward_bytes``), or two copies of the largest
    parameter: Adam's ``sqrt`` and the quotient of it. The gradients are kept from step to step.
    """
    if graph.saved_bytes is None:
        return None
    owners = [layer for layer in graph.layers if layer.trainable_params]
    states = sum(layer.params_bytes * layer.trainable_params // layer.params for layer in owners)
    largest = [
        prod(shape) * layer.params_bytes // layer.params
        for layer in owners
        for _, shape in layer.parameters
    ]
    params = sum(layer.params_bytes for layer in graph.layers)
    return (
        params + 3 * states + max(graph.saved_bytes, *_in_backward(graph), 2 * max([0, *largest]))
    )


def _in_backward(graph: Graph) -> Iterator[int]:
    """Bytes in use at the backward of each call with weights: what was saved up to it, and its needs.

    A layer's saved bytes are spread evenly over the calls made inside it.
    """
    grown = [0.0] * (len(graph.nodes) + 1)
    for layer in graph.layers:
        calls = [call for call in graph.calls_of(layer.name) if call.stop > call.start]
        nodes = sum(call.stop - call.start for call in calls)
        for call in calls if layer.saved_bytes else ():
            for id in range(call.start, call.stop):
                grown[id] += (layer.saved_bytes or 0) / nodes
    saved = 0.0
    for node, more in zip(graph.nodes, grown, strict=False):
        saved += more
        if node.inputs and node.outputs:
            yield round(saved) + backward_bytes(node, graph.tensor(node.inputs[0]), node.outputs[0])


def backward_bytes(node: Node, x: Tensor, out: Tensor) -> int:
    """What the backward of a convolution or linear layer holds, beside what was saved.

    Linear: ``in + weight + out``, the gradients of all three. Convolution: ``in + out`` for those of
    the maps and ``max(in + weight + out, 2 weight)`` for copies in the layout of the CPU backend, or
    the weight's gradient in both layouts. Found by experiment, see ``docs/costs.md``.
    """
    attrs = node.attrs
    if node.op == "linear" and "out_features" in attrs:
        return x.nbytes + out.nbytes + attrs["in_features"] * attrs["out_features"] * x.itemsize
    if not node.op.startswith("conv") or "kernel_size" not in attrs:
        return 0
    weights = attrs["in_channels"] * attrs["out_channels"] // max(attrs["groups"], 1)
    weight = weights * prod(attrs["kernel_size"]) * x.itemsize
    return x.nbytes + out.nbytes + max(x.nbytes + weight + out.nbytes, 2 * weight)


def model_report(graph: Graph) -> Model:
    """A graph as it is reported: with its table and sums."""
    return Model(
        target=graph.target or "",
        status=graph.status,
        inputs=graph.inputs,
        outputs=graph.outputs,
        traced_by=graph.traced_by,
        layers=rows(graph),
        totals=totals(graph),
        graph=graph,
    )
