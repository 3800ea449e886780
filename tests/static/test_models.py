"""Models in static analysis: small programs, each with one number that is right or wrong, written as
``<right|wrong>``. The line that is wrong then ends in a comment with the code.
"""

from __future__ import annotations

import pytest

from tests.static.test_python import HEAD, expect_one_bug, findings_in

CALL = "Net()(torch.zeros(1, 3, 32, 32))\n"


def net(init: str, forward: str = "return self.body(x)", parameters: str = "") -> str:
    """A class, and a call of it with three channels."""
    built = "".join(f"        {line}\n" for line in init.splitlines())
    called = "".join(f"        {line}\n" for line in forward.splitlines())
    return (
        f"class Net(nn.Module):\n    def __init__(self{parameters}):\n        super().__init__()\n"
        f"{built}\n    def forward(self, x):\n{called}\n"
    )


WRONG = "nn.Conv2d(<3|4>, 8, 3)  # CVL102"

MODELS = {
    "an attribute": net(f"self.body = {WRONG}"),
    "a super() of old": net(f"self.body = {WRONG}").replace("super()", "super(Net, self)"),
    "a Sequential": net(f"self.body = nn.Sequential(\n    nn.ReLU(),\n    {WRONG}\n)"),
    "a Sequential with names": net(
        "from collections import OrderedDict\nself.body = nn.Sequential(OrderedDict([\n"
        "    ('relu', nn.ReLU()),\n    ('conv', nn.Conv2d(<3|4>, 8, 3)),  # CVL102\n]))"
    ),
    "a list in a Sequential": net(
        f"layers = []\nlayers.append(nn.ReLU())\nlayers += [\n    {WRONG}\n]\nself.body = nn.Sequential(*layers)"
    ),
    "a slice of a Sequential": net(
        f"body = nn.Sequential(nn.Conv2d(9, 9, 1), nn.ReLU())\nbody.append(\n    {WRONG}\n)\nself.body = body[1:]"
    ),
    "add_module": net(
        "for i in range(2): self.add_module(f'c{i}', nn.Conv2d(3, <3|4>, 1))  # CVL102", "return self.c1(self.c0(x))"
    ),
    "a ModuleList in a loop": net(
        f"self.body = nn.ModuleList([nn.ReLU()])\nself.body.append(\n    {WRONG}\n)",
        "for layer in self.body: x = layer(x)\nreturn x",
    ),
    "a ModuleList by its places": net(
        f"self.body = nn.ModuleList([\n    nn.ReLU(),\n    {WRONG}\n])",
        "for i in range(len(self.body)): x = self.body[i](x)\nreturn x",
    ),
    "a ModuleDict": net(
        f"self.body = nn.ModuleDict({{'a': nn.ReLU()}})\nself.body['b'] = \\\n    {WRONG}",
        "for name in ('a', 'b'): x = self.body[name](x)\nreturn x",
    ),
    "widths in a list": net(
        "c, layers = 3, []\nfor w in [16, 'M', 32]:\n    if w == 'M':\n        layers.append(nn.MaxPool2d(2))\n"
        "        continue\n    layers.append(nn.Conv2d(c, w, 3, padding=1))\n    c = w\n"
        "self.features = nn.Sequential(*layers)\nself.head = nn.Conv2d(<c|c + 1>, 10, 1)  # CVL102",
        "return self.head(self.features(x))",
    ),
    "pairs of widths": net(
        "w = [3, 8, 16]\nself.body = nn.Sequential(\n"
        "    *[nn.Conv2d(a, <b|b + 1>, 1) for a, b in zip(w, w[1:])]  # CVL102\n)"
    ),
    "_make_layer": net(
        "self.width = 3\nself.one = self._make_layer(8, 2)\nself.two = self._make_layer(16, 1)\n"
        "self.head = nn.Conv2d(<16|8>, 10, 1)  # CVL102",
        "return self.head(self.two(self.one(x)))",
    )
    + "    def _make_layer(self, width, blocks):\n        layers = []\n        for _ in range(blocks):\n"
    "            layers.append(nn.Conv2d(self.width, width, 1))\n"
    "            self.width = width\n        return nn.Sequential(*layers)\n\n",
    "a helper of the file": "def conv3x3(i, o, stride=1): return nn.Conv2d(i, o, 3, stride, 1)\n\n\n"
    + net("self.one = conv3x3(3, 8)\nself.two = conv3x3(<8|9>, 8)  # CVL102", "return self.two(self.one(x))"),
    "partial": "from functools import partial\nconv1x1 = partial(nn.Conv2d, kernel_size=1)\n\n\n"
    + net("self.body = conv1x1(<3|4>, 8)  # CVL102"),
    "norm_layer": net(
        "norm_layer = norm_layer or nn.BatchNorm2d\nself.c = nn.Conv2d(3, 8, 1, bias=False)\n"
        "self.n = norm_layer(<8|9>)  # CVL103",
        "return self.n(self.c(x))",
        ", norm_layer=None",
    ),
    "a dict of activations": net(
        f"act = {{'relu': nn.ReLU, 'silu': nn.SiLU}}[name]\nself.body = nn.Sequential(\n    act(),\n    {WRONG}\n)",
        parameters=", name='relu'",
    ),
    "a default": net("self.body = nn.Conv2d(c, 8, 3)  # CVL102", parameters=", c=<3|4>"),
    "**kwargs": "class Conv(nn.Conv2d):\n    def __init__(self, i, o, **more):\n"
    "        super().__init__(i, o, 1, **more)\n\n\n" + net("self.body = Conv(3, 8, groups=<1|3>)  # CVL101"),
    "a flag": net(
        "self.down = nn.Conv2d(3, 8, 1) if down else None\nself.c = nn.Conv2d(3, <8|9>, 1)",
        "if self.down is None: return self.c(x)\nreturn self.down(x) + self.c(x)  # CVL110",
        ", down=True",
    ),
    "an addition of FloatFunctional": net(
        "self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, <8|9>, 1)\n"
        "self.sum = torch.ao.nn.quantized.FloatFunctional()",
        "return self.sum.add_relu(self.a(x), self.b(x))  # CVL110",
    ),
    "a concatenation of FloatFunctional": net(
        "self.a, self.b = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 4, 1)\nself.join = nn.quantized.FloatFunctional()\n"
        "self.c = nn.Conv2d(<12|16>, 2, 1)  # CVL102",
        "return self.c(self.join.cat([self.a(x), self.b(x)], 1))",
    ),
    "a concatenation with a vector of unknown rank": net(
        "self.a, self.b = nn.Conv2d(3, 8, 1), nn.Linear(5, 6)\nself.c = nn.Linear(<14|13>, 2)  # CVL108",
        "return self.c(torch.cat([self.a(x).mean((2, 3)), self.b(torch.load('v'))], dim=1))",
    ),
    "linear layers that read a tensor of unknown rank": net(
        "self.f = nn.Sequential(nn.Linear(7, 12), nn.ReLU(), nn.Linear(<12|13>, 4))  # CVL108",
        "return self.f(torch.load('v'))",
    ),
    "a pool as large as its map": net(
        "self.a, self.fc = nn.Conv2d(3, 8, 3), nn.Linear(<8|9>, 2)  # CVL108",
        "x = self.a(x)\nreturn self.fc(F.avg_pool2d(x, x.size()[3]).view(x.size(0), -1))",
    ),
    "a batch that is merged": net(
        "self.a, self.pool, self.fc = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Linear(32, 2)",
        "x = self.pool(self.a(x))\nx = x.view(<len(x), -1|-1>)  # CVL114\nreturn self.fc(x)",
    ),
    "a sample that is split into rows": net(
        "self.a, self.pool, self.fc = nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(2), nn.Linear(32, 2)",
        "x = self.pool(self.a(x))\nx = x.view(<len(x), -1|-1, 16>)  # CVL114\nreturn self.fc(x)",
    ),
    "a block in a block": net("self.body = nn.Conv2d(<3|4>, 8, 3)  # CVL102").replace("Net", "Block")
    + net("self.body = nn.Sequential(nn.ReLU(), Block())"),
    "a base class": net("self.body = self.make()").replace("Net", "Base")
    + "class Net(Base):\n    def make(self):\n        return nn.Conv2d(<3|4>, 8, 3)  # CVL102\n\n\n",
    "a method of the base class": net(f"self.body = {WRONG}").replace("Net", "Base")
    + "class Net(Base):\n    def forward(self, x): return super().forward(x.relu())\n\n\n",
    "a class derived from Sequential": "class Net(nn.Sequential):\n    def __init__(self):\n"
    f"        super().__init__(\n            nn.ReLU(),\n            {WRONG}\n        )\n\n\n",
    "a class in a class": net("self.body = self.Block()").replace(
        "    def __init__(self):",
        "    class Block(nn.Module):\n        def __init__(self):\n            super().__init__()\n"
        "            self.c = nn.Conv2d(<3|4>, 8, 1)  # CVL102\n\n"
        "        def forward(self, x): return self.c(x)\n\n    def __init__(self):",
        1,
    ),
    "a concatenation": net(
        "self.a = nn.Conv2d(3, 8, 1)\nself.body = nn.Conv2d(<11|8>, 8, 1)  # CVL102",
        "return self.body(torch.cat([x, self.a(x)], dim=1))",
    ),
    "a flattened map": net(
        "self.c = nn.Conv2d(3, 8, 3, 2, 1)\nself.head = nn.Linear(8 * <16 * 16|15 * 15>, 10)  # CVL108",
        "return self.head(self.c(x).flatten(1))",
    ),
    "a view": net(
        "self.c = nn.Conv2d(3, 8, 3, 2, 1)\nself.head = nn.Linear(<2048|2000>, 10)  # CVL108",
        "x = F.relu(self.c(x))\nreturn self.head(x.view(x.size(0), -1))",
    ),
    "branches": net(
        "self.a = nn.Conv2d(3, 8, 1)\nself.b = nn.Conv2d(3, 8, 1)\nself.body = nn.Conv2d(<16|8>, 8, 1)  # CVL102",
        "a, b = [f(x) for f in (self.a, self.b)]\nreturn self.body(torch.cat((a, b), 1))",
    ),
    "a dense block": net(
        "self.body = nn.ModuleList([nn.Conv2d(3 + <8|7> * i, 8, 1) for i in range(3)])  # CVL102",
        "found = [x]\nfor layer in self.body: found.append(layer(torch.cat(found, 1)))\nreturn found[-1]",
    ),
    "layers in a plain list": net(
        "self.body = <nn.ModuleList|list>([nn.Conv2d(3, 8, 1)])  # CVL206",
        "for layer in self.body: x = layer(x)\nreturn x",
    ),
}


