"""The signatures of torch's functions and layers, compared with the installed PyTorch.

Python functions and classes have a signature of their own, and ours is the same. Builtin functions
have none; PyTorch documents their overloads in the stubs that it installs, and ours must accept each
of them: the same names in the same order, the same defaults, and no name that no overload has.
"""

from __future__ import annotations

import ast
import inspect
import types
import typing
from collections.abc import Iterator
from functools import cache
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

import pytest

from convlint.static.torch_shapes.registry import FUNCTIONS, LAYERS, Operation

EMPTY = Parameter.empty

# --- deviations on purpose

DEVIATIONS = {
    **dict.fromkeys(("add", "sub"), "add(input, alpha, other) is deprecated"),
    **dict.fromkeys(("subtract", ".subtract", ".subtract_", "rsub"), "alpha is keyword-only"),
    **dict.fromkeys(("addcmul", "addcdiv"), "addcmul(input, value, tensor1, ...) is deprecated"),
    "range": "layout is documented, and not in the stub",
    "F.gelu": "approximate is keyword-only; the stub does not say so",
    "arange": "a single argument is the end; the handler tells the two apart",
    **dict.fromkeys(("max", "min", ".max", ".min"), "the second argument is a dimension or a tensor"),
    **dict.fromkeys(("std", "std_mean", "var", "var_mean", ".std", ".var"), "the handler detects std(unbiased)"),
    **dict.fromkeys(("mm", "bmm"), "out_dtype changes no shape and is for CUDA only"),
    "repeat_interleave": "repeat_interleave(repeats) makes indices of a tensor of counts",
    **dict.fromkeys((".squeeze", ".squeeze_", ".count_nonzero"), "dimensions one by one are not documented"),
    **dict.fromkeys(("tensor", ".new_tensor"), "options are keyword-only; the stub does not say so"),
    **dict.fromkeys(("tensor_split", ".tensor_split"), "indices and sections share a parameter"),
}
# The parser of builtin functions accepts NumPy's names for these, and ``out`` where methods share a
# declaration with functions.
ALIASES = {"axis", "keepdims", "out"}
FOURIER = [f"{kind}{end}" for kind in ("fft", "ifft", "rfft", "irfft") for end in ("", "2", "n")] + [
    "fftshift",
    "ifftshift",
]
WITHOUT_SIGNATURE = {
    *("linalg.matmul", "linalg.norm", "linalg.vector_norm"),  # no signature and no stub
    *("Generator", "Size", "autocast", "device", "enable_grad", "finfo", "iinfo"),  # classes
    *("inference_mode", "no_grad", "set_grad_enabled", "amp.autocast", "cpu.amp.autocast"),
    *("cuda.amp.autocast", "autograd.Variable", "nn.Buffer", "nn.Parameter"),
    *("nn.parameter.Parameter", "nn.parallel.DistributedDataParallel", "is_autocast_enabled"),
    *("nn.SyncBatchNorm.convert_sync_batchnorm", "overrides.has_torch_function"),
    *("Tensor", "FloatTensor", "LongTensor", "IntTensor", "BoolTensor"),  # classes
    *("nn.utils.spectral_norm.spectral_norm", "nn.utils.weight_norm.weight_norm"),  # under the names of their files
    *[f"fft.{name}" for name in (*FOURIER, "fftshift", "ifftshift")],
    *("overrides.has_torch_function_unary", "overrides.has_torch_function_variadic"),
}

# --- PyTorch's side


@cache
def stubs(file: str, owner: str | None = None) -> dict[str, list[Signature]]:
    """The overloads of each function in one of PyTorch's stub files."""
    import torch

    body = ast.parse((Path(torch.__file__).parent / "_C" / file).read_text("utf-8")).body
    if owner is not None:
        body = next(n.body for n in body if isinstance(n, ast.ClassDef) and n.name == owner)
    overloads: dict[str, list[Signature]] = {}
    for node in body:
        if isinstance(node, ast.FunctionDef):
            overloads.setdefault(node.name, []).append(Signature(list(parameters(node.args))))
    return overloads


def parameters(given: ast.arguments) -> Iterator[Parameter]:
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    for argument, default in zip(positional, defaults, strict=True):
        yield Parameter(argument.arg, Parameter.POSITIONAL_OR_KEYWORD, default=literal(default))
    if given.vararg is not None:
        yield Parameter(given.vararg.arg, Parameter.VAR_POSITIONAL)
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield Parameter(argument.arg, Parameter.KEYWORD_ONLY, default=literal(default))


def literal(node: ast.expr | None) -> Any:
    """The value of a default; Ellipsis if the stub does not say it."""
    try:
        return EMPTY if node is None else ast.literal_eval(node)
    except ValueError:
        return ...


def torchs(name: str) -> tuple[Signature | None, list[Signature]]:
    """The signature of a Python function, or the overloads of a builtin one."""
    import torch

    last = name.rsplit(".", 1)[-1]
    if name[0] == "." and last in (methods := stubs("__init__.pyi", "TensorBase")):
        return None, methods[last]
    owner: Any = torch.Tensor if name[0] == "." else torch
    owner = torch.nn.functional if name[:2] == "F." else owner
    for part in name.removeprefix("F.").strip(".").split("."):
        owner = getattr(owner, part, None)
    if isinstance(owner, types.FunctionType):
        dispatched = inspect.getclosurevars(owner).nonlocals.get("if_false", owner)
        return inspect.signature(dispatched), []
    last = getattr(owner, "__name__", last)
    functions = stubs("_nn.pyi") if name[:2] == "F." else {}
    return None, functions.get(last) or stubs("_VariableFunctions.pyi").get(last, [])


