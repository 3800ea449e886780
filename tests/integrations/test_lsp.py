"""The language server, with a real client and in a process of its own."""

from __future__ import annotations

import ast
import asyncio
import gc
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from bench import prose
from bench.peers_examples import broken_models
from convlint.docsgen import rule_pages
from convlint.integrations.lsp.linting import EditorLinter
from convlint.static.program import import_graph, project
from convlint.static.program import parse as reading
from tests.integrations.editor import COMMAND, MARK, Editor, edited, kill, processes, underlined

ROOT = Path(__file__).parents[2]
GDCONV = (ROOT / "fixtures" / "gdconv.py").read_text()
BUG = "nn.BatchNorm2d(in_planes)"
MENDED = GDCONV.replace(BUG, "nn.BatchNorm2d(out_planes)")
BIASED = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3)
        self.bn = nn.BatchNorm2d(8)

    def forward(self, x):
        return self.bn(self.conv(x))
"""
CONFIGURED = '[[models]]\ntarget = "net.py:Net"\ninput = "3,16,16"\n'
Start = Callable[..., Coroutine[Any, Any, Editor]]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts editors in the test's folder, and ends them."""
    editors: list[Editor] = []

    async def started(*options: str, encoding: str = "utf-16", **more: str) -> Editor:
        editor = Editor(tmp_path, encoding)
        editors.append(editor)
        await editor.start(*options, **more)
        return editor

    yield started
    for editor in editors:
        if editor.client._server and editor.client._server.returncode is None:
            assert await editor.stop() == 0
    assert not processes(str(tmp_path))


@pytest.fixture
async def editor(start: Start) -> Editor:
    return await start()


HEAD_AND_STEM = """\
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 3)
        self.head = nn.Conv2d(20, 4, 1)

    def forward(self, x):
        return self.head(self.stem(x))
"""
"""Two layers, and nothing that says which of them is wrong."""
STEM = """\
from torch import nn


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 3)

    def forward(self, x):
        return self.conv(x)
"""


def read(uri: str) -> str:
    return Path(uri.removeprefix("file://")).read_text()