MODELS["a norm that is a function or a module"] = (
    "from inspect import isclass, isfunction\n\n\ndef made(norm, width):\n    if isfunction(norm) or isclass(norm):\n"
    "        return norm(width)\n    assert isinstance(norm, nn.Module)\n    return norm\n\n\n"
) + net(
    "self.body = nn.Sequential(\n    made(lambda width: nn.BatchNorm2d(width), 3),\n"
    "    nn.Conv2d(<3|4>, 8, 3),  # CVL102\n)"
)


@pytest.mark.parametrize("name", MODELS)
def test_models(name: str) -> None:
    expect_one_bug(f"{HEAD}\n\n{MODELS[name]}{CALL}")


INPUTS = {
    "a tensor of the file": "x = torch.randn(2, <3|4>, 32, 32)\nNet()(x)\n",
    "the main guard": "if __name__ == '__main__':\n    net = Net()\n    print(net(torch.rand(1, <3|4>, 9, 9)))\n",
    "a test": "def test_it():\n    assert Net()(torch.ones(1, <3|4>, 9, 9)) is not None\n",
    "a function of the file": (
        "def main():\n    c, net = <3|4>, Net().eval()\n    return net(torch.zeros(1, c, 9, 9))\n"
    ),
    "a test case": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_it(self):\n"
        "        Net()(torch.ones(1, <3|4>, 9, 9))\n"
    ),
}


