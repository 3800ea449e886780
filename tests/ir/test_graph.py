"""Each graph builds its look-up tables once; they are not part of its value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench import changed_layers
from convlint.analysis import diagnosis
from convlint.analysis.diagnosis import blame
from convlint.ir import Graph, Node

TABLES = {"_layers_by_name", "_tensors_by_id", "_producers", "_consumers", "_calls_by_layer", "_nodes_by_layer"}


def use(graph: Graph) -> None:
    """Use all look-up tables of a graph."""
    layer = graph.layers[-1].name
    graph.layer(layer)
    graph.tensor(0)
    graph.producer(0)
    graph.consumers(0)
    graph.calls_of(layer)
    graph.nodes_of(layer)


def test_two_graphs_in_turn_build_each_table_once(monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counting(name: str) -> None:
        table = vars(Graph)[name]
        compute = table.func

        def count(graph: Graph) -> object:
            built.append(name)
            return compute(graph)

        monkeypatch.setattr(table, "func", count)

    for name in TABLES:
        counting(name)
    graphs = changed_layers.chain(20, 1), changed_layers.chain(20, 4)
    for _ in range(10):
        for graph in graphs:
            use(graph)
    assert sorted(built) == sorted([*TABLES, *TABLES])


def test_tables_are_not_part_of_a_graph() -> None:
    used, fresh = changed_layers.chain(3, 1), changed_layers.chain(3, 1)
    use(used)
    assert used == fresh
    shorter = replace(used, layers=used.layers[:1])
    assert shorter.layer("blocks.2.conv") is None
    assert used.layer("blocks.2.conv") is not None


def test_two_failing_graphs_in_turn_are_diagnosed_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosed: list[Graph] = []

    class Counting(blame._Diagnosis):
        def __init__(self, graph: Graph) -> None:
            diagnosed.append(graph)
            super().__init__(graph)

    monkeypatch.setattr(blame, "_Diagnosis", Counting)
    graphs = failing(3), failing(4)
    for _ in range(3):
        for graph in graphs:
            diagnosis.disagreements(graph)
    assert [len(graph.layers) for graph in diagnosed] == [3, 4]


def failing(layers: int) -> Graph:
    graph = changed_layers.chain(layers, 1)
    *nodes, last = graph.nodes
    failed: Node = replace(last, error="expected 16 channels", attrs={**last.attrs, "in_channels": 16})
    return replace(graph, nodes=(*nodes, failed))


def test_a_changed_graph_has_derived_results_of_its_own() -> None:
    graph = changed_layers.chain(2, 1)
    assert graph.derived(len_of_nodes) == graph.derived(len_of_nodes) == 3
    assert replace(graph, nodes=graph.nodes[:2]).derived(len_of_nodes) == 2


def len_of_nodes(graph: Graph) -> int:
    return len(graph.nodes)


@pytest.mark.parametrize("layers", [2, 50])
def test_changed_layers_agree_with_their_estimates(layers: int) -> None:
    assert changed_layers.measured_seconds(layers) > 0
