"""Coverage: how many layers of a class were followed, where that ended, and the first unknown value that caused it."""

from __future__ import annotations

import pytest

from convlint.ir import Coverage
from convlint.source_text.texts import SourceTexts
from convlint.static import Project, check_file

HEAD = """\
import torch
from torch import nn
from elsewhere import blur, build, load

"""


def coverage(text: str) -> dict[str | None, Coverage]:
    """Return the coverage of the classes of a file by their names."""
    data = (HEAD + text).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    return {each.name: each for each in checked.coverage}


def net(built: str, forward: str, head: str = "") -> Coverage:
    """Return the coverage of a class of that constructor and forward."""
    lines = "\n".join(f"        {line}" for line in built.split("; "))
    text = f"{head}class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n{lines}\n"
    return coverage(f"{text}    def forward(self, x):\n        {forward}\n")["Net"]


def test_a_class_that_is_followed_to_its_end() -> None:
    found = net("self.conv = nn.Conv2d(3, 8, 3); self.norm = nn.BatchNorm2d(8)", "return self.norm(self.conv(x))")
    assert (found.layers, found.followed, found.stopped) == (2, 2, ())
    assert found.is_complete


STOPS = {
    "a width": ("self.conv = nn.Conv2d(3, width, 3)", "return self.conv(x)", (1, 0), "`width` is unknown since line 5"),
    "a module": ("self.conv = build(3)", "return self.conv(x)", (1, 0), "`self.conv` is unknown since line 9"),
    "a function": (
        "self.conv = nn.Conv2d(3, 8, 3); self.head = nn.Conv2d(8, 2, 1)",
        "return self.head(blur(self.conv(x)))",
        (2, 1),
        "`blur(self.conv(x))` is not followed",
    ),
    "a loop": (
        "self.blocks = build(3)",
        "for block in self.blocks: x = block(x)\n        return x",
        (1, 0),
        "`block` is unknown since line 9: `build(3)` is not followed",
    ),
}


@pytest.mark.parametrize("name", STOPS)
def test_the_place_where_following_ended_is_named_with_its_cause(name: str) -> None:
    built, forward, counts, reason = STOPS[name]
    found = net(built, forward, "width = load('net.yaml').width\n")
    assert (found.layers, found.followed) == counts
    assert reason in found.stopped[0].reason


def test_the_first_unknown_value_is_named_through_names_attributes_and_arithmetic() -> None:
    head = "config = load('net.yaml')\nhalf = config.model['width'] // 2\n"
    (stop,) = net("self.width = half + 1; self.conv = nn.Conv2d(3, self.width, 3)", "return self.conv(x)", head).stopped
    assert stop.reason == "`self.width` is unknown since line 5: `load('net.yaml')` is not followed"
    assert (stop.line, stop.value) == (11, "load('net.yaml')")


def test_a_call_whose_result_nothing_reads_ends_nothing() -> None:
    assert net("self.conv = nn.Conv2d(3, 8, 3)", "blur(x); return self.conv(x)").is_complete


def test_an_unknown_value_that_reaches_no_layer_ends_nothing() -> None:
    assert net("self.rate = load('net.yaml').rate; self.conv = nn.Conv2d(3, 8, 3)", "return self.conv(x)").is_complete


def test_a_layer_after_a_known_one_is_followed_again() -> None:
    built = "self.a = nn.Conv2d(3, 8, 3); self.b = nn.Conv2d(8, 8, 3); self.c = nn.BatchNorm2d(8)"
    found = net(built, "return self.c(self.b(blur(self.a(x))))")
    assert (found.layers, found.followed) == (3, 2)


def test_a_layer_that_the_forward_does_not_call_is_followed_if_nothing_is_unknown() -> None:
    assert net("self.a = nn.Conv2d(3, 8, 3); self.b = nn.Conv2d(8, 8, 3)", "return self.a(x)").is_complete


def test_copies_of_a_block_count_each() -> None:
    found = coverage(
        "class Block(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.conv = nn.Conv2d(8, 8, 3)\n    def forward(self, x):\n        return self.conv(x)\n"
        "class Net(nn.Module):\n    def __init__(self):\n        super().__init__()\n"
        "        self.blocks = nn.Sequential(*[Block() for _ in range(5)])\n"
        "    def forward(self, x):\n        return self.blocks(x)\n"
    )
    assert [(found[name].layers, found[name].followed) for name in ("Block", "Net")] == [(1, 1), (5, 5)]


def test_a_class_without_layers_is_not_listed() -> None:
    assert coverage("class Net(nn.Module):\n    def forward(self, x):\n        return torch.relu(x)\n") == {}


def test_a_loop_that_touches_no_layer_ends_nothing() -> None:
    found = net("self.conv = nn.Conv2d(3, 8, 3)", "for name in load('names'): print(name)\n        return self.conv(x)")
    assert found.is_complete


