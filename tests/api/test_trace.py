"""``convlint.trace``: its graph has the shapes that hooks see, and runs to the same result."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as people write it
from torch import Tensor, fx, nn

import convlint
from convlint.analysis.ops import NOT_CALLS
from convlint.runtime.record import operations
from convlint.runtime.record.operations import item_of
from convlint.runtime.record.record import record
from convlint.runtime.record.steps import tensors_in

X = torch.rand(2, 3, 16, 16)


class Residual(nn.Module):
    """Functional operations, a branch, and a shape that is read."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.fc = nn.Linear(3 * 64, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.conv(x))) + x
        if y.shape[-1] > 8:
            y = F.max_pool2d(y, 2)
        y = torch.cat(torch.chunk(y, 3, dim=1), dim=1)
        return F.softmax(self.fc(y.flatten(1)), dim=-1)


class Shared(nn.Module):
    """One module under two names, called three times."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.ReLU())
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.second(self.first(self.first(x)))
        return y


class Pair(NamedTuple):
    """A result with fields."""

    low: Tensor
    high: Tensor


class Nested(nn.Module):
    """A result of dicts, lists and tuples with fields, one tensor in it twice."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.head = nn.ConvTranspose2d(4, 2, 2, stride=2)

    def forward(self, x: Tensor) -> dict[str, Any]:
        y = self.stem(x)
        return {"out": [y, self.head(y)], "pair": Pair(y, y.double()), "scale": 2}


