"""Steps of a feature map that take more than one layer: residuals, branches, loops, reshapes."""

from __future__ import annotations

import math

from tests.programs import ops
from tests.programs.body import Body
from tests.programs.text import wrong_counts

_MOST_DEPTH = 2


def _few(body: Body, steps: int) -> None:
    """Some steps that keep the sizes of a map."""
    for _ in range(steps):
        body.draft.random.choice([_kept_conv, _kept_conv, ops.norm, ops.activation])(body)


def _kept_conv(body: Body) -> bool:
    return ops.conv(body, keep=True)


def residual(body: Body) -> bool:
    draft = body.draft
    if body.depth >= _MOST_DEPTH:
        return False
    start, shape = body.settle(), body.shape
    with body.branch("out", start, shape):
        _few(body, draft.random.choice([0, 1, 2, 3]))
        if body.channels != shape[1] or draft.chance(0.3):
            ops.conv(body, shape[1], keep=True)
        inner = body.settle()
    draft.styles.add("residual")
    if draft.chance(0.25):
        body.state(f"{inner} += {start}")
        body.apply(inner, shape)
    else:
        pair = [start, inner]
        draft.random.shuffle(pair)
        body.apply(draft.random.choice(["{0} + {1}", "torch.add({0}, {1})", "({0} + {1}) / 2"]).format(*pair), shape)
    body.settle()
    return True


def projected(body: Body) -> bool:
    """A residual whose shortcut is a convolution."""
    draft = body.draft
    if body.depth >= _MOST_DEPTH:
        return False
    wide = draft.random.choice(ops.WIDTHS)
    start = body.settle()
    ends = []
    for stem in ("short", "long"):
        with body.branch(stem, start, body.shape):
            if stem == "long":
                _few(body, 2)
            ops.conv(body, wide, keep=True)
            ends.append(body.settle())
            shape = body.shape
    body.apply(f"{ends[0]} + {ends[1]}", shape)
    body.settle()
    draft.styles.add("projection")
    return True


def branches(body: Body) -> bool:
    """Branches next to each other, and their concatenation."""
    draft = body.draft
    if body.depth >= _MOST_DEPTH or math.prod(body.shape) > 8_000:
        return False
    start = body.settle()
    ends: list[str] = []
    wide = 0
    for _ in range(draft.random.choice([2, 2, 3, 4])):
        with body.branch("branch", start, body.shape):
            _few(body, draft.random.choice([0, 1, 2]))
            ops.conv(body, draft.random.choice(ops.WIDTHS[:5]), keep=True)
            ends.append(body.settle())
            wide += body.channels
    if draft.chance(0.3):
        ends.append(start)
        wide += body.channels
    listed = ", ".join(ends)
    axis = draft.slot("cat dim", draft.random.choice([1, -1 - body.rank]), [2] if body.rank else [])
    text = draft.random.choice([f"torch.cat([{listed}], dim={axis})", f"torch.cat(({listed}), {axis})"])
    body.apply(text, (body.shape[0], wide, *body.sizes))
    body.settle()
    draft.styles.add("concat")
    return True


def halves(body: Body) -> bool:
    draft, wide = body.draft, body.channels
    if wide % 2 or wide < 4 or body.depth >= _MOST_DEPTH:
        return False
    name = body.settle()
    body.strided = True
    one, two = draft.fresh("a"), draft.fresh("b")
    half = wide // 2
    how = draft.random.randrange(3)
    if how == 0:
        parts = draft.slot("chunk", 2, [3, 4] if wide >= 4 else [])
        body.state(f"{one}, {two} = {name}.chunk({parts}, dim=1)")
    elif how == 1:
        number = draft.slot("split", half, [half + 1, half - 1, half * 2])
        body.state(f"{one}, {two} = torch.split({name}, {number}, dim=1)")
    else:
        number = draft.slot("split", half, [half + 1, half - 1])
        body.state(f"{one}, {two} = {name}.split([{number}, {half}], 1)")
    shape = (body.shape[0], half, *body.sizes)
    with body.branch("part", one, shape):
        _kept_conv(body)  # first, for a half may not be changed in place
        _few(body, draft.random.choice([0, 1, 2]))
        end, made = body.settle(), body.shape
    if made == shape and draft.chance(0.4):
        body.apply(f"{end} * {two}" if draft.chance(0.5) else f"{end} + {two}", shape)
    else:
        total = (shape[0], made[1] + half, *body.sizes)
        body.apply(f"torch.cat([{end}, {two}], dim=1)", total)
    body.settle()
    draft.styles.add("halves")
    return True


