"""``convlint init``: which models it finds without running anything, with which inputs, and what it writes where."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from convlint.settings import config
from convlint.static.project_models import Detected, detect
from tests.support.commands import Done, command

HEAD = "import torch\nfrom torch import nn\n"
NET = HEAD + dedent("""
    class Block(nn.Module):
        def __init__(self, c=8):
            super().__init__()
            self.conv = nn.Conv2d(c, c, 3, padding=1)

        def forward(self, x):
            return x + self.conv(x)


    class Net(nn.Module):
        def __init__(self, width=8, classes=10):
            super().__init__()
            self.stem = nn.Conv2d(3, width, 3, padding=1)
            self.block = Block(width)
            self.head = nn.Linear(width, classes)

        def forward(self, x):
            return self.head(self.block(self.stem(x)).mean((2, 3)))
    """)
FIXED = HEAD + dedent("""
    class Fixed(nn.Sequential):
        def __init__(self):
            super().__init__(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4 * 13 * 13, 10))
    """)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(files: Mapping[str, str]) -> None:
    for name, text in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(text, encoding="utf-8")


def found(source: str) -> list[Detected]:
    write({"net.py": source})
    return detect(["net.py"], os.getcwd())


def targets(source: str) -> list[str]:
    return [one.target for one in found(source)]


def convlint(*arguments: str) -> Done:
    done = command(Path.cwd(), *arguments)
    assert "Traceback" not in done.stderr
    return done


# --- which models there are


def test_a_class_that_no_other_builds_is_a_model() -> None:
    assert targets(NET) == ["net.py:Net"]


@pytest.mark.parametrize(
    "body",
    [
        "class Mlp(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Linear(3, 4))",
        "class Loss(nn.Module):\n    def forward(self, x, y):\n        return ((x - y) ** 2).mean()",
        "class Data:\n    def __init__(self):\n        self.conv = nn.Conv2d(3, 4, 3)",
        "class _Hidden(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Conv2d(3, 4, 3))",
        "def main():\n    nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8))",
        "def loss():\n    return nn.Conv2d(3, 4, 3)(torch.zeros(1, 3, 8, 8)).mean()",
        "def build(width):\n    return nn.Sequential(nn.Conv2d(3, width, 3))",
    ],
    ids=lambda body: body.split("(")[0].split(":")[0],
)
def test_what_is_no_convolution_model_or_cannot_be_built(body: str) -> None:
    assert targets(f"{HEAD}\n{body}\n") == []


def test_a_function_that_returns_one_is_a_model() -> None:
    factory = "\ndef build(width=4):\n    return nn.Sequential(nn.Conv2d(3, width, 3), nn.ReLU())\n"
    (one,) = found(HEAD + factory)
    assert (one.target, one.inputs) == ("net.py:build", ("3,32,32",))


FACTORIES = NET.replace("width=8, classes=10", "width, classes") + dedent("""

    def _net(width, **options):
        return Net(width, 10)


    def net4(**options):
        return _net(4, **options)


    def net8(**options):
        return _net(8, **options)


    def report():
        return _text("no model")


    def _text(words):
        return words.split()
    """)


def test_a_function_that_returns_what_a_helper_builds_is_a_model() -> None:
    """As in torchvision and timm: the class needs arguments, a helper builds it, functions call the helper."""
    made = [one for one in found(FACTORIES) if not one.missing]
    assert [(one.target, one.inputs) for one in made] == [("net.py:net4", ("3,32,32",)), ("net.py:net8", ("3,32,32",))]
    assert {one.family[1] for one in made} == {"Net"}


def test_what_only_such_a_function_puts_into_a_model_is_a_part_of_it() -> None:
    stem = "class Stem(nn.Sequential):\n    def __init__(self):\n        super().__init__(nn.Conv2d(3, 8, 3))\n"
    net = FACTORIES.replace("class Net(", f"{stem}\n\nclass Net(").replace("width, classes", "width, classes, stem")
    net = net.replace("nn.Conv2d(3, width, 3, padding=1)", "stem()").replace("width, 10)", "width, 10, Stem)")
    assert targets(net) == ["net.py:Net", "net.py:net4", "net.py:net8"]


def test_functions_of_one_helper_are_not_all_followed() -> None:
    many = "".join(f"\ndef net{n}():\n    return _net({n})\n" for n in range(20, 60))
    assert len(targets(FACTORIES + many)) < 10


@pytest.mark.parametrize(
    "part",
    ["self.block = block(width)", "self.block = nn.Sequential(*[block(width) for _ in range(depth)])"],
    ids=["called", "listed"],
)
def test_what_a_model_that_needs_arguments_is_made_of_is_no_model(part: str) -> None:
    """Nothing can be followed without its arguments; that it names the class is enough."""
    net = NET.replace("width=8, classes=10", "width, depth, classes, block=Block")
    (one,) = found(net.replace("self.block = Block(width)", part))
    assert (one.target, one.missing) == ("net.py:Net", "needs arguments: width, depth, classes")


def test_a_class_that_another_derives_from_or_only_annotates_is_a_model() -> None:
    more = "\n\nclass Wide(Net):\n    def like(self, other: Net) -> Net:\n        return other\n"
    assert targets(NET + more) == ["net.py:Net", "net.py:Wide"]


def test_parts_are_parts_in_other_files_too() -> None:
    block, net = NET.split("class Net")
    write({"block.py": block, "net.py": f"{HEAD}from block import Block\n\nclass Net{net}"})
    assert [one.target for one in detect(["block.py", "net.py"], os.getcwd())] == ["net.py:Net"]


def test_arguments_are_those_of_a_call_with_literals() -> None:
    wide = NET.replace("width=8, classes=10", "width, classes")
    assert targets(f"{wide}\n\nmodel = Net(16, classes=5)\n") == ["net.py:Net(16, classes=5)"]
    (one,) = found(wide)
    assert (one.target, one.missing) == ("net.py:Net", "needs arguments: width, classes")


def test_nothing_is_run_and_nothing_imported(tmp_path: Path) -> None:
    Path("net.py").write_text(f"open('ran', 'w')\n{NET}")
    code = (
        "import os, sys; from convlint.static.project_models import detect; "
        "print(detect(['net.py'], os.getcwd()), *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "target='net.py:Net'" in done.stdout
    assert not {"torch", "net"} & set(done.stdout.split())
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("text", ["def f(:\n", "x = '\udcff'", "import torch\n" + "(" * 5000])
def test_a_file_that_cannot_be_read_has_no_models(text: str) -> None:
    Path("net.py").write_bytes(text.encode(errors="surrogateescape"))
    assert detect(["net.py", "gone.py"], os.getcwd()) == []


# --- the input


def test_an_input_that_only_one_size_fits() -> None:
    (one,) = found(FIXED)
    assert (one.inputs, one.why) == (("1,28,28",), "no other usual size works")


def test_an_input_that_may_be_of_other_sizes() -> None:
    (one,) = found(NET)
    assert (one.inputs, one.why) == (("3,32,32",), "other sizes work as well")


def test_the_size_is_such_that_the_last_map_is_no_single_pixel() -> None:
    layers = ", ".join("nn.Conv2d(3, 3, 3, stride=2, padding=1)" for _ in range(5))
    (one,) = found(f"{HEAD}\ndef build():\n    return nn.Sequential({layers})\n")
    assert one.inputs == ("3,224,224",)  # 7 x 7 remain


@pytest.mark.parametrize(
    "call",
    [
        "Net()(torch.randn(4, 3, 48, 40))",
        "if __name__ == '__main__':\n    net = Net()\n    print(net(torch.zeros((2, 3, 48, 40))))",
        "from torchsummary import summary\nsummary(Net(), (3, 48, 40))",
        "def test():\n    x = torch.ones(1, 3, 48, 40)\n    return Net()(x)",
    ],
    ids=["call", "main", "summary", "function"],
)
def test_an_input_that_the_code_itself_uses(call: str) -> None:
    (one,) = (one for one in found(f"{NET}\n\n{call}\n") if one.target == "net.py:Net")
    assert (one.inputs, one.why) == (("3,48,40",), "as in net.py")


def test_a_model_with_its_own_example_needs_no_input() -> None:
    example = "\n        self.example_input_array = torch.zeros(1, 3, 64, 64)\n"
    (one,) = found(NET.replace("\n        self.head", f"{example}        self.head"))
    assert (one.inputs, one.why) == ((), "its input is example_input_array")


def test_several_inputs_are_asked_for_or_taken_from_a_call() -> None:
    two = HEAD + dedent("""
        class Two(nn.Module):
            def __init__(self):
                super().__init__()
                self.conv = nn.Conv2d(3, 4, 3)

            def forward(self, left, right):
                return self.conv(left) - self.conv(right)
        """)
    (one,) = found(two)
    assert one.missing == "forward takes 2 inputs: left, right"
    (one,) = found(f"{two}\nTwo()(torch.zeros(1, 3, 9, 9), torch.zeros(1, 3, 9, 9))\n")
    assert one.inputs == ("3,9,9", "3,9,9")


def test_where_the_text_does_not_say_it_a_run_finds_the_input() -> None:
    (one,) = found(NET.replace("nn.Conv2d(3, width", "nn.Conv2d(int(open('n').read()), width"))
    assert one.inputs == ()
    assert one.missing == ""


@pytest.mark.parametrize(
    ("old", "new", "inputs"),
    [
        ("self.block(self.stem(x))", "self.block(somewhere.checked(self.stem(x)))", ()),
        ("self.stem(x))", "self.stem(x)) * somewhere.mask", ()),
        ("mean((2, 3)))", "mean((2, 3))) + nn.Parameter(torch.zeros(somewhere.size))", ()),
        ("return self.head", "assert x.shape[2] == 224\n        return self.head", ("3,224,224",)),
        ("self.head = ", "somewhere.initialise(self)\n        self.head = ", ("3,32,32",)),
        ("self.head = ", "nn.init.trunc_normal_(self.stem.weight)\n        self.head = ", ("3,32,32",)),
    ],
)
def test_an_input_is_proposed_only_where_all_that_becomes_of_it_is_known(
    old: str, new: str, inputs: tuple[str, ...]
) -> None:
    """A model may insist on a size where its text is not followed; a wrong proposal would be a false error."""
    (one,) = found("import somewhere\n" + NET.replace(old, new))
    assert (one.inputs, one.missing) == (inputs, "")


# --- what is written


PYPROJECT = """\
# The project.
[project]
name   = "nets"   # spaces stay

