"""Classes of every kind of layer, right and with one wrong number: PyTorch says which, and static mode must agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from convlint.ir import Finding
from convlint.pipelines.file_linter import lint_text
from convlint.source_text import edits
from convlint.static import Project
from tests.latent.planted import Planted, refused
from tests.latent.planted_builders import BUILDERS
from tests.latent.planted_hidden import HIDDEN
from tests.latent.planted_joints import JOINTS
from tests.latent.planted_layers import LAYERS

each_class = pytest.mark.parametrize("planted", [*LAYERS, *JOINTS, *BUILDERS, *HIDDEN], ids=repr)


def findings(folder: Path, source: str) -> list[Finding]:
    file = folder / "blocks.py"
    file.write_text(source)
    linted = lint_text(str(file), source.encode(), Project(str(folder)))
    assert linted.problems == ()
    return [each for each in linted.findings if each.code < "CVL3" and each.severity != "info"]


@each_class
def test_a_right_class_has_no_finding(planted: Planted, tmp_path: Path) -> None:
    assert refused(planted.right, planted.uses) == []
    assert findings(tmp_path, planted.right) == []


@each_class
def test_a_wrong_number_is_found_at_its_line_and_repaired(planted: Planted, tmp_path: Path) -> None:
    assert refused(planted.wrong, planted.uses)
    (finding,) = findings(tmp_path, planted.wrong)
    assert finding.site is not None
    assert finding.site.line == planted.line
    assert finding.repairs
    repaired = edits.apply(planted.wrong.encode(), finding.repairs[0].edits).decode()
    assert refused(repaired, planted.uses) == []
