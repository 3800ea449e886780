"""The command against models that do harm, or are wrong in ways that nobody thinks of: each gets a clear answer within
its limits, nothing of it is left, and nothing of another model is hidden.

``pytest -m sweep tests/runtime/test_hostile.py`` also runs each alone, and prints a gigabyte.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import jsonschema
import pytest

from convlint.outputs import formats
from tests.runtime import hostile_models as models
from tests.support.commands import command
from tests.support.processes import convlint, left, marked

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
    pytest.mark.slow,  # all of them wait for one run of some two hundred models
]

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schema.json").read_text("utf-8"))
TIMEOUT = 7.0  # seconds that a model may take
HOW = ("--input", "3,8,8", "--timeout", f"{TIMEOUT:g}", "--max-memory", "1GB", "--fail-on", "info")
GOOD = "good"
BASH = shutil.which("bash") or "bash"
LOUD = 8 << 20  # bytes that a loud model prints to each stream


@dataclass(frozen=True)
class Checked:
    """What a command said of its models, and how long it took. ``mark`` is in the environment of its processes."""

    folder: Path
    code: int
    out: str
    seconds: float
    mark: str

    @cached_property
    def document(self) -> dict[str, Any]:
        """Its JSON, which is as the schema has it."""
        found: dict[str, Any] = json.loads(self.out, parse_constant=_refuse)
        jsonschema.validate(found, SCHEMA)
        return found

    def of(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """What it said of one model."""
        target = f"{name}.py:Net"
        return {
            part: [one for one in self.document[part] if one["target"] == target]
            for part in ("findings", "models", "problems")
        }


def _refuse(constant: str) -> NoReturn:
    raise AssertionError(f"{constant} is no JSON")


def write(folder: Path, *names: str, loud: int = LOUD) -> None:
    for name in names:
        case = models.ALL.get(name) or models.Case(models.FINE)
        case.write(folder / f"{name}.py", loud)


def check(folder: Path, *names: str, options: tuple[str, ...] = (), loud: int = LOUD) -> Checked:
    """Run models. What they print is thrown away."""
    write(folder, *names, loud=loud)
    mark = uuid.uuid4().hex
    targets = [f"{name}.py:Net" for name in names]
    began = time.monotonic()
    done = convlint(
        folder, *("check", *targets, *HOW, "--output-format", "json", *options), mark=mark, stderr=subprocess.DEVNULL
    )
    return Checked(folder, done.returncode, done.stdout, time.monotonic() - began, mark)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checked]:
    """All of them in one command, several at a time, and good ones between them."""
    folder = tmp_path_factory.mktemp("hostile")
    names = [GOOD, *models.ALL, f"{GOOD}_too"]
    yield check(folder, *names, options=("-j", "4"))
    shutil.rmtree(folder, ignore_errors=True)


def judge(checked: Checked, name: str) -> None:
    """A model's problem, findings and table are those that it should have."""
    case = models.ALL[name]
    said = checked.of(name)
    assert [one["kind"] for one in said["problems"]] == ([case.problem] if case.problem else [])
    assert sorted({one["code"] for one in said["findings"]}) == sorted(case.codes)
    assert [one["status"] for one in said["models"]] == ([case.status] if case.status else [])
    messages = [one["message"] for one in (*said["problems"], *said["findings"])]
    assert any(case.said in message for message in messages) or not messages
    for message in messages:
        assert "\n" not in message
        assert "report this" not in message
        assert len(message) < 5000
    for one in (*said["problems"], *said["findings"]):
        assert one["path"] in (None, f"{name}.py")


@pytest.mark.slow
@pytest.mark.parametrize("name", models.ALL)
def test_what_is_said_of_it(together: Checked, name: str) -> None:
    judge(together, name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [GOOD, f"{GOOD}_too"])
def test_nothing_of_another_model_is_hidden(together: Checked, name: str, tmp_path: Path) -> None:
    alone = check(tmp_path, name)
    assert alone.code == 1
    assert [one["code"] for one in alone.of(name)["findings"]] == [models.FOUND]
    assert alone.of(name) == together.of(name)


def test_all_of_them_are_told_in_order(together: Checked) -> None:
    assert together.code == 2
    document = together.document
    targets = [one["target"] for one in (*document["models"], *document["problems"])]
    assert {target.removesuffix(".py:Net") for target in targets} == {*(GOOD, f"{GOOD}_too", *models.ALL)}
    order = [f"{name}.py:Net" for name in (GOOD, *models.ALL, f"{GOOD}_too")]
    for part in ("models", "problems"):
        places = [order.index(one["target"]) for one in document[part]]
        assert places == sorted(places)


