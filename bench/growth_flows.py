"""More shapes for ``bench/growth.py``: what flows through a program, and mistakes that many places share."""

from __future__ import annotations

from bench.growth_shapes import HEAD, class_text, lines, net, shape


@shape
def features_that_are_concatenated_again(size: int) -> str:
    init = lines(size, "self.c{n} = nn.Conv2d(3 + 4 * {n}, 4, 1)")
    calls = "xs = [x]\n" + lines(size, "xs.append(self.c{n}(torch.cat(xs, 1)))")
    return net(init, calls + "\nreturn torch.cat(xs, 1)")


@shape
def a_pyramid(size: int) -> str:
    init = lines(size, "self.d{n} = nn.Conv2d(8, 8, 3, padding=1)\nself.u{n} = nn.Conv2d(16, 8, 3, padding=1)")
    down = "xs = []\nx = torch.cat([x, x, x[:, :2]], 1)\n" + lines(size, "xs.append(x)\nx = self.d{n}(x)")
    up = lines(size, "x = self.u{n}(torch.cat([x, xs.pop()], 1))")
    return net(init, f"{down}\n{up}\nreturn x")


@shape
def a_wrong_block_in_many_models(size: int) -> str:
    block = class_text(
        "Block", "self.a = nn.Conv2d(c, 8, 1)\nself.b = nn.Conv2d(9, c, 1)", "return self.b(self.a(x))", "c"
    )
    model = "self.stem = nn.Conv2d(3, 16, 3)\nself.block = Block(16)"
    return HEAD + block + "".join(class_text(f"Net{n}", model, "return self.block(self.stem(x))") for n in range(size))


@shape
def a_wrong_width_that_is_passed_on(size: int) -> str:
    first = class_text("B0", "self.c = nn.Conv2d(c, 8, 1)", "return self.c(x)", "c")
    chain = "".join(class_text(f"B{n + 1}", f"self.b = B{n}(c)", "return self.b(x)", "c") for n in range(size))
    return (
        HEAD
        + first
        + chain
        + class_text("Net", f"self.stem = nn.Conv2d(3, 16, 1)\nself.b = B{size}(12)", "return self.b(self.stem(x))")
    )


@shape
def wrong_classifiers(size: int) -> str:
    init = "self.c = nn.Conv2d(3, 8, 3, padding=1)\nself.fc = nn.Linear(8 * 7 * 9, 10)"
    call = "return self.fc(torch.flatten(F.adaptive_avg_pool2d(self.c(x), 7), 1))"
    return HEAD + "".join(class_text(f"Net{n}", init, call) for n in range(size))


@shape
def closures_in_closures(size: int) -> str:
    deep = min(size, 15)
    one = "".join("    " * n + f"def f{n}(c{n}):\n" for n in range(deep))
    one += "    " * deep + f"return nn.Conv2d(3, {' + '.join(f'c{n}' for n in range(deep))}, 1)\n"
    one += "".join("    " * n + f"return f{n}({n})\n" for n in reversed(range(1, deep)))
    return HEAD + f"{one}f0(1)\n" * (size // deep)


@shape
def keywords_of_the_class_above(size: int) -> str:
    def init(base: str, number: int) -> str:
        return (
            f"class A{number}({base}):\n    def __init__(self, w{number}=8, **given):\n"
            f"        super().__init__(**given)\n        self.c{number} = nn.Conv2d(3, w{number}, 1)\n"
        )

    deep = min(size, 20)
    chains = "".join(
        init("nn.Module", n) if n % deep == 0 else init(f"A{n - 1}", n) for n in range(size // deep * deep)
    )
    return HEAD + chains + lines(size // deep, "A{n}()")


@shape
def generators_of_generators(size: int) -> str:
    made = lines(size, "def g{m}():\n    yield from g{n}()")
    return f"{HEAD}def g0():\n    yield nn.Conv2d(3, 8, 1)\n{made}\nnn.Sequential(*g{size}())\n"


@shape
def a_list_that_is_appended_to(size: int) -> str:
    calls = lines(size, "layers.append(nn.Conv2d(3, 3, {n} % 5 + 1))")
    return f"{HEAD}layers = []\n{calls}\nnet = nn.Sequential(*layers)\n"


@shape
def a_list_that_is_added_to(size: int) -> str:
    sums = lines(size, "layers = layers + [nn.Conv2d(3, 3, 1)]")
    return net(f"layers = []\n{sums}\nself.c = nn.Sequential(*layers)", "return self.c(x)")


@shape
def numbers_that_change_places(size: int) -> str:
    init = "a, b = 3, 8\n" + lines(size, "a, b = b, a\nself.c{n} = nn.Conv2d(b, a, 1)")
    return net(init, lines(size, "x = self.c{n}(x)") + "\nreturn x")


@shape
def views_of_views(size: int) -> str:
    one = "n, c, h, w = x.shape\nx = x.view(n, c * 2, h // 2, w).permute(0, 2, 1, 3).reshape(n, c, h, w)\n"
    return net("self.c = nn.Conv2d(3, 8, 1)", one * size + "return self.c(x)")


@shape
def sequences_with_names(size: int) -> str:
    layers = "".join(f"    ('c{n}', nn.Conv2d({n % 5 + 1}, {(n + 1) % 5 + 1}, 1)),\n" for n in range(size))
    made = f"net = nn.Sequential(OrderedDict([\n{layers}]))\nnet(torch.randn(1, 1, 8, 8))\n"
    return f"from collections import OrderedDict\n{HEAD}{made}"


@shape
def settings_in_settings(size: int) -> str:
    deep = min(size, 50)
    one = "C = " + "{'a': " * deep + "8" + "}" * deep + "\nnn.Conv2d(3, C" + "['a']" * deep + ", 1)\n"
    return HEAD + one * (size // deep)


@shape
def choices_in_an_expression(size: int) -> str:
    one = "nn.Conv2d(3, " + "".join(f"{n} if kind == '{n}' else " for n in range(1, 40)) + "8, 1)\n"
    return net(f"self.c = {one}" * (size // 40 + 1), "return self.c(x)", "kind")


@shape
def aliases(size: int) -> str:
    return f"{HEAD}L0 = nn.Conv2d\n{lines(size, 'L{m} = L{n}')}\nL{size}(3, 8, 1, groups=2)\n"


@shape
def hooks_between_layers(size: int) -> str:
    init = lines(size, "self.c{n} = nn.Conv2d(3, 3, 1)\nself.c{n}.register_forward_hook(lambda m, i, o: o)")
    return net(init, lines(size, "x = self.c{n}(x)") + "\nreturn x")


@shape
def lists_of_branches(size: int) -> str:
    init = f"self.b = nn.ModuleList([nn.ModuleList([nn.Conv2d(8, 8, 1) for _ in range(4)]) for _ in range({size})])\n"
    calls = "x = self.stem(x)\nfor b in self.b:\n    x = sum(c(x) for c in b)\nreturn x"
    return net(init + "self.stem = nn.Conv2d(3, 8, 1)\n" * size, calls)
