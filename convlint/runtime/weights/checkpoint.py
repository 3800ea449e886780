"""Convert a checkpoint of the original model for a rewritten one, with the nearest weights for new layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from convlint.ir import ChannelOrder, ModelVersion, ReorderedState, Replacement
from convlint.rewriting.kinds import of_code
from convlint.rewriting.kinds.cvl503_factorised import children
from convlint.rewriting.layer_use import LayerArguments
from convlint.rewriting.rank_kind import RankKind
from convlint.runtime.failures import ProblemError, one_line
from convlint.runtime.weights import decompose, ranks
from convlint.runtime.weights.checkpoint_file import read, save

State = dict[str, Tensor]
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "weights")
_PARALLEL = "module."
_EPS = 1e-5  # of the norms between the two halves of a layer


def load_into(model: nn.Module, version: ModelVersion) -> dict[str, float]:
    """Load the checkpoint of a version into its model, converted for rewritten layers, and save it to ``version.save``.

    Returns ``|W - W'| / |W|`` for every converted layer. Raises ProblemError for a checkpoint that cannot be read, that
    contains code, or that does not match the model.
    """
    assert version.weights is not None
    state, put_back = _unwrapped(read(version.weights), version.weights)
    names = dict(model.named_modules(remove_duplicate=False))
    state, errors = convert(state, version.replacements, version.channel_orders, names)
    _load(model, state, version.weights)
    if version.save is not None:
        state = {name: state[name] for name in model.state_dict()}
        save(version.save, put_back(state, bare=version.save.endswith(".safetensors")))
    return errors


def load_reordered(
    model: nn.Module, path: str, forms: Mapping[str, Replacement], orders: Iterable[ChannelOrder]
) -> Callable[..., Any]:
    """Load a checkpoint into the original model, with the channels in the order that groups need.

    Returns the function that puts a state dict in place of the one in the checkpoint; see ``_unwrapped``.
    """
    state, put_back = _unwrapped(read(path), path)
    _put_in_order(state, forms, orders)
    _load(model, state, path)
    restore: Callable[..., Any] = put_back
    return restore


def _load(model: nn.Module, state: State, path: str) -> None:
    """Load a state dict into a model. Raises ProblemError if it does not fit exactly."""
    try:
        result = model.load_state_dict(state, strict=False)
        wrong = [f"missing {name}" for name in result.missing_keys]
        wrong += [f"unexpected {name}" for name in result.unexpected_keys]
    except RuntimeError as error:
        own = model.state_dict()
        missing = [f"missing {name}" for name in own if name not in state]
        unexpected = [f"unexpected {name}" for name in state if name not in own]
        resized = _resized(state, own)
        wrong = [*resized, *missing, *unexpected] if resized else [one_line(error)]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        text = f"{path} does not match the model: {'; '.join(wrong[:3])}{more}"
        raise ProblemError("checkpoint", text, path)


def _resized(state: State, own: State) -> list[str]:
    """Describe the tensors whose sizes differ from those of the model."""
    return [
        f"{name} is {_sizes(tensor)}, not {_sizes(own[name])}"
        for name, tensor in state.items()
        if name in own and tensor.shape != own[name].shape
    ]


def _sizes(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a number"


def _unwrapped(whole: Any, path: str) -> tuple[State, Any]:
    """Return the state dict in a checkpoint, and a function that replaces it with another one.

    The function restores the prefix of names and, unless ``bare``, the surrounding dict.
    """
    keys = _WRAPPERS if isinstance(whole, dict) else ()
    inner = next((key for key in keys if isinstance(whole.get(key), dict)), None)
    found = whole if inner is None else whole[inner]
    if not isinstance(found, dict) or not all(isinstance(v, Tensor) for v in found.values()):
        raise ProblemError("checkpoint", f"{path} contains no state dict (a dict of tensors by name)", path)
    prefix = _PARALLEL if found and all(name.startswith(_PARALLEL) for name in found) else ""

    def put_back(state: State, *, bare: bool) -> Any:
        named = {prefix + name: tensor for name, tensor in state.items()}
        return named if bare or inner is None else {**whole, inner: named}

    return {name.removeprefix(prefix): tensor for name, tensor in found.items()}, put_back


def convert(
    state: Mapping[str, Tensor],
    forms: Mapping[str, Replacement],
    orders: Iterable[ChannelOrder] = (),
    modules: Mapping[str, nn.Module] | None = None,
) -> tuple[State, dict[str, float]]:
    """Replace the dense weights of rewritten layers in a state dict. Returns it and the relative errors by layer.

    First channels are reordered where neighboring layers can absorb the order, so that groups preserve more of a layer.
    ``modules`` maps all names to the modules of the rewritten model, for layers with several names.
    """
    found = dict(state)
    _put_in_order(found, forms, orders)
    errors: dict[str, float] = {}
    for layer, form in forms.items():
        for name in _names(layer, modules or {}):
            key = _key(name, "weight")
            if key not in found:
                errors |= _of_own_name(found, layer, name, form, modules or {})
                continue  # loading reports that it is missing
            weight, bias = found.pop(key), found.pop(_key(name, "bias"), None)
            parts, errors[layer] = convert_layer(weight, bias, form)
            found |= {_key(name, part): tensor for part, tensor in _named(parts, (modules or {}).get(layer)).items()}
    return found, errors


def _of_own_name(
    state: State, layer: str, name: str, form: Replacement, modules: Mapping[str, nn.Module]
) -> dict[str, float]:
    """Convert the weight of a module of the project, the only tensor that has become smaller; returns the error."""
    own = modules[layer].state_dict() if layer in modules else {}
    keys = [_key(name, part) for part in own]
    smaller = [
        key for key, now in zip(keys, own.values(), strict=True) if key in state and state[key].shape != now.shape
    ]
    if len(smaller) != 1 or form.code != "CVL501":
        return {}
    parts, error = convert_layer(state[smaller[0]], None, form)
    state[smaller[0]] = parts["weight"]
    return {layer: error}


def _named(parts: State, module: nn.Module | None) -> State:
    """The state of a rewritten layer with the names of ``module``, which a class of the project may have built."""
    there = module.state_dict() if module is not None else {}
    if not there or set(parts) <= set(there):
        return parts
    names = {}
    for part in (part for part in parts if part.endswith("weight")):
        same = [name for name, tensor in there.items() if name.endswith("weight") and tensor.shape == parts[part].shape]
        if len(same) != 1:
            return parts
        names[part.removesuffix("weight")] = same[0].removesuffix("weight")
    return {names[start] + end: parts[start + end] for start, end in (_split(part) for part in parts)}


def _split(name: str) -> tuple[str, str]:
    start, dot, end = name.rpartition(".")
    return start + dot, end


def _names(layer: str, modules: Mapping[str, nn.Module]) -> list[str]:
    return [name for name, module in modules.items() if module is modules.get(layer)] or [layer]


def _key(layer: str, part: str) -> str:
    return f"{layer}.{part}" if layer else part


def convert_layer(weight: Tensor, bias: Tensor | None, form: Replacement) -> tuple[State, float]:
    """Return the state of a rewritten layer that best approximates a dense one, and the relative error of its weight.

    ``weight`` has shape (D, C, k, k), (C, D, k, k) transposed, or (D, C * H * W) for a linear layer. Raises ValueError
    if the rewritten layer has an activation between its halves, because it cannot approximate a linear map.
    """
    if form.between not in ("none", "norm"):
        raise ValueError(f"weights cannot be converted with {form.between} between")
    parts, again = _PARTS[form.code](weight, form)
    if bias is not None:
        last = next(reversed(parts)).rpartition("weight")[0]  # the parts are in order of execution
        parts[f"{last}bias"] = bias.clone()
    if form.between == "norm" and "depthwise.weight" in parts:
        parts |= _identity(parts["depthwise.weight"])
    return parts, decompose.relative_error(weight, again)


def _grouped(weight: Tensor, form: Replacement) -> tuple[State, Tensor]:
    made = decompose.grouped(weight, form.groups)
    return {"weight": made}, decompose.dense_of_grouped(made, form.groups)


def _separable(weight: Tensor, form: Replacement) -> tuple[State, Tensor]:
    depthwise, pointwise = decompose.separable(weight, form.pairs)
    again = decompose.dense_of_separable(depthwise, pointwise, form.pairs)
    if ranks.is_transposed(form):  # D has the kernels, and the pointwise convolution comes first
        return {"pointwise.weight": pointwise.transpose(0, 1).contiguous(), "depthwise.weight": depthwise}, again
    return {"depthwise.weight": depthwise, "pointwise.weight": pointwise}, again


def _factorised(weight: Tensor, _: Replacement) -> tuple[State, Tensor]:
    first, second = decompose.factorised(weight)
    names = children(weight.dim() - 2)
    dense = decompose.dense_of_factorised(first, second)
    return {f"{names[0]}.weight": first, f"{names[1]}.weight": second}, dense


def _global(weight: Tensor, form: Replacement) -> tuple[State, Tensor]:
    height, width = form.map_size
    depthwise, linear = decompose.global_depthwise(weight, (height, width))
    return {"depthwise.weight": depthwise, "linear.weight": linear}, decompose.dense_of_global(depthwise, linear)


def _tucker(weight: Tensor, form: Replacement) -> tuple[State, Tensor]:
    parts = ranks.tucker(weight, form, ranks_of(weight, form))
    return parts, ranks.dense_of_tucker(parts, form)


def _low_rank(weight: Tensor, form: Replacement) -> tuple[State, Tensor]:
    parts = ranks.low_rank(weight, form, ranks_of(weight, form))
    return parts, ranks.dense_of_low_rank(parts, form)


def ranks_of(weight: Tensor, form: Replacement) -> tuple[int, ...]:
    """The ranks of a form for the layer with this weight."""
    first, second = weight.shape[0], weight.shape[1] * form.groups
    channels = (first, second) if ranks.is_transposed(form) else (second, first)
    kind = of_code(form.code)
    assert isinstance(kind, RankKind)
    return kind.ranks(LayerArguments(*channels, groups=form.groups), form)


_PARTS = {
    "CVL501": _grouped,
    "CVL502": _separable,
    "CVL503": _factorised,
    "CVL504": _global,
    "CVL505": _separable,
    "CVL506": _tucker,
    "CVL507": _low_rank,
}


def _identity(like: Tensor) -> State:
    """The state of a BatchNorm that is the identity in eval mode."""
    ones, zeros = like.new_ones(like.shape[0]), like.new_zeros(like.shape[0])
    return {
        "norm.weight": ones * sqrt(1 + _EPS),
        "norm.bias": zeros,
        "norm.running_mean": zeros.clone(),
        "norm.running_var": ones,
        "norm.num_batches_tracked": torch.tensor(0),
    }


def _put_in_order(state: State, forms: Mapping[str, Replacement], orders: Iterable[ChannelOrder]) -> None:
    """Reorder channels, each layer once, so that groups preserve more; the dense model computes the same as before."""
    settled: set[str] = set()
    for order in orders:
        key = _key(order.layer, "weight")
        form = forms.get(order.layer)
        if form is None or form.code != "CVL501" or key not in state:
            continue
        inputs, outputs = (
            None if absorbers is None or settled & {a.layer for a in absorbers} else absorbers
            for absorbers in (order.inputs, order.outputs)
        )
        settled.add(order.layer)
        ins, outs = decompose.partition(state[key], form.groups, inputs=inputs is not None, outputs=outputs is not None)
        own = (ReorderedState(order.layer, ("weight",), 1),) if inputs is not None else ()
        _permute(state, (*(inputs or ()), *own), ins)
        own = (ReorderedState(order.layer, ("weight", "bias"), 0),) if outputs is not None else ()
        _permute(state, (*(outputs or ()), *own), outs)


def _permute(state: State, absorbers: Iterable[ReorderedState], permutation: Tensor) -> None:
    for absorber in absorbers:
        for name in absorber.names:
            key = _key(absorber.layer, name)
            if key in state:
                state[key] = state[key].index_select(absorber.dim, permutation)
