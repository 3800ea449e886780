"""Records are equal after encoding as JSON and decoding."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convlint.ir import Failure, Graph, Node, Problem, Site, Tensor, serialize
from convlint.runtime.build import construction_sites
from convlint.runtime.record.record import record
from convlint.runtime.worker.client import JobResult

texts = st.text(max_size=8)
sites_ = st.builds(Site, path=texts, line=st.integers(1, 9), column=st.integers(1, 9), function=texts)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(plain, lambda inner: st.lists(inner, max_size=3).map(tuple), max_leaves=5)
nodes = st.builds(
    Node,
    id=st.integers(0, 9),
    op=texts,
    inputs=st.lists(st.integers(0, 9), max_size=3).map(tuple),
    outputs=st.lists(st.builds(Tensor, id=st.integers(0, 9), shape=st.lists(st.integers(0, 9)).map(tuple))).map(tuple),
    attrs=st.dictionaries(texts, values, max_size=3),
    site=st.none() | sites_,
)


def sent(value: Any, kind: type) -> Any:
    return serialize.decode(kind, json.loads(json.dumps(serialize.encode(value))))


@given(nodes)
def test_a_node_comes_back_equal(node: Node) -> None:
    assert sent(node, Node) == node


@given(st.builds(JobResult, problems=st.lists(st.builds(Problem, texts, texts)).map(tuple)))
def test_an_answer_comes_back_equal(answer: JobResult) -> None:
    assert sent(answer, JobResult) == answer


def test_a_recorded_graph_comes_back_equal() -> None:
    with construction_sites.WatchedConstruction():
        model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten())
    graph = record(model, (torch.rand(1, 3, 8, 8),)).graph()
    back = sent(graph, Graph)
    for field in (field for field in fields(Graph) if field.compare):
        assert getattr(back, field.name) == getattr(graph, field.name), field.name


def test_a_failure_comes_back_equal() -> None:
    failure = Failure("forward", "KeyError", "no", Site("a.py", 1), "m", (Site("b.py", 2),))
    assert sent(failure, Failure) == failure


def test_only_facts_are_sent() -> None:
    with pytest.raises(TypeError, match="cannot send a Tensor"):
        serialize.encode(torch.zeros(1))