@pytest.mark.parametrize("name", INPUTS)
def test_inputs_created_in_the_file(name: str) -> None:
    text = net("self.body = nn.Conv2d(3, 8, 3)  # CVL102")
    expect_one_bug(f"{HEAD}\n\n{text}{INPUTS[name]}")


LATENT = {
    "a norm as wide as the input": net(
        "self.c = nn.Conv2d(i, o, 3, bias=False)\nself.n = nn.BatchNorm2d(<o|i>)  # CVL201",
        "return self.n(self.c(x))",
        ", i, o",
    ),
    "a norm behind a depthwise convolution": net(
        "self.c = nn.Conv2d(i, i, 3, groups=i, bias=False)\nself.n = nn.BatchNorm2d(<i|o>)  # CVL201\n"
        "self.p = nn.Conv2d(i, o, 1)",
        "return self.p(self.n(self.c(x)))",
        ", i, o",
    ),
}


@pytest.mark.parametrize("name", LATENT)
def test_bugs_without_a_call(name: str) -> None:
    expect_one_bug(f"{HEAD}\n\n{LATENT[name]}")


CONTRACTS = {
    "a residual": net("self.c = nn.Conv2d(i, o, 3, padding=1)", "return x + self.c(x)", ", i, o"),
    "a residual with a guard": net(
        "self.c = nn.Conv2d(i, o, 3, padding=1)\nself.same = i == o",
        "return x + self.c(x) if self.same else self.c(x)",
        ", i, o",
    ),
    "an assertion": net(
        "assert i == o\nself.c = nn.Conv2d(i, o, 3, bias=False)\nself.n = nn.BatchNorm2d(i)",
        "return self.n(self.c(x))",
        ", i, o",
    ),
    "groups": net("self.c = nn.Conv2d(i, i, 3, groups=g)", "return self.c(x)", ", i, g"),
}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_contract_of_a_class_is_not_a_bug_of_the_class(name: str) -> None:
    assert findings_in(f"{HEAD}\n\n{CONTRACTS[name]}") == []


