"""The conditions that set the executions of an entry point apart, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from convlint.static.domain.objects import Class, Function
from convlint.static.domain.values import Value
from convlint.static.exploration.entry_points import ExecutionPath
from convlint.static.interpreter import PathChoice
from convlint.symbolic import Dim

_MOST = 3
_SYMBOL = re.compile(r"^1\*([\w.]+) \d+\^1$")  # the key of an expression that is one parameter
_WORD = re.compile(r"-?[\w.]+$")  # a parameter or a number
_WORDS = {"==": "is", "<": "is less than", "<=": "is at most"}
_MIRRORED = {"<": "is more than", "<=": "is at least"}
_OPPOSITES_MIRRORED = {"<": "is at most", "<=": "is less than"}
_OPPOSITES = {"==": "is not", "<": "is at least", "<=": "is more than"}


def branch_conditions(paths: Sequence[ExecutionPath], failing: Sequence[ExecutionPath]) -> list[str]:
    """Return the conditions under which executions fail, ``failing`` among all ``paths``: "`bilinear` is true".

    Empty if one of them has the default arguments and takes no branch, or if no other execution works.
    """
    if any(has_defaults(path) and not path.interpreter.choices.choices for path in failing):
        return []
    if all(path in failing or not path.execution.steps for path in paths):
        return []
    # With an argument that is given, a branch is known for certain.
    given = [path for path in failing if not has_defaults(path)]
    found = list(dict.fromkeys(condition for path in given or failing for condition in _conditions(path)))
    return found if len(found) <= _MOST else []


def has_defaults(path: ExecutionPath) -> bool:
    """Return whether an execution has the default arguments."""
    function = path.entry_point.value
    init = function.lookup("__init__") if type(function) is Class else function
    defaults = init.defaults if type(init) is Function else {}
    given = {name: value for name, value in path.variant.items() if "." not in name}  # others are of a configuration
    return all(name in defaults and defaults[name] == value for name, value in given.items())


def _conditions(path: ExecutionPath) -> list[str]:
    if not has_defaults(path):
        return [" and ".join(_argument_in_words(name, value) for name, value in path.variant.items())]
    choices = path.interpreter.choices.choices
    words = _choice_in_words(choices[0]) if len(choices) == 1 else None
    return [words] if words else []


def _argument_in_words(name: str, value: Value) -> str:
    if isinstance(value, bool):
        return f"`{name}` is {str(value).lower()}"
    return f"`{name}` is given" if isinstance(value, Dim) else f"`{name}` is {value!r}"


def _choice_in_words(choice: PathChoice) -> str | None:
    if not isinstance(choice.key, tuple) or len(choice.key) != 3:
        return None
    op, *sides = choice.key
    left, right = (_SYMBOL.sub(r"\1", side) for side in sides)
    if not all(map(_WORD.match, (left, right))):
        return None
    if left.lstrip("-").isdigit() and op == "==":
        left, right = right, left
    if op == "truth":
        return f"`{left}` is {str(choice.taken).lower()}"
    if left.lstrip("-").isdigit():
        words = (_MIRRORED if choice.taken else _OPPOSITES_MIRRORED).get(op)
        return None if words is None else f"`{right}` {words} {left}"
    words = (_WORDS if choice.taken else _OPPOSITES).get(op)
    return None if words is None else f"`{left}` {words} {right}"
