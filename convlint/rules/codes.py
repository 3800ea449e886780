"""The codes and names of all rules, read off the names of their files: no rule is loaded for it."""

from __future__ import annotations

import os
from functools import cache
from typing import Literal

import convlint.rules

Decides = Literal["source", "run"]  # the modes that can decide a rule


@cache
def codes() -> dict[str, str]:
    """The name of every rule by its code: ``cvl301_bias_before_norm.py`` is CVL301 bias-before-norm.
    Raises RuntimeError if two share a code.
    """
    files = sorted(name for folder in convlint.rules.__path__ for name in os.listdir(folder))
    found: dict[str, str] = {}
    for file in files:
        code, underscore, name = file.removesuffix(".py").partition("_")
        if file.endswith(".py") and underscore and code.startswith("cvl"):
            code, name = code.upper(), name.replace("_", "-")
            if code in found:
                raise RuntimeError(f"{code} is both {found[code]} and {name}")
            found[code] = name
    return found
