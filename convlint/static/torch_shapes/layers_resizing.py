"""Layers that make maps larger or smaller."""

from __future__ import annotations

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Handler, Shape, Tensor, Value
from convlint.static.torch_shapes import folding, resizing
from convlint.static.torch_shapes.pooling import adaptive
from convlint.static.torch_shapes.registry import LAYERS, LayerKind, operation
from convlint.static.torch_shapes.sizing import plain, shape_of, sizes, unseen
from convlint.static.torch_shapes.words import Attrs


def _construct_upsample(
    run: Execution,
    size: Value = None,
    scale_factor: Value = None,
    mode: Value = "nearest",
    align_corners: Value = None,
    recompute_scale_factor: Value = None,
) -> Attrs:
    return {
        "size": size,
        "scale_factor": scale_factor,
        "mode": mode,
        "align_corners": align_corners,
    }


def _construct_upsample_as(mode: str, align_corners: Value) -> Handler:
    def construct(run: Execution, size: Value = None, scale_factor: Value = None) -> Attrs:
        return _construct_upsample(run, size, scale_factor, mode, align_corners)

    return construct


def _upsample(run: Execution, layer: Instance, input: Value) -> Value:
    attrs = layer.attrs
    return resizing.interpolated(
        run, input, attrs["size"], attrs["scale_factor"], attrs["mode"], attrs["align_corners"]
    )


LAYERS["Upsample"] = LayerKind(_construct_upsample, _upsample)
LAYERS["UpsamplingBilinear2d"] = LayerKind(_construct_upsample_as("bilinear", True), _upsample)
LAYERS["UpsamplingNearest2d"] = LayerKind(_construct_upsample_as("nearest", None), _upsample)


def _construct_shuffle(run: Execution, upscale_factor: Value) -> Attrs:
    return {"upscale_factor": upscale_factor}


def _construct_unshuffle(run: Execution, downscale_factor: Value) -> Attrs:
    return {"downscale_factor": downscale_factor}


def _construct_channel_shuffle(run: Execution, groups: Value) -> Attrs:
    return {"groups": groups}


def _shuffle(run: Execution, layer: Instance, input: Value) -> Value:
    return resizing.pixel_shuffle(run, input, layer.attrs["upscale_factor"])


def _unshuffle(run: Execution, layer: Instance, input: Value) -> Value:
    return resizing.pixel_unshuffle(run, input, layer.attrs["downscale_factor"])


def _channel_shuffle(run: Execution, layer: Instance, input: Value) -> Value:
    return resizing.channel_shuffle(run, input, layer.attrs["groups"])


LAYERS["PixelShuffle"] = LayerKind(_construct_shuffle, _shuffle)
LAYERS["PixelUnshuffle"] = LayerKind(_construct_unshuffle, _unshuffle)
LAYERS["ChannelShuffle"] = LayerKind(_construct_channel_shuffle, _channel_shuffle)


def _construct_unfold(
    run: Execution,
    kernel_size: Value,
    dilation: Value = 1,
    padding: Value = 0,
    stride: Value = 1,
) -> Attrs:
    return {
        "kernel_size": kernel_size,
        "dilation": dilation,
        "padding": padding,
        "stride": stride,
    }


def _construct_fold(
    run: Execution,
    output_size: Value,
    kernel_size: Value,
    dilation: Value = 1,
    padding: Value = 0,
    stride: Value = 1,
) -> Attrs:
    made = _construct_unfold(run, kernel_size, dilation, padding, stride)
    return made | {"output_size": output_size}


def _unfold(run: Execution, layer: Instance, input: Value) -> Value:
    names = ("kernel_size", "dilation", "padding", "stride")
    return folding.unfold(run, input, **{name: layer.attrs[name] for name in names})


def _fold(run: Execution, layer: Instance, input: Value) -> Value:
    names = ("output_size", "kernel_size", "dilation", "padding", "stride")
    return folding.fold(run, input, **{name: layer.attrs[name] for name in names})


LAYERS["Unfold"] = LayerKind(_construct_unfold, _unfold)
LAYERS["Fold"] = LayerKind(_construct_fold, _fold)


# --- pools with other sizes


def _construct_unpool(
    run: Execution, kernel_size: Value, stride: Value = None, padding: Value = 0
) -> Attrs:
    return {
        "kernel_size": kernel_size,
        "stride": kernel_size if stride is None else stride,
        "padding": padding,
    }


def _unpool(spatial: int) -> Handler:
    def unpool(
        run: Execution,
        input: Value,
        indices: Value,
        kernel_size: Value,
        stride: Value = None,
        padding: Value = 0,
        output_size: Value = None,
    ) -> Value:
        if type(input) is not Tensor:
            return unseen(run, input, indices)
        shape = shape_of(run, input, spatial + 2) or ()
        if len(shape) not in (spatial + 1, spatial + 2):
            return run.emit(f"max_unpool{spatial}d", [input], [None])[0]
        if output_size is not None:
            asked = output_size
            if type(asked) in (tuple, list):
                asked = asked[-spatial:] if len(asked) > spatial else asked
            moved: Shape = sizes(run, asked, spatial)
        else:
            kernel = sizes(run, kernel_size, spatial, "kernel")
            step = kernel if stride is None else sizes(run, stride, spatial, "stride")
            around = sizes(run, padding, spatial, "padding")
            moved = tuple(
                [
                    plain((one - 1) * s - 2 * p + k)
                    for one, k, s, p in zip(shape[-spatial:], kernel, step, around, strict=True)
                ]
            )
        result = (*shape[:-spatial], *moved)
        return run.emit(f"max_unpool{spatial}d", [input], [result])[0]

    return unpool


def _forward_unpool(unpool: Handler) -> Handler:
    def forward(
        run: Execution, layer: Instance, input: Value, indices: Value, output_size: Value = None
    ) -> Value:
        attrs = layer.attrs
        return unpool(
            run,
            input,
            indices,
            attrs["kernel_size"],
            attrs["stride"],
            attrs["padding"],
            output_size,
        )

    return forward


def _construct_fractional(
    run: Execution,
    kernel_size: Value,
    output_size: Value = None,
    output_ratio: Value = None,
    return_indices: Value = False,
    _random_samples: Value = None,
) -> Attrs:
    return {"output_size": output_size, "return_indices": return_indices}


def _fractional(spatial: int) -> Handler:
    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        wanted = layer.attrs["output_size"]
        if wanted is None:
            wanted = tuple([run.fresh("size") for _ in range(spatial)])
        outputs = 2 if layer.attrs["return_indices"] is True else 1
        return adaptive(run, f"fractional_max_pool{spatial}d", input, spatial, wanted, outputs)

    return forward


for _n in (1, 2, 3):
    _function = operation(f"F.max_unpool{_n}d")(_unpool(_n))
    LAYERS[f"MaxUnpool{_n}d"] = LayerKind(_construct_unpool, _forward_unpool(_function))
    if _n > 1:
        LAYERS[f"FractionalMaxPool{_n}d"] = LayerKind(_construct_fractional, _fractional(_n))
