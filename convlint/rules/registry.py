"""The rules, one file each in ``convlint/rules``: adding a file there adds a rule."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import convlint.rules
from convlint.rules.codes import codes

if TYPE_CHECKING:
    from convlint.ir import Finding
    from convlint.rules.base import Rule
    from convlint.rules.codes import Decides

_NEEDS = re.compile(r'^    needs = "(.+)"$', re.MULTILINE)


@cache
def rules() -> dict[str, Rule]:
    """Return every rule by its code, in the order of the codes. Raises RuntimeError as ``rule`` does."""
    return {code: rule(code) for code in codes()}


def decided_by(mode: Decides) -> list[Rule]:
    return [rule for rule in rules().values() if mode in rule.decided_by]


@cache
def rule(code: str) -> Rule:
    """Return the rule with a code; the files of other rules are not loaded. Raises KeyError for an unknown code, and
    RuntimeError if the file does not define exactly that rule.
    """
    from convlint.rules.base import Rule  # most static checks need no rule

    module = importlib.import_module(f"convlint.rules.{_module(code)}")
    here = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Rule) and value.__module__ == module.__name__
    ]
    if len(here) != 1:
        raise RuntimeError(f"{module.__name__} must define exactly one rule, not {len(here)}")
    found = here[0]()
    if (found.code, found.name) != (code, codes()[code]):
        raise RuntimeError(f"{module.__name__} defines {found.code} {found.name}")
    return found


@cache
def needs() -> dict[str, str]:
    """Return ``Rule.needs`` of every rule that has it.

    It is read from the text of the rules' files: that takes a millisecond, loading all rules a hundred, and most
    files that are checked statically need one rule or none.
    """
    found = {}
    for code in codes():
        path = os.path.join(*convlint.rules.__path__, f"{_module(code)}.py")
        with open(path, encoding="utf-8") as file:
            if match := _NEEDS.search(file.read()):
                found[code] = match[1]
    return found


def rule_about(operator: str) -> Rule | None:
    """Return the rule that reports wrong numbers of channels or features at calls of an operator."""
    candidates = (rule(code) for code, need in needs().items() if need == "failed-call")
    return next((each for each in candidates if operator in each.operators), None)


def _module(code: str) -> str:
    return f"{code.lower()}_{codes()[code].replace('-', '_')}"


def without_explained(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out the findings of fallback rules (the forward failed) whose failed calls other findings explain."""
    explained = {node for f in findings if not rule(f.code).fallback for node in f.nodes}
    return [
        finding
        for finding in findings
        if not (rule(finding.code).fallback and finding.nodes and explained.issuperset(finding.nodes))
    ]
