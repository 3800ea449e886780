"""The data of the report page: the JSON report, and beside it what drawing needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convlint.analysis.cost import macs
from convlint.analysis.cost.liveness import timeline
from convlint.ir import Graph, Model, Node, Report, Site, Tensor
from convlint.outputs import json_
from convlint.outputs.page.boxes import Box, in_order, nested
from convlint.outputs.page.sources import Sources
from convlint.outputs.page.tags import family, tag
from convlint.outputs.parts import comparison, footer
from convlint.outputs.parts.columns import sizes
from convlint.outputs.parts.tree import Branch, grown


def document(report: Report) -> dict[str, Any]:
    """The JSON report (``docs/schema.json``) with more for each model, and ``sources``: lines by path and number.

    A model has besides: ``about`` (pairs of words), ``stopped``, ``notes``, ``modules`` (the module tree with sums;
    ``layer`` is a position in ``layers``), ``boxes`` (calls, one in another; ``around`` is the position of the outer
    one), ``tensors`` (their shapes by id) and ``memory`` (bytes while each node runs).
    """
    sources = Sources()
    for site in _sites(report):
        sources.add(site)
    found = json_.document(report)
    found["models"] = [
        {**told, **_model(model, sources)}
        for told, model in zip(found["models"], report.models, strict=True)
    ]
    since = comparison.lines(report, report.earlier) if report.earlier else ()
    return {**found, "since": list(since), "sources": sources.found}


def _sites(report: Report) -> Iterator[Site | None]:
    for finding in report.findings:
        yield finding.site
        yield from (end.site for end in finding.related)
    for one in report.suggestions:
        yield one.site


def _model(model: Model, sources: Sources) -> dict[str, Any]:
    graph = model.graph
    for row in model.layers:
        sources.add(row.site)
    for node in graph.nodes:
        sources.add(node.site)
    return {
        "about": footer.heading(model),
        "stopped": footer.stopped(model),
        "notes": footer.notes(model, ()),
        "counts": [*footer.counts(model), *footer.measured(model)],
        "modules": list(_modules(model)),
        "boxes": [_box(graph, box, around) for box, around in in_order(nested(graph))],
        "tensors": {t.id: _shape(t) for node in graph.nodes for t in node.outputs},
        "memory": _memory(graph),
    }


def _modules(model: Model) -> Iterator[dict[str, Any]]:
    """The modules of the table as a tree, each behind the one around it."""
    places = {id(row): place for place, row in enumerate(model.layers)}
    pending: list[tuple[Branch, int | None]] = [(grown(model), None)]
    position = 0
    while pending:
        branch, around = pending.pop()
        total = branch.total
        assert total is not None
        yield {
            "name": branch.name,
            "label": branch.label,
            "kind": total.kind,
            "around": around,
            "layer": places.get(id(branch.own)),
            "params": total.params,
            "macs": total.macs,
            "output_bytes": total.output_bytes,
            "saved_bytes": total.saved_bytes,
            "site": _place(total.site),
        }
        pending += [(part, position) for part in reversed(branch.inside)]
        position += 1


def _box(graph: Graph, box: Box, around: int | None) -> dict[str, Any]:
    layer = graph.layer(box.module) if box.node is None or box.node.layer else None
    node, call = box.node, box.call
    told: dict[str, Any] = {
        "around": around,
        "module": box.module,
        "kind": layer.kind if layer else node.op if node else "",
        "first": box.start,
    }
    if node is not None:
        told |= _single(graph, node)
    elif call is not None and box.start == box.stop:
        told["reads"] = list(call.inputs)
    site = node.site if node and not node.layer else call.site if call else None
    if site is not None:
        told["called"] = _place(site)
    return told


def _single(graph: Graph, node: Node) -> dict[str, Any]:
    told: dict[str, Any] = {
        "op": node.op,
        "family": family(node.op),
        "tag": tag(node),
        "reads": [id for id in node.inputs if graph.producer(id).op not in _HIDDEN],
        "makes": [tensor.id for tensor in node.outputs],
        "macs": macs(graph, node),
    }
    if node.error:
        told["error"] = node.error
    return told


_HIDDEN = ("parameter", "constant")


def _shape(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype == "float32" else f" {tensor.dtype}"
    return sizes(tensor.shape) + dtype


def _place(site: Site | None) -> dict[str, Any] | None:
    """A site as the JSON report has it, where there is one."""
    if site is None:
        return None
    return {
        "path": site.path,
        "line": site.line,
        "column": site.column,
        "end_line": site.end_line or site.line,
        "end_column": site.end_column or site.column,
    }


def _memory(graph: Graph) -> dict[str, Any] | None:
    """The estimated bytes over the nodes, and the measured peak; None where nothing ran."""
    if not any(node.op not in ("input", *_HIDDEN) for node in graph.nodes):
        return None
    found = timeline(graph)
    return {
        "held": found.held,
        "live": list(found.live),
        "workspace": list(found.workspace),
        "peak": found.peak,
        "measured": graph.peak_inference_bytes,
    }