@pytest.mark.parametrize("loop", ["for i in range(len(x)): kept.append(x[i] > 0)", "while x.mean() > 1: kept = x > 0"])
def test_a_loop_over_tensors_that_calls_no_layer_ends_nothing(loop: str) -> None:
    forward = f"x, kept = self.conv(x), []\n        {loop}\n        return kept"
    assert net("self.conv = nn.Conv2d(3, 8, 3)", forward).is_complete


def test_a_layer_that_is_called_as_long_as_something_holds_is_not_followed_to_its_end() -> None:
    found = net("self.conv = nn.Conv2d(3, 3, 3)", "while x.mean() > 1: x = self.conv(x)\n        return x")
    assert not found.is_complete
    assert found.stopped[0].reason == "loop with an unknown condition"


def test_a_layer_on_a_tensor_of_unknown_shape_is_not_followed() -> None:
    built = "self.conv = nn.Conv2d(3, 8, 3); self.head = nn.Conv2d(9, 2, 1)"
    found = net(built, "return self.head(self.conv(x).mean(load('net.yaml').axis))")
    assert (found.layers, found.followed) == (2, 1)
    assert "the shape that mean returns is not known" in found.stopped[0].reason


DERIVED = """
class Masked(nn.Conv2d):
    {init}
    def forward(self, x):
        self.weight.data *= self.mask
        return super().forward(x)
"""


@pytest.mark.parametrize(
    "init", ["", "def __init__(self, *args, kind='A', **kwargs): super().__init__(*args, **kwargs)"]
)
def test_a_layer_that_passes_its_numbers_on_is_followed(init: str) -> None:
    found = coverage(DERIVED.format(init=init))["Masked"]
    assert found.is_complete
    assert found.layers == 1


def test_a_class_that_only_raises_was_not_followed() -> None:
    found = net("if kind not in TABLE: raise KeyError(kind)", "return x", "TABLE = {}\nkind = 'wide'\n")
    assert (found.layers, found.followed) == (0, 0)
    assert [stop.reason for stop in found.stopped] == ["the program raises KeyError"]


def test_a_class_that_others_are_derived_from_was_followed() -> None:
    assert net("self.conv = nn.Conv2d(3, 8, 3)", "raise NotImplementedError").is_complete


def test_a_model_of_torchscript_that_a_file_builds_is_followed_with_its_arguments() -> None:
    text = """
class Net(torch.jit.ScriptModule):
    def __init__(self, a, b):
        super().__init__()
        self.one = nn.Conv2d(3, a, 3)
        self.two = nn.Conv2d(b, 4, 3)

    @torch.jit.script_method
    def forward(self, x):
        return self.two(self.one(x))

net = Net(8, 9)
"""
    data = (HEAD + text).encode()
    checked = check_file("net.py", data, Project(".", (), SourceTexts({"net.py": data})))
    assert "CVL102" in [finding.code for finding in checked.findings]


GUARDS = {
    "a shape unpacked with a number": "b, c, h, w, n = *x.shape, 2; x = x.reshape(b, c, h // n, w * n)",
    "a shape unpacked from its end": "b, *_, n = *x.shape, 2; x = torch.cat([x] * n, 1)[:, ::n]",
    "shapes of two inputs": "if x.shape != y.shape:\n            raise ValueError(x.shape)",
    "an option that is looked up": "x = find(x, options())",
}


@pytest.mark.parametrize("guard", GUARDS)
def test_a_guard_on_what_is_not_known_is_passed(guard: str) -> None:
    text = f"""
def find(key, table):
    if key in table:
        return key
    raise ValueError(key)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)

    def forward(self, x, y):
        {GUARDS[guard]}
        return self.conv(x)
"""
    assert coverage("from elsewhere import options\n" + text)["Net"].is_complete


CONFIGURED = """
from dataclasses import dataclass, field


@dataclass
class Config:
    width: int = 16
    widths: list = field(default_factory=lambda: [16, 8])
    normed: bool = True


class Net(nn.Module):
    def __init__(self, cfg: {}):
        super().__init__()
        self.stem = nn.Conv2d(3, cfg.width, 3)
        self.norm = nn.BatchNorm2d(cfg.widths[0]) if cfg.normed else nn.Identity()
        self.head = nn.Conv2d(cfg.width, cfg.classes, 1)

    def forward(self, x):
        return self.head(self.norm(self.stem(x)))
"""


@pytest.mark.parametrize("annotation", ["Config", "'Config'", "Config | None"])
def test_a_parameter_that_is_annotated_with_a_configuration_has_its_defaults(annotation: str) -> None:
    found = coverage(CONFIGURED.format(annotation))["Net"]
    assert (found.layers, found.followed, found.is_complete) == (3, 3, True)


def test_a_configuration_that_a_caller_passes_may_have_more_attributes() -> None:
    text = """
class Settings:
    def __init__(self, **entries):
        self.__dict__.update(entries)

class Net(nn.Module):
    def __init__(self, settings: Settings):
        super().__init__()
        self.stem = nn.Conv2d(3, getattr(settings, "width", 8), 3)
        self.head = nn.Conv2d(8, settings.classes, 1)
    def forward(self, x):
        return self.head(self.stem(x))
"""
    assert coverage(text)["Net"].is_complete


