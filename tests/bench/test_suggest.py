"""bench/suggest.py in a reduced form: what it counts, what it takes for confirmed, and its projects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import applied, suggest
from bench.suggest_families import FAMILIES, RAFT, TIMM, TORCHVISION, Family
from bench.suggest_score import Result, diffs_of, general, score, section
from bench.vendored import vendored

NET = """\
from torch import nn


class Net(nn.Sequential):
    def __init__(self, width=8):
        print("a word")
        super().__init__(nn.Conv2d(3, width, 3), nn.Conv2d(width, width, 3))
"""


def diff(old: str, new: str) -> str:
    """A change of the last line of NET."""
    before = NET.splitlines()[-1]
    assert old in before
    after = before.replace(old, new)
    return (
        "diff --git a/net.py b/net.py\n--- a/net.py\n+++ b/net.py\n@@ -6,2 +6,2 @@\n"
        f'         print("a word")\n-{before}\n+{after}\n'
    )


GROUPED = diff("width, width, 3", "width, width, 3, groups=2")
"""The second layer: 8 to 8 channels, 3x3, with a bias, on a map of 6x6 that becomes 4x4."""
SAVED = {"params": 288, "macs": 288 * 16}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    applied.start(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_every_diff_is_applied_to_the_text_as_it_was(folder: Path) -> None:
    broken = diff("width, width, 3", "width + 1, width, 3")
    other = GROUPED.replace("net.py", "no.py")
    diffs = [GROUPED, broken, other, GROUPED]
    first, *runs = applied.measured(folder, "net.py:Net(width=8)", [(3, 8, 8)], diffs)
    macs = 8 * 27 * 36 + 8 * 72 * 16
    assert first == {"params": [808, 808], "macs": [macs, macs], "dense": ["1"], "other": []}
    grouped = {"params": [808 - 288] * 2, "macs": [macs - 288 * 16] * 2, "dense": [], "other": []}
    assert [runs[0], runs[3]] == [grouped, grouped]
    assert "expected input" in runs[1]["failed"]
    assert "does not apply" in runs[2]["failed"]
    assert (folder / "net.py").read_text() == NET


@pytest.mark.slow
def test_a_model_that_ends_its_process_is_a_row(folder: Path) -> None:
    dying = diff("super()", "__import__('os')._exit(3); super()")
    _, run = applied.measured(folder, "net.py:Net", [(3, 8, 8)], [dying])
    assert run == {"failed": "its process ended with exit code 3"}


def suggestion(instances: list[str], saved: dict[str, int], **more: Any) -> dict[str, Any]:
    flags = ("ran", "output_shapes_equal", "params_equal", "macs_equal")
    return {
        "code": "CVL501",
        "path": "net.py",
        "line": 7,
        "instances": instances,
        "saved": saved,
        "verified": dict.fromkeys(flags, True),
        "diff": "a diff",
        **more,
    }


def row(name: str, path: str | None) -> dict[str, Any]:
    return {"name": name, "site": None if path is None else {"path": path}}


def run(params: int, macs: int) -> dict[str, Any]:
    return {"params": (params, params), "macs": (macs, macs + 5), "dense": [], "other": []}


CHECKED = {
    "models": [
        {
            "totals": {"params": 1000, "macs": 9000},
            "layers": [
                *(row(f"own{n}", "net.py") for n in range(3)),
                row("helper", "blocks.py"),
                row("nowhere", None),
                row("stem", "net.py"),
            ],
        }
    ]
}
ORIGINAL = {**run(1000, 9000), "dense": ["own0", "own1", "own2", "helper", "nowhere"], "other": ["odd"]}


def test_layers_are_counted_once_and_those_left_have_their_reasons() -> None:
    suggested = {
        "suggestions": [
            suggestion(["own0", "helper"], {"params": 100, "macs": 500}),
            suggestion(["own0", "head"], {"params": 10, "macs": 0}),
        ],
        "refusals": [
            {"code": "CVL502", "reason": "no", "instances": ["own0", "own1", "stem"]},
            {"code": "CVL503", "reason": "no", "instances": ["own1", "nowhere"]},
            {"code": "CVL501", "reason": "it works elsewhere", "instances": ["own0"]},
        ],
        "rewritten": {"before": {"params": 1000, "macs": 9000}, "after": {"params": 900, "macs": 8500}, "diff": "both"},
    }
    assert diffs_of(suggested) == ["a diff", "a diff", "both"]
    runs = [ORIGINAL, run(900, 8500), run(990, 9000), run(900, 8500)]
    result = score("nets/net", "net.py", CHECKED, suggested, runs, 1.5)
    assert (result.dense, result.own, result.other) == ((5, 2), (3, 1), 1)
    assert result.suggestions == (("CVL501", 2),)
    assert result.reasons == (("CVL502", "no", 1), ("CVL503", "no", 2))
    assert result.silent == ("own2",)
    assert (result.diffs, result.confirmed, result.failures) == (3, 3, ())
    assert (result.params, result.macs) == ((1000, 900), (9000, 8500))
    assert Result.from_dict(json.loads(json.dumps(result.as_dict()))) == result


@pytest.mark.parametrize(
    ("after", "more", "told"),
    [
        ({"failed": "it does not run"}, {}, "CVL501 net.py:7: it does not run"),
        (run(901, 8500), {}, "saves 100 params, but for convlint 1000 become 901"),
        (run(900, 8501), {}, "saves 500 macs, but for PyTorch 9005 become 8506"),
        (run(900, 8500), {"verified": {"ran": False}}, "it is printed, and ran is false"),
    ],
)
def test_what_is_not_as_it_was_said_is_told(after: dict[str, Any], more: dict[str, Any], told: str) -> None:
    one = suggestion(["own0"], {"params": 100, "macs": 500})
    one["verified"].update(more.get("verified", {}))
    suggested = {"suggestions": [one], "refusals": [], "rewritten": None}
    result = score("nets/net", "net.py", CHECKED, suggested, [ORIGINAL, after], 1.5)
    assert (result.diffs, result.confirmed) == (1, 0)
    assert any(told in failure for failure in result.failures)


def test_the_section_sums_up_by_package_and_by_reason() -> None:
    results = {
        name: Result(
            name=name,
            dense=(4, done),
            own=(2, 2),
            other=0,
            suggestions=(("CVL501", 1),),
            params=(100, 50),
            macs=(200, 20),
            reasons=(("CVL502", f"`conv{done}` in net.py:{done}7 has 1,024 channels", 4 - done),),
            silent=(),
            diffs=2,
            confirmed=done,
            failures=() if done == 2 else ("CVL501: it fails\nfor a reason",),
            seconds=1,
        )
        for name, done in (("timm/one", 2), ("timm/two", 1), ("nets/one", 2))
    }
    text = section({**results, "nets/two": "Traceback\nRuntimeError: it crashed"})
    lines = text.splitlines()
    assert "| timm | 2 | 8 | 3 (38%) | 4 | 4 (100%) | 4 | 3 | 0 |" in lines
    assert "| **all** | 3 | 12 | 5 (42%) | 6 | 6 (100%) | 6 | 5 | 0 |" in lines
    assert "| CVL502 | `...` in FILE has N channels | 7 | 3 |" in lines
    assert any(line.endswith("| 50% | 10% | CVL501: it fails |") for line in lines)
    assert any(line.endswith("| RuntimeError: it crashed |") for line in lines)
    tables = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in tables} == {10, 5, 12}


def test_reasons_lose_what_differs_from_layer_to_layer() -> None:
    assert general("12 of a/b.py:3:4 have CVL501, 3x3") == "N of FILE have CVL501, N"


def test_families_are_one_of_a_file() -> None:
    assert len(TORCHVISION) >= 16
    assert len(TIMM) >= 22
    library = [family.path for family in (*TORCHVISION, RAFT, *TIMM)]
    assert len(set(library)) == len(library)
    assert len({family.name for family in FAMILIES}) == len(FAMILIES)


@pytest.mark.slow
def test_a_net_of_several_files_is_a_project(tmp_path: Path) -> None:
    (family,) = (f for f in FAMILIES if f.file == "two_modules/net.py")
    suggest.project(family, tmp_path)
    files = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.py")}
    assert files == {f"two_modules/{name}.py" for name in ("__init__", "blocks", "net")}
    (first,) = applied.measured(tmp_path, family.target, family.inputs, [])
    assert len(first["dense"]) == 10


@pytest.mark.slow
@pytest.mark.parametrize("package", ["torchvision", "timm"])
def test_a_vendored_package_is_the_projects_own(tmp_path: Path, package: str) -> None:
    vendored(tmp_path, package)
    family = Family(package, "resnet.py", "resnet18")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "convlint", "check", "--no-cache", "--exit-zero"),
            *(family.target, "--input", "3,64,64", "--output-format", "json"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (model,) = json.loads(done.stdout)["models"]
    sites = {row["site"]["path"] for row in model["layers"] if row["kind"] == "Conv2d"}
    assert family.path in sites
    assert all(path.startswith(f"{package}/") for path in sites)
    assert model["totals"]["params"] == 11_689_512


@pytest.mark.slow
def test_a_detection_model_runs_without_compiled_operators(tmp_path: Path) -> None:
    (family,) = (f for f in TORCHVISION if "faster_rcnn" in f.file)
    vendored(tmp_path, family.package)
    (first,) = applied.measured(tmp_path, family.target, family.inputs, [])
    assert len(first["dense"]) == 21


def test_families_exist(tmp_path: Path) -> None:
    vendored(tmp_path, "timm")
    for family in (*TORCHVISION, RAFT, *TIMM):
        text = (tmp_path / family.path).read_text(encoding="utf-8")
        assert f"def {family.call.partition('(')[0]}(" in text
