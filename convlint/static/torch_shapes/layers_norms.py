"""The norms of ``torch.nn``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convlint.static.domain.execution import Execution, Refused
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Handler, Tensor, Value
from convlint.static.torch_shapes import norms
from convlint.static.torch_shapes.registry import HANDLERS, LAYERS, LayerKind
from convlint.static.torch_shapes.sizing import remainder, shape_of, unseen
from convlint.static.torch_shapes.words import Attrs, count, flag, parameter, refuse_sizes


def _by_channel(
    run: Execution,
    num_features: Value,
    affine: Value,
    track_running_stats: Value,
    bias: Value,
) -> Attrs:
    width = None if num_features is None else count(run, num_features, "channels")
    attrs: Attrs = {
        "num_features": width,
        "affine": flag(affine),
        "track_running_stats": flag(track_running_stats),
    }
    shape = () if width is None else (width,)
    attrs["weight"] = parameter(run, affine, shape)
    attrs["bias"] = parameter(run, affine if bias is True else bias, shape)
    for name in ("running_mean", "running_var"):
        attrs[name] = parameter(run, track_running_stats, shape)
    if width is not None and (attrs["affine"] is True or attrs["track_running_stats"] is True):
        refuse_sizes([num_features], attrs)
    return attrs


def _construct_batch(
    run: Execution,
    num_features: Value,
    eps: Value = 1e-05,
    momentum: Value = 0.1,
    affine: Value = True,
    track_running_stats: Value = True,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    return _by_channel(run, num_features, affine, track_running_stats, bias)


def _construct_lazy_batch(
    run: Execution,
    eps: Value = 1e-05,
    momentum: Value = 0.1,
    affine: Value = True,
    track_running_stats: Value = True,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    return _by_channel(run, None, affine, track_running_stats, bias)


def _construct_sync(
    run: Execution,
    num_features: Value,
    eps: Value = 1e-05,
    momentum: Value = 0.1,
    affine: Value = True,
    track_running_stats: Value = True,
    process_group: Value = None,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    return _by_channel(run, num_features, affine, track_running_stats, bias)


def _construct_instance(
    run: Execution,
    num_features: Value,
    eps: Value = 1e-05,
    momentum: Value = 0.1,
    affine: Value = False,
    track_running_stats: Value = False,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    return _by_channel(run, num_features, affine, track_running_stats, bias)


def _construct_lazy_instance(
    run: Execution,
    eps: Value = 1e-05,
    momentum: Value = 0.1,
    affine: Value = True,
    track_running_stats: Value = True,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    return _by_channel(run, None, affine, track_running_stats, bias)


def _forward_by_channel(op: str, ranks: tuple[int, ...], unbatched: int | None = None) -> Handler:
    """The forward of a norm that takes tensors of ``ranks``; of rank ``unbatched`` the batch is left
    out, and channels come first.
    """

    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        attrs = layer.attrs
        shape = shape_of(
            run, input, ranks[-1] if len(ranks) == 1 or unbatched is not None else None
        )
        error, dim = None, 1
        if shape is not None and ranks and len(shape) not in ranks:
            told = " or ".join(f"{rank}D" for rank in ranks)
            error = f"expected {told} input (got {len(shape)}D input)"
        if shape is not None and len(shape) == unbatched:
            dim = 0
        if attrs["num_features"] is None and shape is not None and len(shape) > dim:
            _adopt(run, attrs, shape[dim])
        width, affine, tracked = (
            attrs["num_features"],
            attrs["affine"],
            attrs["track_running_stats"],
        )
        asked = affine is True if op == "instance_norm" else affine is True or tracked is True
        own = tracked is False
        if op == "instance_norm" and tracked is True:
            asked = True
        found = {"affine": affine, "track_running_stats": tracked, "training": own}
        if asked:
            found["num_features"] = width
        return norms.by_channel(
            run, op, input, width if asked else None, found, error, dim=dim, statistics=own
        )

    return forward


def _adopt(run: Execution, attrs: Attrs, width: Any) -> None:
    """A lazy norm becomes as wide as what arrives."""
    attrs["num_features"] = width
    for name in ("weight", "bias", "running_mean", "running_var"):
        if type(attrs[name]) is Tensor:
            attrs[name] = run.tensor((width,))


def _construct_group(
    run: Execution,
    num_groups: Value,
    num_channels: Value,
    eps: Value = 1e-05,
    affine: Value = True,
    device: Value = None,
    dtype: Value = None,
    *,
    bias: Value = True,
) -> Attrs:
    groups, width = count(run, num_groups, "groups"), count(run, num_channels, "channels")
    attrs: Attrs = {"num_groups": groups, "num_channels": width, "affine": flag(affine)}
    attrs["weight"] = parameter(run, affine, (width,))
    attrs["bias"] = parameter(run, affine if bias is True else bias, (width,))
    if groups == 0 and type(groups) is int:
        raise Refused("integer modulo by zero", attrs)
    if not run.demand(remainder(width, groups), 0):
        raise Refused(
            f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})", attrs
        )
    if attrs["affine"] is True:
        refuse_sizes([num_channels], attrs)
    return attrs


def _forward_group(run: Execution, layer: Instance, input: Value) -> Value:
    if type(input) is not Tensor:
        return unseen(run, input)
    attrs = layer.attrs
    width = attrs["num_channels"] if attrs["affine"] is True else None
    found = {"affine": attrs["affine"], "num_groups": attrs["num_groups"]}
    if width is not None:
        found["num_features"] = width
    return norms.by_group(
        run, input, attrs["num_groups"], width, found, refused=layer.error is not None
    )


def _construct_layer(
    run: Execution,
    normalized_shape: Value,
    eps: Value = 1e-05,
    elementwise_affine: Value = True,
    bias: Value = True,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    attrs = _over_shape(run, normalized_shape, elementwise_affine)
    weight = attrs["weight"]
    attrs["bias"] = (
        weight if bias is True else parameter(run, bias, attrs["normalized_shape"] or ())
    )
    return attrs


def _construct_rms(
    run: Execution,
    normalized_shape: Value,
    eps: Value = None,
    elementwise_affine: Value = True,
    device: Value = None,
    dtype: Value = None,
) -> Attrs:
    return _over_shape(run, normalized_shape, elementwise_affine)


def _over_shape(run: Execution, normalized_shape: Value, elementwise_affine: Value) -> Attrs:
    form = norms.form(run, normalized_shape)
    attrs: Attrs = {"normalized_shape": form, "elementwise_affine": flag(elementwise_affine)}
    attrs["weight"] = (
        parameter(run, elementwise_affine, form) if form is not None else run.tensor(None)
    )
    if form is not None and attrs["elementwise_affine"] is True:
        refuse_sizes(form, attrs)
    return attrs


def _forward_over_shape(op: str) -> Handler:
    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input)
        form = layer.attrs["normalized_shape"]
        found: dict[str, Any] = {"affine": layer.attrs["elementwise_affine"]}
        if form is not None:
            found["normalized_shape"] = form
        return norms.by_shape(run, op, input, form, found)

    return forward


def _construct_response(
    run: Execution,
    size: Value,
    alpha: Value = 0.0001,
    beta: Value = 0.75,
    k: Value = 1.0,
) -> Attrs:
    return {"size": size, "alpha": alpha, "beta": beta, "k": k}


def _forward_response(run: Execution, layer: Instance, input: Value) -> Value:
    return HANDLERS["F.local_response_norm"](run, input, layer.attrs["size"])


def _register(name: str, construct: Callable[..., Attrs], forward: Handler) -> None:
    LAYERS[name] = LayerKind(construct, forward)


for _n, _ranks in ((1, (2, 3)), (2, (4,)), (3, (5,))):
    _batch = _forward_by_channel("batch_norm", _ranks)
    _register(f"BatchNorm{_n}d", _construct_batch, _batch)
    _register(f"LazyBatchNorm{_n}d", _construct_lazy_batch, _batch)
    _instance = _forward_by_channel("instance_norm", (_n + 1, _n + 2), _n + 1)
    _register(f"InstanceNorm{_n}d", _construct_instance, _instance)
    _register(f"LazyInstanceNorm{_n}d", _construct_lazy_instance, _instance)
_register("SyncBatchNorm", _construct_sync, _forward_by_channel("batch_norm", ()))
_register("GroupNorm", _construct_group, _forward_group)
_register("LayerNorm", _construct_layer, _forward_over_shape("layer_norm"))
_register("RMSNorm", _construct_rms, _forward_over_shape("rms_norm"))
_register("LocalResponseNorm", _construct_response, _forward_response)