def checked(folder: Path, *arguments: str) -> Any:
    """What the command line says, as JSON."""
    command = [sys.executable, "-m", "convlint", "check", *arguments, "--output-format", "json"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return json.loads(done.stdout)


# --- what is found as you type


async def test_a_bug_is_told_with_all_that_an_editor_can_show(editor: Editor) -> None:
    text = editor.open("net.py", GDCONV)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    assert underlined(text, bug) == BUG
    assert bug.severity == types.DiagnosticSeverity.Warning
    assert bug.source == "convlint"
    assert "is sized by `in_planes` but receives `out_planes` from `conv`" in bug.message
    other, failure = bug.related_information or ()
    assert failure.message == "first fails here"
    assert other.location.uri == editor.uri("net.py")
    assert underlined(text, types.Diagnostic(other.location.range, "")).startswith("nn.Conv2d(\n")
    assert bug.code_description is not None
    assert read(bug.code_description.href) == rule_pages.page("CVL201")
    assert bug.data["fix"]["title"] == "replace `in_planes` with `out_planes`"


async def test_it_tells_what_the_command_line_tells(editor: Editor) -> None:
    files = {f"{name}.py": file for name, file in broken_models().items()}
    for name, file in files.items():
        editor.write(name, read(file.as_uri()))
        editor.open(name)
    found = checked(editor.folder, ".")["findings"]
    assert len({finding["code"] for finding in found}) > 10
    for name in files:
        told = {
            (str(one.code), one.range.start.line + 1, one.range.start.character + 1) for one in await editor.told(name)
        }
        assert told == {(f["code"], f["line"], f["column"]) for f in found if f["path"] == name}


async def test_every_keystroke_counts_and_nothing_is_run(editor: Editor) -> None:
    trap = "open('ran', 'w')\n"
    editor.open("net.py", trap + GDCONV)
    assert "CVL201" in {one.code for one in await editor.told("net.py")}
    for wrong, right in [("BatchNorm2d(in", "BatchNorm2d(i"), ("BatchNorm2d(i_", "BatchNorm2d(out_")]:
        editor.type("net.py", wrong, right)
    assert editor.texts[editor.uri("net.py")] == trap + MENDED
    assert "CVL201" not in {one.code for one in await editor.told("net.py")}
    assert not (editor.folder / "ran").exists()


async def test_a_syntax_error_leaves_what_was_found_before(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    before = await editor.told("net.py")
    editor.type("net.py", "import torch\n", "import torch\nx = (\n")
    after = await editor.told("net.py")
    assert sorted(str(one.code) for one in after) == ["CVL201", "CVL202", "CVL901"]
    lines = {one.code: one.range.start.line for one in after}
    assert all(lines[one.code] == one.range.start.line + 1 for one in before)
    (wrong,) = [one for one in after if one.code == "CVL901"]
    assert wrong.severity == types.DiagnosticSeverity.Error
    assert not [a for a in await editor.actions("net.py", before[0].range) if a.edit]
    editor.type("net.py", "x = (\n", "")
    assert await editor.told("net.py") == before


@pytest.mark.slow
async def test_a_finding_on_a_line_that_is_being_typed_is_not_told_of(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    await editor.told("net.py")
    editor.type("net.py", BUG, "nn.BatchNorm2d(")
    assert sorted({str(one.code) for one in await editor.told("net.py")}) == ["CVL202", "CVL901"]


WIDE = "self.\u00e4 = '\U0001f600\U0001f600\u20ac'; "


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
async def test_columns_are_those_of_the_editor(start: Start, encoding: str, end: str) -> None:
    editor = await start(encoding=encoding)
    text = GDCONV.replace("self.bn = ", f"{WIDE}self.bn = ").replace("\n", end)
    editor.open("net.py", text)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    assert underlined(text, bug, encoding) == BUG
    fix = (await editor.actions("net.py", bug.range))[0]
    assert editor.apply(fix.edit)
    assert editor.texts[editor.uri("net.py")] == text.replace(BUG, "nn.BatchNorm2d(out_planes)")
    editor.type("net.py", "\U0001f600\U0001f600\u20ac", "\U0001f600")  # the server has the same text
    editor.type("net.py", "nn.BatchNorm2d(out_planes)", BUG)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    assert underlined(editor.texts[editor.uri("net.py")], bug, encoding) == BUG


@pytest.mark.slow
async def test_a_form_feed_ends_no_line(editor: Editor) -> None:
    editor.open("net.py", f"\f\nx = '\u2028\x1c'\n{GDCONV}")
    editor.type("net.py", BUG, "nn.BatchNorm2d(out_planes)")
    assert [one.code for one in await editor.told("net.py")] == ["CVL202"]


async def test_an_editor_that_knows_little_gets_what_it_knows(start: Start) -> None:
    editor = await start(client="")
    editor.open("net.py", GDCONV)
    await editor.until(lambda: editor.codes("net.py") == ["CVL201", "CVL202"])
    bug = next(one for one in editor.shown("net.py") if one.code == "CVL201")
    assert bug.related_information is None
    assert bug.code_description is None
    assert bug.data is None
    fix = (await editor.actions("net.py", bug.range))[0]
    assert fix.edit.document_changes is None
    assert edited(GDCONV, fix.edit.changes[editor.uri("net.py")]) == MENDED


async def test_neovim_is_served(start: Start) -> None:
    editor = await start(client="neovim")
    editor.open("net.py", GDCONV)
    await editor.until(lambda: editor.codes("net.py") == ["CVL201", "CVL202"])


# --- settings and other files


@pytest.mark.slow
async def test_settings_count_as_on_the_command_line(editor: Editor) -> None:
    editor.write("convlint.toml", 'per-file-ignores = { "old/*" = ["CVL20"] }\nexclude = ["generated/"]')
    for name in ("net.py", "old/net.py", "generated/net.py"):
        editor.open(name, GDCONV)
        await editor.told(name)
    assert editor.codes("net.py") == ["CVL201", "CVL202"]
    assert editor.codes("old/net.py") == []
    assert editor.codes("generated/net.py") == []


@pytest.mark.slow
async def test_changed_settings_are_read_again(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    await editor.told("net.py")
    await editor.until(lambda: "workspace/didChangeWatchedFiles" in editor.registered)
    editor.write("convlint.toml", 'ignore = ["CVL202"]')
    editor.changed_on_disk("convlint.toml")
    await editor.until(lambda: editor.codes("net.py") == ["CVL201"])


@pytest.mark.slow
async def test_wrong_settings_are_told_of(editor: Editor) -> None:
    editor.write("convlint.toml", 'ignroe = ["CVL202"]')
    editor.open("net.py", GDCONV)
    (problem,) = await editor.told("net.py")
    assert "unknown key 'ignroe'; did you mean 'ignore'?" in problem.message
    assert problem.severity == types.DiagnosticSeverity.Error
    editor.write("convlint.toml", "")
    editor.changed_on_disk("convlint.toml")
    await editor.until(lambda: editor.codes("net.py") == ["CVL201", "CVL202"])


@pytest.mark.slow
@pytest.mark.parametrize("comment", ["# noqa: CVL201", "# convlint: ignore[CVL201]"])
async def test_comments_silence(editor: Editor, comment: str) -> None:
    editor.open("net.py", GDCONV.replace(BUG, f"{BUG}  {comment}"))
    assert [one.code for one in await editor.told("net.py")] == ["CVL202"]


@pytest.mark.slow
async def test_a_baseline_hides_what_it_knows(start: Start, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(GDCONV)
    checked(tmp_path, "net.py", "--baseline", "known.json", "--update-baseline")
    editor = await start("--baseline", "known.json")
    text = editor.open("net.py")
    assert await editor.told("net.py") == []
    editor.replace("net.py", f"{text}\n\n{GDCONV.replace('GDConv', 'Second')}")
    assert sorted({str(one.code) for one in await editor.told("net.py")}) == ["CVL201", "CVL202"]
    first = len(text.splitlines())
    assert all(one.range.start.line > first for one in editor.shown("net.py"))


BLOCKS = """from torch import nn


class Block(nn.Module):
    def __init__(self, planes):
        super().__init__()
        self.conv = nn.Conv2d(planes, planes, 3)

    def forward(self, x):
        return self.conv(x)
"""
NET = """import torch
from torch import nn
from blocks import Block


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 1)
        self.block = Block(8)

    def forward(self, x):
        return self.block(self.conv(x))
"""


@pytest.mark.slow
async def test_what_is_imported_is_as_it_is_in_the_editor(editor: Editor) -> None:
    editor.write("blocks.py", BLOCKS)
    editor.open("net.py", NET)
    assert await editor.told("net.py") == []
    editor.open("blocks.py")
    editor.type("blocks.py", "Conv2d(planes,", "Conv2d(planes + 1,")
    await editor.until(lambda: "CVL102" in editor.codes("net.py") + editor.codes("blocks.py"))
    editor.type("blocks.py", "Conv2d(planes + 1,", "Conv2d(planes,")
    await editor.until(lambda: editor.codes("net.py") == editor.codes("blocks.py") == [])


async def test_an_imported_file_that_changes_on_the_disk_counts_too(editor: Editor) -> None:
    editor.write("blocks.py", BLOCKS)
    editor.open("net.py", NET)
    assert await editor.told("net.py") == []
    editor.write("blocks.py", BLOCKS.replace("Conv2d(planes,", "Conv2d(planes + 1,"))
    editor.changed_on_disk("blocks.py")
    await editor.until(lambda: "CVL102" in editor.codes("net.py") + editor.codes("blocks.py"))


def test_a_keystroke_parses_what_was_typed_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blocks.py").write_text(BLOCKS)
    net, blocks = str(tmp_path / "net.py"), str(tmp_path / "blocks.py")
    parsed: list[str] = []

    def parse(path: str, data: bytes) -> reading.Text:
        parsed.append(Path(path).name)
        return reading.parse(path, data)

    for module in (import_graph, project):
        monkeypatch.setattr(module, "parse", parse)
    linter = EditorLinter()
    linter.lint(net, {net: NET.encode()})
    assert sorted(parsed) == ["blocks.py", "net.py"]
    parsed.clear()
    assert not linter.lint(net, {net: f"{NET}x = 1\n".encode()}).findings
    assert parsed == ["net.py"]
    parsed.clear()
    wrong = BLOCKS.replace("Conv2d(planes,", "Conv2d(planes + 1,").encode()
    assert linter.lint(net, {net: f"{NET}x = 1\n".encode(), blocks: wrong}).findings
    assert "blocks.py" in parsed


def test_nothing_is_kept_of_closed_documents_that_no_other_imports(tmp_path: Path) -> None:
    (tmp_path / "blocks.py").write_text(BLOCKS)
    net, blocks = str(tmp_path / "net.py"), str(tmp_path / "blocks.py")
    linter = EditorLinter()
    kept = []
    for number in range(3):
        path = str(tmp_path / f"scratch{number}.py")
        linter.lint(path, {path: NET.encode()})
        linter.forget(path)
        gc.collect()
        kept.append(sum(type(each) is ast.Module for each in gc.get_objects()))
    assert kept[0] == kept[1] == kept[2]
    linter.lint(net, {net: NET.encode()})
    linter.forget(blocks)
    wrong = BLOCKS.replace("Conv2d(planes,", "Conv2d(planes + 1,").encode()
    assert linter.lint(net, {net: NET.encode(), blocks: wrong}).findings


async def test_a_file_outside_of_the_folder_and_a_text_without_file(
    editor: Editor, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = (tmp_path_factory.mktemp("elsewhere") / "net.py").as_uri()
    for uri in (other, "untitled:Untitled-1", "file://", "file:///"):  # Neovim's have no name
        editor.open(uri, GDCONV)
        assert len(await editor.told(uri)) == 2


async def test_other_languages_and_notebooks_are_left_alone(editor: Editor) -> None:
    editor.open("notes.md", GDCONV, language="markdown")
    editor.open("vscode-notebook-cell:/a.ipynb#W0", GDCONV)
    editor.open("net.py", GDCONV)
    await editor.told("net.py")
    assert {*editor.published} == {editor.uri("net.py")}


@pytest.mark.slow
async def test_a_closed_text_is_told_nothing_of(editor: Editor) -> None:
    path = editor.write("net.py", GDCONV)
    editor.open("net.py")
    await editor.told("net.py")
    path.unlink()
    editor.type("net.py", "import torch\n", "import torch  # typed on\n")  # a file that is gone
    assert len(await editor.told("net.py")) == 2
    editor.close("net.py")
    await editor.until(lambda: editor.codes("net.py") == [])


# --- actions


@pytest.mark.slow
async def test_a_safe_fix_is_preferred_and_makes_what_the_command_line_makes(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    fix, silence = await editor.actions("net.py", bug.range, "quickfix")
    assert (fix.kind, fix.is_preferred) == ("quickfix", True)
    assert fix.title == "Apply verified repair: replace `in_planes` with `out_planes`"
    assert [one.code for one in fix.diagnostics or ()] == ["CVL201"]
    assert editor.apply(fix.edit)
    assert editor.texts[editor.uri("net.py")] == MENDED
    assert [one.code for one in await editor.told("net.py")] == ["CVL202"]
    assert not silence.is_preferred


async def test_an_unsafe_fix_says_so(editor: Editor) -> None:
    editor.open("net.py", BIASED)
    (bias,) = await editor.told("net.py")
    fix = (await editor.actions("net.py", bias.range))[0]
    assert not fix.is_preferred
    assert "unsafe" in fix.title
    assert editor.apply(fix.edit)
    assert editor.texts[editor.uri("net.py")] == BIASED.replace("(3, 8, 3)", "(3, 8, 3, bias=False)")


async def test_repairs_that_were_tried_are_actions_and_the_first_is_preferred(editor: Editor) -> None:
    editor.open("net.py", HEAD_AND_STEM)
    (bug,) = await editor.told("net.py")
    assert "receives 12 from Conv2d `stem`; either replace `20` with `12` or replace `12` with `20`" in bug.message
    actions = await editor.actions("net.py", bug.range)
    assert [(action.title, action.is_preferred) for action in actions] == [
        ("Apply verified repair: replace `20` with `12`", True),
        ("Apply verified repair: replace `12` with `20` at net.py:7", False),
        ("Suppress CVL102 with # noqa", False),
    ]
    assert all(action.kind == "quickfix" for action in actions)
    assert editor.apply(actions[1].edit)
    assert editor.texts[editor.uri("net.py")] == HEAD_AND_STEM.replace("12", "20")
    assert await editor.told("net.py") == []


async def test_a_repair_may_be_in_another_file(editor: Editor) -> None:
    head, stem = HEAD_AND_STEM.replace("nn.Conv2d(3, 12, 3)", "Stem()"), STEM
    editor.write("stem.py", stem)
    editor.open("stem.py")
    editor.open("net.py", f"from stem import Stem\n{head}")
    (bug,) = await editor.told("net.py")
    titles = {action.title: action for action in await editor.actions("net.py", bug.range)}
    elsewhere = titles["Apply verified repair: replace `12` with `20` at stem.py:7"]
    assert editor.apply(elsewhere.edit)
    assert editor.texts[editor.uri("stem.py")] == stem.replace("12", "20")
    await editor.until(lambda: editor.codes("net.py") == [])


@pytest.mark.slow
async def test_fixes_come_before_comments_that_silence(editor: Editor) -> None:
    broken = BIASED.replace("(3, 8, 3)", "(3, 8, 3, groups=2)")
    editor.open("net.py", f"{broken.replace('BatchNorm2d(8)', 'BatchNorm2d(7)')}")
    await editor.told("net.py")
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    titles = [a.title for a in await editor.actions("net.py", whole, "quickfix")]
    silencing = [title.startswith("Suppress") for title in titles]
    assert {*silencing} == {True, False}
    assert silencing == sorted(silencing)


@pytest.mark.slow
async def test_a_comment_silences_the_finding(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    actions = await editor.actions("net.py", bug.range.start)
    (silence,) = [one for one in actions if one.title == "Suppress CVL201 with # noqa"]
    assert editor.apply(silence.edit)
    assert editor.texts[editor.uri("net.py")] == GDCONV.replace(BUG, f"{BUG}  # noqa: CVL201")
    assert [one.code for one in await editor.told("net.py")] == ["CVL202"]


async def test_actions_are_those_of_the_text_as_it_is_now(editor: Editor) -> None:
    editor.open("net.py", GDCONV)
    bug = next(one for one in await editor.told("net.py") if one.code == "CVL201")
    text = editor.type("net.py", "import torch\n", "import torch\n\n\n\n")
    line = bug.range.start.line + 3
    fix = (await editor.actions("net.py", types.Position(line, bug.range.start.character)))[0]
    assert editor.apply(fix.edit)
    assert editor.texts[editor.uri("net.py")] == text.replace(BUG, "nn.BatchNorm2d(out_planes)")


async def test_all_safe_fixes_at_once_are_for_those_who_ask(editor: Editor) -> None:
    two = f"{GDCONV}\n\n{GDCONV.replace('GDConv', 'Second')}"
    editor.open("net.py", two)
    await editor.told("net.py")
    whole = types.Range(types.Position(0, 0), types.Position(99, 0))
    assert not [a for a in await editor.actions("net.py", whole) if a.kind.startswith("source")]
    for asked in ("source.fixAll", "source.fixAll.convlint"):
        (action,) = await editor.actions("net.py", whole, asked)
        assert action.kind == "source.fixAll.convlint"
    assert editor.apply(action.edit)
    assert editor.texts[editor.uri("net.py")] == f"{MENDED}\n\n{MENDED.replace('GDConv', 'Second')}"
    assert await editor.actions("net.py", whole, "source.fixAll") == []


# --- runs


@pytest.mark.slow
async def test_a_run_is_shown_until_the_file_changes(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", BIASED)
    editor.open("net.py")
    await editor.told("net.py")
    (lens,) = await editor.lenses("net.py")
    assert lens.command.title == "Run net.py:Net"
    assert lens.range.start.line == BIASED.splitlines().index("class Net(nn.Module):")
    result = await editor.command(lens.command.command, *lens.command.arguments)
    params = 3 * 8 * 9 + 8 + 8 + 8
    macs = 3 * 8 * 9 * 14 * 14
    model = {"target": "net.py:Net", "status": "complete", "params": params, "macs": macs}
    ran = checked(editor.folder, "net.py:Net")
    assert result == {"findings": len(ran["findings"]), "models": [model], "problems": []}
    shown = {(one.code, one.source) for one in editor.shown("net.py")}
    assert shown == {(f["code"], "convlint (run)") for f in ran["findings"]}
    titles = [r[0].title for r in editor.client.progress_reports.values()]
    assert titles == ["convlint: running net.py:Net"]
    (lens,) = await editor.lenses("net.py")
    assert lens.command.title == f"Run net.py:Net again ({params:,} params, {macs:,} MACs, 1 finding)"
    editor.type("net.py", "import nn\n", "import nn  # typed\n")
    assert {(one.code, one.source) for one in await editor.told("net.py")} == {("CVL301", "convlint")}


@pytest.mark.slow
async def test_hover_shows_what_the_last_run_built(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    text = BIASED.replace(
        "self.conv = nn.Conv2d(3, 8, 3)",
        "self.conv = nn.Sequential(*[nn.Conv2d(3, 3, 3) for _ in 'ab'], nn.Conv2d(3, 8, 3))",
    )
    editor.write("net.py", text)
    editor.open("net.py")
    before = await editor.hover("net.py", "nn.Conv2d(3, 3, 3)", 3) or ""
    assert "| `conv.0` | 1x3x16x16 | 1x3x14x14 | 84 | unknown |" in before
    await editor.command("convlint.runModels", editor.uri("net.py"))
    both = await editor.hover("net.py", "nn.Conv2d(3, 3, 3)", 3)
    first, second = 3 * 3 * 9 * 14 * 14, 3 * 3 * 9 * 12 * 12
    assert "`Conv2d` in `net.py:Net`" in both
    assert f"| `conv.0` | 1x3x16x16 | 1x3x14x14 | 84 | {first:,} |" in both
    assert f"| **all 2** | | | **168** | **{first + second:,}** |" in both
    whole = await editor.hover("net.py", "nn.Sequential")
    assert f"| `conv` | 1x3x16x16 | 1x8x10x10 | {84 + 84 + 224} |" in whole
    editor.type("net.py", "from torch import nn\n", "from torch import nn\n\n\n")
    moved = await editor.hover("net.py", "nn.Conv2d(3, 3, 3)")
    assert f"| `conv.0` | 1x3x16x16 | 1x3x14x14 | 84 | {first:,} |" in moved
    assert "changed since" in moved
    editor.type("net.py", "nn.Conv2d(3, 3, 3)", "nn.Conv2d(3, 3, 5)")
    assert "| `conv.0` | 1x3x16x16 | 1x3x12x12 | 228 | unknown |" in (
        await editor.hover("net.py", "nn.Conv2d(3, 3, 5)") or ""
    )


@pytest.mark.slow
async def test_hover_over_the_name_of_a_layer_shows_it_too(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    other = BIASED.replace("Net", "Other").replace("(3, 8, 3)", "(3, 8, 5)").replace("x)", "y)")
    editor.write("net.py", f"{other}\n\n{BIASED}")
    editor.open("net.py")
    await editor.command("convlint.runModels", editor.uri("net.py"))
    built = await editor.hover("net.py", "nn.Conv2d(3, 8, 3)")
    assert "| `conv` | 1x3x16x16 | 1x8x14x14 |" in (built or "")
    for name in ("self.conv = nn.Conv2d(3, 8, 3)", "self.conv(x)"):
        shown = await editor.hover("net.py", name, len("self."))
        assert shown
        assert (built or "").startswith(shown)  # the rule of the finding at the call follows
    assert "| `bn` |" in (await editor.hover("net.py", "self.bn(self.conv(x))", 5) or "")
    assert "run the model" in (await editor.hover("net.py", "self.conv(y)", 5) or "")  # the class was not run


@pytest.mark.slow
async def test_a_text_that_is_not_saved_is_not_run(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", BIASED)
    editor.open("net.py")
    editor.type("net.py", "(3, 8, 3)", "(3, 8, 5)")
    assert await editor.command("convlint.runModels", editor.uri("net.py")) is None
    assert editor.messages == ["net.py has unsaved changes; save it first, because a run reads files"]
    editor.save("net.py")
    result = await editor.command("convlint.runModels", editor.uri("net.py"))
    assert result["models"][0]["params"] == 3 * 8 * 25 + 8 + 16


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "arguments", "told"),
    [
        ("", (), "no model is configured"),
        (CONFIGURED, ("other.py",), "no configured model depends on other.py"),
        (CONFIGURED, ("net.py", "net.py:Nat"), "no configured model net.py:Nat depends on net.py"),
        ("modles = []", (), "unknown key 'modles'"),
    ],
)
async def test_what_cannot_be_run_is_said(editor: Editor, settings: str, arguments: tuple[str, ...], told: str) -> None:
    editor.write("convlint.toml", settings)
    for name in ("net.py", "other.py"):
        editor.write(name, BIASED)
        editor.open(name)
    given = [editor.uri(a) if a.endswith(".py") else a for a in arguments]
    assert await editor.command("convlint.runModels", *given) is None
    (message,) = editor.messages
    assert told in message


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("import os; os.kill(os.getpid(), 9)", "crashed the process with SIGKILL"),
        ("import os; os.kill(os.getppid(), 9)", "the worker process died"),
        ("import nowhere", "nowhere"),
    ],
    ids=["itself", "worker", "import"],
)
async def test_a_run_that_dies_is_told_of(editor: Editor, line: str, told: str) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", f"{line}\n{BIASED}")
    editor.open("net.py")
    result = await editor.command("convlint.runModels")
    assert not result["models"]
    assert told in result["problems"][0]
    assert told in editor.messages[0]
    editor.replace("net.py", BIASED)
    editor.save("net.py")
    assert (await editor.command("convlint.runModels", None, "net.py:Net"))["models"]


@pytest.mark.slow
async def test_without_torch_files_are_read_and_a_run_says_what_to_install(start: Start, tmp_path: Path) -> None:
    without = tmp_path / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None")
    editor = await start(PYTHONPATH=os.pathsep.join([str(without), str(ROOT)]))
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", BIASED)
    editor.open("net.py")
    assert [one.code for one in await editor.told("net.py")] == ["CVL301"]
    assert not (await editor.command("convlint.runModels"))["models"]
    (message,) = editor.messages
    assert "PyTorch is not installed for this Python: pip install torch" in message


ENDLESS = "import time\nopen('started', 'w').close()\ntime.sleep(600)\n"


async def _run_without_end(editor: Editor) -> asyncio.Task[Any]:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", ENDLESS + BIASED)
    task = asyncio.create_task(editor.command("convlint.runModels"))
    await editor.until((editor.folder / "started").exists)
    assert len(processes(str(editor.folder))) >= 4  # the server, the run, its worker and what that runs
    return task


@pytest.mark.slow
async def test_a_run_can_be_cancelled(editor: Editor) -> None:
    run = await _run_without_end(editor)
    (token,) = editor.client.progress_reports
    cancel = types.WorkDoneProgressCancelParams(token)
    editor.client.window_work_done_progress_cancel(cancel)
    await editor.until(lambda: len(processes(str(editor.folder))) == 1)
    assert await asyncio.wait_for(run, 20) is None
    editor.write("net.py", BIASED)
    assert (await editor.command("convlint.runModels"))["models"]


@pytest.mark.slow
async def test_shutdown_leaves_no_process_behind(editor: Editor) -> None:
    run = await _run_without_end(editor)
    assert await editor.stop() == 0
    assert await asyncio.wait_for(run, 20) is None
    assert not processes(str(editor.folder))


@pytest.mark.slow
async def test_a_server_that_is_killed_leaves_no_process_behind(editor: Editor) -> None:
    run = await _run_without_end(editor)
    assert editor.client._server is not None
    kill([editor.client._server.pid])
    await editor.until(lambda: not processes(str(editor.folder)))
    run.cancel()
    await editor.client.stop()


# --- suggestions

DENSE = """from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.conv = nn.Conv2d(32, 32, 3, padding=1, bias=False)

    def forward(self, x):
        return self.conv(self.stem(x))
"""


@pytest.mark.slow
async def test_a_cheaper_layer_is_looked_for_and_put_in(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", DENSE)
    editor.open("net.py")
    place = editor.place("net.py", "nn.Conv2d(32", 4)
    (action,) = await editor.actions("net.py", place, "refactor")
    assert action.title == "Suggest a cheaper layer (runs net.py:Net)"
    editor.press = lambda titles: next(t for t in titles if "separable" in t)
    offers = await editor.command(action.command.command, *action.command.arguments)
    assert {"CVL501", "CVL502"} <= {one["code"] for one in offers}
    await editor.until(lambda: editor.texts[editor.uri("net.py")] != DENSE)
    text = editor.texts[editor.uri("net.py")]
    (editor.folder / "cheaper").mkdir()
    (editor.folder / "cheaper" / "net.py").write_text(text)
    run = checked(editor.folder, "cheaper/net.py:Net", "--input", "3,16,16")
    (message,) = editor.asked
    assert "Verified by building and running net.py:Net" in message.message
    dense, separable = 32 * 32 * 9, 32 * 9 + 32 * 32
    assert run["models"][0]["totals"]["params"] == 3 * 32 * 9 + separable
    (title,) = [a.title for a in message.actions if "separable" in a.title]
    assert f"{1 - separable / dense:.0%} fewer parameters" in title


@pytest.mark.slow
async def test_a_suggestion_for_another_text_is_not_made(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", DENSE)
    editor.open("net.py")

    def press(titles: Any) -> str:
        editor.type("net.py", "import nn\n", "import nn  # typed while it ran\n")
        return str(titles[0])

    editor.press = press
    place = editor.place("net.py", "nn.Conv2d(32")
    at = {"line": place.line, "character": place.character}
    assert await editor.command("convlint.suggest", editor.uri("net.py"), at, "net.py:Net")
    await editor.until(lambda: any("run suggest again" in message for message in editor.messages))
    assert "groups" not in editor.texts[editor.uri("net.py")]


@pytest.mark.slow
async def test_where_nothing_is_cheaper_it_says_why(editor: Editor) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.write("net.py", DENSE)
    editor.open("net.py")
    place = editor.place("net.py", "nn.Conv2d(3,")
    at = {"line": place.line, "character": place.character}
    assert await editor.command("convlint.suggest", editor.uri("net.py"), at) == []
    assert editor.messages[0].startswith("No cheaper form of this layer was found: ")
    place = editor.place("net.py", "super()")
    at = {"line": place.line, "character": place.character}
    assert await editor.command("convlint.suggest", editor.uri("net.py"), at) == []
    assert "does not build a layer with this call" in editor.messages[-1]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [(), ("nonsense",), ("net.py", 3), ("net.py", {"line": "x"})])
async def test_a_wrong_command_is_answered_in_words(editor: Editor, arguments: tuple[Any, ...]) -> None:
    editor.write("convlint.toml", CONFIGURED)
    editor.open("net.py", DENSE)
    given = [editor.uri(a) if a == "net.py" else a for a in arguments]
    assert await editor.command("convlint.suggest", *given) is None
    assert len(editor.messages) == 1


# --- the process


async def test_leaving_without_a_shutdown_is_an_error(editor: Editor) -> None:
    editor.client.exit(None)
    assert editor.client._server is not None
    assert await asyncio.wait_for(editor.client._server.wait(), 20) == 1
    await editor.client.stop()


NO_PROTOCOL = {
    "a line without end": (b"a" * 1_000_000, "standard input is not the Language Server Protocol"),
    "lines without end": (b"yes\n" * 1_000_000, "standard input is not the Language Server Protocol"),
    "a message of 100 TB": (
        b"Content-Length: 99999999999999\r\n\r\n{}",
        "announces a message of more than 268,435,456",
    ),
    "more than an int holds": (b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}", "announces a message of more than"),
}


@pytest.mark.parametrize("name", NO_PROTOCOL)
def test_input_that_is_not_the_protocol_ends_it_with_one_line(name: str) -> None:
    data, message = NO_PROTOCOL[name]
    done = subprocess.run(COMMAND, input=data, capture_output=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_without_pygls_it_says_what_to_install(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pygls'] = None; from convlint.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "server"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "convlint: the server needs pygls: pip install pygls\n"


def test_neither_torch_nor_a_model_is_loaded_to_read(tmp_path: Path) -> None:
    code = "import sys, convlint.integrations.lsp.features; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "typer", "libcst"} & set(done.stdout.split())
    assert COMMAND[1:] == ("-m", "convlint", "server")


NEOVIM = shutil.which("nvim")
SETUPS = [b.text for b in prose.blocks(ROOT / "docs" / "editors.md") if b.language == "lua"]
"""The setup of the documentation, for Neovim 0.11 and later, and for those before."""


def neovim(folder: Path, *commands: str) -> str:
    """What Neovim prints, with ``convlint`` on its path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        [str(NEOVIM), "--headless", "--clean", *[w for c in commands for w in ("-c", c)], "-c", "qa!"],
        cwd=folder,
        env={**os.environ, "PATH": path, MARK: str(folder)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stderr


@pytest.mark.skipif(NEOVIM is None, reason="Neovim is not installed")
@pytest.mark.parametrize(
    ("code", "text", "shown"),
    [
        (
            "CVL201",
            GDCONV.replace("self.bn = ", f"{WIDE}self.bn = "),
            [
                BUG,
                "Apply verified repair: replace `in_planes` with `out_planes`",
                f"{WIDE}self.bn = nn.BatchNorm2d(out_planes)",
            ],
        ),
        (
            "CVL102",
            HEAD_AND_STEM.replace("self.head = ", f"{WIDE}self.head = "),
            [
                "nn.Conv2d(20, 4, 1)",
                "Apply verified repair: replace `20` with `12`",
                f"{WIDE}self.head = nn.Conv2d(12, 4, 1)",
            ],
        ),
    ],
    ids=["a fix", "a repair"],
)
def test_neovim_edits_with_the_setup_of_the_documentation(
    tmp_path: Path, code: str, text: str, shown: list[str]
) -> None:
    (tmp_path / "net.py").write_text(text)
    new, old = SETUPS
    is_new = neovim(tmp_path, "lua print(vim.fn.has('nvim-0.11'))").strip() == "1"
    (tmp_path / "setup.lua").write_text(new if is_new else old)
    script = Path(__file__).with_name("neovim.lua")
    printed = neovim(tmp_path, "luafile setup.lua", f"let g:code = '{code}'", f"luafile {script}")
    assert printed.splitlines() == [f"convlint {shown[0]}", *shown[1:], "mended"]
    for _ in range(100):
        if not processes(str(tmp_path)):
            return
        time.sleep(0.1)
    raise AssertionError("the server outlived the editor")


@pytest.mark.skipif(NEOVIM is None, reason="Neovim is not installed")
def test_each_setup_of_neovim_is_lua(tmp_path: Path) -> None:
    assert len(SETUPS) == 2
    for setup in SETUPS:
        (tmp_path / "setup.lua").write_text(setup)
        told = neovim(tmp_path, "lua print(type(loadfile('setup.lua')))")
        assert told.strip() == "function"
