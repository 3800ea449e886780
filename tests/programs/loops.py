"""Steps of a feature map that are written as loops: over a list of widths, over a list of modules."""

from __future__ import annotations

import math

from tests.programs import ops
from tests.programs.body import Body
from tests.programs.layers import activation_layer


def _fits(body: Body, wide: int) -> bool:
    return math.prod((body.shape[0], wide, *body.sizes)) <= ops.MOST


def config_list(body: Body) -> bool:
    """``for v in [16, "M", 32]``, as in VGG."""
    draft = body.draft
    if body.rank != 2 or not _fits(body, 32):
        return False
    items: list[str] = []
    sizes, last = body.sizes, body.channels
    for _ in range(draft.random.choice([2, 3, 4, 5])):
        if draft.chance(0.3) and min(sizes) >= 2:
            items.append('"M"')
            sizes = (sizes[0] // 2, sizes[1] // 2)
        else:
            last = draft.random.choice(ops.WIDTHS)
            items.append(str(last))
    target = f"{body.prefix}{draft.fresh('features')}"
    normed = draft.chance(0.4)
    config = f"[{', '.join(items)}]"
    named = draft.chance(0.4)
    if named:
        name = draft.fresh("CFG")
        draft.classes.append(f"{name} = {config}")
        config = name
    norm = draft.slot("loop norm", "v", ["last", "v + 1", "2 * v"])
    into = draft.slot("loop in", "last", ["v * 2", "v + 1", "64"])
    lines = [
        "layers = []",
        f"last = {body.width('conv in', body.channels)}",
        f"for v in {config}:",
        '    if v == "M":',
        f"        layers += [{draft.nn('MaxPool2d')}(kernel_size=2, stride=2)]",
        "    else:",
        f"        conv = {draft.nn('Conv2d')}({into}, v, kernel_size=3, padding=1)",
    ]
    if normed:
        lines.append(f"        layers += [conv, {draft.nn('BatchNorm2d')}({norm}), {draft.nn('ReLU')}()]")
    else:
        lines.append(f"        layers += [conv, {activation_layer(draft)}]")
    lines += ["        last = v", f"{target} = {draft.nn('Sequential')}(*layers)"]
    shape = (body.shape[0], last, *sizes)
    if math.prod(shape) <= (1 if normed else 0) or (normed and body.shape[0] * math.prod(sizes) < 2):
        return False
    body.settle()
    body.init += lines
    body.apply(f"{target}({{}})", shape)
    draft.styles.add("cfg loop")
    return True


def pairs(body: Body) -> bool:
    """``for a, b in zip(widths, widths[1:])``."""
    draft, rank = body.draft, body.rank
    widths = [body.channels, *(draft.random.choice(ops.WIDTHS) for _ in range(draft.random.choice([2, 3])))]
    if not _fits(body, max(widths)):
        return False
    target = f"{body.prefix}{draft.fresh('stages')}"
    first = body.width("conv in", widths[0])
    rest = ", ".join(map(str, widths[1:]))
    into = draft.slot("loop in", "a", ["b", "a * 2", "2 * b"])
    norm = draft.slot("loop norm", "b", ["a", "b * 2", "b + 1"])
    parts = [f"{draft.nn(f'Conv{rank}d')}({into}, b, 3, padding=1)"]
    if draft.chance(0.5) and body.values > 1:
        parts.append(f"{draft.nn(f'BatchNorm{rank}d')}({norm})")
    parts.append(activation_layer(draft))
    zipped = draft.random.choice(["zip(widths, widths[1:])", "zip(widths[:-1], widths[1:])"])
    listing = draft.chance(0.5)
    body.settle()
    body.init.append(f"widths = [{first}, {rest}]")
    if listing:
        unit = f"{draft.nn('Sequential')}({', '.join(parts)})"
        body.init.append(f"{target} = {draft.nn('ModuleList')}([{unit} for a, b in {zipped}])")
        name = body.expr
        body.state(f"for stage in {target}:")
        body.state(f"    {name} = stage({name})")
        body.shape = (body.shape[0], widths[-1], *body.sizes)
    else:
        body.init += ["layers = []", f"for a, b in {zipped}:"]
        body.init += [f"    layers.append({part})" for part in parts]
        body.init.append(f"{target} = {draft.nn('Sequential')}(*layers)")
        body.apply(f"{target}({{}})", (body.shape[0], widths[-1], *body.sizes))
    draft.styles.add("zip loop")
    return True


def module_list(body: Body) -> bool:
    """The same layer several times, with or without a residual."""
    draft, rank, wide = body.draft, body.rank, body.channels
    target = f"{body.prefix}{draft.fresh('blocks')}"
    start = body.settle()
    into, out = body.width("conv in", wide), body.width("conv out", wide)
    times = draft.random.choice([2, 3])
    padding = draft.slot("padding", 1, [-1, 0, 2])
    call = f"{draft.nn(f'Conv{rank}d')}({into}, {out}, 3, padding={padding})"
    how = draft.random.randrange(3)
    if how == 0:
        body.init.append(f"{target} = {draft.nn('ModuleList')}([{call} for _ in range({times})])")
    elif how == 1:
        body.init.append(f"{target} = {draft.nn('ModuleList')}()")
        body.init.append(f"for i in range({times}):")
        body.init.append(f"    {target}.append({call})")
    else:
        body.init.append(f"{target} = {draft.nn('Sequential')}(*[{call} for _ in range({times})])")
    if how == 2 and draft.chance(0.5):
        body.apply(f"{target}({{}})", body.shape)
    else:
        name, update = draft.random.choice(["layer", "conv"]), f"{start} + {{}}"
        update = update if draft.chance(0.4) else draft.random.choice(["{}", "torch.relu({})"])
        head = f"for {name} in {target}:"
        if draft.chance(0.2):
            head = f"for i, {name} in enumerate({target}):"
        body.state(head)
        body.state(f"    {start} = {update.format(f'{name}({start})')}")
    draft.styles.add("module list")
    return True


def dense(body: Body) -> bool:
    """Every layer reads all that came before, as in DenseNet."""
    draft, rank, wide = body.draft, body.rank, body.channels
    growth, times = draft.random.choice([4, 6, 8]), draft.random.choice([2, 3])
    if not _fits(body, wide + growth * times):
        return False
    target = f"{body.prefix}{draft.fresh('dense')}"
    start = body.settle()
    first = body.width("conv in", wide)
    step = draft.slot("loop in", f"i * {growth}", [f"i * {growth + 2}", f"(i + 1) * {growth}"])
    made = draft.slot("conv out", growth, [growth + 1, growth * 2])
    call = f"{draft.nn(f'Conv{rank}d')}({first} + {step}, {made}, 3, padding=1)"
    body.init.append(f"{target} = {draft.nn('ModuleList')}([{call} for i in range({times})])")
    shape = (body.shape[0], wide + growth * times, *body.sizes)
    if draft.chance(0.5):
        body.state(f"for layer in {target}:")
        body.state(f"    {start} = torch.cat([{start}, layer({start})], dim=1)")
        body.shape = shape
    else:
        body.state(f"features = [{start}]")
        body.state(f"for layer in {target}:")
        body.state("    features.append(layer(torch.cat(features, 1)))")
        body.state(f"{start} = torch.cat(features, 1)")
        body.shape = shape
    draft.styles.add("dense")
    return True


def make_layer(body: Body) -> bool:
    """A method that builds a stage."""
    draft, rank = body.draft, body.rank
    if body.prefix != "self." or (body.methods and body.methods_rank != rank):
        return False
    if not body.methods:
        first = draft.slot("helper in", "inp", ["out", "out * 2"])
        again = draft.slot("helper in", "out", ["inp", "out + 1", "out * 2"])
        norm = draft.slot("helper norm", "out", ["inp", "out * 2"])
        conv = draft.nn(f"Conv{rank}d")
        kept = [f"{conv}({first}, out, 3, stride=stride, padding=1)"]
        if draft.chance(0.6):
            kept.append(f"{draft.nn(f'BatchNorm{rank}d')}({norm})")
        kept.append(activation_layer(draft))
        body.methods += [
            "def _make_layer(self, inp, out, blocks, stride=1):",
            f"    layers = [{', '.join(kept)}]",
            "    for _ in range(1, blocks):",
            f"        layers.append({conv}({again}, out, 3, padding=1))",
            f"    return {draft.nn('Sequential')}(*layers)",
            "",
        ]
        body.methods_rank = rank
        draft.styles.add("make layer")
    out, stride = draft.random.choice(ops.WIDTHS), draft.random.choice([1, 1, 2])
    sizes = tuple((size - 1) // stride + 1 for size in body.sizes)
    if not _fits(body, out) or body.shape[0] * math.prod(sizes) < 2:
        return False
    target = f"{body.prefix}{draft.fresh('layer')}"
    into, to = body.width("argument", body.channels), body.width("argument", out)
    more = f", stride={stride}" if stride > 1 else ""
    body.settle()
    body.init.append(f"{target} = self._make_layer({into}, {to}, {draft.random.choice([1, 2, 3])}{more})")
    body.apply(f"{target}({{}})", (body.shape[0], out, *sizes))
    return True


def helper_conv(body: Body) -> bool:
    """A function of the file that builds a convolution."""
    draft = body.draft
    if body.rank != 2:
        return False
    name = "conv3x3"
    if not any(text.startswith(f"def {name}(") for text in draft.classes):
        into = draft.slot("helper in", "in_planes", ["out_planes", "in_planes * 2"])
        draft.classes.append(
            f"def {name}(in_planes, out_planes, stride=1, groups=1):\n"
            f"    return {draft.nn('Conv2d')}(\n"
            f"        {into}, out_planes, kernel_size=3, stride=stride, padding=1, groups=groups, bias=False\n"
            f"    )"
        )
        draft.styles.add("helper")
    out, stride = draft.random.choice(ops.WIDTHS), draft.random.choice([1, 1, 2])
    if not _fits(body, out):
        return False
    into = body.width("argument", body.channels)
    arguments = [into, body.width("argument", out)]
    if stride > 1:
        arguments.append(draft.random.choice(["2", "stride=2"]))
    shared = math.gcd(body.channels, out)
    if shared > 1 and draft.chance(0.2):
        groups = draft.random.choice(ops.divisors(shared))
        arguments.append(f"groups={draft.slot('groups', groups, ops.indivisible(body.channels, out)[:5])}")
    sizes = tuple((size - 1) // stride + 1 for size in body.sizes)
    body.layer("conv", f"{name}({', '.join(arguments)})", (body.shape[0], out, *sizes))
    return True


def partial_conv(body: Body) -> bool:
    """A ``partial`` of the file."""
    draft, rank = body.draft, body.rank
    name = f"conv1x1_{rank}d"
    if not any(text.startswith(f"{name} = ") for text in draft.classes):
        kernel = draft.slot("kernel", 1, [2, 60])
        draft.classes.append(f"{name} = partial({draft.nn(f'Conv{rank}d')}, kernel_size={kernel}, bias=False)")
        draft.styles.add("partial")
    out = draft.random.choice(ops.WIDTHS)
    if not _fits(body, out):
        return False
    into = body.width("argument", body.channels)
    call = f"{name}({into}, {body.width('argument', out)})"
    body.layer("conv", call, (body.shape[0], out, *body.sizes))
    return True


def wrapper(body: Body) -> bool:
    """A class that hands its keyword arguments on."""
    draft, rank = body.draft, body.rank
    name = f"BasicConv{rank}d"
    normed = not body.only_layers
    if not any(text.startswith(f"class {name}(") for text in draft.classes):
        into = draft.slot("block in", "in_channels", ["out_channels", "in_channels * 2"])
        wide = draft.slot("block norm", "out_channels", ["in_channels", "out_channels * 2"])
        draft.classes.append(
            f"class {name}({draft.nn('Module')}):\n"
            "    def __init__(self, in_channels, out_channels, **kwargs):\n"
            "        super().__init__()\n"
            f"        self.conv = {draft.nn(f'Conv{rank}d')}({into}, out_channels, bias=False, **kwargs)\n"
            f"        self.bn = {draft.nn(f'BatchNorm{rank}d')}({wide}, eps=0.001)\n"
            "\n"
            "    def forward(self, x):\n"
            f"        return {draft.functional('relu')}(self.bn(self.conv(x)), inplace=True)"
        )
        draft.styles.add("kwargs")
    out, kernel = draft.random.choice(ops.WIDTHS), draft.random.choice([1, 3])
    if not _fits(body, out) or body.values < 2 or not normed:
        return False
    numbers = [body.width("argument", body.channels), body.width("argument", out)]
    big = draft.slot("kernel", kernel, [kernel + 50, kernel + 1])
    numbers.append(f"kernel_size={big}")
    if kernel > 1:
        numbers.append(f"padding={draft.slot('padding', kernel // 2, [-1, 3])}")
    body.layer("conv", f"{name}({', '.join(numbers)})", (body.shape[0], out, *body.sizes))
    return True


def module_dict(body: Body) -> bool:
    """Layers by name."""
    draft, rank = body.draft, body.rank
    target = f"{body.prefix}{draft.fresh('parts')}"
    start = body.settle()
    one, two = draft.random.choice(ops.WIDTHS), draft.random.choice(ops.WIDTHS)
    if not _fits(body, max(one, two)):
        return False
    conv = draft.nn(f"Conv{rank}d")
    first = f"{conv}({body.width('conv in', body.channels)}, {body.width('conv out', one)}, 1)"
    second = f"{conv}({body.width('conv in', one)}, {body.width('conv out', two)}, 3, padding=1)"
    body.init += [
        f"{target} = {draft.nn('ModuleDict')}(",
        "    {",
        f'        "reduce": {first},',
        f'        "expand": {second},',
        "    }",
        ")",
    ]
    if draft.chance(0.5):
        body.state(f'{start} = {target}["reduce"]({start})')
        body.state(f'{start} = {target}["expand"]({start})')
    else:
        body.state(f"for part in {target}.values():")
        body.state(f"    {start} = part({start})")
    body.shape = (body.shape[0], two, *body.sizes)
    draft.styles.add("module dict")
    return True
