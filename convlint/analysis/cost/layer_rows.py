"""The layer table of a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convlint.analysis.cost.formulas import macs
from convlint.ir import Call, Graph, Layer, Node, Row, Shape, Site


def rows(graph: Graph) -> tuple[Row, ...]:
    """Build the layer table: called layers in the order of their first call, then layers that were never called.

    A row is a leaf layer, a container with parameters of its own (a class token), or a call with MACs outside of leaf
    layers, named ``module.op``. The parameters of all rows add up to those of the model. ``failed`` marks the row that
    ended a partial run, and rows whose call was replaced by a stand-in.
    """
    leaves = leaves_of(graph)
    entries: list[tuple[int, int, Row]] = []  # sorted by first node, then modules before their calls
    for rank, layer in enumerate(graph.layers):
        calls = graph.calls_of(layer.name)
        row = _layer_row(graph, layer, calls, leaf=layer.name in leaves)
        if layer.name in leaves or row.params or row.macs != 0 or row.failed:
            entries.append((calls[0].start if calls else len(graph.nodes), rank, row))
    entries += [(node.id, len(graph.layers), row) for node, row in _functional_rows(graph)]
    return tuple(row for *_, row in sorted(entries, key=lambda item: item[:2]))


def leaves_of(graph: Graph) -> set[str]:
    """Names of the leaf layers: layers of torch.nn and modules without submodules.

    Layers that only call others, as ``TransformerEncoderLayer`` does, are left out.
    """
    names = {layer.name for layer in graph.layers if layer.leaf}
    wrappers = {
        layer.name
        for layer in graph.layers
        if layer.leaf and not layer.params and not any(macs(graph, node) for node in _nodes_of(graph, layer))
    }
    open_calls: list[Call] = []
    for call in sorted(graph.calls, key=lambda c: (c.start, -c.stop)):
        while open_calls and open_calls[-1].stop <= call.start:
            open_calls.pop()
        if call.layer in names and call.stop > call.start:
            names -= wrappers & {outer.layer for outer in open_calls} - {call.layer}
        open_calls.append(call)
    return names


def _owner(graph: Graph, node: Node) -> Layer | None:
    """The leaf layer that a call belongs to; the model itself if it is a single layer."""
    layer = graph.layer(node.layer or node.module or "")
    return layer if layer is not None and layer.leaf else None


def _nodes_of(graph: Graph, layer: Layer) -> tuple[Node, ...]:
    if layer.name:
        return graph.nodes_of(layer.name)
    return tuple(node for node in graph.nodes if _owner(graph, node) is layer)


def _failed(graph: Graph, layer: Layer) -> str | None:
    failure = graph.failure
    if failure is not None and failure.phase == "forward" and graph.layer(failure.module) is layer:
        return f"{failure.type}: {failure.message}"
    errors = [node.error for node in _nodes_of(graph, layer) if node.error]
    return layer.error or (errors[0] if errors else None)


def _layer_row(graph: Graph, layer: Layer, calls: Sequence[Call], *, leaf: bool) -> Row:
    nodes = _nodes_of(graph, layer)
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
        padding=attrs["padding"] if isinstance(attrs.get("padding"), str) else _sizes(attrs.get("padding")),
        dilation=_sizes(attrs.get("dilation")),
        groups=attrs["groups"] if isinstance(attrs.get("groups"), int) else None,
        bias=attrs["bias"] if isinstance(attrs.get("bias"), bool) else None,
        params=layer.params,
        trainable_params=layer.trainable_params,
        params_bytes=layer.params_bytes,
        macs=_sum([macs(graph, node) for node in nodes]),
        output_bytes=sum(t.nbytes for t in outputs) if leaf else 0,
        saved_bytes=layer.saved_bytes,
        site=layer.site,
        failed=_failed(graph, layer),
    )


def _functional_rows(graph: Graph) -> Iterator[tuple[Node, Row]]:
    """Rows of calls with MACs outside of layers, one for each line of the source, with their first node."""
    places: dict[tuple[str, str, Site | None], list[Node]] = {}
    for node in graph.nodes:
        if _owner(graph, node) is None and macs(graph, node) != 0:
            places.setdefault((node.module, node.op, node.site), []).append(node)
    names: dict[str, int] = {}
    for (module, op, site), nodes in places.items():
        name = f"{module}.{op}".lstrip(".")
        names[name] = names.get(name, 0) + 1
        first, attrs = nodes[0], nodes[0].attrs
        row = Row(
            name=name if names[name] == 1 else f"{name}#{names[name]}",
            kind=op if op == "unseen" else f"F.{op}",
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
            site=site,
            failed=next((node.error for node in nodes if node.error), None),
        )
        yield first, row


def _sum(counts: Sequence[int | None]) -> int | None:
    """The sum of counts, None if one is None."""
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _sizes(value: object) -> Shape | None:
    """Sizes as a tuple, also for one number; None for other values."""
    sizes = value if isinstance(value, tuple) else (value,)
    return sizes if all(isinstance(size, int) for size in sizes) else None
