"""Classes with parameters that a program uses several times: a few convolutions from one width to
another, with norms, activations and residuals as people write them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from tests.programs import ops
from tests.programs.body import Body
from tests.programs.layers import activated, activation_layer
from tests.programs.text import Draft

_PARAMETERS = (
    ("in_channels", "out_channels"),
    ("in_planes", "planes"),
    ("inp", "oup"),
    ("c1", "c2"),
    ("dim_in", "dim_out"),
    ("nin", "nout"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """What a user of the class must know."""

    name: str
    rank: int
    into: str
    out: str
    keyword_only: bool
    strided: bool
    keeps_width: bool  # the class works for equal widths only
    has_norm: bool

    def call(self, body: Body, into: str, out: str, stride: int) -> str:
        by_name = self.keyword_only or body.draft.chance(0.2)
        arguments = [f"{self.into}={into}", f"{self.out}={out}"] if by_name else [into, out]
        if stride > 1:
            arguments.append("stride=2" if by_name else body.draft.random.choice(["2", "stride=2"]))
        return f"{self.name}({', '.join(arguments)})"


class _Writer:
    """One class while it is written. Widths are texts; all are multiples of 4 if the class's
    parameters are multiples of 8, and nothing else is asked of those.
    """

    def __init__(self, draft: Draft, rank: int) -> None:
        self.draft, self.rank = draft, rank
        self.into, self.out = draft.random.choice(_PARAMETERS)
        self.has_norm = False
        self.norm_layer = draft.chance(0.2)
        self.setup: list[str] = []
        self.strided = draft.chance(0.4)
        self.free_stride = self.strided

    def wrong(self, width: str) -> list[str]:
        others = [self.into, self.out, f"{self.out} * 2", f"{self.out} + 1", f"{self.into} // 2"]
        self.draft.random.shuffle(others)
        return [other for other in others if other != width]

    def width(self, kind: str, text: str) -> str:
        return self.draft.slot(f"block {kind}", text, self.wrong(text))

    def middle(self) -> str:
        """A width between the two, written somehow."""
        draft = self.draft
        how = draft.random.randrange(5)
        if how == 0:
            return self.out
        if how == 1:
            return self.into
        if how == 2:
            return f"{self.out} // 2"
        if not any("hidden" in line for line in self.setup):
            value = draft.random.choice(
                [f"{self.into} * 2", f"{self.out} // 2", f"int({self.out} * 0.5)", f"{self.out} * 2"]
            )
            self.setup.append(f"hidden = {value}")
            draft.styles.add("expand ratio")
        return "hidden"

    def unit(self, a: str, b: str) -> list[str]:
        """The layers of one convolution with what belongs to it."""
        draft, rank = self.draft, self.rank
        kernel = draft.random.choice([1, 3, 3, 5])
        stride, self.free_stride = ("stride" if self.free_stride else "1"), False
        padding = draft.slot("block padding", kernel // 2, [kernel + 1, -1, kernel // 2 + 1])
        rest = f", {kernel}, {stride}, {padding}"
        if draft.chance(0.4):
            rest = f", kernel_size={kernel}, padding={padding}"
            rest += ", stride=stride" if stride == "stride" else ""
        conv = draft.nn(f"Conv{rank}d")
        layers = []
        if draft.chance(0.2):
            groups = self.width("groups", a)
            layers.append(f"{conv}({self.width('in', a)}, {self.width('out', a)}{rest}, groups={groups})")
            layers += self.norm(a) if draft.chance(0.5) else []
            rest = ", 1"
        bias = ", bias=False" if draft.chance(0.4) else ""
        layers.append(f"{conv}({self.width('in', a)}, {self.width('out', b)}{rest}{bias})")
        layers += self.norm(b) if draft.chance(0.7) else []
        layers += [activation_layer(draft)] if draft.chance(0.7) else []
        layers += [f"{draft.nn('Dropout')}(0.1)"] if draft.chance(0.1) else []
        return layers

    def norm(self, width: str) -> list[str]:
        draft = self.draft
        self.has_norm = True
        if self.norm_layer:
            return [f"norm_layer({self.width('norm', width)})"]
        kind = draft.random.choice(["batch", "batch", "batch", "group", "instance"])
        if kind == "group":
            return [f"{draft.nn('GroupNorm')}(1, {self.width('norm', width)})"]
        if kind == "instance":
            wide = self.width("norm", width)
            return [f"{draft.nn(f'InstanceNorm{self.rank}d')}({wide}, affine=True)"]
        return [f"{draft.nn(f'BatchNorm{self.rank}d')}({self.width('norm', width)})"]


def new_block(draft: Draft, rank: int) -> Block:
    """Write a class into the draft."""
    writer = _Writer(draft, rank)
    name = draft.fresh(draft.random.choice(["ConvBlock", "Unit", "Stage", "ResBlock", "Bottleneck"]))
    widths = [writer.into, *(writer.middle() for _ in range(draft.random.choice([0, 0, 1, 1, 2]))), writer.out]
    layers: list[str] = []
    if draft.chance(0.15):
        layers += [*writer.norm(writer.into), activation_layer(draft)]
    for a, b in pairwise(widths):
        layers += writer.unit(a, b)
    residual = draft.random.choice(["", "", "plain", "projected", "flag"])
    if writer.strided and residual == "plain":
        residual = "projected"
    star = "*, " if draft.chance(0.15) else ""
    parameters = f"self, {star}{writer.into}, {writer.out}"
    parameters += ", stride=1" if writer.strided else ""
    if writer.norm_layer and writer.has_norm:
        parameters += f", norm_layer={draft.nn(f'BatchNorm{rank}d')}"
        draft.styles.add("norm_layer")
    lines = (
        _subclass(draft, writer, name, parameters, layers)
        if not residual and draft.chance(0.4)
        else _module(draft, writer, name, parameters, layers, residual)
    )
    draft.classes.append("\n".join(lines))
    draft.styles.add("block")
    keeps = residual == "plain"
    return Block(name, rank, writer.into, writer.out, bool(star), writer.strided, keeps, writer.has_norm)


def _subclass(draft: Draft, writer: _Writer, name: str, parameters: str, layers: list[str]) -> list[str]:
    draft.styles.add("subclassed sequential")
    return [
        f"class {name}({draft.nn('Sequential')}):",
        f"    def __init__({parameters}):",
        *(f"        {line}" for line in writer.setup),
        "        super().__init__(",
        *(f"            {layer}," for layer in layers),
        "        )",
    ]


def _module(draft: Draft, writer: _Writer, name: str, parameters: str, layers: list[str], residual: str) -> list[str]:
    init, forward = [*writer.setup], []
    start = "x"
    if residual:
        forward.append(draft.random.choice(["identity = x", "residual = x"]))
        start = forward[0].split(" ", maxsplit=1)[0]
    var = "out" if residual and draft.chance(0.5) else "x"
    how = draft.random.choice(["attributes", "sequential", "list"])
    if how == "attributes":
        last = "x"
        for layer in layers:
            if draft.chance(0.2) and layer.endswith(("ReLU()", "ReLU(inplace=True)")):
                forward.append(f"{var} = {activated(draft, last)}")
            else:
                attribute = draft.fresh("op")
                init.append(f"self.{attribute} = {layer}")
                forward.append(f"{var} = self.{attribute}({last})")
            last = var
    else:
        if how == "list":
            init += ["layers = []", *(f"layers.append({layer})" for layer in layers)]
            init.append(f"self.body = {draft.nn('Sequential')}(*layers)")
        else:
            init += [f"self.body = {draft.nn('Sequential')}(", *(f"    {x}," for x in layers), ")"]
        forward.append(f"{var} = self.body(x)")
    init += _shortcut(draft, writer, residual)
    if residual == "flag":
        forward += ["if self.use_res:", f"    {var} = {var} + {start}"]
    elif residual == "projected":
        forward.append(f"{var} = {var} + self.shortcut({start})")
    elif residual:
        forward.append(f"{var} += {start}" if draft.chance(0.3) else f"{var} = {start} + {var}")
    forward.append(f"return {draft.random.choice([var, activated(draft, var)])}")
    parent = draft.nn("Module")
    called = draft.random.choice(["super()", f"super({name}, self)"])
    return [
        f"class {name}({parent}):",
        f"    def __init__({parameters}):",
        f"        {called}.__init__()",
        *(f"        {line}" for line in init),
        "",
        f"    def forward(self, x{': torch.Tensor' if draft.chance(0.2) else ''}):",
        *(f"        {line}" for line in forward),
    ]


def _shortcut(draft: Draft, writer: _Writer, residual: str) -> list[str]:
    into, out = writer.into, writer.out
    strided = " or stride != 1" if writer.strided else ""
    if residual == "flag":
        equal = " and stride == 1" if writer.strided else ""
        return [f"self.use_res = {into} == {out}{equal}"]
    if residual != "projected":
        return []
    stride = ", stride=stride" if writer.strided else ""
    conv = draft.nn(f"Conv{writer.rank}d")
    made = writer.width("out", out)
    return [
        f"self.shortcut = {draft.nn('Identity')}()",
        f"if {into} != {out}{strided}:",
        f"    self.shortcut = {conv}({writer.width('in', into)}, {made}, 1{stride})",
    ]


def use(body: Body, blocks: list[Block]) -> bool:
    """Build an instance of a block and call it; the block may be a new one."""
    draft = body.draft
    if body.channels % 8 or not body.is_map:
        return False
    known = [block for block in blocks if block.rank == body.rank]
    if not known or (len(known) < 3 and draft.chance(0.4)):
        blocks.append(new_block(draft, body.rank))
        known = [blocks[-1]]
    block = draft.random.choice(known)
    out = body.channels if block.keeps_width else draft.random.choice([8, 16, 16, 24, 32])
    stride = 2 if block.strided and draft.chance(0.5) else 1
    sizes = tuple((size - 1) // stride + 1 for size in body.sizes)
    if math.prod((body.shape[0], 2 * out, *body.sizes)) > ops.MOST:
        return False
    if block.has_norm and math.prod(sizes) < 2:
        return False
    shape = (body.shape[0], out, *sizes)
    into = body.width("argument", body.channels)
    call = block.call(body, into, body.width("argument", out), stride)
    times = draft.random.choice([2, 3]) if draft.chance(0.25) else 1
    if times == 1:
        body.layer("block", call, shape)
        return True
    again = block.call(body, draft.count("argument", out), str(out), 1)
    target = f"{body.prefix}{draft.fresh('stage')}"
    body.settle()
    if draft.chance(0.5):
        body.init += [f"blocks = [{call}]", f"for _ in range({times - 1}):"]
        body.init += [f"    blocks.append({again})", f"{target} = {draft.nn('Sequential')}(*blocks)"]
    else:
        rest = f"*[{again} for _ in range({times - 1})]"
        body.init.append(f"{target} = {draft.nn('Sequential')}({call}, {rest})")
    body.apply(f"{target}({{}})", shape)
    draft.styles.add("repeated block")
    return True
