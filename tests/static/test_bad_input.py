"""Extreme programs: long, deeply nested, endless or huge. Static analysis checks them in seconds and
never fails itself.
"""

from __future__ import annotations

import re
import time

import pytest

from convlint.static import CheckedFile, Project, check_file

HEAD = "import torch\nimport torch.nn.functional as F\nfrom torch import nn\n"
BUG = "nn.Conv2d(3, 8, 3, groups=2)  # CVL101\n"


def check(text: str, path: str = "net.py") -> CheckedFile:
    """Check a text, in limited time and without an error in convlint."""
    start = time.process_time()
    found = check_file(path, text.encode(), Project("nowhere"))
    assert time.process_time() - start < 10
    assert not [problem for problem in found.problems if problem.kind == "internal"]
    return found


def findings_in(text: str) -> list[tuple[str, int]]:
    """Codes and lines of the findings, except CVL902."""
    return [(f.code, f.site.line) for f in check(text).findings if f.site and f.code != "CVL902"]


def marked_lines(text: str) -> list[tuple[str, int]]:
    """The lines that end in a comment with a code."""
    lines = enumerate(text.splitlines(), 1)
    return [(m[1], n) for n, line in lines if (m := re.search(r"# (CVL\d+)$", line))]


def before_a_bug(text: str) -> str:
    """The text and, after it, a line with a bug, which is always found."""
    return f"{HEAD}{text}\n{BUG}"


def net(init: str = "pass", forward: str = "return x", parameters: str = "") -> str:
    """A text with one class."""
    body = "\n".join(f"        {line}" for line in init.splitlines())
    calls = "\n".join(f"        {line}" for line in forward.splitlines())
    return (
        f"{HEAD}\nclass Net(nn.Module):\n    def __init__(self, {parameters}):\n"
        f"        super().__init__()\n{body}\n\n    def forward(self, x):\n{calls}\n"
    )


# --- long


LONG = {
    "100,000 comments": "# nothing\n" * 100_000,
    "100,000 assignments": "x = 1\n" * 100_000,
    "one line of statements": "x = 1; " * 100_000,
    "a string of 1 MB in one line": f"x = '{'a' * 1_000_000}'",
    "a list of 200,000 numbers": f"x = [{', '.join(map(str, range(200_000)))}]",
    "a dict of 100,000 pairs": f"x = {{{', '.join(f'{n}: {n}' for n in range(100_000))}}}",
    "10,000 decorators": "@known\n" * 10_000 + "def f(): pass",
    "10,000 strings in a row": "x = 'a'" + " 'a'" * 10_000,
    "10,000 comparisons in a row": "x = 1" + " < 2" * 10_000,
    "10,000 conditions in a row": "x = a" + " and a" * 10_000,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_long_text(name: str) -> None:
    text = before_a_bug(LONG[name])
    assert findings_in(text) == marked_lines(text)


def test_a_column_after_a_megabyte() -> None:
    text = f"{HEAD}x = '{'é' * 500_000}'; {BUG}"
    (finding,) = check(text).findings
    assert finding.site is not None
    assert (finding.site.line, finding.site.column) == (4, len("x = ''; ") + 500_000 + 1)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2_000, pytest.param(10_000, marks=pytest.mark.sweep)])
def test_thousands_of_classes(count: int) -> None:
    one = (
        "class Net{0}(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n"
        "        self.a = nn.Conv2d(c, 8, 3)\n        self.b = nn.Conv2d({1}, c, 3)\n\n"
        "    def forward(self, x):\n        return self.b(self.a(x))\n\n\n"
    )
    text = HEAD + "".join(one.format(n, 9 if n % 1000 == 999 else 8) for n in range(count))
    assert text.count("\n") > 10 * count
    start = time.process_time()
    found = check_file("net.py", text.encode(), Project("nowhere"))
    assert time.process_time() - start < 60 * count / 10_000
    assert len([f for f in found.findings if f.code == "CVL102"]) == count // 1000