def gate(body: Body) -> bool:
    """Squeeze and excite."""
    draft, wide = body.draft, body.channels
    if wide < 4 or not body.is_map:
        return False
    start = body.settle()
    narrow = max(1, wide // 4)
    ones = (*body.shape[:2], *(1,) * body.rank)
    if body.rank == 2 and draft.chance(0.5):
        pooled = f"{start}.mean((2, 3), keepdim=True)"
    else:
        pooled = f"{draft.functional(f'adaptive_avg_pool{body.rank}d')}({start}, 1)"
    with body.branch("s", pooled, ones):
        ops.conv(body, narrow, keep=True)
        ops.activation(body)
        ops.conv(body, wide, keep=True)
        scale = body.settle()
    text = draft.random.choice([f"{start} * {scale}.sigmoid()", f"{start} * torch.sigmoid({scale})"])
    body.apply(text, body.shape)
    draft.styles.add("gate")
    return True


def channels_last(body: Body) -> bool:
    draft, wide = body.draft, body.channels
    if body.rank != 2:
        return False
    n, _, h, w = body.shape
    out = wide
    lines = [f"{draft.nn('LayerNorm')}({body.width('norm', wide)})"]
    if draft.chance(0.6):
        out = draft.random.choice(ops.WIDTHS)
        into, to = body.width("linear in", wide), body.width("linear out", out)
        lines.append(f"{draft.nn('Linear')}({into}, {to})")
    start = body.settle()
    body.strided = True
    body.state(f"{start} = {start}.permute(0, 2, 3, 1)")
    for call in lines:
        name = draft.fresh("last")
        body.init.append(f"{body.prefix}{name} = {call}")
        body.state(f"{start} = {body.prefix}{name}({start})")
    body.apply("{}.permute(0, 3, 1, 2)", (n, out, h, w))
    draft.styles.add("permute")
    return True


def channel_shuffle(body: Body) -> bool:
    draft = body.draft
    if body.rank != 2 or len(ops.divisors(body.channels)) < 2:
        return False
    groups = draft.random.choice(ops.divisors(body.channels)[:-1])
    start = body.settle()
    each = body.channels // groups
    number = draft.slot("view", each, [each + 1, 2 * each])
    body.state(f"b, c, h, w = {start}.{draft.random.choice(['shape', 'size()'])}")
    body.state(f"{start} = {start}.{body.view()}(b, {groups}, {number}, h, w)")
    body.strided = True
    swap = draft.random.choice([f"{start}.transpose(1, 2)", f"torch.transpose({start}, 1, 2)"])
    body.apply(f"{swap}.reshape(b, c, h, w)", body.shape)
    draft.styles.add("channel shuffle")
    return True


def tokens(body: Body) -> bool:
    draft = body.draft
    if body.rank != 2 or math.prod(body.sizes) > 300:
        return False
    n, wide, h, w = body.shape
    start = body.settle()
    out = draft.random.choice(ops.WIDTHS)
    body.strided = True
    body.state(f"{start} = {start}.flatten(2).transpose(1, 2)")
    name = draft.fresh("mix")
    into, to = body.width("linear in", wide), body.width("linear out", out)
    body.init.append(f"{body.prefix}{name} = {draft.nn('Linear')}({into}, {to})")
    body.state(f"{start} = {body.prefix}{name}({start})")
    draft.styles.add("tokens")
    if draft.chance(0.5):
        body.apply(f"{{}}.mean({draft.random.choice(['1', 'dim=1'])})", (n, out))
        return True
    number = draft.slot("view", out, wrong_counts(out)[:3])
    first = ops.batch(body)
    body.apply(f"{{}}.transpose(1, 2).reshape({first}, {number}, {h}, {w})", (n, out, h, w))
    return True


def sliced(body: Body) -> bool:
    draft, wide = body.draft, body.channels
    if wide < 4:
        return False
    half = wide // 2
    body.strided = True
    if draft.chance(0.5):
        stop = draft.slot("slice", half, [half + 1, half - 1])
        body.settle()
        body.apply(f"{{}}[:, :{stop}]", (body.shape[0], half, *body.sizes))
    else:
        body.settle()
        colons = ", ".join([":", ":", *["::2"] * body.rank])
        body.apply(f"{{}}[{colons}]", (*body.shape[:2], *((size + 1) // 2 for size in body.sizes)))
    draft.styles.add("slice")
    return True


def doubled(body: Body) -> bool:
    if body.channels > 32 or math.prod(body.shape) > 20_000:
        return False
    body.settle()
    shape = (body.shape[0], 2 * body.channels, *body.sizes)
    ones = ", ".join(["1"] * body.rank)
    start = body.settle()
    choices = [f"torch.cat([{start}, {start}], 1)", f"torch.cat([{start}, -{start}], dim=1)"]
    if ones:
        choices.append(f"{start}.repeat(1, 2, {ones})")
    body.apply(body.draft.random.choice(choices), shape)
    return True


def scaled(body: Body) -> bool:
    """A trained factor for each channel."""
    ones = "".join(", 1" for _ in body.sizes)
    number = body.width("parameter", body.channels)
    name = body.parameter("gamma", f"1, {number}{ones}")
    start = body.settle()
    body.apply(f"{start} * {name}", body.shape)
    body.draft.styles.add("parameter")
    return True


def centred(body: Body) -> bool:
    start = body.settle()
    body.apply(f"{start} - {start}.mean(dim=1, keepdim=True)", body.shape)
    return True


def functional_conv(body: Body) -> bool:
    """A convolution whose weight the module keeps itself."""
    draft, rank = body.draft, body.rank
    out, k = draft.random.choice(ops.WIDTHS[:6]), draft.random.choice([1, 3])
    into = body.width("weight in", body.channels)
    to = draft.count("weight out", out)
    name = body.parameter("weight", ", ".join([to, into, *[str(k)] * rank]))
    bias = ""
    if draft.chance(0.4):
        bias = f", {body.parameter('bias', draft.count('weight bias', out))}"
    padding = f", padding={draft.slot('padding', k // 2, [k + 1, -1])}" if k > 1 else ""
    call = f"{draft.functional(f'conv{rank}d')}({{}}, {name}{bias}{padding})"
    body.apply(call, (body.shape[0], out, *body.sizes))
    draft.styles.add("functional conv")
    return True


def skip(body: Body) -> bool:
    """Down and up again, and the concatenation of what was there before, as in a U-Net."""
    draft = body.draft
    if body.rank != 2 or body.depth or min(body.sizes) < 4 or any(s % 2 for s in body.sizes):
        return False
    start = body.settle()
    n, wide, h, w = body.shape
    out = draft.random.choice(ops.WIDTHS[:5])
    with body.branch("deep", f"{draft.functional('max_pool2d')}({start}, 2)", (n, wide, h // 2, w // 2)):
        _few(body, draft.random.choice([1, 2]))
        into = body.width("conv in", body.channels)
        to = body.width("conv out", out)
        up = f"{draft.nn('ConvTranspose2d')}({into}, {to}, 2, stride=2)"
        body.layer("up", up, (n, out, h, w))
        deep = body.settle()
    pair = [start, deep]
    draft.random.shuffle(pair)
    body.apply(f"torch.cat([{', '.join(pair)}], dim=1)", (n, wide + out, h, w))
    draft.styles.add("u-net")
    return True
