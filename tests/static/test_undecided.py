"""Programs like published ones with a condition that static analysis cannot decide: they fail on one path and work on
the other, so there is no finding.
"""

from __future__ import annotations

import pytest

from convlint.static import Project, check_file
from tests.static.test_models import net
from tests.static.test_python import HEAD, expect_one_bug, findings_in

UNDECIDED = {
    "a list of which a loop of unknown length replaces the items": net(
        "self.stem = nn.Conv2d(3, 16, 3, padding=1)\nself.merge = nn.Conv2d(32, 16, 1)",
        "maps = []\nfor i in range(f):\n    maps.append(self.stem(x))\n"
        "for i in range(len(maps) - 1, -1, -1):\n    maps[i] = torch.cat([maps[i], maps[i]], 1)\n"
        "return [self.merge(m) for m in maps]",
    ),
    "a list of which an unknown item is replaced": net(
        "self.stem = nn.Conv2d(3, 16, 3, padding=1)\nself.merge = nn.Conv2d(32, 16, 1)",
        "maps = [self.stem(x), self.stem(x)]\nmaps[f] = torch.cat(maps, 1)\nreturn self.merge(maps[1])",
    ),
    "two sizes that are equal for multiples of 128": net(
        "self.down = nn.Conv2d(3, 8, 64, 64)\nself.half = nn.MaxPool2d(2)\nself.up = nn.ConvTranspose2d(8, 8, 2, 2)",
        "y = self.down(x)\nreturn self.up(self.half(y)) + y",
    ),
    "an image in one branch, three channels in the other": net(
        "self.grey = nn.Conv2d(1, 8, 3)\nself.colour = nn.Conv2d(3, 8, 3)",
        "if is_grey(x):\n    y = self.grey(x)\nelse:\n    y = self.colour(x)\nreturn y",
    ),
    "the same in one line": net(
        "self.grey = nn.Conv2d(1, 8, 3)\nself.colour = nn.Conv2d(3, 8, 3)",
        "return self.grey(x) if is_grey(x) else self.colour(x)",
    ),
    "maps or volumes, as the rank of the input says": (
        "def merged(x):\n    if x.dim() == 5:\n        return x.flatten(1, 2)\n    elif x.dim() == 6:\n"
        "        return x.flatten(1, 2).flatten(2, 3)[:, :, None]\n    else:\n        raise ValueError(x.shape)\n\n\n"
        "def normed(x):\n    if len(x.shape) == 4:\n        m = x.mean((2, 3), True)\n        return x - m, m\n"
        "    elif len(x.shape) == 5:\n        m = x.mean((2, 3, 4), True)\n        return x - m, m\n"
        "    else:\n        raise ValueError(x.shape)\n\n\n"
        + net("self.conv = nn.Conv2d(6, 8, 1)", "x, m = normed(merged(x))\nreturn self.conv(x) + m")
    ),
    "a norm by its name": (
        "def norm(kind, width):\n    if kind == 'batch':\n        return nn.BatchNorm2d(width)\n"
        "    elif kind == 'group':\n        return nn.GroupNorm(32, width)\n    elif kind == 'instance':\n"
        "        return nn.InstanceNorm2d(width)\n    else:\n        raise ValueError(kind)\n\n\n"
        + net("self.conv = nn.Conv2d(3, 1, 1)\nself.norm = norm(kind, 1)", "return self.norm(self.conv(x))", ", kind")
    ),
    "a filter of two ranks": net(
        "self.body = nn.Conv2d(3, 8, 1)",
        "x = self.body(x)\nif is_flat(f):\n    y = F.conv2d(x, f)\n"
        "else:\n    y = F.conv2d(x, f.unsqueeze(2))\nreturn y",
    ).replace("forward(self, x)", "forward(self, x, f)"),
    "a rank that a condition goes with": (
        "def flat(x, shape):\n    if len(shape) == 2:\n        y = x[0] * shape[0] + x[1]\n"
        "    else:\n        y = x[0] + x[1] + x[2]\n    return y\n\n\n"
        "def run(shape):\n    return flat(torch.zeros(2, 9), shape)\n"
    ),
    "a dimension that may be squeezed": net(
        "self.pool = nn.Conv3d(3, 8, (4, 1, 1))\nself.head = nn.Conv2d(8, 8, 1)",
        "return self.head(self.pool(x).squeeze(2))",
    ),
    "the weight of a depthwise convolution": net(
        "self.conv = nn.Conv1d(c, c, 4, groups=g)",
        "w = self.conv.weight.squeeze(1)\nreturn F.conv1d(x, w.unsqueeze(1), groups=x.shape[1])",
        ", c, g",
    ),
    "a scale of unknown images": net(
        "self.gamma = nn.Parameter(torch.ones(8, 1, 1))\nself.conv = nn.Conv2d(8, 8, 3)",
        "return self.conv(normalized(x) * self.gamma)",
    ),
    "sizes before the last ones": net(
        "self.q = nn.Linear(64, 64)\nself.mask = nn.Parameter(torch.ones(1, 8, 64, 64))",
        "shape = (*x.shape[:-1], -1, 8)\nq = self.q(x).view(shape).transpose(1, 2)\n"
        "return torch.matmul(q, q.transpose(-1, -2)) + self.mask",
    ),
    "the first size and the rest": net(
        "self.conv = nn.Conv2d(3, 8, 1)", "b, *rest = x.shape\nreturn self.conv(x.view(b, *rest))"
    ),
    "as many levels as somebody passes": (
        "def levels(features):\n    found = []\n    for x in features:\n        found.append(x)\n"
        "    sizes = torch.stack([torch.zeros(4) for x in found], 1)\n"
        "    return sizes + torch.zeros(4, 3)\n"
    ),
    "an input that may be left out": net(
        "self.up = nn.Conv2d(64, 32, 1)\nself.conv = nn.Conv2d(32 + 16, 32, 3)",
        "x = self.up(x)\nif skip is not None:\n    x = torch.cat([x, skip], 1)\nreturn self.conv(x)",
    ).replace("forward(self, x)", "forward(self, x, skip=None)"),
    "a number that may be left out": net(
        "self.body = nn.ReLU()", "return torch.zeros(4, 8, 6).view(4, times, -1)"
    ).replace("forward(self, x)", "forward(self, x, times=0)"),
    "anchors that may be left out": net(
        "self.anchors = torch.tensor(anchors).float().view(len(anchors), -1, 2)", "return x", ", anchors=()"
    ),
    "channels that a block may add": net(
        "self.body = nn.Conv2d(c, d, 3)\nself.last = nn.Conv2d(d + more, d, 3)",
        "return self.last(self.body(x))",
        ", c, d, more",
    ),
    "a tensor that holds a place": net(
        "self.seen = torch.empty(0)\nself.net = nn.Conv2d(3, 8, 1)\n"
        "self.net.register_forward_hook(self.keep)\nself.head = nn.Linear(8, 2)",
        "self.net(x)\nreturn self.head(self.seen)",
    ),
    "a bank that grows": net(
        "self.register_buffer('bank', tensor=torch.empty(16))", "return torch.matmul(torch.zeros(2, 8), self.bank)"
    )
    + "    def fill(self, x):\n        self.bank = x\n",
    "a depth that is less and more": net(
        "self.conv = nn.Conv2d(3, 8, 1)\nif depth < 4:\n    self.last = nn.Conv2d(8, 4, 1)\n"
        "    if depth >= 5:\n        self.last = nn.Conv2d(16, 4, 1)\nelse:\n    self.last = nn.ReLU()",
        "return self.last(self.conv(x))",
        ", depth=5",
    ),
    "layers under names that are passed": (
        "class Padded(nn.Sequential):\n    def __init__(self, i, o, k, name='conv'):\n        super().__init__()\n"
        "        self.pad = nn.ZeroPad2d((0, k - 1, 0, k - 1))\n"
        "        self.__setattr__(name, nn.Conv2d(i, o, k))\n\n\n"
        + net("self.one = Padded(8, 8, 2)", "return torch.cat([x, self.one(x)], 1)")
    ),
    "losses of all values": net("self.loss = nn.CrossEntropyLoss(reduce=False)", "return self.loss(x, x).sort(1)"),
    "a size that may be several": net(
        "self.bank = torch.empty(size=size)",
        "return torch.einsum('nc,ck->nk', torch.zeros(2, 8), self.bank)",
        ", size=16",
    ),
    "as many sizes as somebody passes": net(
        "grid = [4 * size for size in sizes()]\nself.position = torch.zeros(1, 8, *grid, 4)\n"
        "self.conv = nn.Conv2d(3, 8, 1)\nself.last = nn.Conv2d(8, 8, 1)",
        "x = (self.conv(x) + self.position).permute(0, 2, 3, 1)\nreturn self.last(x)",
    ),
    "layers in a list that are registered one by one": net(
        "self.layers = []\nfor i, n in enumerate(scales):\n    layer = nn.Conv2d(3, n, 1)\n"
        "    self.layers.append(layer)\n    self.add_module(str(i), layer)",
        "return [layer(x) for layer in self.layers]",
        ", scales",
    ),
    "a list of what has no parameters": net(
        "self.pools = [nn.AvgPool2d(2 ** n) for n in range(3)]", "return [p(x) for p in self.pools]"
    ),
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_undecided_programs_have_no_findings(name: str) -> None:
    assert [found for found in findings_in(HEAD + UNDECIDED[name]) if found[0] < "CVL3"] == []


DECIDED = {
    "in a branch": net(
        "self.stem = nn.Conv2d(3, 16, 3)\nself.norm = nn.BatchNorm2d(<16|32>)  # CVL103",
        "x = self.stem(x)\nif is_grey(x):\n    y = self.norm(x)\nreturn x",
    ),
    "in both branches, each for itself": net(
        "self.stem = nn.Conv2d(3, 16, 3)\nself.a = nn.Conv2d(<16|17>, 8, 1)  # CVL102\nself.b = nn.Conv2d(16, 4, 1)",
        "x = self.stem(x)\nreturn self.a(x) if is_grey(x) else self.b(x)",
    ),
    "behind two branches": net(
        "self.stem = nn.Conv2d(3, 16, 3)\nself.a = nn.Conv2d(16, 8, 1)\nself.last = nn.Conv2d(<16|8>, 4, 1)  # CVL102",
        "x = self.stem(x)\nif is_grey(x):\n    log(self.a(x))\nreturn self.last(x)",
    ),
    "whatever is left out": net(
        "self.up = nn.Conv2d(64, 32, 1)\nself.conv = nn.Conv2d(<32|48>, 32, 3)  # CVL102",
        "y = self.conv(self.up(x))\nif skip is not None:\n    y = y + skip\nreturn y",
    ).replace("forward(self, x)", "forward(self, x, skip=None)"),
    "twice as many channels": net(
        "self.body = nn.Conv2d(c, d, 3)\nself.last = nn.Conv2d(<d|2 * d>, d, 3)  # CVL102",
        "return self.last(self.body(x))",
        ", c, d",
    ),
    "a list of layers": net(
        "self.convs = <nn.ModuleList|list>([nn.Conv2d(3, 3, 1)])  # CVL206", "return self.convs[0](x)"
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_certain_bugs_in_undecided_programs(name: str) -> None:
    expect_one_bug(HEAD + DECIDED[name])


@pytest.mark.parametrize("parameters", ["", ", kernel=1, around=1"])
def test_advice_is_about_literal_numbers(parameters: str) -> None:
    kernel, around = ("kernel", "around") if parameters else ("1", "1")
    text = net(f"self.body = nn.Conv2d(3, 8, {kernel}, padding={around})", parameters=parameters)
    found = check_file("net.py", (HEAD + text).encode(), Project("nowhere")).findings
    assert [f.code for f in found] == ([] if parameters else ["CVL302"])
    assert all("the outermost output pixels contain no input" in f.message for f in found)


LONG_LOOP = """\
points = [(x, y) for x in range(20) for y in range(20)]
offsets, index = {}, []
for a in points:
    for b in points:
        offset = (abs(a[0] - b[0]), abs(a[1] - b[1]))
        if offset not in offsets:
            offsets[offset] = len(offsets)
        index.append(offsets[offset])
self.register_buffer("index", torch.tensor(index).view(len(points), len(points)))
self.first = nn.Conv2d(3, 16, 3)
self.last = nn.Conv2d(24, 4, 3)"""


def test_a_long_loop_over_numbers_alone_hides_no_layer() -> None:
    assert [code for code, _ in findings_in(HEAD + net(LONG_LOOP, "return self.last(self.first(x))"))] == ["CVL102"]
