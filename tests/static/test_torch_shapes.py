"""The operations of static analysis, compared with PyTorch: the same shapes, and an error if and only
if PyTorch raises.
"""

from __future__ import annotations

import random
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from convlint import symbolic
from convlint.static import torch_shapes
from convlint.static.domain.execution import ConstructorError, Execution
from convlint.static.domain.objects import Class, Instance
from convlint.static.domain.values import UNKNOWN, Library, Tensor
from convlint.symbolic import Dim
from tests.static.torch_calls import MAKERS, Call, T

CASES = 60
NAMES = {"F": "torch.nn.functional", "torch": "torch", "torch.fft": "torch.fft"}


def drawn(name: str, count: int = CASES) -> Iterator[Call]:
    draw = random.Random(zlib.crc32(name.encode()))
    for _ in range(count):
        yield MAKERS[name](draw)


# --- PyTorch


def by_torch(call: Call) -> Any:
    """The shapes that PyTorch returns, or the exception that it raises."""
    import torch
    from torch import nn

    def given(value: Any) -> Any:
        if isinstance(value, T):
            return torch.zeros(value.shape, dtype=getattr(torch, value.dtype))
        return type(value)(map(given, value)) if isinstance(value, list | tuple) else value

    args, kwargs = given(call.args), {k: given(v) for k, v in call.kwargs.items()}
    torch.manual_seed(0)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if call.name == "getitem":
                return shapes(args[0][args[1]])
            if call.name.startswith("nn."):
                layer = getattr(nn, call.name[3:])(*call.built[0], **call.built[1]).eval()
                return shapes(layer(*args, **kwargs))
            owner, _, name = call.name.rpartition(".")
            if not owner:
                return shapes(getattr(args[0], name)(*args[1:], **kwargs))
            module = {"F": nn.functional, "torch.fft": torch.fft}.get(owner, torch)
            return shapes(getattr(module, name)(*args, **kwargs))
        except (
            RuntimeError,
            ValueError,
            TypeError,
            IndexError,
            NotImplementedError,
            AssertionError,
            ZeroDivisionError,
        ) as error:
            return error


def shapes(value: Any) -> Any:
    if hasattr(value, "shape"):
        return tuple(value.shape)
    if isinstance(value, list | tuple):
        return [shapes(item) for item in value]
    return None


# --- static analysis


def by_static_analysis(call: Call, run: Execution) -> Any:
    """The shapes that static analysis returns, or its error."""

    def given(value: Any) -> Any:
        if isinstance(value, T):
            return run.tensor(value.shape, value.dtype)
        return type(value)(map(given, value)) if isinstance(value, list | tuple) else value

    args, kwargs = given(call.args), {k: given(v) for k, v in call.kwargs.items()}
    if call.name == "getitem":
        result = torch_shapes.index(run, *args)
    elif call.name.startswith("nn."):
        name = call.name[3:]
        kind, layer = torch_shapes.LAYERS[name], Instance(Class(f"torch.nn.{name}"))
        assert kind.construct.bind(*call.built) is not None
        try:
            layer.attrs.update(kind.construct(run, *call.built[0], **call.built[1]))
        except ConstructorError as rejection:
            layer.attrs.update(rejection.attrs)
            layer.error = str(rejection)
        assert kind.forward.bind([layer, *args], kwargs) is not None
        result = kind.forward(run, layer, *args, **kwargs)
        if layer.error is not None:
            return layer.error
    else:
        result = handled(call.name, run, args, kwargs)
    errors = [step.error for step in run.steps if step.error is not None]
    return errors[0] if errors else our_shapes(result)


def handled(name: str, run: Execution, args: Any, kwargs: Any) -> Any:
    owner, _, last = name.rpartition(".")
    handler = torch_shapes.function(f"{NAMES[owner]}.{last}") if owner else torch_shapes.method(last)
    assert handler is not None, name
    assert handler.bind(args, kwargs) is not None, name
    return handler(run, *args, **kwargs)


def our_shapes(value: Any) -> Any:
    if type(value) is Tensor:
        return value.shape
    return [our_shapes(item) for item in value] if isinstance(value, list | tuple) else None


def is_empty(ours: Any) -> bool:
    """Whether a result has no elements."""
    return 0 in ours if isinstance(ours, tuple) else isinstance(ours, list) and any(map(is_empty, ours))


