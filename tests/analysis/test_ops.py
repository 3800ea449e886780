"""The table of operators agrees with what the recorder and static analysis write, and the sizes with PyTorch."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import convlint
from convlint.analysis import op_attributes, ops
from convlint.runtime.record.record import record
from convlint.static.domain.execution import Execution
from tests.static.test_torch_shapes import by_static_analysis, drawn
from tests.static.torch_calls import MAKERS, Call, T

CASES = 12


class OneCall(nn.Module):
    """A model of one call of torch."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.call = call
        if call.name.startswith("nn."):
            self.layer = getattr(nn, call.name[3:])(*call.built[0], **call.built[1])

    def forward(self, *tensors: Tensor) -> Any:
        pending = list(tensors)

        def filled(value: Any) -> Any:
            if isinstance(value, T):
                return pending.pop(0)
            return type(value)(map(filled, value)) if isinstance(value, list | tuple) else value

        name = self.call.name
        args = filled(self.call.args)
        kwargs = {key: filled(value) for key, value in self.call.kwargs.items()}
        if name == "getitem":
            return args[0][args[1]]
        if name.startswith("nn."):
            return self.layer(*args, **kwargs)
        owner, _, last = name.rpartition(".")
        if not owner:
            return getattr(args[0], last)(*args[1:], **kwargs)
        return getattr(nn.functional if owner == "F" else torch, last)(*args, **kwargs)


def tensors_in(value: Any) -> Iterable[Tensor]:
    if isinstance(value, T):
        yield torch.zeros(value.shape, dtype=getattr(torch, value.dtype))
    for item in value if isinstance(value, list | tuple) else ():
        yield from tensors_in(item)


def assert_listed(op: str, attrs: Mapping[str, Any], where: str) -> None:
    listed = op_attributes.ATTRIBUTES.get(op, ())
    required = {attribute.name for attribute in listed if not attribute.optional}
    names = {attribute.name for attribute in listed}
    assert required <= attrs.keys(), f"{where}: {op} has no {required - attrs.keys()}"
    if listed or where.startswith("static"):
        assert attrs.keys() <= names | {"inplace"}, f"{where}: {op} has {attrs.keys() - names}"


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_static_analysis_writes_the_listed_attributes(name: str) -> None:
    for call in drawn(name, CASES):
        run = Execution()
        by_static_analysis(call, run)
        for step in run.steps:
            assert_listed(step.op, step.attrs, f"static, {call}")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_the_recorder_writes_the_listed_attributes(name: str) -> None:
    for call in drawn(name, CASES):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                model = OneCall(call)
            except (RuntimeError, ValueError, TypeError):
                continue  # a layer that PyTorch refuses to build
            given = tuple(tensors_in([*call.args, *call.kwargs.values()]))
            graph = record(model, given).graph()
        for node in graph.nodes:
            assert_listed(node.op, node.attrs, f"recorded, {call}")


@pytest.mark.parametrize("op", sorted(op_attributes.ATTRIBUTES))
def test_attributes_are_described(op: str) -> None:
    names = [attribute.name for attribute in op_attributes.ATTRIBUTES[op]]
    assert len(set(names)) == len(names)
    for attribute in op_attributes.ATTRIBUTES[op]:
        assert attribute.type
        assert attribute.meaning


def test_families_that_rely_on_attributes_have_them() -> None:
    def have(*names: str) -> set[str]:
        return {op for op, found in op_attributes.ATTRIBUTES.items() if {*names} <= {a.name for a in found}}

    assert have("in_channels", "out_channels", "kernel_size", "groups") == ops.ALL_CONVS
    assert have("num_features", "affine") == ops.CHANNEL_NORMS
    assert have("track_running_stats", "training") == ops.PER_CHANNEL_NORMS
    assert have("output_size") == ops.ADAPTIVE_POOLS
    assert have("kernel_size", "ceil_mode") > ops.WINDOW_POOLS


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding", "dilation"),
    [(9, 3, 1, 1, 1), (10, 4, 3, 2, 1), (17, 3, 2, 0, 3), (5, 1, 4, 0, 2), (8, 5, 2, 3, 2)],
)
def test_output_sizes_are_those_of_pytorch(
    dims: int, size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    assert ops.spatial_dims(f"conv{dims}d") == ops.spatial_dims(f"avg_pool{dims}d") == dims
    x = torch.zeros(1, 2, *(size,) * dims)
    conv = getattr(nn, f"Conv{dims}d")(2, 2, kernel, stride, padding, dilation)
    expected = ops.output_size(size, kernel, stride, padding, dilation)
    assert conv(x).shape[2:] == (expected,) * dims
    transposed = getattr(nn, f"ConvTranspose{dims}d")(
        *(2, 2, kernel, stride, padding), output_padding=stride - 1, dilation=dilation
    )
    expected = ops.transposed_output_size(size, kernel, stride, padding, dilation, stride - 1)
    assert transposed(x).shape[2:] == (expected,) * dims
    taps = range(0, kernel * dilation, dilation)
    assert ops.kernel_extent(kernel, dilation) == taps[-1] - taps[0] + 1


FAMILIES = {name: set(value) for name, value in vars(ops).items() if isinstance(value, frozenset)}


def test_families_are_spelled_out_in_one_place() -> None:
    files = {*Path(convlint.__file__).parent.rglob("*.py")} - {Path(ops.__file__)}
    for file in sorted(files):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Set | ast.Tuple | ast.List):
                names = {item.value for item in node.elts if isinstance(item, ast.Constant)}
                same = [name for name, family in FAMILIES.items() if names == family]
                assert not same, f"{file}:{node.lineno} repeats ops.{same[0]}"
