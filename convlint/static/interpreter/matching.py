"""``match`` statements: the first case whose pattern fits, and the names that it binds."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from convlint.static.domain.objects import Class, Instance, Scope
from convlint.static.domain.values import ANY_KEY, UNKNOWN, Builtin, Tensor, Unknown, Value, has_unknown
from convlint.static.interpreter import attributes, records, truth
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.dispatch import BlockEnd, evaluate, execute_block
from convlint.static.interpreter.effects import forget
from convlint.static.interpreter.operators import compare
from convlint.static.interpreter.pymodel import containers
from convlint.symbolic import Dim

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


def execute_match(interpreter: Interpreter, node: ast.Match, scope: Scope) -> BlockEnd | None:
    """Execute a ``match`` statement."""
    subject = evaluate(interpreter, node.subject, scope)
    for case in node.cases:
        is_taken = _fits(interpreter, case.pattern, subject, scope)
        if is_taken and case.guard is not None:
            is_taken = _decided(interpreter, evaluate(interpreter, case.guard, scope))
        if is_taken is None:
            break
        if is_taken:
            return execute_block(interpreter, case.body, scope)
    else:
        return None
    interpreter.record_gap("match statement with an unknown case", node, scope, subject)
    forget(interpreter, [statement for case in node.cases for statement in case.body], scope, node)
    return None


def _fits(interpreter: Interpreter, pattern: ast.pattern, subject: Value, scope: Scope) -> bool | None:
    """Bind the names of a pattern and return whether a value fits it; None where that is not known."""
    match pattern:
        case ast.MatchAs(pattern=inner, name=name):
            is_fitting = True if inner is None else _fits(interpreter, inner, subject, scope)
            if is_fitting and name is not None:
                scope.names[name] = subject
            return is_fitting
        case ast.MatchOr(patterns=patterns):
            fitting: bool | None = False
            for each in patterns:
                fitting = _fits(interpreter, each, subject, scope)
                if fitting is not False:
                    break
            return fitting
    if type(subject) is Unknown:
        return None
    match pattern:
        case ast.MatchValue(value=value):
            wanted = evaluate(interpreter, value, scope)
            return _decided(interpreter, compare(interpreter, ast.Eq(), subject, wanted))
        case ast.MatchSingleton(value=single):
            return subject is single
        case ast.MatchSequence(patterns=patterns):
            return _fits_sequence(interpreter, patterns, subject, scope)
        case ast.MatchMapping():
            return _fits_mapping(interpreter, pattern, subject, scope)
        case ast.MatchClass():
            return _fits_class(interpreter, pattern, subject, scope)
    return None


def _fits_all(interpreter: Interpreter, parts: list[tuple[ast.pattern, Value]], scope: Scope) -> bool | None:
    for pattern, value in parts:
        is_fitting = _fits(interpreter, pattern, value, scope)
        if not is_fitting:
            return is_fitting
    return True


def _fits_sequence(interpreter: Interpreter, patterns: list[ast.pattern], subject: Value, scope: Scope) -> bool | None:
    if type(subject) is Dim:
        return None  # a number, or a list that a caller passes
    items: Value = subject.items if type(subject) is Instance else subject
    if type(items) not in (list, tuple):
        return False if type(items) in (str, int, float, bool, type(None), dict, Tensor) else None
    star = next((n for n, each in enumerate(patterns) if isinstance(each, ast.MatchStar)), None)
    if type(items) is list and has_unknown(items):
        return None  # of a length that is not known
    if star is None:
        pairs = list(zip(patterns, items, strict=False))
        return _fits_all(interpreter, pairs, scope) if len(patterns) == len(items) else False
    after = len(patterns) - star - 1
    if len(items) < star + after:
        return False
    end = len(items) - after
    middle = patterns[star]
    if isinstance(middle, ast.MatchStar) and middle.name is not None:
        scope.names[middle.name] = list(items[star:end])
    fixed = [*zip(patterns[:star], items, strict=False), *zip(patterns[star + 1 :], items[end:], strict=True)]
    return _fits_all(interpreter, fixed, scope)


def _fits_mapping(interpreter: Interpreter, pattern: ast.MatchMapping, subject: Value, scope: Scope) -> bool | None:
    content = containers.mapping(subject)
    if content is None:
        return False if type(subject) in (str, int, float, bool, type(None), list, tuple, Tensor) else None
    keys = [evaluate(interpreter, key, scope) for key in pattern.keys]
    if ANY_KEY in content or UNKNOWN in content or has_unknown(keys):
        return None
    if not all(key in content for key in keys):
        return False
    if pattern.rest is not None:
        scope.names[pattern.rest] = {key: value for key, value in content.items() if key not in keys}
    pairs = [(each, content[key]) for key, each in zip(keys, pattern.patterns, strict=True)]
    return _fits_all(interpreter, pairs, scope)


def _fits_class(interpreter: Interpreter, pattern: ast.MatchClass, subject: Value, scope: Scope) -> bool | None:
    kind = evaluate(interpreter, pattern.cls, scope)
    call = Call(interpreter, (subject, kind), {}, pattern.cls, scope)
    is_instance = truth.known(interpreter, interpreter.call(Builtin("isinstance"), call))
    if not is_instance:
        return is_instance
    names = list(pattern.kwd_attrs)
    patterns = [*pattern.kwd_patterns]
    if pattern.patterns:
        if type(kind) is Builtin:  # int(n), str(text): the value itself
            return _fits_all(interpreter, [(pattern.patterns[0], subject)], scope)
        fields = _positional(kind)
        if len(fields) < len(pattern.patterns):
            return None
        names, patterns = [*fields[: len(pattern.patterns)], *names], [*pattern.patterns, *patterns]
    values = [attributes.get(interpreter, subject, name, pattern.cls, scope) for name in names]
    return _fits_all(interpreter, list(zip(patterns, values, strict=True)), scope)


def _positional(kind: Value) -> list[str]:
    """Return the attributes that the positional patterns of a class stand for."""
    if type(kind) is not Class:
        return []
    written = kind.lookup("__match_args__")
    return list(written) if type(written) is tuple else list(records.fields(kind)) if records.is_record(kind) else []


def _decided(interpreter: Interpreter, value: Value) -> bool | None:
    """Return whether a value is true; one that depends on parameters is decided for this execution."""
    known = truth.known(interpreter, value)
    if known is None and truth.is_on_parameters(interpreter, value):
        return truth.decide(interpreter, value)
    return known