# --- numbers


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_agrees_with_pytorch_on_numbers(name: str) -> None:
    worked = 0
    for call in drawn(name):
        theirs, ours = by_torch(call), by_static_analysis(call, Execution())
        if is_empty(ours):
            continue  # whether a map without pixels is an error depends on the backend
        if isinstance(theirs, Exception):
            assert isinstance(ours, str), f"{call}: PyTorch raises {theirs}; we return {ours}"
        else:
            worked += 1
            assert ours == theirs, f"{call}: PyTorch returns {theirs}; we return {ours}"
    assert worked > CASES // 8


# --- recorded attributes


RECORDED = (
    *("nn.Conv1d", "nn.Conv2d", "nn.Conv3d", "nn.ConvTranspose2d", "F.conv2d", "F.conv_transpose1d"),
    *("nn.BatchNorm2d", "nn.InstanceNorm2d", "nn.GroupNorm", "nn.LayerNorm", "F.group_norm"),
    *("nn.Linear", "F.linear", "nn.AvgPool2d", "F.max_pool2d", "F.avg_pool1d", "nn.ReLU", "nn.ReLU6"),
    *("nn.AdaptiveAvgPool2d", "nn.PixelShuffle", "nn.ChannelShuffle", "torch.cat", "torch.stack"),
    *("torch.split", ".chunk", "nn.Flatten", ".view", ".permute", ".transpose", "torch.mean", ".add"),
    *("F.interpolate", "F.pad", "nn.ReflectionPad2d", "nn.PReLU", "torch.softmax", "torch.matmul"),
)
NUMBERS = (
    *("in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "groups"),
    *("bias", "transposed", "output_padding", "num_features", "affine", "track_running_stats"),
    *("training", "num_groups", "normalized_shape", "in_features", "out_features", "ceil_mode"),
    *("dim", "dims", "dim0", "dim1", "shape", "upscale_factor", "chunks", "split_size_or_sections"),
    *("size", "scale_factor", "pad", "mode", "num_parameters", "output_size", "inplace"),
)


@pytest.mark.parametrize("name", RECORDED)
def test_records_the_attributes_that_a_run_records(name: str) -> None:
    for call in drawn(name, 8):
        if isinstance(by_torch(call), Exception):
            continue
        run = Execution()
        by_static_analysis(call, run)
        ours = [(step.op, numbers(step.attrs)) for step in run.steps]
        assert ours == [(node.op, numbers(node.attrs)) for node in recorded(call)], str(call)


def numbers(attrs: Any) -> dict[str, Any]:
    return {name: attrs[name] for name in NUMBERS if name in attrs}


def recorded(call: Call) -> list[Any]:
    """The calls in the graph of a model that makes this call."""
    import torch
    from torch import nn

    from convlint.runtime.record.record import record

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            if call.name.startswith("nn."):
                self.layer = getattr(nn, call.name[3:])(*call.built[0], **call.built[1])

        def forward(self, *tensors: Any) -> Any:
            left = list(tensors)

            def given(value: Any) -> Any:
                if isinstance(value, T):
                    return left.pop(0)
                return type(value)(map(given, value)) if isinstance(value, list | tuple) else value

            args = given(call.args)
            if call.name.startswith("nn."):
                return self.layer(*args, **call.kwargs)
            owner, _, name = call.name.rpartition(".")
            if not owner:
                return getattr(args[0], name)(*args[1:], **call.kwargs)
            return getattr(nn.functional if owner == "F" else torch, name)(*args, **call.kwargs)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = record(Model().eval(), tuple(zeros(call.args))).graph()
    around = ("input", "output", "parameter", "constant")
    return [node for node in graph.nodes if node.op not in around]


def zeros(value: Any) -> Iterator[Any]:
    import torch

    if isinstance(value, T):
        yield torch.zeros(value.shape, dtype=getattr(torch, value.dtype))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from zeros(item)


# --- symbols


class Symbols:
    """Replaces some numbers of a call by symbols; ``values`` are their values."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.values: dict[symbolic.Symbol, int] = {}

    def one(self, value: int) -> int | Dim:
        if value < 2 or self.draw.random() < 0.4:
            return value
        found = self.draw.choice([s for s, v in self.values.items() if v == value] or [None])
        if found is None or self.draw.random() < 0.2:
            found = symbolic.Symbol(f"n{len(self.values)}", 0)
            self.values[found] = value
        return symbolic.symbol(found.name, found.scope)

    def within(self, value: Any) -> Any:
        if isinstance(value, T):
            return T(tuple(map(self.one, value.shape)), value.dtype)  # type: ignore[arg-type]
        if isinstance(value, list | tuple):
            return type(value)(map(self.within, value))
        return self.one(value) if type(value) is int else value

    def call(self, call: Call) -> Call:
        args, built = tuple(map(self.within, call.args)), tuple(map(self.within, call.built[0]))
        kwargs = {k: self.within(v) for k, v in call.kwargs.items()}
        return Call(call.name, args, kwargs, (built, {k: self.within(v) for k, v in call.built[1].items()}))


def evaluated(run: Execution, number: Any, values: dict[symbolic.Symbol, int]) -> int | None:
    """The value of a size, None if it depends on an unknown number."""
    try:
        return symbolic.as_dim(run.reduced(number)).evaluate(values)
    except (KeyError, ValueError):
        return None


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(MAKERS))
def test_symbols_agree_with_numbers(name: str) -> None:
    draw = random.Random(7)
    for call in drawn(name, 2 * CASES):
        plain = by_static_analysis(call, Execution())
        if isinstance(plain, str) or is_empty(plain):
            continue
        symbols, run = Symbols(draw), Execution()
        general = by_static_analysis(symbols.call(call), run)
        context = f"{symbols.call(call)} at {symbols.values}"
        assert not isinstance(general, str), f"{context}: {general}, but {plain} with numbers"
        agree(run, general, plain, symbols.values, context)
        for left, right in run.demands:
            one, other = evaluated(run, left, symbols.values), evaluated(run, right, symbols.values)
            assert one == other, f"{context}: demands that {left} equals {right}"


def agree(run: Execution, general: Any, plain: Any, values: Any, context: str) -> None:
    """Assert that shapes with symbols have the values of those with numbers, as far as they are known."""
    if isinstance(plain, list):
        if "chunk" in context and len(general or plain) != len(plain):
            return  # with symbols, what is cut is taken to be long enough for all pieces
        if general is not None:
            assert isinstance(general, list)
            assert len(general) == len(plain), context
            for one, other in zip(general, plain, strict=True):
                agree(run, one, other, values, context)
    elif general is not None and plain is not None:
        assert len(general) == len(plain), context
        found = [evaluated(run, number, values) for number in general]
        assert all(a is None or a == b for a, b in zip(found, plain, strict=True)), (
            f"{context}: {found} instead of {plain}"
        )


# --- unknown arguments


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_unknown_arguments_are_no_error(name: str) -> None:
    draw = random.Random(5)
    for call in drawn(name, CASES):
        plain = by_static_analysis(call, Execution())
        if isinstance(plain, str):
            continue
        for unknown in (UNKNOWN, Library("somewhere.value")):

            def lost(value: Any, unknown: Any = unknown) -> Any:
                return value if isinstance(value, str) or draw.random() < 0.5 else unknown

            own = 1 if call.name[0] == "." or call.name == "getitem" else 0
            general = Call(
                call.name,
                (*call.args[:own], *map(lost, call.args[own:])),
                {k: lost(v) for k, v in call.kwargs.items()},
                (tuple(map(lost, call.built[0])), {k: lost(v) for k, v in call.built[1].items()}),
            )
            said = by_static_analysis(general, Execution())
            assert not isinstance(said, str), f"{general}: {said}"


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_tensor_of_unknown_shape_is_no_error(name: str) -> None:
    for call in drawn(name, CASES):
        if isinstance(by_static_analysis(call, Execution()), str):
            continue
        run = Execution()
        said = by_static_analysis(replace(call, args=tuple(map(shapeless, call.args))), run)
        assert not isinstance(said, str), f"{call}: {said}"


def shapeless(value: Any) -> Any:
    if isinstance(value, T):
        return T(None, value.dtype)  # type: ignore[arg-type]
    return type(value)(map(shapeless, value)) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(("count", "replacement"), [(1, False), (3, False), (4, True)])
def test_samples_are_as_many_as_asked_for(count: int, replacement: bool) -> None:
    import torch

    call = Call("torch.multinomial", (T((2, 3)), count), {"replacement": replacement})
    expected = torch.multinomial(torch.ones(2, 3), count, replacement=replacement)
    assert by_static_analysis(call, Execution()) == expected.shape


def test_samples_without_replacement_are_no_more_than_there_are() -> None:
    import torch

    with pytest.raises(RuntimeError) as raised:
        torch.multinomial(torch.ones(2, 3), 4)
    assert by_static_analysis(Call("torch.multinomial", (T((2, 3)), 4)), Execution()) in str(raised.value)
