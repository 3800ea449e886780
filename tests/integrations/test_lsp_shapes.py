"""Inlay hints and hovers: the shapes that static analysis knows are those of a run."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from lsprotocol import types

import convlint
from convlint.integrations.lsp import inlay_hints, run_process
from convlint.integrations.lsp.linting import EditorLinter
from convlint.integrations.lsp.run_facts import RunFacts
from convlint.integrations.lsp.shapes import label
from convlint.ir import Site
from convlint.source_text.texts import SourceTexts
from tests.integrations.editor import Editor

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODELS = {
    "resnet.py:resnet18": "3,224,224",
    "resnet.py:resnet50": "3,224,224",
    "unet.py:UNet": "3,92,92",
    "mobilefacenet.py:MobileFaceNet": "3,112,112",
}
FILES = ("resnet.py", "unet.py", "mobilefacenet.py", "depthwise_separable.py", "gdconv.py")
LEAST = 0.95  # of the calls of layers


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The fixtures, with the models configured."""
    for name in FILES:
        shutil.copy(FIXTURES / name, tmp_path / name)
    tables = [f'[[models]]\ntarget = "{target}"\ninput = "{shape}"\n' for target, shape in MODELS.items()]
    (tmp_path / "convlint.toml").write_text("\n".join(tables))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def static_labels(path: Path) -> dict[tuple[int, ...], str]:
    """The hints of a file, by the span of their call, without any run."""
    data = path.read_bytes()
    shapes = EditorLinter().shapes(str(path), {str(path): data})
    lines = SourceTexts().lines(str(path))
    known = inlay_hints.KnownShapes(lines, shapes or ())
    found = inlay_hints.hints(str(path), data.decode(), known, RunFacts(), lambda _: lines)
    return {(site.line, site.column, site.end_line, site.end_column): label for site, label, _ in found}


def run_labels(targets: list[str]) -> Iterator[tuple[str, tuple[int, ...], bool, str]]:
    """The file, the call and the hint of what real runs of models return, and whether a layer is called."""
    results = []
    for target in targets:
        (model,) = convlint.check(target, input=tuple(map(int, MODELS[target].split(",")))).models
        assert model.status == "complete"
        results += run_process.summary(model).results
    at: dict[Site, list[run_process.Result]] = {}
    for result in results:
        at.setdefault(result.site, []).append(result)
    for site, here in at.items():
        span = (site.line, site.column, site.end_line, site.end_column)
        shown = label(here)
        assert shown is not None
        yield Path(site.path).name, span, here[0].is_layer, shown


@pytest.mark.slow
@pytest.mark.parametrize(
    "targets",
    [["resnet.py:resnet18", "resnet.py:resnet50"], ["unet.py:UNet"], ["mobilefacenet.py:MobileFaceNet"]],
    ids=["resnet", "unet", "mobilefacenet"],
)
def test_static_hints_are_the_shapes_of_a_run(project: Path, targets: list[str], shared_worker: None) -> None:
    ran = list(run_labels(targets))
    static = {name: static_labels(project / name) for name in {file for file, *_ in ran}}
    shown = [(file, span, layer, static[file].get(span), real) for file, span, layer, real in ran]
    wrong = [each for each in shown if each[3] not in (None, each[4])]
    assert wrong == []
    layers = [each for each in shown if each[2]]
    assert len(layers) >= 10
    assert sum(each[3] is not None for each in layers) >= LEAST * len(layers), [e for e in layers if e[3] is None]


CONFIGURED = '[[models]]\ntarget = "net.py:Net"\ninput = "3,16,16"\n'
NET = """from torch import nn


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, stride=2)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.bn(self.conv(x)).flatten(1)
"""


@pytest.fixture
async def editor(tmp_path: Path) -> AsyncIterator[Editor]:
    editor = Editor(tmp_path)
    await editor.start()
    yield editor
    assert await editor.stop() == 0


