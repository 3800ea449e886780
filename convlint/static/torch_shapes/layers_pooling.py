"""The pools of ``torch.nn``."""

from __future__ import annotations

from collections.abc import Callable

from convlint.static.domain.execution import Execution
from convlint.static.domain.objects import Instance
from convlint.static.domain.values import Handler, Value
from convlint.static.torch_shapes import pooling
from convlint.static.torch_shapes.registry import LAYERS, LayerKind
from convlint.static.torch_shapes.words import Attrs


def _construct_max(
    run: Execution,
    kernel_size: Value,
    stride: Value = None,
    padding: Value = 0,
    dilation: Value = 1,
    return_indices: Value = False,
    ceil_mode: Value = False,
) -> Attrs:
    return {
        "kernel_size": kernel_size,
        "stride": kernel_size if stride is None else stride,
        "padding": padding,
        "dilation": dilation,
        "return_indices": return_indices,
        "ceil_mode": ceil_mode,
    }


def _construct_average(
    run: Execution,
    kernel_size: Value,
    stride: Value = None,
    padding: Value = 0,
    ceil_mode: Value = False,
    count_include_pad: Value = True,
    divisor_override: Value = None,
) -> Attrs:
    return {
        "kernel_size": kernel_size,
        "stride": kernel_size if stride is None else stride,
        "padding": padding,
        "ceil_mode": ceil_mode,
        "count_include_pad": count_include_pad,
    }


def _construct_power(
    run: Execution,
    norm_type: Value,
    kernel_size: Value,
    stride: Value = None,
    ceil_mode: Value = False,
) -> Attrs:
    return {
        "norm_type": norm_type,
        "kernel_size": kernel_size,
        "stride": stride,
        "ceil_mode": ceil_mode,
    }


def _construct_adaptive(run: Execution, output_size: Value) -> Attrs:
    return {"output_size": output_size}


def _construct_adaptive_max(
    run: Execution, output_size: Value, return_indices: Value = False
) -> Attrs:
    return {"output_size": output_size, "return_indices": return_indices}


def _forward(pool: Callable[..., Value], *names: str) -> Handler:
    """The forward of a layer: the function, with the numbers of the layer."""

    def forward(run: Execution, layer: Instance, input: Value) -> Value:
        attrs = layer.attrs
        return pool(run, input, **{name: attrs[name] for name in names})

    return forward


_WINDOW = ("kernel_size", "stride", "padding", "dilation", "return_indices", "ceil_mode")
_ADAPTIVE = ("output_size", "return_indices")
for _n in (1, 2, 3):
    LAYERS[f"MaxPool{_n}d"] = LayerKind(_construct_max, _forward(pooling.MAX[_n], *_WINDOW))
    LAYERS[f"AvgPool{_n}d"] = LayerKind(
        _construct_average,
        _forward(pooling.AVERAGE[_n], "kernel_size", "stride", "padding", "ceil_mode"),
    )
    LAYERS[f"LPPool{_n}d"] = LayerKind(
        _construct_power,
        _forward(pooling.POWER[_n], "norm_type", "kernel_size", "stride", "ceil_mode"),
    )
    LAYERS[f"AdaptiveAvgPool{_n}d"] = LayerKind(
        _construct_adaptive, _forward(pooling.ADAPTIVE_AVERAGE[_n], "output_size")
    )
    LAYERS[f"AdaptiveMaxPool{_n}d"] = LayerKind(
        _construct_adaptive_max, _forward(pooling.ADAPTIVE_MAX[_n], *_ADAPTIVE)
    )