def test_thousands_of_wrong_numbers() -> None:
    layers = "".join(f"    nn.Conv2d({n % 7 + 1}, {n % 5 + 1}, 1),\n" for n in range(2000))
    text = f"{HEAD}net = nn.Sequential(\n{layers})\nnet(torch.randn(1, 3, 8, 8))\n"
    assert {code for code, _ in findings_in(text)} == {"CVL102"}


def test_hundreds_of_wrong_concatenations() -> None:
    layers = "\n".join(f"self.c{n} = nn.Conv2d(3 + 7 * {n}, 8, 1)" for n in range(300))
    calls = "\n".join(f"x = torch.cat([x, self.c{n}(x)], 1)" for n in range(300))
    assert findings_in(net(layers, f"{calls}\nreturn x"))


# --- deep


def _nested(opening: str, middle: str, closing: str, depth: int) -> str:
    return "x = " + opening * depth + middle + closing * depth


@pytest.mark.parametrize("text", [_nested("(", "1", ")", 10_000), _nested("[", "", "]", 10_000)])
def test_parentheses_that_python_does_not_parse_are_a_syntax_error(text: str) -> None:
    (finding,) = check(HEAD + text).findings
    assert (finding.code, finding.site.line if finding.site else 0) == ("CVL901", 4)
    assert "too many nested parentheses" in finding.message


DEEP = {
    "attributes": "x = a" + ".b" * 10_000,
    "terms": "x = 1" + " + 1" * 10_000,
    "calls": "x = f" + "()" * 10_000,
    "subscripts": "x = a" + "[0]" * 10_000,
    "signs": "x = " + "-" * 10_000 + "1",
    "conditional expressions": "x = " + "1 if a else " * 10_000 + "2",
    "branches": "if a: pass\n" + "elif a: pass\n" * 10_000,
    "functions": "x = " + "lambda: " * 10_000 + "1",
}


@pytest.mark.parametrize("name", DEEP)
def test_code_too_deep_for_python_is_one_problem(name: str) -> None:
    found = check(before_a_bug(DEEP[name]))
    assert [problem.kind for problem in found.problems] == ["too-deep"]
    assert found.findings == ()


@pytest.mark.parametrize("depth", [50, 500])
@pytest.mark.parametrize("name", DEEP)
def test_one_deep_statement_hides_no_other(name: str, depth: int) -> None:
    text = DEEP[name]
    shorter = re.sub(r"(.)(.+?)\2{100,}", lambda m: m[1] + m[2] * depth, text, flags=re.DOTALL)
    assert len(shorter) < len(text)
    text = before_a_bug(shorter)
    assert findings_in(text) == marked_lines(text)


@pytest.mark.parametrize("opening", ["def f():", "if 1:", "class C:", "for i in range(2):", "with f():"])
def test_ninety_blocks_deep(opening: str) -> None:
    depth = 18 if opening.startswith(("for", "with")) else 90  # Python takes 20 of these
    deep = "\n".join(" " * level + opening for level in range(depth)) + "\n" + " " * depth + "pass"
    assert not {code for code, _ in findings_in(before_a_bug(deep))} - {"CVL101"}


def test_a_hundred_and_one_blocks_deep_is_a_syntax_error() -> None:
    deep = "\n".join(" " * level + "if 1:" for level in range(101)) + "\n" + " " * 101 + "pass"
    assert findings_in(HEAD + deep) == [("CVL901", 104)]


# --- without an end