# --- comparison


def plain(signature: Signature) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in signature.parameters.values()]


def ours(operation: Operation) -> Signature:
    return inspect.signature(operation.binder)


def is_open(signature: Signature) -> bool:
    return any(p.kind is Parameter.VAR_KEYWORD for p in signature.parameters.values())


def rejected(own: Signature, overload: Signature) -> str | None:
    """What of an overload a signature does not accept."""
    mine = list(own.parameters.values())
    positional = [p for p in mine if p.kind is not Parameter.KEYWORD_ONLY]
    for position, theirs in enumerate(overload.parameters.values()):
        if theirs.kind is Parameter.KEYWORD_ONLY:
            same = own.parameters.get(theirs.name)
        elif any(p.kind is Parameter.VAR_POSITIONAL for p in positional[: position + 1]):
            continue
        else:
            same = positional[position] if position < len(positional) else None
            if same is not None and theirs.kind is Parameter.VAR_POSITIONAL:
                return f"*{theirs.name}"
            is_named = same is not None and same.kind is not Parameter.POSITIONAL_ONLY
            if is_named and theirs.name not in (same.name, "self"):  # type: ignore[union-attr]
                return f"{theirs.name} at position {position}"
        if same is None:
            return theirs.name
    return None


def defaults(name: str, overloads: list[Signature]) -> list[Any]:
    """The defaults that overloads have for a parameter, as far as the stubs say them."""
    values = [overload.parameters[name].default for overload in overloads if name in overload.parameters]
    return [None if default == () else default for default in values if default not in (EMPTY, ...)]


def deviations(own: Signature, overloads: list[Signature]) -> list[str]:
    """How a signature differs from the overloads of a builtin function."""
    differences = [f"it rejects {name}" for o in overloads if (name := rejected(own, o)) is not None]
    documented = {name for overload in overloads for name in overload.parameters}
    for position, mine in enumerate(own.parameters.values()):
        theirs = defaults(mine.name, overloads)
        if mine.default is not EMPTY and theirs and mine.default not in theirs:
            differences.append(f"{mine} has the default {theirs}")
        is_self = position == 0 and "self" in documented
        is_named = mine.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        if is_named and not is_self and mine.name not in documented | ALIASES:
            differences.append(f"{mine} is not documented")
    return differences


@pytest.mark.parametrize("name", sorted(n for n in FUNCTIONS if not n.endswith("__")))
def test_functions(name: str) -> None:
    own = ours(FUNCTIONS[name])
    signature, overloads = torchs(name)
    if signature is None and not overloads:
        assert name in WITHOUT_SIGNATURE
    elif is_open(own):
        assert name not in DEVIATIONS
    elif signature is not None:
        pairs = zip(own.parameters.values(), signature.parameters.values(), strict=True)
        same = [(a.name in (b.name, b.name.replace("self", "input")), a.default) for a, b in pairs]
        expected = [(True, theirs.default) for theirs in signature.parameters.values()]
        assert (same == expected) is (name not in DEVIATIONS)
    else:
        differences = deviations(own, overloads)
        assert bool(differences) is (name in DEVIATIONS), f"{own} and {overloads}: {differences}"


# --- layers

INHERITED = {"Sigmoid", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink", "Softmax2d"}
"""Classes without a constructor: that of ``nn.Module`` raises for any argument."""

OTHER_INPUT_NAMES = {"RMSNorm", "FloatFunctional", "QFunctional"}  # calls it ``x``; passed by position


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layers(name: str) -> None:
    from torch import nn
    from torch.ao.nn import quantized

    layer = next(getattr(each, name) for each in (nn, nn.modules.linear, quantized) if hasattr(each, name))
    own = ours(LAYERS[name].construct)
    if name in INHERITED:
        assert not own.parameters
    elif name in {"LSTM", "GRU", "RNN"}:  # the signature is that of the first overload
        first = typing.get_overloads(layer.__init__)[0]
        assert plain(own) == plain(inspect.signature(first))[1:]
    elif not is_open(own):
        assert plain(own) == plain(inspect.signature(layer))
    forward = ours(LAYERS[name].forward)
    if not is_open(forward) and name not in OTHER_INPUT_NAMES:
        assert plain(forward)[1:] == plain(inspect.signature(layer.forward))[1:]


def test_open_signatures_belong_to_families_whose_result_does_not_depend_on_more_arguments() -> None:
    """``*args, **kwargs``: losses are scalars, parts of transformers and elementwise functions keep
    the shape, initialization returns its first argument, questions about the system are unknown.
    """
    layers = {name for name, kind in LAYERS.items() if is_open(ours(kind.construct))}
    assert layers == {"Identity", *[name for name in LAYERS if name.endswith("Loss")]}
    families = {
        operation.handler.__module__.rsplit(".", 1)[-1]
        for name, operation in FUNCTIONS.items()
        if is_open(ours(operation)) and name != "unique"  # passes its arguments on to the method
    }
    assert families == {"elementwise", "environment", "losses", "tensor_queries"}
