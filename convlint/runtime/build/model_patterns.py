"""Expand a target pattern to targets: names of a model registry, or classes and functions of a module.

A registry is a module with ``list_models()``, which returns names, and a function that builds a model by name:
``create_model`` as in timm, or ``get_model`` as in torchvision.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from convlint.ir import Problem
from convlint.runtime.build import load_target
from convlint.runtime.failures import ProblemError, one_line
from convlint.runtime.worker.client import JobResult
from convlint.settings.targets import TargetPattern

BUILDERS = ("create_model", "get_model")


def list_job(asked: TargetPattern, enter: Callable[[str], None] = lambda _: None) -> JobResult:
    """Return the targets that match a pattern, sorted by name. ``enter`` is called with the phase that begins."""
    enter("import")
    try:
        found = tuple(_targets(load_target.import_target_module(asked.where, asked.root), asked))
    except ProblemError as error:
        return JobResult(None, (error.problem,))
    if not found:
        return JobResult(None, (Problem("no-models", f"{asked.text}: no model in {asked.where.where} matches"),))
    return JobResult(targets=found)


def _targets(module: types.ModuleType, asked: TargetPattern) -> Iterator[str]:
    where = asked.where.where
    builder = next((name for name in BUILDERS if callable(getattr(module, name, None))), None)
    if builder is not None and callable(getattr(module, "list_models", None)):
        more = f", {asked.call}" if asked.call.strip() else ""
        for name in sorted(map(str, _listed(module, asked))):
            if fnmatchcase(name, asked.pattern):
                yield f"{where}:{builder}({name!r}{more})"
        return
    call = f"({asked.call})" if asked.call.strip() else ""
    for name, value in sorted(vars(module).items()):
        if fnmatchcase(name, asked.pattern) and _builds(value, module.__name__, asked):
            yield f"{where}:{name}{call}"


def _listed(module: types.ModuleType, asked: TargetPattern) -> Any:
    try:
        return tuple(module.list_models())
    except Exception as error:
        text = f"{asked.where.where}.list_models() raised {type(error).__name__}: {one_line(error)}"
        raise ProblemError("no-models", text) from error


def _builds(value: Any, module: str, asked: TargetPattern) -> bool:
    """Return whether a value is the module's model class, or a function that returns one, and accepts the arguments."""
    home = str(getattr(value, "__module__", None))
    if home != module and not home.startswith(f"{module}."):
        return False  # the module only imports it
    args, kwargs = load_target.arguments(asked.where)
    try:
        signature = inspect.signature(value, eval_str=isinstance(value, types.FunctionType))
        signature.bind(*args, **kwargs)
    except (NameError, SyntaxError, TypeError, ValueError, AttributeError):
        return False  # wrong arguments, not callable, or an annotation that only type checkers resolve
    built = value if isinstance(value, type) else signature.return_annotation
    return isinstance(built, type) and issubclass(built, nn.Module)