[tool.ruff]
line-length = 88
"""
WRITTEN = """
[tool.convlint]
# ignore = ["CVL308"]
# exclude = ["experiments/", "*_old.py"]
# fail-on = "error"

[[tool.convlint.models]]
target = "net.py:Net"
input = "3,32,32"  # other sizes work as well
"""


def test_it_goes_behind_what_pyproject_has() -> None:
    write({"net.py": NET, "pyproject.toml": PYPROJECT})
    done = convlint("init")
    assert (done.returncode, done.stdout) == (0, "Wrote 1 model to pyproject.toml.\n")
    assert Path("pyproject.toml").read_text() == PYPROJECT + WRITTEN
    (entry,) = config.discover().models
    assert entry.target.text == "net.py:Net"
    assert not Path("convlint.toml").exists()


def test_it_is_a_file_of_its_own_where_there_is_no_pyproject() -> None:
    write({"net.py": NET})
    assert convlint("init").stdout == "Wrote 1 model to convlint.toml.\n"
    table = tomllib.loads(Path("convlint.toml").read_text())
    assert table == {"models": [{"target": "net.py:Net", "input": "3,32,32"}]}


@pytest.mark.slow
def test_what_was_written_runs() -> None:
    write({"net.py": NET, "mnist.py": FIXED})
    convlint("init")
    done = convlint("check")
    assert done.returncode == 0, done.stdout
    assert " in 2 models." in done.stdout.splitlines()[-1]
    assert "did not run to completion" not in done.stdout


def test_a_dry_run_prints_it_and_writes_nothing() -> None:
    write({"net.py": NET, "pyproject.toml": PYPROJECT})
    done = convlint("init", "--dry-run")
    assert done.stdout == WRITTEN.lstrip("\n")
    assert "Would write this to pyproject.toml." in done.stderr
    assert Path("pyproject.toml").read_text() == PYPROJECT


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("pyproject.toml", "\n[tool.convlint]\n", "pyproject.toml has [tool.convlint] already (line 2)"),
        (
            "pyproject.toml",
            "[[tool.convlint.models]]\ntarget='a.py:A'\n",
            "pyproject.toml has [tool.convlint] already (line 1)",
        ),
        ("pyproject.toml", "tool.convlint.ignore = 'CVL3'", "pyproject.toml has [tool.convlint] already"),
        ("convlint.toml", "", "convlint.toml exists"),
        ("pyproject.toml", "[tool", "pyproject.toml: Expected"),
        ("pyproject.toml", "tool = { ruff = {} }", "[tool.convlint] cannot be added at its end"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",)], ids=" ".join)
def test_settings_that_are_there_are_not_touched(name: str, text: str, message: str, options: tuple[str, ...]) -> None:
    write({"net.py": NET, name: text})
    done = convlint("init", *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert Path(name).read_text() == text
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["pyproject.toml", "convlint.toml"])
def test_a_link_out_of_the_folder_is_not_written_through(name: str, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    other = outside / "other.toml"
    if name == "pyproject.toml":
        other.write_text(PYPROJECT)
    (tmp_path / "project").mkdir()
    os.chdir(tmp_path / "project")
    write({"net.py": NET})
    os.symlink(other, name)
    done = convlint("init")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"convlint: {name} cannot be written: it is a link to {other}\n"
    assert [each.read_text() for each in outside.iterdir()] == ([PYPROJECT] if name == "pyproject.toml" else [])


def test_settings_of_absurd_size_are_not_read() -> None:
    write({"net.py": NET, "pyproject.toml": ""})
    os.truncate("pyproject.toml", 1 << 40)  # a file with a hole takes no space
    done = convlint("init")
    assert (done.returncode, done.stderr) == (
        2,
        "convlint: pyproject.toml cannot be read: it has more than 67,108,864 bytes\n",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_line_ends_and_a_missing_last_one(end: str) -> None:
    write({"net.py": NET})
    before = PYPROJECT.rstrip().replace("\n", end)
    Path("pyproject.toml").write_bytes(before.encode())
    convlint("init")
    after = Path("pyproject.toml").read_bytes().decode()
    assert after == (before + end + WRITTEN.replace("\n", end))


def test_of_many_ways_to_build_a_class_a_few_are_written() -> None:
    factories = "".join(f"\ndef net{n}():\n    return Net({n}, 10)\n" for n in range(4, 9))
    write({"net.py": NET.replace("width=8, classes=10", "width, classes") + factories})
    done = convlint("init", "--dry-run")
    models = tomllib.loads(done.stdout)["models"]
    assert [m["target"] for m in models] == ["net.py:net4", "net.py:net5", "net.py:net6"]
    assert "Skipped targets of the same classes: net.py:net7, net.py:net8." in done.stderr
    write({"net.py": NET + factories})
    models = tomllib.loads(convlint("init", "--dry-run").stdout)["models"]
    assert [m["target"] for m in models] == ["net.py:Net"]


def test_what_is_left_out_is_said() -> None:
    write({"net.py": NET.replace("width=8", "width")})
    done = convlint("init")
    assert done.returncode == 0
    assert "Skipped net.py:Net: needs arguments: width." in done.stderr
    assert "No model is complete" in done.stderr
    assert config.discover().models == ()


def test_where_there_is_no_model_the_file_shows_how_one_is_written() -> None:
    write({"net.py": HEAD})
    done = convlint("init")
    assert "No model is complete" in done.stderr
    text = Path("convlint.toml").read_text()
    shown = text[text.index("# [[models]]") :].replace("# ", "")
    assert config.parse(tomllib.loads(shown), "convlint.toml").models[0].target.text == "net.py:Net"


def test_tests_are_not_looked_at_unless_they_are_named() -> None:
    write({"tests/net.py": NET, "test_net.py": NET, "pack/net.py": NET})
    assert convlint("init", "--dry-run").stdout.count("target = ") == 1
    assert 'target = "tests/net.py:Net"' in convlint("init", "--dry-run", "tests").stdout


def test_a_path_that_is_not_there() -> None:
    done = convlint("init", "nets")
    assert (done.returncode, done.stderr) == (2, "convlint: nets does not exist\n")


def test_a_dry_run_prints_no_command_and_no_escape() -> None:
    names = ["\x9b2J\n::error::.py", "##vso[task].py", "\u202e\U000e0001.py"]
    write(dict.fromkeys(names, NET))
    out = convlint("init", "--dry-run").stdout
    assert out.replace("\n", "").isprintable()
    assert not re.search(r"(?m)^::|##[\w.]*\[", out)
    assert sorted(m["target"] for m in tomllib.loads(out)["models"]) == sorted(f"{name}:Net" for name in names)


def test_names_that_toml_has_to_quote() -> None:
    write({'a "b"\\/n\u00e9t.py': NET})
    convlint("init")
    (entry,) = config.discover().models
    assert entry.target.path == 'a "b"\\/n\u00e9t.py'


# --- on a terminal


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "answer", "written"),
    [
        ((), "y\n", True),
        ((), "\n", True),
        ((), "n\n", False),
        ((), "\x04", False),  # the end of what is typed
        (("--yes",), "", True),
    ],
    ids=["yes", "enter", "no", "end", "--yes"],
)
def test_it_asks_on_a_terminal(options: tuple[str, ...], answer: str, written: bool) -> None:
    write({"net.py": NET})
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "convlint", "init", *options]
    with subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        os.write(ours, answer.encode())
        out, _ = process.communicate(timeout=60)
        asked = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert process.returncode == 0
    assert Path("convlint.toml").exists() == written
    assert (b"Wrote 1 model" in out) == written
    assert ("Write this to convlint.toml? [Y/n]" in asked) == (not options)


CONFIGURED = NET.replace("width=8, classes=10", "cfg").replace("width", "cfg.width").replace("classes", "cfg.classes")


@pytest.mark.parametrize(
    ("parts", "argument"),
    [
        ("class Config:\n    width = 8\n    classes = 5\n", "Config()"),
        ("def get_config(width=8):\n    return SimpleNamespace(width=width, classes=5)\n", "get_config()"),
        (
            (
                "def parse_args(argv):\n    parser = argparse.ArgumentParser()\n"
                "    parser.add_argument('--width', type=int, default=8)\n"
                "    parser.add_argument('--classes', type=int, default=5)\n    return parser.parse_args(argv)\n"
            ),
            "parse_args([])",
        ),
        ("CFG = SimpleNamespace(width=8, classes=5)\n", "CFG"),
        ("", "@configs/small.yaml:model"),
    ],
)
def test_an_object_that_the_project_has_is_the_argument(parts: str, argument: str) -> None:
    write({"configs/small.yaml": "seed: 0\nmodel:\n  width: 16\n  classes: 5\n"})
    source = f"import argparse\nfrom types import SimpleNamespace\n{parts}\n{CONFIGURED}"
    assert targets(source) == [f"net.py:Net({argument})"]


@pytest.mark.slow
def test_a_model_with_an_object_of_the_project_runs() -> None:
    write({"net.py": CONFIGURED, "configs/small.yaml": "model:\n  width: 16\n  classes: 5\n"})
    assert 'target = "net.py:Net(@configs/small.yaml:model)"' in convlint("init", "--dry-run").stdout
    convlint("init")
    done = convlint("check")
    assert done.returncode == 0, done.stdout


def test_a_file_without_what_the_model_reads_is_no_argument() -> None:
    write({"configs/small.yaml": "model:\n  width: 16\n"})
    (one,) = found(CONFIGURED)
    assert (one.target, one.missing) == ("net.py:Net", "needs arguments: cfg")


def test_folders_for_configurations_that_cannot_be_read_or_are_files_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    write({"configs/small.yaml": "width: 16\nclasses: 5\n", "conf": "no folder"})
    scandir = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("configs"):
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    (one,) = found(CONFIGURED)
    assert one.missing == "needs arguments: cfg"


def test_a_factory_gets_the_object_where_a_class_takes_several() -> None:
    net = NET.replace("width=8, classes=10", "width, classes")
    source = f"{net}\n\ndef build(cfg):\n    return Net(cfg.width, cfg.classes)\n"
    write({"conf/net.toml": "width = 8\nclasses = 3\n"})
    assert "net.py:build(@conf/net.toml)" in targets(source)
