"""What expressions are worth."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from convlint import dims
from convlint.dims import Dim
from convlint.source import attributes, containers, truth
from convlint.source.torchlib import index, method
from convlint.source.torchlib import iterate as rows_of
from convlint.source.values import (
    LONGEST,
    UNKNOWN,
    Class,
    Condition,
    Instance,
    Library,
    Real,
    Scope,
    Sizes,
    Tensor,
    Value,
    as_real,
    is_small,
    joined,
)

if TYPE_CHECKING:
    from convlint.source.interpreter import Interpreter

_LARGEST = 2**63  # of a number: more than any size or count
_LARGEST_POWER = 4  # that is written out
_PLAIN = (int, float, str, bool, bytes, tuple, type(None))


def evaluate(it: Interpreter, node: ast.expr, scope: Scope) -> Value:
    """The value of an expression."""
    return EXPRESSIONS[type(node)](it, node, scope)


# --- names and constants


def _constant(it: Interpreter, node: ast.Constant, scope: Scope) -> Value:
    value = node.value
    if type(value) is int and value >= _LARGEST:
        return UNKNOWN
    return value


def _name(it: Interpreter, node: ast.Name, scope: Scope) -> Value:
    name = node.id
    names = scope.names
    if name in names:
        return names[name]
    inner = scope.outer
    while inner is not None:
        if name in inner.names:
            return inner.names[name]
        inner = inner.outer
    values = scope.module.values
    return values[name] if name in values else it.name_of_module(scope.module, name)


def _attribute(it: Interpreter, node: ast.Attribute, scope: Scope) -> Value:
    value = node.value
    return attributes.get(it, EXPRESSIONS[type(value)](it, value, scope), node.attr, node, scope)


def _named(it: Interpreter, node: ast.NamedExpr, scope: Scope) -> Value:
    value = evaluate(it, node.value, scope)
    assign(it, node.target, value, scope)
    return value


# --- displays


def _tuple(it: Interpreter, node: ast.Tuple, scope: Scope) -> Value:
    return tuple(_elements(it, node.elts, scope))


def _list(it: Interpreter, node: ast.List, scope: Scope) -> Value:
    return _elements(it, node.elts, scope)


def _set(it: Interpreter, node: ast.Set, scope: Scope) -> Value:
    return _elements(it, node.elts, scope)


def _elements(it: Interpreter, elements: list[ast.expr], scope: Scope) -> list[Value]:
    found: list[Value] = []
    for element in elements:
        if type(element) is ast.Starred:
            items = iterate(it, evaluate(it, element.value, scope))
            long = items is None or len(items) + len(found) > LONGEST
            found.extend([UNKNOWN] if items is None or long else items)
        else:
            found.append(evaluate(it, element, scope))
    return found


def _dict(it: Interpreter, node: ast.Dict, scope: Scope) -> Value:
    found: dict[Value, Value] = {}
    for key, value in zip(node.keys, node.values, strict=True):
        item = evaluate(it, value, scope)
        if key is None:
            found.update(item if type(item) is dict else {UNKNOWN: UNKNOWN})
        else:
            containers.put(found, evaluate(it, key, scope), item)
    return found


def _joined(it: Interpreter, node: ast.JoinedStr, scope: Scope) -> Value:
    parts = []
    for part in node.values:
        if isinstance(part, ast.Constant):
            parts.append(str(part.value))
            continue
        assert isinstance(part, ast.FormattedValue)
        value = evaluate(it, part.value, scope)
        if type(value) not in (int, str, float, bool) or part.format_spec is not None:
            return UNKNOWN
        parts.append(repr(value) if part.conversion == ord("r") else str(value))
    return "".join(parts) if sum(map(len, parts)) <= LONGEST else UNKNOWN


# --- comprehensions


def _comprehension(
    it: Interpreter, node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope
) -> Value:
    found: list[Value] = []

    def take(inner: Scope) -> None:
        found.append(evaluate(it, node.elt, inner))

    if not _generate(it, node.generators, 0, Scope(scope.module, scope, scope.qualname), take):
        found.append(UNKNOWN)
    return found


def _dict_comprehension(it: Interpreter, node: ast.DictComp, scope: Scope) -> Value:
    found: dict[Value, Value] = {}

    def take(inner: Scope) -> None:
        containers.put(found, evaluate(it, node.key, inner), evaluate(it, node.value, inner))

    if not _generate(it, node.generators, 0, Scope(scope.module, scope, scope.qualname), take):
        found[UNKNOWN] = UNKNOWN
    return found


def _generate(
    it: Interpreter,
    generators: list[ast.comprehension],
    depth: int,
    scope: Scope,
    take: Callable[[Scope], None],
) -> bool:
    """Run the loops of a comprehension; whether all of them could be followed."""
    if depth == len(generators):
        take(scope)
        return True
    loop = generators[depth]
    items = iterate(it, evaluate(it, loop.iter, scope))
    if items is None or len(items) > LONGEST:
        assign(it, loop.target, UNKNOWN, scope)
        _generate(it, generators, depth + 1, scope, take)
        return False
    complete = True
    for item in items:
        it.step()
        assign(it, loop.target, item, scope)
        wanted: bool | None = True
        for test in loop.ifs:
            wanted = truth.known(it, evaluate(it, test, scope))
            if not wanted:
                break
        if wanted is None:
            complete = False
        elif wanted:
            complete &= _generate(it, generators, depth + 1, scope, take)
    return complete


# --- operators


def _binary(it: Interpreter, node: ast.BinOp, scope: Scope) -> Value:
    """``a + b + c`` from its first operand on, however many there are."""
    pending = [node]
    while isinstance(node.left, ast.BinOp):
        node = node.left
        pending.append(node)
    value = evaluate(it, node.left, scope)
    for one in reversed(pending):
        right = evaluate(it, one.right, scope)
        value = operate(it, one.op, value, right, one, scope)
    return value


def operate(
    it: Interpreter,
    op: ast.operator,
    left: Value,
    right: Value,
    node: ast.expr,
    scope: Scope,
    *,
    inplace: bool = False,
) -> Value:
    """``left op right``."""
    compute, name = _OPERATORS[type(op)]
    one, other = type(left), type(right)
    if one is int and other is int:
        return _plain(compute, left, right)
    if one is Tensor or other is Tensor:
        return _on_tensors(it, name, left, right, node, scope, inplace=inplace)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if one is Dim or other is Dim or one is Real or other is Real:
        return _symbolic(name, compute, left, right)
    if isinstance(left, list) and isinstance(right, list) and name == "add":
        return left + right if len(left) + len(right) <= LONGEST else UNKNOWN
    if isinstance(left, list | tuple) and other is Dim:
        return UNKNOWN
    if isinstance(left, list) and other is int and name == "mul":
        return left * right if len(left) * right <= LONGEST else UNKNOWN
    if isinstance(left, _PLAIN) and isinstance(right, _PLAIN):
        return _plain(compute, left, right)
    return UNKNOWN


_SEQUENCES = (str, bytes, tuple)


def _plain(compute: Callable[[Any, Any], Any], left: Any, right: Any) -> Value:
    if compute is operator.pow and not _is_small_power(left, right):
        return UNKNOWN
    if compute is operator.lshift and (not isinstance(right, int) or right > 64):
        return UNKNOWN
    sequences = isinstance(left, _SEQUENCES) or isinstance(right, _SEQUENCES)
    if sequences and not _is_short(compute, left, right):
        return UNKNOWN
    try:
        found = compute(left, right)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        return UNKNOWN
    if type(found) is int and not -_LARGEST < found < _LARGEST:
        return UNKNOWN
    return UNKNOWN if type(found) is complex else found


def _is_short(compute: Callable[[Any, Any], Any], left: Any, right: Any) -> bool:
    """Whether what arithmetic makes of sequences is short enough to be written out."""
    if compute is operator.add:
        return isinstance(left, type(right)) and len(left) + len(right) <= LONGEST
    if compute is operator.mul:
        one, other = (right, left) if isinstance(left, int) else (left, right)
        return isinstance(other, int) and len(one) * other <= LONGEST
    if compute is operator.mod:
        return is_short_format(left) and is_small(right)
    return False


def is_short_format(template: Any) -> bool:
    """Whether a template asks for no field of thousands of characters."""
    return isinstance(template, str) and not _WIDE.search(template)


_WIDE = re.compile(r"\d{4}|\*")


def _is_small_power(left: Any, right: Any) -> bool:
    return (
        isinstance(left, int | float)
        and isinstance(right, int | float)
        and abs(right) <= 64
        and abs(left) <= 2**20
    )


def _symbolic(name: str, compute: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    """Arithmetic with symbols: exact for integers, by name for floats."""
    if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
        return UNKNOWN
    whole = isinstance(left, int | Dim) and isinstance(right, int | Dim)
    if whole and name in ("add", "sub", "mul", "floordiv", "mod"):
        return _known_value(compute(dims.as_dim(left), dims.as_dim(right)))
    if whole and name == "pow" and type(right) is int and 0 < right <= _LARGEST_POWER:
        found = dims.as_dim(left)
        for _ in range(right - 1):
            found = found * left
        return _known_value(found)
    if name == "truediv" and right == 1:
        return Real(as_real(left))
    if name == "mul" and 1.0 in (left, right):
        return Real(as_real(right if left == 1.0 else left))
    made = dims.apply(name, as_real(left), as_real(right))
    return UNKNOWN if made.is_unknown else Real(made)


def _known_value(dim: Dim) -> Value:
    if dim.is_unknown:
        return UNKNOWN
    return dim if dim.value is None else dim.value


def _on_tensors(
    it: Interpreter,
    name: str,
    left: Value,
    right: Value,
    node: ast.expr,
    scope: Scope,
    *,
    inplace: bool,
) -> Value:
    handler = method(f"__{'i' if inplace and type(left) is Tensor else ''}{name}__") or method(
        f"__{name}__"
    )
    if handler is None:
        return it.call_unknown([left, right], {}, node, scope)
    return it.call_torch(handler, [left, right], {}, node, scope)


_OPERATORS: dict[type, tuple[Callable[[Any, Any], Any], str]] = {
    ast.Add: (operator.add, "add"),
    ast.Sub: (operator.sub, "sub"),
    ast.Mult: (operator.mul, "mul"),
    ast.Div: (operator.truediv, "truediv"),
    ast.FloorDiv: (operator.floordiv, "floordiv"),
    ast.Mod: (operator.mod, "mod"),
    ast.Pow: (operator.pow, "pow"),
    ast.LShift: (operator.lshift, "lshift"),
    ast.RShift: (operator.rshift, "rshift"),
    ast.BitOr: (operator.or_, "or"),
    ast.BitAnd: (operator.and_, "and"),
    ast.BitXor: (operator.xor, "xor"),
    ast.MatMult: (operator.matmul, "matmul"),
}


def _unary(it: Interpreter, node: ast.UnaryOp, scope: Scope) -> Value:
    value = evaluate(it, node.operand, scope)
    if isinstance(node.op, ast.Not):
        found = truth.known(it, value)
        if found is not None:
            return not found
        if type(value) is Condition:
            return joined("not", value)
        return Condition("not", Condition("truth", value)) if type(value) is Dim else UNKNOWN
    if type(value) is Tensor:
        handler = method("__neg__" if isinstance(node.op, ast.USub) else "__invert__")
        return value if handler is None else it.call_torch(handler, [value], {}, node, scope)
    if isinstance(value, int | float):
        match node.op:
            case ast.USub():
                return -value
            case ast.UAdd():
                return value
            case ast.Invert() if isinstance(value, int):
                return ~int(value)
    if type(value) is Dim and isinstance(node.op, ast.USub):
        return -value
    return UNKNOWN


def _boolean(it: Interpreter, node: ast.BoolOp, scope: Scope) -> Value:
    """``and`` and ``or``: a condition where truths are joined, UNKNOWN where one of several other
    values may be the result.
    """
    stops = isinstance(node.op, ast.Or)
    open_: Value = None  # what came before and is not decided
    result: Value = None
    for part in node.values:
        result = evaluate(it, part, scope)
        found = truth.known(it, result)
        if found is stops and open_ is None:
            return result
        if found is stops:
            return stops if type(result) is bool else UNKNOWN
        if found is None:
            result = Condition("truth", result) if type(result) is Dim else result
            if type(result) is not Condition:
                open_ = UNKNOWN
            elif open_ is not UNKNOWN:
                open_ = result if open_ is None else joined("or" if stops else "and", open_, result)
    if open_ is None:
        return result
    return open_ if type(result) in (bool, Condition) or open_ is UNKNOWN else UNKNOWN


def _compare(it: Interpreter, node: ast.Compare, scope: Scope) -> Value:
    left = evaluate(it, node.left, scope)
    result: Value = True
    for op, comparator in zip(node.ops, node.comparators, strict=True):
        right = evaluate(it, comparator, scope)
        found = compare(it, op, left, right)
        if found is UNKNOWN:
            return UNKNOWN
        if found is False:
            return False
        if found is not True:
            result = found if result is True else joined("and", result, found)
        if result is UNKNOWN:
            return UNKNOWN
        left = right
    return result


def compare(it: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    """``left op right``: True, False, a condition, or UNKNOWN."""
    match op:
        case ast.Is() | ast.IsNot():
            found = _is(left, right)
        case ast.In() | ast.NotIn():
            found = containers.contains(left, right)
        case ast.Eq() | ast.NotEq():
            found = _equal(it, left, right)
        case _:
            return _ordered(it, op, left, right)
    if isinstance(op, ast.IsNot | ast.NotIn | ast.NotEq):
        if type(found) is bool:
            return not found
        return found if found is UNKNOWN else joined("not", found)
    return found


def _is(left: Value, right: Value) -> Value:
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if left is None or right is None or isinstance(right, bool):
        return left is right
    return left is right or left == right if isinstance(left, Library | Class) else left is right


def _equal(it: Interpreter, left: Value, right: Value) -> Value:
    if left is UNKNOWN or right is UNKNOWN or type(left) is Tensor or type(right) is Tensor:
        return UNKNOWN
    if type(left) is Dim or type(right) is Dim:
        if not isinstance(left, int | Dim) or not isinstance(right, int | Dim):
            # a parameter of unknown type: a string or a tuple may be meant
            return (
                UNKNOWN
                if isinstance(left, str | tuple | list | float)
                or isinstance(right, str | tuple | list | float)
                else False
            )
        found = it.run.equal(left, right)
        return Condition("==", left, right) if found is None else found
    if (
        type(left) is Real
        or type(right) is Real
        or type(left) is Condition
        or type(right) is Condition
    ):
        return UNKNOWN
    if isinstance(left, tuple | list) and isinstance(right, tuple | list):
        if type(left) is not type(right) or len(left) != len(right):
            return False
        if not is_small(left) or not is_small(right):
            return UNKNOWN
        parts = [_equal(it, one, other) for one, other in zip(left, right, strict=True)]
        if False in parts:
            return False
        return True if all(part is True for part in parts) else UNKNOWN
    if isinstance(left, Instance) or isinstance(right, Instance):
        return left is right or UNKNOWN
    if isinstance(left, dict) and not (is_small(left) and is_small(right)):
        return UNKNOWN
    try:
        return bool(left == right)
    except Exception:  # noqa: BLE001 - whatever it is, it cannot be compared here
        return UNKNOWN


def _ordered(it: Interpreter, op: ast.cmpop, left: Value, right: Value) -> Value:
    if type(left) in (Dim, Real) or type(right) in (Dim, Real):
        if not all(isinstance(side, int | float | Dim | Real) for side in (left, right)):
            return UNKNOWN
        left, right = as_real(left), as_real(right)
        swapped = isinstance(op, ast.Gt | ast.GtE)
        one, other = (right, left) if swapped else (left, right)
        condition = Condition("<" if isinstance(op, ast.Lt | ast.Gt) else "<=", one, other)
        found = truth.known(it, condition)
        return condition if found is None else found
    if isinstance(left, _PLAIN) and isinstance(right, _PLAIN):
        if not is_small(left) or not is_small(right):
            return UNKNOWN
        compute = _ORDER[type(op)]
        try:
            return bool(compute(left, right))
        except TypeError:
            return UNKNOWN
    return UNKNOWN


_ORDER: dict[type, Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def _conditional(it: Interpreter, node: ast.IfExp, scope: Scope) -> Value:
    test = evaluate(it, node.test, scope)
    taken = truth.known(it, test)
    if taken is None and truth.is_on_parameters(it, test):
        taken = truth.decide(it, test)
    if taken is not None:
        return evaluate(it, node.body if taken else node.orelse, scope)
    one, other = evaluate(it, node.body, scope), evaluate(it, node.orelse, scope)
    if one is other:
        return one
    same = type(one) in _PLAIN and type(one) is type(other) and is_small(one) and one == other
    return one if same else UNKNOWN


# --- calls and subscripts


def _call(it: Interpreter, node: ast.Call, scope: Scope) -> Value:
    callee = EXPRESSIONS[type(node.func)](it, node.func, scope)
    if _spreads(node):
        return _spread_call(it, callee, node, scope)
    args = [EXPRESSIONS[type(part)](it, part, scope) for part in node.args]
    kwargs: dict[str, Value] = {
        keyword.arg: EXPRESSIONS[type(keyword.value)](it, keyword.value, scope)  # type: ignore[misc]
        for keyword in node.keywords
    }
    return it.call(callee, args, kwargs, node, scope)


def _spreads(node: ast.Call) -> bool:
    """Whether a call has ``*args`` or ``**kwargs``; kept at the node."""
    found: bool | None = node.__dict__.get("spreads")
    if found is None:
        found = any(type(part) is ast.Starred for part in node.args)
        found = node.spreads = found or any(k.arg is None for k in node.keywords)  # type: ignore[attr-defined]
    return found


def _spread_call(it: Interpreter, callee: Value, node: ast.Call, scope: Scope) -> Value:
    args: list[Value] = []
    kwargs: dict[str, Value] = {}
    open_ = False
    for argument in node.args:
        if type(argument) is ast.Starred:
            items = iterate(it, evaluate(it, argument.value, scope))
            if items is None or len(items) + len(args) > LONGEST:
                open_, items = True, []
            args.extend(items)
        else:
            args.append(EXPRESSIONS[type(argument)](it, argument, scope))
    for keyword in node.keywords:
        value = EXPRESSIONS[type(keyword.value)](it, keyword.value, scope)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
        elif type(value) is dict and all(type(key) is str for key in value):
            kwargs.update(value)
        else:
            open_ = True
            if type(value) is dict:
                kwargs.update({key: item for key, item in value.items() if type(key) is str})
    return it.call(callee, args, kwargs, node, scope, open_=open_)


def _subscript(it: Interpreter, node: ast.Subscript, scope: Scope) -> Value:
    value = evaluate(it, node.value, scope)
    key = evaluate(it, node.slice, scope)
    if type(value) is Tensor:
        it.run.site = it.at(node, scope)
        return index(it.run, value, key)
    return containers.get(value, key)


def _slice(it: Interpreter, node: ast.Slice, scope: Scope) -> Value:
    parts = [
        None if part is None else evaluate(it, part, scope)
        for part in (node.lower, node.upper, node.step)
    ]
    return slice(*parts)


def _lambda(it: Interpreter, node: ast.Lambda, scope: Scope) -> Value:
    from convlint.source.statements import make_function  # noqa: PLC0415 - it imports this module

    return make_function(it, node, scope)


def _unknown(it: Interpreter, node: ast.expr, scope: Scope) -> Value:
    return it.lose(f"{type(node).__name__.lower()}", node, scope)


def _starred(it: Interpreter, node: ast.Starred, scope: Scope) -> Value:
    return evaluate(it, node.value, scope)


EXPRESSIONS: dict[type, Callable[[Any, Any, Scope], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.NamedExpr: _named,
    ast.Tuple: _tuple,
    ast.List: _list,
    ast.Set: _set,
    ast.Dict: _dict,
    ast.JoinedStr: _joined,
    ast.FormattedValue: _unknown,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.DictComp: _dict_comprehension,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.BoolOp: _boolean,
    ast.Compare: _compare,
    ast.IfExp: _conditional,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Lambda: _lambda,
    ast.Starred: _starred,
    ast.Await: _unknown,
    ast.Yield: _unknown,
    ast.YieldFrom: _unknown,
}


# --- assignment and iteration


def assign(it: Interpreter, target: ast.expr, value: Value, scope: Scope) -> None:
    """Bind a target to a value."""
    kind = type(target)
    if kind is ast.Name:
        scope.names[target.id] = value  # type: ignore[attr-defined]
    elif kind is ast.Attribute:
        assert isinstance(target, ast.Attribute)
        owner = evaluate(it, target.value, scope)
        if type(owner) is Instance:
            owner.attrs[target.attr] = value
        elif type(owner) is Class:
            owner.namespace[target.attr] = value
    elif kind is ast.Subscript:
        assert isinstance(target, ast.Subscript)
        owner = evaluate(it, target.value, scope)
        containers.set_item(owner, evaluate(it, target.slice, scope), value)
    elif kind is ast.Starred:
        assert isinstance(target, ast.Starred)
        assign(it, target.value, value, scope)
    else:
        assert isinstance(target, ast.Tuple | ast.List)
        _unpack(it, target.elts, value, scope)


def _unpack(it: Interpreter, targets: list[ast.expr], value: Value, scope: Scope) -> None:
    items = iterate(it, value, len(targets))
    starred = [n for n, target in enumerate(targets) if isinstance(target, ast.Starred)]
    if items is not None and not starred and len(items) == len(targets):
        for target, item in zip(targets, items, strict=True):
            assign(it, target, item, scope)
        return
    if items is not None and starred and len(items) >= len(targets) - 1:
        at, behind = starred[0], len(targets) - starred[0] - 1
        middle = items[at : len(items) - behind]
        parts = [*items[:at], middle, *items[len(items) - behind :]]
        for target, item in zip(targets, parts, strict=True):
            assign(it, target, item, scope)
        return
    if items and not starred and all(type(item) is Tensor for item in items):
        it.run.site = it.at(targets[0], scope) if targets else None
        few = "not enough" if len(items) < len(targets) else "too many"
        it.run.emit("unpack", items, [], error=f"{few} values to unpack (expected {len(targets)})")
    for target in targets:
        assign(it, target, UNKNOWN, scope)


def iterate(it: Interpreter, value: Value, count: int | None = None) -> list[Value] | None:
    """The items of a value, None if they are not known. ``count`` is how many are asked for."""
    kind = type(value)
    if kind is list or kind is tuple:
        return list(value)
    if kind is dict:
        return list(value)
    if kind is range:
        return list(value) if len(value) <= LONGEST else None
    if kind is str:
        return list(value) if len(value) <= LONGEST else None
    if kind is Tensor:
        rows: list[Value] | None = rows_of(it.run, value)
        return rows
    if kind is Instance and value.is_module:
        return containers.iterated(value)
    if kind is Sizes:
        return None if count is None else containers.sizes(it, value, count)
    if kind is Dim and count is not None and count < 16:
        return attributes.parts(value, count)
    return None
