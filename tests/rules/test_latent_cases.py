"""The latent rules by static analysis: at least 95 % of the marked lines are found, and nothing else.

Each case is first proved with real PyTorch: what is marked fails for some of what its class accepts,
and what is not marked runs for all of it.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.rules.latent_case import Case, Use, stands_for
from tests.rules.latent_cases import BAD, CASES, GOOD

if TYPE_CHECKING:
    import torch

each_case = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


@pytest.fixture
def names(case: Case) -> Iterator[Mapping[str, Any]]:
    """What the case's file defines; dataclasses look their module up while they are made."""
    module = types.ModuleType("latent_case_file")
    sys.modules[module.__name__] = module
    exec(compile(case.source, "case.py", "exec"), module.__dict__)  # noqa: S102
    yield module.__dict__
    del sys.modules[module.__name__]


def use(names: Mapping[str, Any], case: Use) -> torch.nn.Module:
    """The module of a use, after it was called."""
    import torch

    call, *shapes = case
    torch.manual_seed(0)
    module = eval(call, {"torch": torch, "nn": torch.nn, **names})  # noqa: S307
    module(*(torch.rand(shape) for shape in shapes))
    assert isinstance(module, torch.nn.Module)
    return module


def widths(module: torch.nn.Module) -> list[torch.Size]:
    return [parameter.shape for parameter in module.parameters()]


@each_case
def test_works(case: Case, names: Mapping[str, Any]) -> None:
    assert case.works
    for works in case.works:
        use(names, works)


@each_case
def test_fails(case: Case, names: Mapping[str, Any]) -> None:
    for fails in case.fails:
        with pytest.raises((RuntimeError, ValueError)):
            use(names, fails)


@each_case
def test_marks_are_earned(case: Case, names: Mapping[str, Any]) -> None:
    codes = {code for _, code in case.demanded}
    if "CVL205" in codes:  # the argument changes nothing
        one, other = (use(names, works) for works in case.works)
        assert case.works[0][0] != case.works[1][0]
        assert widths(one) == widths(other)
    if "CVL206" in codes:  # layers are called of which the module knows nothing
        assert unknown_layers(use(names, case.works[0]))
    if codes - {"CVL205", "CVL206"}:
        assert case.fails
    if case.is_good:
        calls = {works[0] for works in case.works}
        assert len(calls) > 1
        assert not case.fails


def unknown_layers(module: torch.nn.Module) -> list[torch.nn.Module]:
    """Layers in a plain container of a module, that it does not see."""
    from torch import nn

    known = set(module.modules())
    held: list[Any] = []
    for part in known:
        for value in vars(part).values():
            if isinstance(value, list | tuple):
                held += value
            elif isinstance(value, dict):
                held += value.values()
    return [x for x in held if isinstance(x, nn.Module) and x not in known]


def test_there_are_enough() -> None:
    assert len(BAD) >= 35
    assert len(GOOD) >= 35
    assert not [case.name for case in BAD if case.is_good]
    assert not [case.name for case in GOOD if not case.is_good]
    assert len({case.name for case in CASES}) == len(CASES)


def test_source_alone_finds_them(tmp_path: Path) -> None:
    from convlint import static

    missed: list[str] = []
    wrong: list[str] = []
    demanded = 0
    for case in CASES:
        file = tmp_path / f"{case.name.replace(' ', '_')}.py"
        data = case.source.encode()
        file.write_bytes(data)
        checked = static.check_file(str(file), data, static.Project(str(tmp_path)))
        found = [
            (finding.site.line if finding.site else 0, finding.code, finding.message)
            for finding in checked.findings
            if finding.code[:4] in {"CVL1", "CVL2"}
        ]
        demanded += len(case.demanded)
        missed += [
            f"{case.name}: {word} at {place}"
            for (place, word), lines in case.demanded.items()
            if not any(line in lines and stands_for(word, code) for line, code, _ in found)
        ]
        wrong += [
            f"{case.name}:{line} {code} {message}" for line, code, message in found if not case.allows(line, code)
        ]
    summary = "\n".join([f"missed {len(missed)} of {demanded}", *missed, "", "wrong", *wrong])
    assert not wrong, summary
    assert len(missed) <= 0.05 * demanded, summary