def test_time_is_within_the_limits(together: Checked) -> None:
    late = [case for case in models.ALL.values() if case.problem == "timeout"]
    assert together.seconds < len(late) * (TIMEOUT + 6) / 4 + 90


def test_no_process_is_left(together: Checked) -> None:
    assert left(together.mark) == []


def test_nothing_is_left_in_the_folder_but_what_a_model_wrote(together: Checked) -> None:
    known = {f"{name}.py" for name in (GOOD, f"{GOOD}_too", *models.ALL)}
    written = {"written-by-model"}  # and `gone`, which is removed again
    assert {path.name for path in together.folder.iterdir()} - known == written


@pytest.mark.slow
@pytest.mark.parametrize("name", ["forward_raises", "exits_hard_with_0", "closes_descriptors"])
def test_the_exit_code(tmp_path: Path, name: str) -> None:
    checked = check(tmp_path, name)
    assert checked.code == models.ALL[name].exit_code
    judge(checked, name)


@pytest.mark.sweep
@pytest.mark.parametrize("name", models.ALL)
def test_each_alone(tmp_path: Path, name: str) -> None:
    checked = check(tmp_path, name)
    assert checked.code == models.ALL[name].exit_code
    judge(checked, name)
    assert checked.seconds < TIMEOUT + 15
    assert left(checked.mark) == []


@pytest.mark.sweep
@pytest.mark.parametrize("name", ["prints_much", "writes_much"])
def test_a_gigabyte_printed(tmp_path: Path, name: str) -> None:
    checked = check(tmp_path, name, loud=1 << 30, options=("--max-memory", "8GB"))
    judge(checked, name)


# --- memory


@pytest.mark.slow
def test_memory_is_given_back(tmp_path: Path) -> None:
    """While one model hoards, the processes of the command hold no more than the limit and what torch takes."""
    for name in ("hoards", "hoards_in_a_grandchild"):
        models.ALL[name].write(tmp_path / f"{name}.py", LOUD)
        mark = uuid.uuid4().hex
        command = [sys.executable, "-m", "convlint", "check", f"{name}.py:Net", *HOW]
        most = 0
        with subprocess.Popen(
            command,
            cwd=tmp_path,
            env={**os.environ, "CONVLINT_TEST": mark},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as running:
            while running.poll() is None:
                most = max(most, _held(mark))
                time.sleep(0.02)
        assert running.returncode == 2
        assert 0.5e9 < most < 4e9
        assert left(mark) == []


def _held(mark: str) -> int:
    """Bytes that the processes of a command hold for themselves."""
    total = 0
    for pid in marked(mark):
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in text.splitlines() if "Private_Dirty:" in line)
    return total * 1024


# --- the command's own streams


@pytest.mark.slow
@pytest.mark.parametrize("name", ["good", "forward_raises"])
def test_nobody_reads_what_it_says(tmp_path: Path, name: str) -> None:
    write(tmp_path, name)
    line = f"{sys.executable} -m convlint check {name}.py:Net {' '.join(HOW)} --output-format json"
    done = subprocess.run(
        [BASH, "-c", f"{line} | head -0; echo ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout in ("141\n", "1\n")
    assert done.stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", ">&- 2>&- <&-"])
def test_its_own_streams_are_closed(tmp_path: Path, closed: str) -> None:
    write(tmp_path, GOOD)
    line = f"{sys.executable} -m convlint check {GOOD}.py:Net {' '.join(HOW)} {closed}"
    done = subprocess.run([BASH, "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == (2 if ">&-" in closed.split() else 1)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [("check", "good.py:Net", *HOW), ("check", "good.py")])
def test_a_full_disk_below_stdout_is_one_line(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    write(tmp_path, GOOD)
    with open("/dev/full", "w") as full:
        done = convlint(tmp_path, *arguments, stdout=full)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "No space left on device" in line


# --- names that would do something to a terminal or a page


@pytest.mark.slow
@pytest.mark.parametrize("name", formats())
def test_names_do_nothing_to_who_reads_them(tmp_path: Path, name: str) -> None:
    odd = ("names_with_newlines", "message_with_escapes", "class_with_odd_name", "qualname_is_odd")
    for one in odd:
        models.ALL[one].write(tmp_path / f"{one}.py", LOUD)
    targets = [f"{one}.py:Net" for one in odd]
    done = command(tmp_path, "check", *targets, *HOW, "--output-format", name)
    assert done.returncode == 1
    assert done.stdout
    assert not [c for c in done.stdout if c != "\n" and not _harmless(c)]


def _harmless(character: str) -> bool:
    """Neither a control character nor one that turns the direction of a line."""
    return character.isprintable() or character == "\t"