class Writes(nn.Module):
    """Assignments and operations in place."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = nn.Parameter(torch.rand(4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x).relu_()
        y[:, 0] = 0
        y *= self.scale
        return y.mean((2, 3))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "sequential": lambda: nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.SiLU()),
    "residual": Residual,
    "shared": Shared,
    "nested": Nested,
    "writes": Writes,
}
each_model = pytest.mark.parametrize("name", MODELS)


def made(name: str) -> nn.Module:
    torch.manual_seed(0)
    return MODELS[name]().eval()


def shapes(graph: fx.Graph, module: str) -> list[tuple[tuple[int, ...], torch.dtype]]:
    calls = [node for node in graph.nodes if node.op == "call_function"]
    return [(n.meta["shape"], n.meta["dtype"]) for n in calls if n.meta["module"] == module]


@each_model
def test_shapes_and_dtypes_are_those_that_hooks_see(name: str) -> None:
    model = made(name)
    graph = convlint.trace(model, X)
    graph.lint()
    seen: list[tuple[str, tuple[int, ...], torch.dtype]] = []
    copied = copy.deepcopy(model)
    leaves = {m: n for n, m in copied.named_modules() if not list(m.children()) and n}
    for leaf in leaves:
        leaf.register_forward_hook(lambda m, _, out: seen.append((leaves[m], tuple(out.shape), out.dtype)))
    copied(X)
    nodes = [n for n in graph.nodes if n.op == "call_function" and n.meta["module"] in leaves.values()]
    assert [(n.meta["module"], n.meta["shape"], n.meta["dtype"]) for n in nodes] == seen


@each_model
def test_the_graph_runs_to_the_same_result_with_the_same_shapes(name: str) -> None:
    model = made(name)
    graph = convlint.trace(model, X)
    results: dict[fx.Node, Any] = {}

    class Compared(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            results[n] = result = super().run_node(n)
            found = list(tensors_in(result))
            if isinstance(result, Tensor):
                assert (tuple(result.shape), result.dtype) == (n.meta["shape"], n.meta["dtype"])
            else:
                assert tuple(tuple(t.shape) for t in found) == n.meta["shape"]
                assert tuple(t.dtype for t in found) == n.meta["dtype"]
            return result

    with torch.no_grad():
        result = Compared(fx.GraphModule(model, graph)).run(X.clone())
        expected = model(X)
    assert all(torch.equal(a, b) for a, b in zip(tensors_in(result), tensors_in(expected), strict=True))
    assert set(results) == set(graph.nodes)


def test_the_output_has_the_structure_of_the_result() -> None:
    graph = convlint.trace(made("nested"), X)
    (output,) = graph.find_nodes(op="output")
    (result,) = output.args
    stem, head = result["out"]
    assert dict(result) == {"out": [stem, head], "pair": {"low": stem, "high": result["pair"]["high"]}, "scale": 2}
    assert (stem.meta["module"], head.meta["module"]) == ("stem", "head")
    assert output.meta["shape"] == ((2, 4, 14, 14), (2, 2, 28, 28), (2, 4, 14, 14), (2, 4, 14, 14))
    assert output.meta["dtype"][-1] == torch.float64


def test_a_shared_module_has_its_first_name_at_every_call() -> None:
    graph = convlint.trace(made("shared"), X)
    assert shapes(graph, "first.0") == [((2, 3, 16, 16), torch.float32)] * 3
    assert [n.target for n in graph.find_nodes(op="get_attr")] == ["first.0.weight", "first.0.bias"]


def test_meta_of_every_node() -> None:
    model = made("residual")
    graph = convlint.trace(model, input=(3, 16, 16), batch_size=4)
    for node in graph.nodes:
        assert set(node.meta) == {"shape", "dtype", "module", "site"}
    (weight,) = [n for n in graph.nodes if n.target == "fc.weight"]
    assert weight.meta == {"shape": (5, 192), "dtype": torch.float32, "module": "fc", "site": None}
    (chunk,) = [n for n in graph.nodes if n.target is torch.chunk]
    assert chunk.meta["shape"] == ((4, 1, 8, 8),) * 3
    assert chunk.meta["dtype"] == (torch.float32,) * 3
    items = [n for n in graph.nodes if n.args[:1] == (chunk,)]
    assert [n.meta["shape"] for n in items] == [(4, 1, 8, 8)] * 3
    site = chunk.meta["site"]
    assert isinstance(site, convlint.Site)
    line = Path(__file__).read_text().splitlines()[site.line - 1]
    assert line[site.column - 1 : site.end_column - 1] == "torch.chunk(y, 3, dim=1)"
    assert site.function == "Residual.forward"
    (conv,) = [n for n in graph.nodes if n.meta["module"] == "conv" and n.op == "call_function"]
    assert Path(__file__).read_text().splitlines()[conv.meta["site"].line - 1].strip() == (
        "y = F.relu(self.norm(self.conv(x))) + x"
    )


def test_the_model_is_left_as_it_was_also_when_it_raises() -> None:
    model = made("residual").train()
    before = copy.deepcopy(model.state_dict())
    convlint.trace(model, X, train=True)
    with pytest.raises(RuntimeError, match="expected input"):
        convlint.trace(model, torch.rand(1, 5, 16, 16))
    assert all(module.training for module in model.modules())
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_train_mode_is_in_the_graph() -> None:
    counts = Counter(
        node.kwargs["training"]
        for train in (False, True)
        for node in convlint.trace(made("residual"), X, train=train).nodes
        if node.target is F.batch_norm
    )
    assert counts == {False: 1, True: 1}


def test_what_cannot_be_traced() -> None:
    with pytest.raises(ValueError, match=r"trace takes a live model, .* import the model"):
        convlint.trace("net.py:Net", (3, 16, 16))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="not int"):
        convlint.trace(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="forward takes"):
        convlint.trace(made("residual"), [X, X])


@each_model
def test_a_check_sees_the_same_calls(name: str) -> None:
    recording = record(made(name), (X,))
    calls = [
        node for node in recording.fx_graph.graph.nodes if node.op == "call_function" and node.target is not item_of
    ]
    nodes = [node for node in recording.graph().nodes if node.op not in NOT_CALLS]
    for call, node in zip(calls, nodes, strict=True):
        assert operations.name_of(call.target) == node.op
        assert (call.meta["module"], call.meta["site"]) == (node.module, node.site)
        shapes = call.meta["shape"] if isinstance(call.meta["dtype"], tuple) else (call.meta["shape"],)
        assert shapes == tuple(tensor.shape for tensor in node.outputs)
