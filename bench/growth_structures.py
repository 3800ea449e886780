"""More shapes for ``bench/growth.py``: tables, chains of definitions, and the structure of larger programs."""

from __future__ import annotations

from bench.growth_shapes import HEAD, Files, class_text, lines, net, shape


@shape
def a_table_of_layers(size: int) -> str:
    table = "TABLE = [\n" + lines(size, "    (8, 3, 1, {'stride': 1, 'name': 'layer {n}'}),") + "\n]\n"
    init = (
        "self.layers = nn.ModuleList()\nfor width, kernel, padding, options in TABLE:\n"
        "    self.layers.append(nn.Conv2d(8, width, kernel, options['stride'], padding))"
    )
    return HEAD + table + class_text("Net", init, "for layer in self.layers:\n    x = layer(x)\nreturn x")


@shape
def a_table_of_numbers(size: int) -> str:
    return HEAD + "TABLE = [\n" + lines(size, "    [{n}, {n}.5, -{n}, 'row {n}', None, True, (1, 2)],") + "\n]\n"


@shape
def merged_dicts(size: int) -> str:
    merges = lines(size, "C{m} = {**C{n}, 'k{n}': {n}}")
    return HEAD + "C0 = {'width': 8}\n" + merges + f"\nlayer = nn.Conv2d(3, C{size}['width'], 3)\n"


@shape
def updated_dicts(size: int) -> str:
    return HEAD + "C = {}\n" + lines(size, "C = C | dict(k{n}={n})") + "\nlayer = nn.Conv2d(3, C['k8'], 3)\n"


@shape
def passed_keywords(size: int) -> str:
    functions = "def f0(**given): return nn.Conv2d(3, 8, 3, groups=len(given) and 1)\n"
    return HEAD + functions + lines(size, "def f{m}(**given): return f{n}(**given, k{n}={n})") + f"\nf{size}()\n"


@shape
def decorators_of_decorators(size: int) -> str:
    first = "def d0(f): return f\n"
    made = lines(size, "def d{m}(f):\n    @d{n}\n    def inner(*args): return f(*args)\n    return inner")
    return HEAD + first + made + f"\n@d{size}\ndef build(width): return nn.Conv2d(3, width, 3)\nbuild(8)\n"


@shape
def sequences_in_sequences(size: int) -> str:
    return net("self.c = nn.Conv2d(3, 8, 1)\n" + "self.c = nn.Sequential(self.c)\n" * size, "return self.c(x)")


@shape
def cases_of_a_match(size: int) -> str:
    cases = lines(size, "    case 'net{n}' | {n}: return nn.Conv2d(3, {m}, 3)")
    return (
        HEAD
        + f"def build(name):\n  match name:\n{cases}\n    case _: raise ValueError(name)\nbuild('net1')\nbuild(2)\n"
    )


@shape
def functions_of_widths(size: int) -> str:
    made = lines(size, "def w{m}(width): return w{n}(width) + 8 if width % 2 else w{n}(width + 1)")
    return HEAD + "def w0(width): return width\n" + made + f"\nlayer = nn.Conv2d(3, w{size}(8), 3)\n"


