"""Random calls of torch's operations, most of them valid, for comparing static analysis with PyTorch.

A call is written once, with ``T(shape)`` for tensors, and run by both.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Maker = Callable[[random.Random], "Call"]


@dataclass(frozen=True)
class T:
    """A tensor of zeros of that shape."""

    shape: tuple[int, ...]
    dtype: str = "float32"

    def __repr__(self) -> str:
        return f"T[{', '.join(map(str, self.shape or ()))}]"


@dataclass
class Call:
    """A call of a function (``torch.cat``), a method (``.view``) or a layer (``nn.Conv2d``, which is
    built with ``built`` first).
    """

    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    built: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __str__(self) -> str:
        def text(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
            return ", ".join([*map(repr, args), *[f"{k}={v!r}" for k, v in kwargs.items()]])

        called = f"({text(self.args, self.kwargs)})"
        return self.name + (f"({text(*self.built)})" if self.name[:3] == "nn." else "") + called


MAKERS: dict[str, Maker] = {}


def calls(*names: str) -> Callable[[Callable[[random.Random, str], Call]], Callable[..., Call]]:
    """Let a function make calls of ``names``."""

    def register(make: Callable[[random.Random, str], Call]) -> Callable[..., Call]:
        for name in names:
            MAKERS[name] = lambda draw, make=make, name=name: make(draw, name)  # type: ignore[misc]
        return make

    return register


def rarely(draw: random.Random, odd: Any, usual: Any) -> Any:
    """Return ``usual`` most of the time."""
    return odd if draw.random() < 0.12 else usual


def shape(draw: random.Random, rank: int, most: int = 9) -> tuple[int, ...]:
    return tuple([draw.randint(1, most) for _ in range(rank)])


def size(draw: random.Random, spatial: int, low: int, high: int) -> Any:
    """One number, or one for each dimension."""
    if draw.random() < 0.6:
        return draw.randint(low, high)
    return tuple([draw.randint(low, high) for _ in range(spatial)])


def spatial_of(name: str) -> int:
    return int(name.rstrip("_")[-2])


def axis(draw: random.Random, rank: int) -> int:
    return rarely(draw, draw.randint(-rank - 2, rank + 1), draw.randint(-rank, rank - 1))


# --- convolutions

_CONV = [f"nn.{kind}{n}d" for kind in ("Conv", "ConvTranspose") for n in (1, 2, 3)]


def channels(draw: random.Random, groups: int) -> int:
    return rarely(draw, draw.randint(0, 7), max(1, groups) * draw.randint(1, 3))


def convolution(draw: random.Random, n: int, *, transposed: bool) -> tuple[int, int, dict[str, Any]]:
    groups = rarely(draw, draw.randint(-1, 4), draw.choice((1, 1, 2, 3)))
    numbers: dict[str, Any] = {
        "kernel_size": size(draw, n, rarely(draw, 0, 1), 4),
        "stride": size(draw, n, rarely(draw, 0, 1), 3),
        "padding": size(draw, n, rarely(draw, -1, 0), 2),
        "dilation": size(draw, n, rarely(draw, 0, 1), 2),
        "groups": groups,
        "bias": draw.random() < 0.5,
    }
    if transposed:
        numbers["dilation"] = size(draw, n, 1, 2)  # what 0 does depends on the backend
        numbers["output_padding"] = rarely(draw, draw.randint(-1, 2), 0)
    elif draw.random() < 0.2:
        numbers["padding"] = draw.choice(("same", "valid", "full"))
    return channels(draw, groups), channels(draw, groups), numbers


@calls(*_CONV, *[name.replace("nn.", "nn.Lazy") for name in _CONV])
def _conv(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    transposed = "Transpose" in name
    into, out, numbers = convolution(draw, n, transposed=transposed)
    if not transposed and draw.random() < 0.2:
        numbers["padding_mode"] = draw.choice(("reflect", "replicate", "circular", "mirror"))
    received = max(1, rarely(draw, draw.randint(1, 7), into))
    batch = shape(draw, rarely(draw, draw.choice((0, 2)), 1), 2)
    x = T((*batch, received, *shape(draw, n)))
    if transposed:
        out = max(1, numbers["groups"], out) if "Lazy" in name else max(1, out)
        out -= out % max(1, numbers["groups"]) if "Lazy" in name else 0
    args = (out,) if "Lazy" in name else (into, out)
    kwargs = {}
    if transposed and draw.random() < 0.2:
        kwargs["output_size"] = shape(draw, n, 20)
    return Call(name, (x,), kwargs, (args, numbers))


@calls(*[f"F.{kind}{n}d" for kind in ("conv", "conv_transpose") for n in (1, 2, 3)])
def _f_conv(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    transposed = "transpose" in name
    into, out, numbers = convolution(draw, n, transposed=transposed)
    into, out = max(1, into), max(1, out)
    each = max(1, (out if transposed else into) // max(1, numbers["groups"]))
    kernel = numbers.pop("kernel_size")
    kernel = (kernel,) * n if isinstance(kernel, int) else kernel
    weight = T(((into if transposed else out), each, *[max(1, k) for k in kernel]))
    bias = T((rarely(draw, out + 1, out),)) if numbers.pop("bias") else None
    x = T((*shape(draw, rarely(draw, draw.choice((0, 2)), 1), 2), into, *shape(draw, n)))
    return Call(name, (x, weight, bias), numbers)


# --- norms


@calls("nn.BatchNorm1d", "nn.BatchNorm2d", "nn.BatchNorm3d", "nn.SyncBatchNorm")
@calls("nn.InstanceNorm1d", "nn.InstanceNorm2d", "nn.InstanceNorm3d", "nn.LazyBatchNorm2d")
def _norm(draw: random.Random, name: str) -> Call:
    n = 2 if "Sync" in name else spatial_of(name)
    width = draw.randint(1, 5)
    received = rarely(draw, draw.randint(1, 5), width)
    rank = rarely(draw, draw.randint(2, 5), n + 2)
    x = T((draw.randint(1, 2), received, *shape(draw, rank - 2, 2)))
    if rank == n + 1:
        x = T((received, *shape(draw, n, 3)))
    flags = {"affine": draw.random() < 0.6, "track_running_stats": draw.random() < 0.6}
    return Call(name, (x,), {}, (() if "Lazy" in name else (rarely(draw, -1, width),), flags))


@calls("nn.GroupNorm", "F.group_norm")
def _group_norm(draw: random.Random, name: str) -> Call:
    groups = rarely(draw, draw.randint(0, 4), draw.randint(1, 4))
    width = rarely(draw, draw.randint(1, 9), max(1, groups) * draw.randint(1, 3))
    received = rarely(draw, draw.randint(1, 9), width)
    x = T((draw.randint(1, 2), received, *shape(draw, draw.randint(0, 3), 3)))
    if name == "F.group_norm":
        weight = T((width,)) if draw.random() < 0.7 else None
        return Call(name, (x, groups, weight, weight))
    return Call(name, (x,), {}, ((groups, width), {"affine": draw.random() < 0.7}))


@calls("nn.LayerNorm", "nn.RMSNorm", "F.layer_norm", "F.rms_norm")
def _layer_norm(draw: random.Random, name: str) -> Call:
    form = shape(draw, draw.randint(1, 2), 4)
    last = rarely(draw, shape(draw, len(form), 4), form)
    x = T((*shape(draw, draw.randint(0, 2), 3), *last[-rarely(draw, 1, len(last)) :]))
    given = form[0] if len(form) == 1 and name[:3] == "nn." and draw.random() < 0.5 else form
    if name[:2] == "F.":
        return Call(name, (x, given))
    return Call(name, (x,), {}, ((given,), {"elementwise_affine": draw.random() < 0.6}))


@calls("nn.LocalResponseNorm")
def _response(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(2, 5), 4))
    return Call(name, (x,), {}, ((draw.randint(1, 4),), {}))


@calls("F.batch_norm", "F.instance_norm")
def _f_norm(draw: random.Random, name: str) -> Call:
    width = draw.randint(1, 4)
    x = T((draw.randint(1, 2), rarely(draw, width + 1, width), *shape(draw, draw.randint(0, 3), 2)))
    mean = T((width,))
    weight = T((width,)) if draw.random() < 0.5 else None
    return Call(name, (x, mean, mean, weight, weight), {})


# --- linear maps


@calls("nn.Linear", "nn.LazyLinear")
def _linear(draw: random.Random, name: str) -> Call:
    into, out = rarely(draw, -1, draw.randint(1, 5)), draw.randint(1, 5)
    x = T((*shape(draw, draw.randint(0, 3), 4), rarely(draw, draw.randint(1, 5), max(1, into))))
    bias = {"bias": draw.random() < 0.5}
    return Call(name, (x,), {}, ((out,) if "Lazy" in name else (into, out), bias))


@calls("F.linear")
def _f_linear(draw: random.Random, name: str) -> Call:
    into, out = draw.randint(1, 5), draw.randint(1, 5)
    x = T((*shape(draw, draw.randint(0, 3), 4), rarely(draw, draw.randint(1, 5), into)))
    return Call(name, (x, T((out, into)), draw.choice((None, T((out,))))))


@calls("nn.Bilinear")
def _bilinear(draw: random.Random, name: str) -> Call:
    one, other, out = shape(draw, 3, 4)
    lead = shape(draw, draw.randint(1, 2), 3)
    left = T((*lead, rarely(draw, one + 1, one)))
    right = T((*rarely(draw, (lead[0] + 1, *lead[1:]), lead), other))
    return Call(name, (left, right), {}, ((one, other, out), {}))


@calls("torch.matmul", "torch.bmm", "torch.mm", ".matmul")
def _matmul(draw: random.Random, name: str) -> Call:
    ranks = {"torch.bmm": (3, 3), "torch.mm": (2, 2)}.get(name, (draw.randint(1, 4), draw.randint(1, 4)))
    inner = draw.randint(1, 4)
    left, right = list(shape(draw, ranks[0], 3)), list(shape(draw, ranks[1], 3))
    left[-1] = inner
    right[-2 if len(right) > 1 else -1] = rarely(draw, inner + 1, inner)
    for back in range(3, min(ranks) + 1):
        if draw.random() < 0.8:
            right[-back] = left[-back]
    return Call(name, (T(tuple(left)), T(tuple(right))))


@calls("F.scaled_dot_product_attention")
def _attention(draw: random.Random, name: str) -> Call:
    lead = shape(draw, draw.randint(0, 2), 4)
    others = tuple([rarely(draw, draw.choice((1, 2)), size) for size in lead])
    width, length = draw.randint(1, 4), draw.randint(1, 4)
    keys = T((*others, length, rarely(draw, width + 1, width)))
    tensors = (T((*lead, draw.randint(1, 4), width)), keys, T((*others, length, draw.randint(1, 4))))
    return Call(name, tensors)


@calls("torch.einsum")
def _einsum(draw: random.Random, name: str) -> Call:
    equation = draw.choice(("bhid,bhjd->bhij", "bij,bjk->bik", "ij->ji", "bchw,cd->bdhw", "ij,k->ijk"))
    lengths = {letter: draw.randint(1, 4) for letter in "bhijkdcw"}
    terms = equation.split("->")[0].split(",")
    tensors = [T(tuple([rarely(draw, draw.randint(1, 4), lengths[c]) for c in term])) for term in terms]
    return Call(name, (equation, *tensors))


# --- pools


def _window(draw: random.Random, n: int) -> dict[str, Any]:
    kernel = draw.randint(rarely(draw, 0, 1), 4)
    return {
        "kernel_size": kernel if draw.random() < 0.7 else (kernel,) * n,
        "stride": draw.choice((None, 1, 2, 3, (1, 2, 3)[:n])),
        "padding": rarely(draw, draw.randint(-1, 3), draw.randint(0, max(0, kernel // 2))),
        "ceil_mode": draw.random() < 0.4,
    }


def _image(draw: random.Random, n: int, most: int = 9) -> T:
    return T(shape(draw, rarely(draw, draw.randint(1, n + 3), draw.choice((n + 1, n + 2))), most))


@calls(*[f"{place}axPool{n}d" for place in ("nn.M",) for n in (1, 2, 3)])
@calls(*[f"nn.AvgPool{n}d" for n in (1, 2, 3)], *[f"nn.LPPool{n}d" for n in (1, 2, 3)])
def _pool(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    numbers = _window(draw, n)
    if "Max" in name:
        numbers |= {"dilation": draw.randint(1, 2), "return_indices": draw.random() < 0.2}
    args: tuple[Any, ...] = ()
    if "LP" in name:
        args = (2,)
        del numbers["padding"]
    return Call(name, (_image(draw, n),), {}, (args, numbers))


@calls(*[f"F.{kind}_pool{n}d" for kind in ("max", "avg", "lp") for n in (1, 2, 3)])
def _f_pool(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    numbers = _window(draw, n)
    args: tuple[Any, ...] = (_image(draw, n),)
    if "lp" in name:
        args = (*args, 2)
        del numbers["padding"]
    return Call(name, args, numbers)


@calls(*[f"{place}{n}d" for place in ("nn.AdaptiveAvgPool", "nn.AdaptiveMaxPool") for n in (1, 2, 3)])
def _adaptive(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    wanted: Any = draw.choice((draw.randint(1, 4), shape(draw, n, 4), (None, *shape(draw, n - 1, 4))))
    if n == 1 and isinstance(wanted, tuple):
        wanted = wanted[0] or 1
    return Call(name, (_image(draw, n),), {}, ((wanted,), {}))


# --- padding and resizing


@calls("F.pad")
def _pad(draw: random.Random, name: str) -> Call:
    mode = draw.choice(("constant", "constant", "reflect", "replicate", "circular"))
    count = draw.randint(1, 3)
    rank = rarely(draw, draw.randint(1, 5), count + draw.randint(1, 2))
    around = tuple([draw.randint(rarely(draw, -2, 0), 3) for _ in range(2 * count - rarely(draw, 1, 0))])
    return Call(name, (T(shape(draw, rank, 4)), around), {"mode": mode})


@calls(*[f"nn.{kind}Pad{n}d" for kind in ("Zero", "Reflection", "Replication") for n in (1, 2, 3)])
@calls(*[f"nn.CircularPad{n}d" for n in (1, 2, 3)])
def _padding(draw: random.Random, name: str) -> Call:
    n = spatial_of(name)
    around: Any = draw.choice((draw.randint(0, 3), tuple([draw.randint(0, 3) for _ in range(2 * n)])))
    rank = rarely(draw, draw.randint(1, 5), n + draw.randint(1, 2))
    return Call(name, (T(shape(draw, rank, 4)),), {}, ((around,), {}))


@calls("F.interpolate", "nn.Upsample")
def _interpolate(draw: random.Random, name: str) -> Call:
    mode = draw.choice(("nearest", "bilinear", "bicubic", "trilinear", "linear", "area"))
    rank = {"linear": 3, "trilinear": 5}.get(mode, 4)
    x = T(shape(draw, rarely(draw, draw.randint(2, 5), rank), 5))
    n = max(1, len(x.shape) - 2)
    numbers: dict[str, Any] = {"mode": mode}
    if draw.random() < 0.5:
        numbers["size"] = rarely(draw, shape(draw, 2, 5), draw.choice((draw.randint(0, 5), shape(draw, n, 5))))
    else:
        numbers["scale_factor"] = draw.choice((2, 2.0, 0.5, 1.5, 0.3, (2.0, 0.5, 2)[:n]))
    if draw.random() < 0.05:
        numbers["size"] = numbers["scale_factor"] = 2
    if draw.random() < 0.2:
        numbers["align_corners"] = True
    if name == "nn.Upsample":
        return Call(name, (x,), {}, ((), numbers))
    return Call(name, (x,), numbers)


@calls("F.pixel_shuffle", "nn.PixelShuffle", "F.pixel_unshuffle", "nn.PixelUnshuffle", "nn.ChannelShuffle")
@calls("F.channel_shuffle")
def _shuffle(draw: random.Random, name: str) -> Call:
    factor = rarely(draw, draw.randint(-1, 3), draw.randint(1, 3))
    least = max(1, abs(factor))
    whole = [draw.randint(1, 2) * least for _ in range(2)]
    if draw.random() < 0.2:
        whole = list(shape(draw, 2, 5))
    lead = rarely(draw, shape(draw, draw.randint(0, 3), 3), shape(draw, 1, 2))
    channels = rarely(draw, draw.randint(1, 9), least * least * draw.randint(1, 2))
    dims = (*lead, channels, *whole)[rarely(draw, 2, 0) :]
    if name[:2] == "F.":
        return Call(name, (T(dims), factor))
    return Call(name, (T(dims),), {}, ((factor,), {}))


@calls("F.unfold", "nn.Unfold", "F.fold", "nn.Fold")
def _fold(draw: random.Random, name: str) -> Call:
    kernel = (draw.randint(rarely(draw, 0, 1), 3), draw.randint(1, 3))
    numbers = {
        "dilation": draw.randint(1, 2),
        "padding": draw.randint(rarely(draw, -1, 0), 1),
        "stride": draw.randint(rarely(draw, 0, 1), 2),
    }
    around = tuple([one + 3 for one in shape(draw, 2, 3)])
    lead = shape(draw, rarely(draw, draw.randint(0, 2), 1), 2)
    if "nfold" in name:
        x = T((*lead, draw.randint(1, 3), *around))
        given: tuple[Any, ...] = (kernel,)
    else:
        blocks = 1
        for one, k in zip(around, kernel, strict=True):
            span = one + 2 * numbers["padding"] - numbers["dilation"] * (k - 1) - 1
            blocks *= span // max(1, numbers["stride"]) + 1
        columns = rarely(draw, draw.randint(1, 9), kernel[0] * kernel[1] * draw.randint(1, 2))
        x = T((*lead, max(1, columns), rarely(draw, draw.randint(1, 9), max(1, blocks))))
        given = (around, kernel)
    if name[:2] == "F.":
        return Call(name, (x, *given), numbers)
    return Call(name, (x,), {}, (given, numbers))


# --- shapes


def _factors(draw: random.Random, whole: int) -> list[int]:
    """Sizes with that product."""
    found = []
    while whole > 1 and draw.random() < 0.8:
        step = draw.choice([n for n in range(1, whole + 1) if whole % n == 0])
        found.append(step)
        whole //= step
    return [*found, whole]


@calls(".view", ".reshape", "torch.reshape", ".unflatten")
def _view(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 6))
    whole = 1
    for one in x.shape:
        whole *= one
    at = draw.randint(0, len(x.shape) - 1)
    wanted = _factors(draw, x.shape[at] if name == ".unflatten" else whole)
    if draw.random() < 0.4:
        wanted[draw.randint(0, len(wanted) - 1)] = -1
    if draw.random() < 0.1:
        wanted[draw.randint(0, len(wanted) - 1)] = draw.randint(-2, 7)
    if name == ".unflatten":
        return Call(name, (x, rarely(draw, axis(draw, len(x.shape)), at), tuple(wanted)))
    if name == "torch.reshape" or draw.random() < 0.3:
        return Call(name, (x, tuple(wanted)))
    return Call(name, (x, *wanted))


@calls("torch.flatten", ".flatten", "nn.Flatten")
def _flatten(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 5), 4))
    rank = len(x.shape)
    given = (axis(draw, rank), draw.choice((-1, axis(draw, rank))))[: draw.randint(0, 2)]
    if name == "nn.Flatten":
        return Call(name, (x,), {}, (given, {}))
    return Call(name, (x, *given))


@calls("torch.squeeze", ".unsqueeze", "torch.unsqueeze", ".squeeze")
def _squeeze(draw: random.Random, name: str) -> Call:
    x = T(tuple([draw.choice((1, 1, 2, 3)) for _ in range(draw.randint(1, 4))]))
    if name.endswith("unsqueeze"):
        return Call(name, (x, axis(draw, len(x.shape) + 1)))
    given = draw.choice(((), (axis(draw, len(x.shape)),), ((0, -1),)))
    return Call(name, (x, *given))


@calls(".permute", "torch.permute", ".transpose", "torch.movedim", ".t", ".swapaxes")
def _permute(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 4))
    rank = len(x.shape)
    if name == ".t":
        return Call(name, (x,))
    if name in (".transpose", ".swapaxes", "torch.movedim"):
        return Call(name, (x, axis(draw, rank), axis(draw, rank)))
    order = list(range(rank))
    draw.shuffle(order)
    if draw.random() < 0.15:
        order[0] = axis(draw, rank)
    if draw.random() < 0.1:
        order.append(0)
    return Call(name, (x, tuple(order)) if name == "torch.permute" else (x, *order))


@calls(".expand", "torch.broadcast_to", ".repeat", ".tile", "torch.tile")
def _expand(draw: random.Random, name: str) -> Call:
    x = T(tuple([draw.choice((1, 1, 2, 3)) for _ in range(draw.randint(1, 3))]))
    if name in (".expand", "torch.broadcast_to"):
        wanted = [draw.choice((-1, one, one, 4)) if one == 1 else rarely(draw, 4, one) for one in x.shape]
        wanted = [*rarely(draw, [-1], [draw.randint(1, 3)][: draw.randint(0, 1)]), *wanted]
    else:
        wanted = list(shape(draw, draw.randint(max(1, len(x.shape) - 1), 4), 3))
    return Call(name, (x, tuple(wanted)) if "torch" in name else (x, *wanted))


@calls("torch.repeat_interleave")
def _interleave(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 3), 3))
    return Call(name, (x, draw.randint(0, 3)), {"dim": draw.choice((None, axis(draw, len(x.shape))))})


# --- merging


@calls("torch.cat", "torch.stack", "torch.hstack", "torch.vstack", "torch.dstack")
def _cat(draw: random.Random, name: str) -> Call:
    rank = draw.randint({"torch.vstack": 2, "torch.dstack": 3}.get(name, 1), 4)
    first, along = shape(draw, rank, 4), axis(draw, rank)
    parts = []
    for _ in range(draw.randint(1, 3)):
        other = list(rarely(draw, shape(draw, draw.randint(rank, rank + 1), 4), first))
        if name == "torch.cat" and -len(other) <= along < len(other):
            other[along] = draw.randint(1, 4)
        parts.append(T(tuple(other)))
    if name in ("torch.cat", "torch.stack"):
        return Call(name, (draw.choice((parts, tuple(parts))), along))
    return Call(name, (parts,))


@calls("torch.split", ".split", "torch.chunk", ".chunk", "torch.tensor_split", ".unbind")
def _split(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 7))
    along = axis(draw, len(x.shape))
    if name == ".unbind":
        return Call(name, (x, along))
    parts: Any = draw.randint(rarely(draw, 0, 1), 4)
    whole = x.shape[along] if -len(x.shape) <= along < len(x.shape) else 3
    if name.endswith("split") and "tensor" not in name and draw.random() < 0.5:
        first = draw.randint(0, whole)
        parts = [first, rarely(draw, whole, whole - first)]
    return Call(name, (x, parts), {"dim": along})


_BINARY = ("torch.add", "torch.sub", "torch.mul", "torch.div", "torch.maximum", "torch.pow")


@calls(*_BINARY, ".add", ".mul", ".__add__", ".__mul__", ".add_", ".mul_", ".__iadd__", "torch.where")
def _add(draw: random.Random, name: str) -> Call:
    left = shape(draw, draw.randint(0, 4), 4)
    right = [draw.choice((one, one, 1)) for one in left][draw.randint(0, max(0, len(left) - 1)) :]
    if right and draw.random() < 0.2:
        right[0] = draw.randint(1, 4)
    one, other = T(left), T(tuple(right))
    if name[-1] != "_" and draw.random() < 0.5:
        one, other = other, one
    if name == "torch.where":
        return Call(name, (T(left, "bool"), one, other))
    if "maximum" not in name and draw.random() < 0.15:
        return Call(name, (one, 2))
    return Call(name, (one, other))


@calls("nn.PReLU", "F.prelu", "nn.GLU", "F.glu")
def _prelu(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 4))
    if "GLU" in name or "glu" in name:
        along = axis(draw, len(x.shape))
        even = T(tuple([rarely(draw, one, 2 * one) for one in x.shape]))
        return Call(name, (even,), {}, ((along,), {})) if name[:2] == "nn" else Call(name, (even, along))
    width = draw.choice((1, x.shape[1] if len(x.shape) > 1 else 1, draw.randint(1, 4)))
    return Call(name, (x,), {}, ((width,), {})) if name[:2] == "nn" else Call(name, (x, T((width,))))


_SAME = ("ReLU", "ReLU6", "SiLU", "GELU", "Sigmoid", "Hardswish", "LeakyReLU", "ELU", "Identity")


@calls(*[f"nn.{name}" for name in _SAME], "F.relu", "F.gelu", "F.silu", "torch.sigmoid", ".relu", ".abs")
@calls(".relu_", "F.relu6", "torch.exp", ".clone", ".contiguous", ".float", ".detach", "nn.Dropout2d")
@calls("F.leaky_relu", "F.hardtanh", "nn.Tanh", "nn.Softplus", "nn.Mish", "nn.SELU", "nn.Softsign")
def _same(draw: random.Random, name: str) -> Call:
    least = 3 if "Dropout" in name else 1
    return Call(name, (T(shape(draw, draw.randint(least, 4), 4)),))


@calls("torch.softmax", "F.softmax", "torch.cumsum", "F.log_softmax", ".softmax", "F.normalize", "torch.flip")
@calls("nn.Softmax", "nn.LogSoftmax")
def _along(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 4))
    along = axis(draw, len(x.shape))
    if name[:3] == "nn.":
        return Call(name, (x,), {}, ((), {"dim": along}))
    if name == "torch.flip":
        return Call(name, (x, (along,)))
    return Call(name, (x,), {"dim": along})


# --- reductions and picking


@calls("torch.mean", ".mean", "torch.sum", ".sum", "torch.amax", ".amin", "torch.std", ".var", "torch.prod")
@calls("torch.max", ".min", "torch.argmax", "torch.norm", "torch.logsumexp", "torch.median", "torch.all")
def _reduce(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 4))
    rank = len(x.shape)
    one_only = name in ("torch.max", ".min", "torch.argmax", "torch.median", "torch.prod", "torch.all")
    several = tuple([axis(draw, rank) for _ in range(draw.randint(1, 2))])
    along: Any = axis(draw, rank) if one_only or draw.random() < 0.6 else several
    kwargs = {"dim": along, "keepdim": draw.random() < 0.5}
    if name != "torch.logsumexp" and draw.random() < 0.2:
        kwargs = {}
    return Call(name, (x,), kwargs)


@calls("torch.topk", "torch.sort", "torch.argsort")
def _topk(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 3), 4))
    along = axis(draw, len(x.shape))
    args = (draw.randint(0, 5),) if name == "torch.topk" else ()
    return Call(name, (x, *args), {"dim": along})


@calls("torch.narrow", ".select", "torch.index_select", ".unfold", "torch.gather", ".diagonal")
def _pick(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(2, 4), 5))
    along = axis(draw, len(x.shape))
    if name == "torch.narrow":
        return Call(name, (x, along, draw.randint(-2, 4), draw.randint(0, 3)))
    if name == ".select":
        return Call(name, (x, along, draw.randint(-3, 4)))
    if name == ".unfold":
        return Call(name, (x, along, draw.randint(1, 4), draw.randint(1, 2)))
    if name == ".diagonal":
        return Call(name, (x,))
    if name == "torch.gather":
        return Call(name, (x, draw.randint(0, len(x.shape) - 1), T(x.shape, "int64")))
    return Call(name, (x, along, T((draw.randint(1, 4),), "int64")))


@calls("getitem")
def _getitem(draw: random.Random, name: str) -> Call:
    x = T(shape(draw, draw.randint(1, 4), 5))
    key: list[Any] = []
    for _ in range(rarely(draw, len(x.shape) + 1, draw.randint(1, len(x.shape)))):
        bounds = [draw.choice((None, draw.randint(-5, 6))) for _ in range(2)]
        step = draw.choice((None, 1, 2, rarely(draw, -1, 2)))
        key.append(draw.choice((slice(*bounds, step), slice(None), draw.randint(-3, 3))))
    slices = [at for at, part in enumerate(key) if isinstance(part, slice)]
    if len(slices) == len(key) and draw.random() < 0.5:
        key[draw.choice(slices)] = T(shape(draw, draw.randint(1, 2), 3), "int64")
    for extra in (None, Ellipsis):
        if draw.random() < 0.25:
            key.insert(draw.randint(0, len(key)), extra)
    return Call(name, (x, key[0] if len(key) == 1 and draw.random() < 0.5 else tuple(key)))


# --- Fourier transforms


@calls("torch.fft.fft", "torch.fft.rfft", "torch.fft.irfft")
@calls("torch.fft.fft2", "torch.fft.rfft2", "torch.fft.irfft2", "torch.fft.fftn", "torch.fft.rfftn", "torch.fft.irfftn")
def _fourier(draw: random.Random, name: str) -> Call:
    x = T((draw.randint(2, 5), *shape(draw, 2, 4), draw.randint(2, 5)))
    count = 1 if name.endswith("fft") else 2
    options: dict[str, Any] = {}
    if draw.random() < 0.5:
        options["dim"] = draw.choice((0, -1)) if count == 1 else draw.choice(((0, 3), (-1, 0), (3, -4)))
    if draw.random() < 0.3:
        size = draw.randint(2, 6)
        options["n" if count == 1 else "s"] = size if count == 1 else (size, draw.randint(2, 6))
    return Call(name, (x,), options)


@calls("torch.view_as_real", "torch.view_as_complex", "torch.polar", "torch.complex")
def _complex(draw: random.Random, name: str) -> Call:
    sizes = shape(draw, draw.randint(1, 3), 4)
    if name == "torch.view_as_real":
        return Call(name, (T(sizes, "complex64"),))
    if name == "torch.view_as_complex":
        return Call(name, (T((*sizes, rarely(draw, 3, 2))),))
    return Call(name, (T(sizes), T(sizes)))


# --- sequences and makers


@calls("nn.Embedding", "nn.LSTM", "nn.GRU", "nn.MultiheadAttention")
def _sequence(draw: random.Random, name: str) -> Call:
    width = draw.randint(1, 3) * 2
    if name == "nn.Embedding":
        return Call(name, (T(shape(draw, draw.randint(1, 3), 3), "int64"),), {}, ((5, width), {}))
    x = T((*shape(draw, rarely(draw, draw.randint(0, 3), 2), 3), rarely(draw, width + 1, width)))
    if name == "nn.MultiheadAttention":
        return Call(name, (x, x, x), {}, ((width, 2), {"batch_first": draw.random() < 0.5}))
    flags = {"batch_first": draw.random() < 0.5, "bidirectional": draw.random() < 0.5}
    return Call(name, (x,), {}, ((width, 3, draw.randint(1, 2)), flags))


@calls("nn.LSTMCell", "nn.GRUCell", "nn.RNNCell")
def _cell(draw: random.Random, name: str) -> Call:
    width, batch = draw.randint(1, 4), shape(draw, rarely(draw, draw.choice((0, 2)), 1), 3)
    x = T((*batch, rarely(draw, width + 1, width)))
    state = T((*rarely(draw, (5,), batch), rarely(draw, 7, 3)))
    states: tuple[Any, ...] = draw.choice(((), ((state, state) if name == "nn.LSTMCell" else state,)))
    return Call(name, (x, *states), {}, ((width, 3), {}))


@calls("torch.zeros", "torch.randn", "torch.full", "torch.eye", "torch.arange", "torch.linspace", "torch.tensor")
@calls(".new_zeros", ".new_ones", "torch.zeros_like", "torch.randint")
def _make(draw: random.Random, name: str) -> Call:
    wanted = shape(draw, draw.randint(1, 4), 4)
    if name == "torch.zeros_like":
        return Call(name, (T(wanted),))
    if name == "torch.full":
        return Call(name, (wanted, 1.0))
    if name == "torch.randint":
        return Call(name, draw.choice(((5, wanted), (0, 5, wanted))))
    if name == "torch.eye":
        return Call(name, wanted[:2])
    if name == "torch.arange":
        return Call(name, draw.choice(((wanted[0],), (1, 9), (0, 10, wanted[0]), (0.0, 2.5))))
    if name == "torch.linspace":
        return Call(name, (0, 1, wanted[0]))
    if name == "torch.tensor":
        return Call(name, ([[1.0] * wanted[0]] * 2,))
    args: tuple[Any, ...] = draw.choice((wanted, (wanted,)))
    return Call(name, (T((2,)), *args) if name[0] == "." else args)
