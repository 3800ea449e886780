"""All rules, found by walking ``convlint/rules``: adding a file there adds a rule."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

import convlint.rules
from convlint.rule import Rule


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its code, in the order of the codes. Raises RuntimeError if two share a code or a file has none."""
    found: dict[str, Rule] = {}
    for module_info in sorted(
        pkgutil.iter_modules(convlint.rules.__path__), key=lambda info: info.name
    ):
        module = importlib.import_module(f"convlint.rules.{module_info.name}")
        here = [
            value
            for value in vars(module).values()
            if isinstance(value, type)
            and issubclass(value, Rule)
            and value.__module__ == module.__name__
        ]
        if len(here) != 1:
            raise RuntimeError(
                f"{module.__name__} must hold exactly one rule, it holds {len(here)}"
            )
        rule = here[0]()
        if rule.code in found:
            raise RuntimeError(f"{rule.code} is both {found[rule.code].name} and {rule.name}")
        found[rule.code] = rule
    return dict(sorted(found.items()))