def test_a_broken_contract_is_reported_at_the_call() -> None:
    expect_one_bug(f"{HEAD}\n\n{CONTRACTS['a residual']}Net(8, <8|9>)(torch.zeros(1, 8, 9, 9))  # CVL110\n")


FACTORIES = """
class Wide(nn.Module):
    factor = 4

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels * self.factor, 3, bias=<False|False>)

    def forward(self, x):
        return self.conv(x)


class Narrow(Wide):
    factor = 1


class Net(nn.Module):
    def __init__(self, block, with_norm):
        super().__init__()
        layers = [block(16)]
        if with_norm:
            layers.append(nn.BatchNorm2d(16 * block.factor))
        self.body = nn.Sequential(nn.Conv2d(3, 16, 1), *layers)
        self.head = nn.Conv2d(<16 * block.factor|24 * block.factor>, 8, 1)  # CVL102

    def forward(self, x):
        return self.head(self.body(x))


def _net(block, **options):
    return Net(block, **options)


def narrow(**options):
    return _net(Narrow, with_norm=False, **options)


def wide(**options):
    return _net(Wide, with_norm=False, **options)
"""


def test_a_bug_of_what_a_factory_passes_to_another_factory() -> None:
    expect_one_bug(f"{HEAD}\n{FACTORIES}")


def test_advice_must_apply_to_the_models_of_all_factories() -> None:
    text = FACTORIES.replace("bias=<False|False>", "bias=True").replace(
        "<16 * block.factor|24 * block.factor>", "16 * block.factor"
    )
    text += "\n\ndef normed(**options):\n    return _net(Wide, with_norm=True, **options)\n"
    assert findings_in(f"{HEAD}\n{text}") == []