@shape
def a_chain_of_calls_on_a_tensor(size: int) -> str:
    line = "x = x" + ".relu()" * 50
    return net("self.c = nn.Conv2d(3, 8, 1)", f"{line}\n" * (size // 50 + 1) + "return self.c(x)")


@shape
def fields_of_a_configuration(size: int) -> str:
    fields = lines(size, "    f{n}: int = {n}")
    text = (
        f"from dataclasses import dataclass, replace\n{HEAD}@dataclass\nclass Config:\n    width: int = 8\n{fields}\n\n"
    )
    made = class_text("Net", "self.c = nn.Conv2d(3, config.width, 1)", "return self.c(x)", "config")
    return text + made + "Net(Config())\n" + lines(size // 10, "Net(replace(Config(), width={m}))")


@shape
def members_of_an_enumeration(size: int) -> str:
    members = lines(size, "    M{n} = {n}")
    return f"import enum\n{HEAD}class Width(enum.IntEnum):\n{members}\n\nlayer = nn.Conv2d(3, Width.M8, 3)\n"


@shape
def layers_by_computed_names(size: int) -> str:
    init = f"for n in range({size}):\n    setattr(self, f'c{{n}}', nn.Conv2d(3, 3, 1))"
    return net(init, f"for n in range({size}):\n    x = getattr(self, f'c{{n}}')(x)\nreturn x")


@shape
def lambdas(size: int) -> str:
    return HEAD + "f0 = lambda c: nn.Conv2d(3, c, 1)\n" + lines(size, "f{m} = lambda c: f{n}(c)") + f"\nf{size}(8)\n"


@shape
def mixins(size: int) -> str:
    mixins = "".join(
        class_text(f"M{n}", f"self.c{n} = nn.Conv2d(3, 3, 1)", f"return super().forward(self.c{n}(x))", base="Base")
        for n in range(size)
    )
    base = class_text("Base", "pass", "return x")
    return HEAD + base + mixins + f"class Net({', '.join(f'M{n}' for n in range(size))}):\n    pass\n\nNet()\n"


@shape
def texts_that_grow(size: int) -> str:
    return HEAD + "name = ''\n" + lines(size, "name += 'part {n} ' * 3") + "\nlayer = nn.Conv2d(3, 8, 3, groups=2)\n"


@shape
def star_imports_in_a_ring(size: int) -> Files:
    files = {f"m{n}.py": f"from m{(n + 1) % size} import *\n{HEAD}width{n} = {n + 1}\n" for n in range(size)}
    return {**files, "net.py": f"{HEAD}from m0 import *\nnn.Conv2d(3, width{size - 1}, 1)\n"}


@shape
def packages_that_export_each_other(size: int) -> Files:
    files = {
        f"p{n}.py": f"import p{(n + 1) % size}\n{HEAD}" + class_text(f"B{n}", "self.c = nn.Conv2d(3, 8, 1)")
        + f"def make(): return p{(n + 1) % size}.B{(n + 1) % size}()\n"
        for n in range(size)
    }  # fmt: skip
    return {**files, "net.py": f"{HEAD}import p0\np0.make()\n"}


@shape
def calls_in_calls(size: int) -> str:
    line = f"c = {'wide(' * 50}c{')' * 50}\n"
    layers = line * (size // 50 + 1) + "self.c = nn.Conv2d(3, c, 1)"
    return HEAD + "def wide(c): return max(c, 8)\n" + class_text("Net", layers, "return self.c(x)", "c=8")


@shape
def chained_comparisons(size: int) -> str:
    chain = " < ".join(map(str, range(1, min(size, 500))))
    return net(f"assert 0 < {chain} < c\n" * (size // 500 + 1) + "self.c = nn.Conv2d(3, c, 1)", parameters="c=1000")


@shape
def lists_of_modules_in_lists(size: int) -> str:
    init = "self.c = nn.ModuleList([nn.Conv2d(3, 3, 1)])\n" + "self.c = nn.ModuleList([self.c])\n" * size
    return net(init, f"c = self.c\nfor _ in range({size}): c = c[0]\nreturn c[0](x)")


@shape
def widths_of_a_class(size: int) -> str:
    widths = f"class Net(nn.Module):\n    widths = [{', '.join(str(n % 7 + 1) for n in range(size))}]\n"
    init = "        layers = [nn.Conv2d(a, b, 1) for a, b in zip(self.widths, self.widths[1:])]\n"
    forward = "        for layer in self.layers: x = layer(x)\n        return x\n"
    return (
        f"{HEAD}{widths}    def __init__(self):\n        super().__init__()\n{init}"
        f"        self.layers = nn.ModuleList(layers)\n    def forward(self, x):\n{forward}"
    )


@shape
def keys_of_a_configuration(size: int) -> str:
    config = "CONFIG = {" + ", ".join(f"'width{n}': {n + 1}" for n in range(size)) + "}\n"
    return HEAD + config + class_text("Net", lines(size, "self.c{n} = nn.Conv2d(3, CONFIG['width{n}'], 1)"))


@shape
def helpers_that_call_helpers(size: int) -> str:
    helpers = "".join(f"    def make{n}(self, c): return self.make{n + 1}(c + 1)\n" for n in range(size))
    last = f"    def make{size}(self, c): return nn.Conv2d(3, c, 1)\n"
    return net("self.c = self.make0(8)", "return self.c(x)") + helpers + last


@shape
def calls_with_keywords(size: int) -> str:
    names = ", ".join(f"k{n}=8" for n in range(50))
    calls = lines(size, "layer{n} = make(" + names.replace("=8", "={m}") + ")")
    return f"{HEAD}def make({names}): return nn.Conv2d(k0, k49, 1)\n{calls}\n"


@shape
def statements_around_statements(size: int) -> str:
    one = "with torch.no_grad():\n    try:\n        while x.shape[1] > 99: x = self.c(x)\n    finally: x = x + 0\n"
    return net("self.c = nn.Conv2d(3, 3, 1)", one * size + "return x")
