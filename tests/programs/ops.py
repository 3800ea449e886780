"""What may happen to a feature map or a vector, one step at a time. Each step gives False where it
does not apply.
"""

from __future__ import annotations

import math

from tests.programs.body import Body
from tests.programs.layers import Window, activated, activation_layer, conv_call, sizes_text, window
from tests.programs.text import wrong_counts

WIDTHS = (4, 6, 8, 8, 12, 16, 16, 20, 24, 32)
MOST = 60_000  # values of a tensor


def divisors(number: int) -> list[int]:
    return [d for d in range(2, number + 1) if number % d == 0]


def indivisible(*numbers: int) -> list[int]:
    """Groups that do not divide all of the numbers."""
    return [d for d in range(2, max(numbers) + 2) if any(n % d for n in numbers)]


def batch(body: Body) -> str:
    """The batch size in a forward."""
    name = body.settle()
    return body.draft.random.choice([f"{name}.size(0)", f"{name}.shape[0]", f"len({name})"])


# --- layers of a map


def conv(body: Body, out: int | None = None, *, keep: bool = False) -> bool:
    draft, into = body.draft, body.channels
    out = out or draft.random.choice(WIDTHS)
    win, sizes = window(draft, body.rank, body.sizes)
    same = keep or draft.chance(0.1)
    if same:
        k = draft.random.choice([1, 3, 3, 5])
        ones = (1,) * body.rank
        win, sizes = Window((k,) * body.rank, ones, (k // 2,) * body.rank, ones), body.sizes
    groups = None
    if math.gcd(into, out) > 1 and draft.chance(0.15):
        number = draft.random.choice(divisors(math.gcd(into, out)))
        groups = draft.slot("groups", number, [*indivisible(into, out), 0])
    kind = "conv in", "conv out"
    shape = (body.shape[0], out, *sizes)
    if math.prod(shape) > MOST and not keep:
        return False
    mode = "padding_mode='reflect'" if draft.chance(0.04) and _reflects(win, body) else ""
    call = conv_call(
        draft,
        f"Conv{body.rank}d",
        body.width(kind[0], into),
        body.width(kind[1], out),
        win,
        groups=groups,
        bias=draft.chance(0.7),
        same=same and not mode and draft.chance(0.3),
        extra=mode,
    )
    body.layer("conv", call, shape)
    return True


def _reflects(win: Window, body: Body) -> bool:
    return all(p < size for p, size in zip(win.padding, body.sizes, strict=True))


def depthwise(body: Body) -> bool:
    draft, into = body.draft, body.channels
    times = draft.random.choice([1, 1, 1, 2])
    win, sizes = window(draft, body.rank, body.sizes)
    shape = (body.shape[0], into * times, *sizes)
    if math.prod(shape) > MOST:
        return False
    groups = body.draft.slot("groups", into, [*indivisible(into)[-3:], into + 1, 2 * into])
    first = body.width("conv in", into)
    out = body.width("conv out", into * times)
    call = conv_call(draft, f"Conv{body.rank}d", first, out, win, groups=groups, bias=False)
    body.layer("depthwise", call, shape)
    draft.styles.add("depthwise")
    if draft.chance(0.6):
        one = (1,) * body.rank
        width = draft.random.choice(WIDTHS)
        first, last = body.width("conv in", body.channels), body.width("conv out", width)
        point = Window(one, one, (0,) * body.rank, one)
        call = conv_call(draft, f"Conv{body.rank}d", first, last, point)
        body.layer("pointwise", call, (body.shape[0], width, *body.sizes))
    return True


def transposed(body: Body) -> bool:
    draft = body.draft
    kernel, stride, padding, extra = draft.random.choice(
        [(2, 2, 0, 0), (4, 2, 1, 0), (3, 2, 1, 1), (3, 1, 1, 0), (4, 1, 0, 0)]
    )
    ones = (1,) * body.rank
    win = Window((kernel,) * body.rank, (stride,) * body.rank, (padding,) * body.rank, ones)
    sizes = win.transposed(body.sizes, extra)
    out = draft.random.choice(WIDTHS)
    if math.prod((body.shape[0], out, *sizes)) > MOST:
        return False
    more = f"output_padding={draft.slot('padding', 1, [2, 5])}" if extra else ""
    call = conv_call(
        draft,
        f"ConvTranspose{body.rank}d",
        body.width("conv in", body.channels),
        body.width("conv out", out),
        win,
        bias=draft.chance(0.7),
        extra=more,
    )
    body.layer("up", call, (body.shape[0], out, *sizes))
    draft.styles.add("transposed")
    return True


def norm(body: Body) -> bool:
    draft, wide = body.draft, body.channels
    kind = draft.random.choice(["batch", "batch", "batch", "instance", "group", "layer", "local"])
    rank = body.rank or 1
    if kind == "batch" and body.values > 1:
        call = f"{draft.nn(f'BatchNorm{rank}d')}({body.width('norm', wide)})"
    elif kind == "instance" and body.is_map and math.prod(body.sizes) > 1:
        call = f"{draft.nn(f'InstanceNorm{rank}d')}({body.width('norm', wide)}, affine=True)"
    elif kind == "group" and math.prod(body.sizes) > 1:
        groups = draft.random.choice([1, *divisors(wide)])
        number = draft.slot("norm groups", groups, [*indivisible(wide)[:4], wide + 1])
        call = f"{draft.nn('GroupNorm')}({number}, {body.width('norm', wide)})"
    elif kind == "layer" and (draft.chance(0.4) or not body.is_map):
        rest = "".join(f", {size}" for size in body.sizes)
        call = f"{draft.nn('LayerNorm')}([{body.width('norm', wide)}{rest}])"
    elif kind == "local" and body.is_map and draft.chance(0.3):
        call = f"{draft.nn('LocalResponseNorm')}(3)"
    else:
        return False
    body.layer("norm", call, body.shape)
    return True


def activation(body: Body) -> bool:
    draft = body.draft
    if draft.chance(0.08):
        count = draft.slot("prelu", body.channels, wrong_counts(body.channels))
        body.layer("act", f"{draft.nn('PReLU')}({count})", body.shape)
    elif body.only_layers or draft.chance(0.5):
        body.layer("act", activation_layer(draft), body.shape)
    else:
        body.apply(activated(draft, "{}"), body.shape)
    return True


def dropout(body: Body) -> bool:
    draft = body.draft
    name = f"Dropout{body.rank}d" if body.is_map and draft.chance(0.5) else "Dropout"
    body.layer("drop", f"{draft.nn(name)}({draft.random.choice(['0.1', 'p=0.5', '0.25'])})", body.shape)
    return True


def pool(body: Body) -> bool:
    draft, rank = body.draft, body.rank
    kernel, stride, padding = draft.random.choice([(2, 2, 0), (2, 2, 0), (3, 2, 1), (3, 1, 1), (3, 3, 0)])
    win = Window((kernel,) * rank, (stride,) * rank, (padding,) * rank, (1,) * rank)
    sizes = win.over(body.sizes)
    if sizes is None or min(sizes) < 1:
        return False
    k = sizes_text(draft, "pool kernel", win.kernel, [kernel + 40, kernel + 1, 0])
    keywords = []
    if stride != kernel or draft.chance(0.3):
        keywords.append(f"stride={draft.slot('stride', stride, [stride + 1, 0 if draft.chance(0.2) else 4])}")
    if padding:
        keywords.append(f"padding={draft.slot('padding', padding, [kernel, kernel // 2 + 1, -1])}")
    shape = (*body.shape[:2], *sizes)
    kind = draft.random.choice(["max", "max", "avg"])
    if kind == "avg" and rank == 3 and min(body.sizes) < kernel:
        return False  # avg_pool3d does not count the padding
    if body.only_layers or draft.chance(0.6):
        call = f"{draft.nn(f'{kind.title()}Pool{rank}d')}({', '.join([k, *keywords])})"
        body.layer("pool", call, shape)
    else:
        name = draft.functional(f"{kind}_pool{rank}d")
        body.apply(f"{name}({', '.join(['{}', k, *keywords])})", shape)
    return True


def adaptive_pool(body: Body) -> bool:
    draft, rank = body.draft, body.rank
    size = draft.random.choice([1, 2, 3, 4])
    kind = draft.random.choice(["Avg", "Avg", "Max"])
    text = sizes_text(draft, "adaptive size", (size,) * rank, [size + 1, size + 2])
    shape = (*body.shape[:2], *(size,) * rank)
    if body.only_layers or draft.chance(0.6):
        body.layer("pool", f"{draft.nn(f'Adaptive{kind}Pool{rank}d')}({text})", shape)
    else:
        name = draft.functional(f"adaptive_{kind.lower()}_pool{rank}d")
        body.apply(f"{name}({{}}, {text})", shape)
    return True


def upsample(body: Body) -> bool:
    draft = body.draft
    times = draft.random.choice([2, 2, 3])
    sizes = tuple(times * size for size in body.sizes)
    shape = (*body.shape[:2], *sizes)
    if math.prod(shape) > MOST:
        return False
    mode = draft.random.choice(["", ', mode="nearest"', ', mode="bilinear"' if body.rank == 2 else ""])
    factor = draft.slot("scale", times, [times + 1])
    if body.only_layers or draft.chance(0.5):
        body.layer("upsample", f"{draft.nn('Upsample')}(scale_factor={factor}{mode})", shape)
    elif draft.chance(0.6):
        body.apply(f"{draft.functional('interpolate')}({{}}, scale_factor={factor}{mode})", shape)
    else:
        target = ", ".join(draft.slot("size", size, [size + 1]) for size in sizes)
        comma = "," if body.rank == 1 else ""
        body.apply(f"{draft.functional('interpolate')}({{}}, size=({target}{comma}){mode})", shape)
    return True


def pad(body: Body) -> bool:
    draft, rank = body.draft, body.rank
    amount = draft.random.choice([1, 1, 2])
    sizes = tuple(size + 2 * amount for size in body.sizes)
    shape = (*body.shape[:2], *sizes)
    wrong = [amount + 1, amount + 2]
    if rank == 2 and (body.only_layers or draft.chance(0.5)):
        name = draft.random.choice(["ZeroPad2d", "ReflectionPad2d", "ReplicationPad2d"])
        if name == "ReflectionPad2d" and min(body.sizes) <= amount:
            return False
        wrong += [max(body.sizes) + 1] if name == "ReflectionPad2d" else []
        body.layer("pad", f"{draft.nn(name)}({draft.slot('pad', amount, wrong)})", shape)
    elif not body.only_layers:
        sides = [draft.slot("pad", amount, wrong), *[str(amount)] * (2 * rank - 1)]
        body.apply(f"{draft.functional('pad')}({{}}, ({', '.join(sides)}))", shape)
    else:
        return False
    return True


def shuffle_pixels(body: Body) -> bool:
    draft = body.draft
    factor = draft.random.choice([2, 2, 3])
    if body.rank != 2:
        return False
    n, c, h, w = body.shape
    if c % factor**2 == 0:
        shape = (n, c // factor**2, h * factor, w * factor)
        name, arg = "PixelShuffle", draft.slot("shuffle", factor, [factor + 1, factor + 3, 0])
    elif h % factor == 0 and w % factor == 0 and c * factor**2 <= 96:
        shape = (n, c * factor**2, h // factor, w // factor)
        name, arg = "PixelUnshuffle", draft.slot("shuffle", factor, [factor + 1, factor + 3])
    else:
        return False
    if body.only_layers or draft.chance(0.6):
        body.layer("shuffle", f"{draft.nn(name)}({arg})", shape)
    else:
        function = "pixel_shuffle" if name == "PixelShuffle" else "pixel_unshuffle"
        body.apply(f"{draft.functional(function)}({{}}, {arg})", shape)
    return True


def glu(body: Body) -> bool:
    if body.channels % 2 or body.channels < 4:
        return False
    shape = (body.shape[0], body.channels // 2, *body.sizes)
    if body.only_layers or body.draft.chance(0.5):
        body.layer("glu", f"{body.draft.nn('GLU')}(dim=1)", shape)
    else:
        body.apply(f"{body.draft.functional('glu')}({{}}, dim=1)", shape)
    return True


# --- steps of a vector


def linear(body: Body, out: int | None = None) -> bool:
    draft = body.draft
    out = out or draft.random.choice(WIDTHS)
    into = body.width("linear in", body.channels)
    call = f"{draft.nn('Linear')}({into}, {body.width('linear out', out)}{draft.random.choice(['', ', bias=False'])})"
    body.layer("fc", call, (body.shape[0], out))
    return True


def unflatten(body: Body) -> bool:
    """A vector becomes a map, as in a decoder."""
    draft = body.draft
    n, features = body.shape
    side = draft.random.choice([2, 3, 4])
    if not body.only_layers and draft.chance(0.5) and features % side**2 == 0:
        channels = features // side**2
    else:
        channels = draft.random.choice([4, 8])
        linear(body, channels * side**2)
    shape = (n, channels, side, side)
    parts = [draft.count("view", channels), str(side), str(side)]
    if body.only_layers or draft.chance(0.3):
        body.layer("unflatten", f"{draft.nn('Unflatten')}(1, ({', '.join(parts)}))", shape)
    else:
        first = draft.random.choice([batch(body), "-1"])
        body.apply(f"{{}}.{body.view()}({', '.join([first, *parts])})", shape)
    return True


def flatten(body: Body) -> bool:
    """A map becomes a vector."""
    draft = body.draft
    if body.channels * math.prod(body.sizes) > 2500:
        return False
    features = body.channels * math.prod(body.sizes)
    shape = (body.shape[0], features)
    how = 5 if body.only_layers else draft.random.randrange(6)
    if how == 0:
        body.apply("torch.flatten({}, 1)", shape)
    elif how == 1:
        body.apply("{}.flatten(1)", shape)
    elif how in {2, 3}:
        first = batch(body)
        body.apply(f"{{}}.{body.view()}({first}, -1)", shape)
    elif how == 4:
        wrong = [features * 2, features + 1, features - 1, features // 2]
        body.apply(f"{{}}.{body.view()}(-1, {draft.slot('view', _product(body), wrong)})", shape)
    else:
        body.layer("flatten", f"{draft.nn('Flatten')}()", shape)
    return True


def _product(body: Body) -> str:
    """The features of a flattened map, as a number or as people write them."""
    sizes = [body.channels, *body.sizes]
    if body.draft.chance(0.5):
        return str(math.prod(sizes))
    return " * ".join(map(str, sizes))


def flat_linear(body: Body) -> bool:
    """Flatten and a linear layer of which the features are written as a product."""
    draft, sizes = body.draft, [body.channels, *body.sizes]
    features = math.prod(sizes)
    if not flatten(body):
        return False
    written = " * ".join(map(str, sizes)) if draft.chance(0.5) else str(features)
    wrong = [features * 2, features + 1, features // 2, sizes[0], features + sizes[0]]
    into = draft.slot("linear in", written, wrong)
    out = draft.random.choice(WIDTHS)
    call = f"{draft.nn('Linear')}({into}, {body.width('linear out', out)})"
    body.layer("fc", call, (body.shape[0], out))
    return True


def pooled(body: Body) -> bool:
    """Global pooling: a map becomes a vector of its channels."""
    draft = body.draft
    shape = (body.shape[0], body.channels)
    if body.only_layers or draft.chance(0.5):
        ones = (*shape, *(1,) * body.rank)
        body.layer("pool", f"{draft.nn(f'AdaptiveAvgPool{body.rank}d')}(1)", ones)
        return flatten(body)
    dims = ", ".join(str(2 + axis) for axis in range(body.rank))
    how = draft.random.choice(["mean", "amax", "sum"])
    text = draft.random.choice([f"{{}}.{how}(dim=({dims},))", f"{{}}.{how}(({dims},))"])
    body.apply(text, shape)
    return True