async def hints(editor: Editor, name: str) -> list[str]:
    """The lines of a file that have hints, with the hints."""
    lines = editor.texts[editor.uri(name)].split("\n")
    whole = types.Range(types.Position(0, 0), types.Position(len(lines), 0))
    params = types.InlayHintParams(types.TextDocumentIdentifier(editor.uri(name)), whole)
    found = await editor.client.text_document_inlay_hint_async(params) or []
    for hint in sorted(found, key=lambda each: (each.position.line, -each.position.character)):
        line, at = lines[hint.position.line], hint.position.character
        lines[hint.position.line] = f"{line[:at]} <{hint.label}>{line[at:]}"
    return [line.strip() for line in lines if "<" in line]


async def test_hints_have_the_shapes_for_the_configured_input(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", NET)
    shown = ["return self.bn(self.conv(x) <→ 1x8x7x7>) <→ 1x8x7x7>.flatten(1) <→ 1x392>"]
    assert await hints(editor, "net.py") == shown
    editor.type("net.py", "stride=2)", "stride=2")  # a syntax error: lines that did not change keep theirs
    assert await hints(editor, "net.py") == shown


async def test_without_an_input_hints_name_the_sizes(editor: Editor) -> None:
    editor.open("net.py", NET.replace(", stride=2", ", padding=1").replace(".flatten(1)", ""))
    shown = "return self.bn(self.conv(x) <→ N x width x H x W>) <→ N x width x H x W>"
    assert await hints(editor, "net.py") == [shown]


async def test_the_shapes_after_an_error_are_not_shown(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", NET.replace("BatchNorm2d(width)", "BatchNorm2d(9)"))
    assert await hints(editor, "net.py") == ["return self.bn(self.conv(x) <→ 1x8x7x7>).flatten(1)"]


async def test_hints_can_be_turned_off(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", NET)
    for setting, number in ((False, 0), (True, 1)):
        params = types.DidChangeConfigurationParams({"convlint": {"inlayHints": setting}})
        editor.client.workspace_did_change_configuration(params)
        assert len(await hints(editor, "net.py")) == number


@pytest.mark.slow
async def test_what_only_a_run_knows_comes_from_the_last_run(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", NET.replace("return", "x = x.repeat(*(1 for _ in x.numpy().shape))\n        return"))
    editor.open("net.py")
    assert "1x8x7x7" not in str(await hints(editor, "net.py"))
    await editor.command("convlint.runModels", editor.uri("net.py"))
    assert "return self.bn(self.conv(x) <→ 1x8x7x7>) <→ 1x8x7x7>.flatten(1) <→ 1x392>" in await hints(editor, "net.py")
    editor.type("net.py", "import nn\n", "import nn\n\n")
    assert "(x) <→ 1x8x7x7>" in str(await hints(editor, "net.py"))
    editor.type("net.py", ".flatten(1)", ".flatten(1 )")
    assert "→ 1x8x7x7" not in str(await hints(editor, "net.py"))


async def test_hover_before_a_run_has_static_shapes_and_parameters(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", NET)
    built = await editor.hover("net.py", "nn.Conv2d(") or ""
    assert "`Conv2d` in `net.py:Net`" in built
    assert f"| `conv` | 1x3x16x16 | 1x8x7x7 | {8 * 27 + 8} | unknown |" in built
    assert "From static analysis" in built
    assert "| `bn` | 1x8x7x7 | 1x8x7x7 | 16 |" in (await editor.hover("net.py", "self.bn(self.conv(x))", 5) or "")


async def test_hover_before_a_run_does_not_call_a_layer_that_fails_unreached(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", NET.replace("BatchNorm2d(width)", "BatchNorm2d(5)"))
    assert "| `bn` | not followed | | 10 |" in (await editor.hover("net.py", "nn.BatchNorm2d(") or "")


async def test_hover_over_a_finding_or_a_code_explains_the_rule(editor: Editor) -> None:
    editor.open("net.py", NET.replace("(width)", "(width)  # noqa: CVL201"))
    assert "**CVL201: latent-norm-channels**" in (await editor.hover("net.py", "CVL201", 2) or "")
    assert "**CVL301: bias-before-norm**" in (await editor.hover("net.py", "nn.Conv2d(") or "")
