"""The data of the HTML report: the JSON report, and additional data for drawing."""

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
from convlint.outputs.parts import comparison, coverage, footer
from convlint.outputs.parts.columns import sizes
from convlint.outputs.parts.tree import Branch, module_tree

_HIDDEN = ("parameter", "constant")


def document(report: Report) -> dict[str, Any]:
    """The JSON report (``docs/schema.json``) with additional data per model, ``followed``: the coverage in words, and
    ``sources``: lines by path and number.

    A model also has ``about`` (pairs of name and text), ``stopped``, ``notes``, ``modules`` (the module tree with
    sums; ``layer`` is a position in ``layers``), ``boxes`` (nested calls; ``around`` is the position of the containing
    one), ``tensors`` (shapes by id) and ``memory`` (bytes while each node runs).
    """
    sources = Sources(report.texts)
    for site in _sites(report):
        sources.add(site)
    data = json_.document(report)
    models = zip(data["models"], report.models, strict=True)
    data["models"] = [{**entry, **_model(model, sources)} for entry, model in models]
    since = comparison.lines(report, report.earlier) if report.earlier else ()
    sentence = coverage.sentence(report.coverage, with_list=True)
    followed = {"sentence": sentence, "incomplete": list(coverage.listed(report.coverage))}
    return {**data, "since": list(since), "followed": followed, "sources": sources.lines}


def _sites(report: Report) -> Iterator[Site | None]:
    for finding in report.findings:
        yield finding.site
        yield from (end.site for end in finding.related)
        yield from (edit.site for repair in finding.repairs for edit in repair.edits)
    yield from (suggestion.site for suggestion in report.suggestions)


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
    """The module tree of the table, each module after its parent."""
    places = {id(row): place for place, row in enumerate(model.layers)}
    pending: list[tuple[Branch, int | None]] = [(module_tree(model), None)]
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
            "site": json_.span(total.site) if total.site else None,
        }
        pending += [(part, position) for part in reversed(branch.inside)]
        position += 1


def _box(graph: Graph, box: Box, around: int | None) -> dict[str, Any]:
    layer = graph.layer(box.module) if box.node is None or box.node.layer else None
    node, call = box.node, box.call
    data: dict[str, Any] = {
        "around": around,
        "module": box.module,
        "kind": layer.kind if layer else node.op if node else "",
        "first": box.start,
    }
    if node is not None:
        data |= _operator(graph, node)
    elif call is not None and box.start == box.stop:
        data["reads"] = list(call.inputs)
    site = node.site if node and not node.layer else call.site if call else None
    if site is not None:
        data["called"] = json_.span(site)
    return data


def _operator(graph: Graph, node: Node) -> dict[str, Any]:
    data: dict[str, Any] = {
        "op": node.op,
        "family": family(node.op),
        "tag": tag(node),
        "reads": [id for id in node.inputs if graph.producer(id).op not in _HIDDEN],
        "makes": [tensor.id for tensor in node.outputs],
        "macs": macs(graph, node),
    }
    if node.error:
        data["error"] = node.error
    return data


def _shape(tensor: Tensor) -> str:
    return sizes(tensor.shape) + ("" if tensor.dtype == "float32" else f" {tensor.dtype}")


def _memory(graph: Graph) -> dict[str, Any] | None:
    """Estimated bytes while each node runs, and the measured peak; None if nothing ran."""
    if not any(node.op not in ("input", *_HIDDEN) for node in graph.nodes):
        return None
    estimate = timeline(graph)
    return {
        "held": estimate.held,
        "live": list(estimate.live),
        "workspace": list(estimate.workspace),
        "peak": estimate.peak,
        "measured": graph.peak_inference_bytes,
    }