ENDLESS = {
    "a class derived from itself": "class A(A): pass\nA()",
    "a class derived from one of its name": "class A(nn.Module): pass\nclass A(A): pass\nA()",
    "two classes derived from each other": "class A(B): pass\nclass B(A): pass\nA()\nB()",
    "bases that have no order": ("class A(nn.Module): pass\nclass B(A): pass\nclass C(A, B): pass\nC()"),
    "a function that calls itself": "def f(n): return f(n - 1) + f(n - 2)\nf(9)",
    "functions that call each other": "def f(n): return g(n)\ndef g(n): return f(n)\nf(9)",
    "a lambda applied to itself": "(lambda f: f(f))(lambda f: f(f))",
    "a sum that takes a while": "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)\nf(24)",
    "a decorator that is what it decorates": "@f\ndef f(): pass\nf()",
    "a list in itself": "x = []\nx.append(x)\nx == x\nx in x\nnn.Conv2d(3, x, 3)\nsorted(x)\nmax(x)",
    "a dict in itself": "x = {}\nx['x'] = x\nx == x\nnn.Conv2d(**x)\nnn.ModuleDict(x)",
    "lists in each other": "x = []\ny = [x]\nx.append(y)\nx == y\nx in [y]\ntorch.zeros(x)",
    "a list that grows as it is read": "x = [1]\nfor y in x: x.append(y)",
    "a module in itself": "m = nn.Sequential()\nm.add_module('m', m)\nm(torch.randn(1, 3, 8, 8))",
    "a loop for ever": "while True: x = 1",
    "modules deep in modules": "m = nn.ReLU()\nfor i in range(390): m = nn.Sequential(m)\nm(torch.ones(3))",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_programs(name: str) -> None:
    text = f"{HEAD}{BUG}{ENDLESS[name]}\n"
    assert marked_lines(text)[0] in findings_in(text)


ENDLESS_CLASSES = {
    "it builds itself": net("self.inner = Net()", "return self.inner(x)"),
    "it builds many of itself": net("self.inner = nn.ModuleList([Net() for _ in range(9)])"),
    "it builds itself again and again": net("self.__init__()\nNet.__init__(self)"),
    "it calls itself": net("self.c = nn.Conv2d(3, 3, 1)", "return self(self.c(x)) + self.forward(x)"),
    "it holds itself": net("self.me = self\nself.all = nn.ModuleList([self])", "return self.me(x)"),
    "its list holds itself": net(
        "import copy\nself.a = []\nself.a.append(self.a)\nself.b = copy.deepcopy(self.a)\n"
        "self.c = copy.deepcopy(self)\nself.d = nn.Conv2d(3, 8, self.a)",
        "return torch.cat(self.a)",
    ),
    "its property is itself": (
        f"{HEAD}class Net(nn.Module):\n    @property\n    def p(self): return self.p\n"
        "    def __getattr__(self, name): return getattr(self, name)\n"
        "    def forward(self, x): return self.p(self.q)\n"
    ),
    "two build each other": (
        f"{HEAD}class A(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.b = B()\nclass B(nn.Module):\n    def __init__(self):\n"
        "        super().__init__()\n        self.a = A()\nA()\n"
    ),
    "it loops for ever": net("while True: self.c = nn.Conv2d(3, 3, 1)", "while True: x = self.c(x)"),
    "eighteen loops in each other": net(
        "\n".join(" " * n + "for i in range(99):" for n in range(18)) + "\n" + " " * 18 + "pass"
    ),
    "eighteen comprehensions in each other": net("[1 " + "for i in range(99) " * 18 + "if i > 99]"),
    "a hundred flags": net(
        "\n".join(f"self.c{n} = nn.Conv2d(3, a{n}, 1) if a{n} else None" for n in range(100)),
        parameters=", ".join(f"a{n}" for n in range(100)),
    ),
    "a condition of conditions": net(
        "a = c == d\nfor _ in range(390): a = (a and c < d) or not a\nif a: self.c = nn.ReLU()", parameters="c, d"
    ),
    "a number of numbers": net(
        "for _ in range(390): c, d = int(c * 1.5) // 8 + max(c, d), c * d + 1\n"
        "self.c = nn.Conv2d(3, c, 1, bias=False)\nself.n = nn.BatchNorm2d(d)",
        "return self.n(self.c(x))",
        "c, d",
    ),
}


@pytest.mark.parametrize("name", ENDLESS_CLASSES)
def test_endless_classes(name: str) -> None:
    assert not {code for code, _ in findings_in(ENDLESS_CLASSES[name])} - {"CVL201", "CVL205"}


# --- huge


HUGE = {
    "a range": "for i in range(10**9): pass\nx = list(range(10**9))\n5.5 in range(10**9)",
    "longer than any range": "for i in range(10**30): pass\nlen(range(10**30))",
    "a sum of a range": "sum(range(10**9)), max(range(10**9)), {*range(10**9)}, [*range(10**9)]",
    "modules in a range": "nn.Sequential(*[nn.ReLU() for _ in range(10**9)])",
    "a list times a number": "x = [nn.ReLU()] * 10**9\ny = 10**9 * (1,)\nnn.Sequential(*x)",
    "a power": "x = 2**10**10\ny = 1 << 10**10\nz = 2.0**10**10\nx **= x",
    "a number of 5,000 digits": f"x = 0x{'9' * 5000}\nf'{{x}}'\nstr(x)\nx / 2\nrange(x)[x]\n'a' * x",
    "a string": "x = 'a' * 10**12\ny = '%1000000000d' % 5\nz = '{:>1000000000}'.format(5)\n'%*d' % (10**9, 1)",
    "layers": (
        "nn.Conv2d(10**18, 10**18, 3, groups=7)\nnn.GroupNorm(7, 10**18)\nnn.Sequential(\n"
        "    nn.Conv2d(3, 8, 3, padding=10**9), nn.Conv2d(8, 8, 1, padding=1),\n"
        "    nn.Conv2d(8, 8, 10**8, stride=10**8 + 1),\n)(torch.zeros(1, 3, 8, 8))"
    ),
    "no number": "x = 1e999\ny = x - x\nint(x)\nround(y)\nnn.Conv2d(x, y, int(y))",
    "a list that doubles": "x = [1]\nfor _ in range(300): x = x + x; x += x; x.extend(x); x = [*x, *x]",
    "a list of itself twice": "x = [1]\nfor _ in range(300): x = [x, x]\nx == x\nnn.Conv2d(3, x, 3)",
    "a tuple of itself twice": (
        "x = y = (1,)\nfor _ in range(300): x = (x, x); y = (y, y)\n"
        "x == y\nx in [y]\n{x: y}\nx < y\n'%s' % x\nx.index(y)\nnn.LayerNorm(x)"
    ),
    "a string that doubles": "x = 'a'\nfor _ in range(300): x = x + x; x = f'{x}{x}'",
    "modules that double": "m = nn.ReLU()\nfor _ in range(60): m = nn.Sequential(m, m)\nm(torch.ones(3))",
    "a module that doubles": "m = nn.Sequential(nn.ReLU())\nfor _ in range(60): m = nn.Sequential(*m, *m)",
    "rows and columns": "x = [range(4000)] * 4000\ny = list(zip(*x))\ntorch.cat([[x] * 4000] * 4000)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", HUGE)
def test_huge_numbers_and_lists(name: str) -> None:
    text = f"{HEAD}{BUG}{HUGE[name]}\n"
    assert marked_lines(text)[0] in findings_in(text)


# --- more than a file may take


def chain(builds: str, count: int = 40) -> str:
    """Classes, each of which builds the one before it."""
    head = "(nn.Module):\n    def __init__(self, c):\n        super().__init__()\n        "
    bodies = ["self.c = nn.Conv2d(c, c, 1)", *(builds.replace("A", f"A{n}") for n in range(count))]
    return HEAD + "".join(f"class A{n}{head}{body}\n" for n, body in enumerate(bodies))


def test_classes_for_which_no_steps_are_left_are_a_problem() -> None:
    found = check(f"{chain('self.a = A(c); self.b = A(c + 1)')}{BUG}")
    (problem,) = found.problems
    assert problem.kind == "too-many-steps"
    assert re.match(r"\d+ of 42 classes and functions were not checked, from `A\d+` on", problem.message)


def test_a_property_that_reads_itself_twice_is_left() -> None:
    text = f"""{HEAD}class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, self.width, 3)

    @property
    def width(self):
        return self.width + self.width

    def forward(self, x):
        return self.conv(x)

{BUG}"""
    found = check(text)
    codes = [finding.code for finding in check(HEAD + BUG).findings]
    assert [finding.code for finding in found.findings if finding.code != "CVL902"] == codes
    assert any("too many steps" in finding.message for finding in found.findings)


def test_a_top_level_that_copies_too_much_is_a_problem() -> None:
    merges = "".join(f"C{n + 1} = {{**C{n}, 'k{n}': {n}}}\n" for n in range(1500))
    (problem,) = check(f"{HEAD}C0 = {{'width': 8}}\n{merges}c = nn.Conv2d(3, C1500['width'], 3, groups=2)\n").problems
    assert problem.kind == "too-many-steps"
    assert 700 < (problem.line or 0) < 1500


@pytest.mark.parametrize(
    "script",
    [
        "x = [sum(j for j in range(i)) for i in range(200)]\n",
        "x = 0\nfor i in range(200):\n    for j in range(200):\n        x = max(x + i * j, 1)\n",
        "x = [what]\nwhile x:\n    y = x.pop()\n    for _ in range(200):\n        x.append(y)\n",
        "def walk(x):\n    if x.tail:\n        walk(x.left)\n        walk(x.right)\n\n\nwalk(what)\n",
    ],
)
def test_a_script_is_followed_behind_what_computes_long(script: str) -> None:
    found = check(f"{HEAD}{script * 8}net = nn.Conv2d(3, 8, 3, groups=2)  # CVL101\nassert x == 1 or net\n")
    assert not found.problems
    assert [finding.code for finding in found.findings if finding.severity == "error"] == ["CVL101"]


def test_a_loop_that_comes_to_new_layers_is_followed_to_its_end() -> None:
    layer = "blocks.append(nn.Conv2d(i + 1, i + 2, 1))"
    loop = f"blocks = []\nfor i in range(300):\n    x = [j for j in range(50)]\n    {layer}\n"
    text = f"{HEAD}{loop}net = nn.Sequential(*blocks, nn.Conv2d(300, 8, 3))  # CVL102\nnet(torch.zeros(1, 1, 8, 8))\n"
    assert findings_in(text) == marked_lines(text)


def test_classes_that_build_the_one_before_are_all_checked() -> None:
    found = check(chain("self.a = A(c)"))
    assert not found.problems


def test_a_deep_copy_that_doubles_is_unknown() -> None:
    doubled = "x = [x, copy.deepcopy(x)]\n" * 64
    text = f"{HEAD}import copy\n{BUG}x = [1]\n{doubled}"
    assert findings_in(text) == marked_lines(text)
    assert "this copy has too many parts" in {f.message.partition(": ")[2] for f in check(text).findings}


def test_a_deep_copy_of_usual_size_is_known() -> None:
    text = f"{HEAD}import copy\nx = copy.deepcopy([[nn.Conv2d(3, 8, 3, groups=2)] for _ in range(50)])  # CVL101\n"
    assert findings_in(text) == marked_lines(text)


@pytest.mark.parametrize(("depth", "is_known"), [(100, True), (1000, False)])
def test_a_chain_of_inheritance(depth: int, is_known: bool) -> None:
    chained = "".join(f"class A{n + 1}(A{n}): pass\n" for n in range(depth))
    text = f"{HEAD}class A0(nn.Module): width = 3\n{chained}nn.Conv2d(3, 8, 3, groups=A{depth}.width - 1)\n"
    assert bool(findings_in(text)) is is_known


@pytest.mark.slow
def test_a_class_of_thousands_of_layers_is_followed_to_its_end() -> None:
    layers = "\n".join(f"self.c{n} = nn.Conv2d(8, 8, 1)" for n in range(3000))
    calls = "\n".join(f"x = self.c{n}(x)" for n in range(3000))
    text = net(f"{layers}\nself.last = nn.Conv2d(9, 8, 1)", f"{calls}\nreturn self.last(x)")
    assert {code for code, _ in findings_in(text)} == {"CVL102"}