@pytest.mark.parametrize(
    "forward",
    [
        (
            "size = x.shape[2:]; x = self.embed(x).flatten(2); sizes = [s // p for s, p in zip(size, (4, 4))]; "
            "return self.up(x.reshape(x.shape[0], x.shape[1], *sizes))"
        ),
        "h, w = x.shape[2:]; x = self.embed(x).flatten(2)\n        return self.up(x.unflatten(2, (h // 4, w // 4)))",
    ],
)
def test_the_sizes_after_the_channels_are_followed(forward: str) -> None:
    built = "self.embed = nn.Conv2d(3, 8, 4, 4); self.up = nn.ConvTranspose2d(8, 3, 4, 4)"
    assert net(built, forward.replace("; ", "\n        ")).is_complete


CHECKED = """\
class Net(nn.Module):
    def __init__(self, width, groups=4):
        super().__init__()
        if width % groups != 0:
            raise ValueError("width must be divisible by groups")
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        assert x.shape[1] == 3, "an image in color"
        return self.conv(x)
"""


@pytest.mark.parametrize(
    "program",
    ["Net(30)", "if __name__ == '__main__':\n    Net(30)", "def build():\n    return Net(32, groups=5)"],
    ids=["a file", "a script", "a factory"],
)
def test_a_program_that_raises_its_own_exception_is_not_covered(program: str) -> None:
    found = coverage(f"{CHECKED}{program}\n")["Net"]
    assert not found.is_complete
    assert [(stop.line, stop.reason) for stop in found.stopped] == [(9, "the program raises ValueError")]


def test_a_forward_that_raises_for_the_input_of_the_program_is_not_covered() -> None:
    (stop,) = coverage(f"{CHECKED}Net(32)(torch.zeros(1, 1, 8, 8))\n")["Net"].stopped
    assert (stop.line, stop.reason) == (12, "an assertion fails")


def test_a_class_that_raises_for_its_own_defaults_is_not_covered() -> None:
    (stop,) = coverage(CHECKED.replace("width,", "width=30,", 1))["Net"].stopped
    assert stop.reason == "with its default arguments the program raises ValueError"


def test_a_class_of_another_file_that_raises_is_named_where_it_is_built() -> None:
    texts = {"net.py": HEAD + CHECKED, "train.py": "from net import Net\nNet(30)\n"}
    data = {path: text.encode() for path, text in texts.items()}
    checked = check_file("train.py", data["train.py"], Project(".", (), SourceTexts(data)))
    assert [(each.name, each.followed, each.stopped[0].path) for each in checked.coverage] == [("Net", 0, "net.py")]


@pytest.mark.parametrize(
    "program",
    [
        "Net(32)",
        "def test_net():\n    with pytest.raises(ValueError):\n        Net(30)",
        "try:\n    Net(30)\nexcept ValueError:\n    pass",
        "if load():\n    Net(30)",
        "def build(width):\n    return Net(width)",
    ],
    ids=["no exception", "an expected one", "a handled one", "an unknown condition", "a parameter"],
)
def test_an_exception_that_a_program_does_not_raise_or_expects_ends_nothing(program: str) -> None:
    assert coverage(f"{CHECKED}{program}\n")["Net"].is_complete


def test_a_list_of_another_length_than_the_default_of_a_count_raises_for_no_default() -> None:
    built = "class Net(nn.Module):\n    def __init__(self, widths, count=5):\n        super().__init__()\n"
    checked = "        if count != len(widths):\n            raise ValueError\n"
    layers = "        self.layers = nn.Sequential(*[nn.Conv2d(w, w, 1) for w in widths])\n"
    assert (
        coverage(f"{built}{checked}{layers}    def forward(self, x):\n        return self.layers(x)\n")["Net"].stopped
        == ()
    )


OPERANDS = {
    "a sum": "self.conv(x) + self.scale",
    "a concatenation": "torch.cat([self.conv(x), self.scale], 1).relu()",
    "a choice": "torch.where(self.scale, self.conv(x), 0)",
}


@pytest.mark.parametrize("name", OPERANDS)
def test_an_operand_that_is_not_known_is_named_with_its_cause_where_a_layer_reads_the_result(name: str) -> None:
    built = "self.conv = nn.Conv2d(3, 8, 3); self.scale = load('net.pt'); self.head = nn.Conv2d(8, 2, 1)"
    found = net(built, f"y = {OPERANDS[name]}\n        return self.head(y)")
    (stop,) = found.stopped
    assert (found.followed, stop.line, stop.value) == (1, 12, "load('net.pt')")
    assert stop.reason == "an operand is not known, unknown since line 9: `load('net.pt')` is not followed"
    assert net(built, f"self.head(self.conv(x))\n        return {OPERANDS[name]}").stopped == ()
