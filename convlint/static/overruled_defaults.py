"""Errors of a class alone, with defaults that its callers in the file overrule.

`InceptionB(channels, conv=None)` may fail with the layer that it builds by default, while every caller passes another.
PyTorch refuses the defaults, so the error is true, but no model of the file has it: it is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from convlint.ir import Finding
from convlint.rules.registry import rule
from convlint.static.domain.execution import Step
from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import ExecutionPath
from convlint.static.exploration.explore import Exploration

_PLAIN = (int, float, str, bool, tuple, type(None))
_DEFAULT = " the default"
_MOST_NAMED = 3  # parameters in the condition of a finding


def as_warnings(
    exploration: Exploration, found: Iterator[Finding], explorations: Sequence[Exploration]
) -> Iterator[Finding]:
    """Yield the findings of an exploration, as warnings where only the defaults that callers overrule fail."""
    for finding in found:
        if exploration.entry_point.kind == "class" and _is_of_missing_arguments(finding, exploration.entry_point.value):
            continue
        is_error = finding.severity == "error" and rule(finding.code).family == "invalid"
        if is_error and exploration.entry_point.kind == "class" and finding.graph is not None:
            overruled = _overruled(exploration.entry_point.value, finding, exploration, explorations)
            if overruled:
                names = " and ".join(f"`{name}`" for name in overruled)
                yield finding.with_(severity="warning", condition=f"{names} {_left(overruled)}{_DEFAULT}")
                continue
        yield finding


def _is_of_missing_arguments(finding: Finding, cls: Class) -> bool:
    """Return whether an exception names a parameter of the class that is None by default: callers have to choose one of
    `size=None, scale_factor=None`. A layer of a library that a class is derived from may have any such parameter.
    """
    if finding.code != "CVL190":
        return False
    init = cls.lookup("__init__")
    if type(init) is not Function:
        return re.search(r"\d", finding.message) is None
    missing = {name for name, default in init.defaults.items() if default is None}
    return not missing.isdisjoint(re.findall(r"\w+", finding.message))


def is_overruled(finding: Finding) -> bool:
    """Return whether only defaults that callers overrule fail: then nothing in the class needs a repair."""
    return finding.severity == "warning" and finding.condition.endswith(_DEFAULT)


def _left(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"


def _overruled(
    cls: Class, finding: Finding, exploration: Exploration, explorations: Sequence[Exploration]
) -> list[str]:
    """Return the parameters that callers of the file give a value with which the failing operation works.

    Empty if a caller leaves all at their defaults, if one of them fails, too, or if none reaches the operation.
    """
    graph = finding.graph
    assert graph is not None
    sites = {graph.nodes[node].site for node in finding.nodes} - {None}
    names: dict[str, None] = {}
    for other in explorations:
        for path in other.paths if other is not exploration else ():
            given = list(_given(path, cls))
            if not given:
                continue
            steps = [step for step in path.execution.steps if step.site in sites]
            if any(step.error for step in steps):
                return []
            if steps and all(map(_is_known, steps)):
                names |= dict.fromkeys(given)
    return list(names)[:_MOST_NAMED] if sites else []


def _given(path: ExecutionPath, cls: Class) -> Iterator[str]:
    """Yield the parameters with a default of a class for which an execution passes another value."""
    init = cls.lookup("__init__")
    if type(init) is not Function:
        return
    for instance, arguments in path.interpreter.arguments.items():
        if instance.cls is cls:
            yield from [
                name
                for name, default in init.defaults.items()
                if name in arguments and not _is_same(arguments[name], default)
            ]


def _is_same(one: Value, other: Value) -> bool:
    return one is other or (type(one) is type(other) and type(one) in _PLAIN and one == other)


def _is_known(step: Step) -> bool:
    return all(tensor.shape is not None and len(tensor.shape) > 1 for tensor in step.inputs)
