"""The rules, one file each in ``convlint/rules``: adding a file there adds a rule."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING

from convlint.rules.codes import codes

if TYPE_CHECKING:
    from convlint.rules.base import Rule


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its code, in the order of the codes. Raises RuntimeError as ``rule`` does."""
    return {code: rule(code) for code in codes()}


@cache
def rule(code: str) -> Rule:
    """The rule with a code: no other rule's file is loaded. Raises KeyError for an unknown code, and RuntimeError if
    the file holds another rule, several or none.
    """
    from convlint.rules.base import Rule  # in most files there is nothing to judge

    name = codes()[code]
    module = importlib.import_module(f"convlint.rules.{code.lower()}_{name.replace('-', '_')}")
    here = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Rule)
        and value.__module__ == module.__name__
    ]
    if len(here) != 1:
        raise RuntimeError(f"{module.__name__} must hold exactly one rule, it holds {len(here)}")
    found = here[0]()
    if (found.code, found.name) != (code, name):
        raise RuntimeError(f"{module.__name__} holds {found.code} {found.name}")
    return found
