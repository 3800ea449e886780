"""Layers with parameters that a forward builds, and builds again at the next call: they are never trained."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from convlint.ir import Site
from convlint.static.domain.objects import Built, Instance, modules_held_by
from convlint.static.interpreter import Interpreter
from convlint.static.layer_kinds import WITH_PARAMETERS
from convlint.static.program.parse import cached, walk

Layers = tuple[tuple[str, Site], ...]  # classes and constructor calls
_WEIGHTS = frozenset({"weight", "bias", "data", "load_state_dict", "parameters", "state_dict", "copy_"})


def find_rebuilt(
    interpreter: Interpreter, instance: Instance, call: Callable[[], object]
) -> tuple[tuple[str, Site], ...]:
    """Return the class of each layer that every call of a module builds, and the line that builds it.

    ``call`` calls the module once more, as its next call would: it builds no layer that the first one kept. A layer
    whose weights the function sets is left out.
    """
    first = _outermost(interpreter.built_in_forward)
    kept = set(modules_held_by(instance))
    registered = kept.difference(built.instance for built in interpreter.built_in_forward)
    if not any(_has_parameters(built.instance, registered) for built in first):
        return ()
    again = {built.site for built in _second(interpreter, call) if not built.is_hypothetical}
    found: dict[Site, str] = {}
    for built in first:
        if _has_parameters(built.instance, registered) and (built.instance not in kept or built.site in again):
            site = _site(interpreter, built)
            if site is not None and not _is_exempt(built):
                found.setdefault(site, built.instance.cls.qualname.rsplit(".", 1)[-1])
    return tuple([(kind, site) for site, kind in found.items()])


def _outermost(built: list[Built]) -> list[Built]:
    parts = {part for each in built for part in modules_held_by(each.instance) if part is not each.instance}
    return [each for each in built if each.instance not in parts]


def _second(interpreter: Interpreter, call: Callable[[], object]) -> list[Built]:
    """Return what another call builds. What it records is forgotten."""
    execution = interpreter.execution
    lists: tuple[list[Any], ...] = (
        execution.steps,
        execution.gaps,
        execution.demands,
        execution.facts,
        interpreter.calls,
    )
    lengths = [len(each) for each in lists]
    before, interpreter.built_in_forward = interpreter.built_in_forward, []
    try:
        call()
        return interpreter.built_in_forward
    finally:
        interpreter.built_in_forward = before
        for each, length in zip(lists, lengths, strict=True):
            del each[length:]
        execution.take_pending()


def _has_parameters(instance: Instance, registered: Collection[Instance]) -> bool:
    """Return whether a layer has parameters of its own, not only those of registered layers that it is built of."""
    return any(
        module.kind in WITH_PARAMETERS
        and module not in registered
        and not any(module.attrs.get(name) is False for name in ("affine", "elementwise_affine"))
        for module in modules_held_by(instance)
    )


def _site(interpreter: Interpreter, built: Built) -> Site | None:
    """Return the constructor call, or the call of the helper that builds the layer for the function that calls it."""
    frames = [site for site in (built.instance.site, *built.instance.chain) if site is not None]
    callers = {call.site.function for call in interpreter.calls if call.instance is built.instance and call.site}
    return next((site for site in frames if site.function in callers), frames[0] if frames else None)


def _is_exempt(built: Built) -> bool:
    """Return whether the function sets weights of a layer, or a function that keeps its results builds the layer."""
    sites = [site for site in (built.instance.site, *built.instance.chain) if site is not None]
    functions = {site.function.rsplit(".", 1)[-1] for site in sites}
    for node in walk(built.scope.module.text.tree):
        if isinstance(node, ast.FunctionDef) and node.name in functions:
            if any("cache" in ast.unparse(decorator) for decorator in node.decorator_list):
                return True
            is_around = any(node.lineno <= site.line <= (node.end_lineno or 0) for site in sites[:1])
            if is_around and cached(node, "uses_weights", partial(_uses_weights, node)):
                return True
    return False


def _uses_weights(function: ast.FunctionDef) -> bool:
    """Return whether a function reads or sets the weights of a variable: ``conv.weight``."""
    return any(
        isinstance(node, ast.Attribute)
        and node.attr in _WEIGHTS
        and isinstance(node.value, ast.Name)
        and node.value.id != "self"
        for node in walk(function)
    )
