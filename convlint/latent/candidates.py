"""Repairs of a class to try: expressions in its code that a number comes from, and others in scope to replace them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations

from convlint.analysis.width_names import is_width_name
from convlint.ir import Site
from convlint.latent.arguments import NOT_WIDTHS
from convlint.latent.following import Followed
from convlint.latent.numbers import ATTENTION, LayerNumber, numbers_of
from convlint.latent.rewritten import is_small_literal, reordered, swapped_parameters
from convlint.latent.substitution import position
from convlint.repairs.changes import Change, simplified
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.bindings import is_bound_at, parameters
from convlint.source_text.call_sites import Function
from convlint.static.domain.objects import Class, Instance, Scope
from convlint.static.domain.values import Value
from convlint.support.dataclass import dataclass, replace

_MOST_EXPRESSIONS = 24  # of one scope


@dataclass(frozen=True, eq=False)
class ClassRepair:
    """One edit of the code of a class, and the number of a layer that it corrects in the execution ``failed``.

    ``fits``: the new expression has a value that settles the operation, as far as that is known.
    """

    failed: Followed
    written: WrittenNumber
    text: str
    fits: bool
    is_composed: bool
    number: LayerNumber

    @property
    def is_own(self) -> bool:
        """True for an edit in the class itself, and not in a base or a function."""
        cls = self.failed.path.entry_point.value
        node, path = cls.node, cls.module.path
        return bool(self.written.place.path == path and node.lineno <= self.written.node.lineno <= node.end_lineno)

    @property
    def key(self) -> object:
        """Equal for equal edits."""
        return self.written.place.path, position(self.written.node), self.text

    @property
    def title(self) -> str:
        return f"replace `{self.written.text}` with `{self.text}`"

    @property
    def changed_names(self) -> set[str]:
        """The names that only the old or only the new expression reads."""
        new = ast.walk(ast.parse(self.text, mode="eval"))
        old, read = ({n.id for n in each if isinstance(n, ast.Name)} for each in (ast.walk(self.written.node), new))
        return old ^ read


def repairs(failed: Followed, slicer: Slicer) -> list[ClassRepair]:
    """The repairs that might settle a failing execution, the likeliest first."""
    found: dict[tuple[object, str], ClassRepair] = {}
    classes = list(_home(failed.path.entry_point.value))
    for number in numbers_of(failed):
        if number.layer.site is None:
            continue
        frames = (number.layer.site, *number.layer.chain)
        changes = [Change.between(Fraction(number.value or 0), Fraction(wanted)) for wanted in number.wanted]
        for change in changes or [Change()]:
            numbers = _written(slicer, number, frames, change)
            for written in numbers:
                if written.role == "default" or not _is_inside(written, classes):
                    continue
                if _is_in_another_class(written, frames, failed) or _is_count(written, number):
                    continue
                options = list(_texts(failed, number, _sharpened(failed, number, written, numbers)))
                new = [ClassRepair(failed, written, *option, number=number) for option in options]
                new += [ClassRepair(failed, each, text, True, True, number) for each, text in reordered(written)]
                for repair in new:
                    key = (position(repair.written.node), repair.text)
                    if repair.text != repair.written.text and (
                        key not in found or (repair.fits and not found[key].fits)
                    ):
                        found[key] = repair
    order = {"reader": 0, "source": 1, "sibling": 2}
    return sorted(
        found.values(),
        key=lambda repair: (
            not repair.is_own,
            not repair.fits,
            repair.is_composed,
            order[repair.number.role],
            repair.written.role != "argument",
            repair.written.place.depth,
        ),
    )


def _is_count(written: WrittenNumber, number: LayerNumber) -> bool:
    """Return whether a name is that of a number of heads, a kernel or another count, and not of a width; so is what
    ``range`` counts to.
    """
    node = written.node
    around, _ = written.place.file.parents.get(node, (None, ""))
    if isinstance(around, ast.Call) and isinstance(around.func, ast.Name) and around.func.id == "range":
        return True
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return number.label != "groups" and NOT_WIDTHS.search(name) is not None and not is_width_name(name)


def _written(slicer: Slicer, number: LayerNumber, frames: Sequence[Site], change: Change) -> Sequence[WrittenNumber]:
    if number.op == ATTENTION:
        return slicer.numbers_of(frames, "embed_dim", 0, change)
    return slicer.numbers(number.op, number.label, frames, change)


def _sharpened(
    failed: Followed, number: LayerNumber, written: WrittenNumber, numbers: Sequence[WrittenNumber]
) -> WrittenNumber:
    """The same number with the value that it must have as a term of a sum or a factor, as far as that follows.

    The other terms and factors have values in the failing execution.
    """
    if written.role != "operand" or written.change.wanted is not None:
        return written
    parent, _ = written.place.file.parents.get(written.node, (None, ""))
    whole = next((each for each in numbers if each.node is parent), None)
    if not isinstance(parent, ast.BinOp) or whole is None:
        return written
    wanted = _sharpened(failed, number, whole, numbers).change.wanted
    scope = scope_of(failed, number.layer, written)
    value = _value(failed, written.node, scope)
    other = _value(failed, parent.right if written.node is parent.left else parent.left, scope)
    if wanted is None or type(value) is not int or type(other) is not int:
        return written
    match parent.op:
        case ast.Add():
            new = wanted - other
        case ast.Sub():
            new = wanted + other if written.node is parent.left else other - wanted
        case ast.Mult() if other:
            new = wanted / other
        case _:
            return written
    return replace(written, change=Change.between(Fraction(value), new))


def _home(cls: Class) -> Iterator[tuple[str, ast.ClassDef]]:
    """The definitions of a class and of its bases in the project, with their files."""
    for base in cls.mro:
        if base.node is not None and base.module is not None:
            yield base.module.path, base.node


def _is_inside(written: WrittenNumber, classes: Sequence[tuple[str, ast.ClassDef]]) -> bool:
    """Return whether an expression is in the code of the class, of its bases, or of a function that it calls."""
    line = written.node.lineno
    if not isinstance(written.place.scope, Function):
        return False
    if any(path == written.place.path and node.lineno <= line <= (node.end_lineno or 0) for path, node in classes):
        return True
    file = written.place.file
    return isinstance(file.scope(written.place.scope), ast.Module)


def _is_in_another_class(written: WrittenNumber, frames: Sequence[Site], failed: Followed) -> bool:
    """Return whether another class calls the function of an expression to build its layer, and is not a base."""
    own = {base.qualname for base in failed.path.entry_point.value.mro}
    for frame in frames[written.place.depth :]:
        around, _, _ = frame.function.rpartition(".")
        if around:
            return around not in own
    return False


def _texts(failed: Followed, number: LayerNumber, written: WrittenNumber) -> Iterator[tuple[str, bool, bool]]:
    """The texts that may replace an expression; for each whether its value fits, and whether it was composed."""
    scope = written.place.scope
    if not isinstance(scope, Function):
        return
    values = {
        text: value
        for text, value in _expressions(failed, number, written, scope).items()
        if is_bound_at(scope, written.node, text)
    }
    wanted = written.change.wanted
    is_exact = (
        wanted is not None
        and written.change.value is not None
        and written.change.value == _own_value(failed, number, written)
    )
    for text, value in values.items():
        if value == wanted or (not is_exact and not (written.role == "operand" and is_small_literal(written.node))):
            yield text, value == wanted, False
    if (swapped := swapped_parameters(written, scope)) is not None:
        yield swapped, False, False
    if wanted is not None and wanted.denominator == 1 and written.role == "operand" and is_small_literal(written.node):
        yield str(wanted), True, True
    if wanted is None and written.role == "argument":
        yield from ((f"{factor} * {_operand(written.text)}", False, True) for factor in range(2, _LARGEST_FACTOR))
        if isinstance(written.node, ast.BinOp) and isinstance(written.node.op, ast.Mult):
            yield ast.unparse(written.node.left), False, True
            yield ast.unparse(written.node.right), False, True
    for text in simplified(written.node, written.change):
        yield text, wanted is not None, False
    if wanted is None or wanted.denominator != 1 or wanted < 1 or written.role not in ("argument", "assignment"):
        return
    for text, value in values.items():
        if not value or value == wanted:
            continue
        if wanted % value == 0 and wanted / value <= _LARGEST_FACTOR:
            yield f"{wanted / value} * {_operand(text)}", True, True
        elif value % wanted == 0 and value / wanted <= _LARGEST_FACTOR:
            yield f"{_operand(text)} // {value / wanted}", True, True
    for (one, first), (other, second) in combinations(values.items(), 2):
        if first and second and first + second == wanted:
            yield f"{one} + {other}", True, True


_LARGEST_FACTOR = 4


def _own_value(failed: Followed, number: LayerNumber, written: WrittenNumber) -> Value:
    """The value of an expression in the failing execution."""
    return _value(failed, written.node, scope_of(failed, number.layer, written))


def _expressions(
    failed: Followed, number: LayerNumber, written: WrittenNumber, scope: Function
) -> dict[str, int | None]:
    """The widths that are written in a function, and its parameters, with their values in the failing execution."""
    texts: dict[str, ast.expr] = {}
    for node in ast.walk(scope):
        if isinstance(node, ast.Call):
            for argument in [*node.args[:3], *(keyword.value for keyword in node.keywords)]:
                if _is_width(argument):
                    texts.setdefault(ast.unparse(argument), argument)
    for node in ast.walk(scope):
        if isinstance(node, ast.Assign) and _is_width(node.value):
            texts.setdefault(ast.unparse(node.value), node.value)
            for target in node.targets:
                if isinstance(target, ast.Name | ast.Attribute):
                    texts.setdefault(ast.unparse(target), target)
    for name in parameters(scope):
        texts.setdefault(name, ast.Name(name, ast.Load()))
    around = scope_of(failed, number.layer, written)
    found: dict[str, int | None] = {}
    for text, node in texts.items():
        if NOT_WIDTHS.search(text) and not isinstance(node, ast.BinOp):
            continue
        value = _value(failed, node, around)
        if type(value) is int and value > 0:
            found[text] = value
    return dict(list(found.items())[:_MOST_EXPRESSIONS])


def evaluated(followed: Followed, repair: ClassRepair) -> tuple[Value, Value]:
    """The values of the expression of a repair, and of the one that replaces it, in any execution of the class."""
    number, written = repair.number, repair.written
    same = (
        i for i in followed.path.interpreter.creators if (i.site, i.chain) == (number.layer.site, number.layer.chain)
    )
    layer = next(same, None)
    if layer is None:
        return None, None
    scope = scope_of(followed, layer, written)
    text = ast.parse(repair.text, mode="eval").body
    return _value(followed, written.node, scope), _value(followed, text, scope)


def _is_width(node: ast.expr) -> bool:
    """Return whether an expression may be a width, and can be evaluated without consequences."""
    if not isinstance(node, ast.Name | ast.Attribute | ast.BinOp | ast.Subscript | ast.Call | ast.IfExp | ast.BoolOp):
        return False
    for inner in ast.walk(node):
        if isinstance(inner, ast.Call):
            name = inner.func.attr if isinstance(inner.func, ast.Attribute) else getattr(inner.func, "id", "")
            if name[:1].isupper() or name in ("append", "add_module", "pop", "insert", "extend"):
                return False
        elif isinstance(inner, ast.Lambda | ast.ListComp | ast.Starred | ast.Constant) and not (
            isinstance(inner, ast.Constant) and isinstance(inner.value, int | float)
        ):
            return False
    return True


def scope_of(failed: Followed, layer: Instance, written: WrittenNumber) -> Scope | None:
    """The names at the call that an expression is an argument of."""
    if written.place.depth == 0:
        built = failed.path.interpreter.built_at.get(layer)
        return None if built is None else built[1]
    frames = layer.frames
    return frames[-written.place.depth].scope if written.place.depth <= len(frames) else None


def _value(failed: Followed, node: ast.expr, scope: Scope | None) -> Value:
    if scope is None:
        return None
    interpreter = failed.path.interpreter
    interpreter.steps = 2000
    try:
        value = _evaluated(failed, node, scope)
        return None if type(value) in (bool, list, tuple) else failed.path.execution.reduced(value)
    except Exception:  # noqa: BLE001 - an expression may have no value here
        return None


def _evaluated(failed: Followed, node: ast.expr, scope: Scope) -> Value:
    if isinstance(node, ast.Name) and not hasattr(node, "lineno"):
        return scope.names.get(node.id)
    return failed.path.interpreter.evaluate(node, scope)


def _operand(text: str) -> str:
    node = ast.parse(text, mode="eval").body
    simple = isinstance(node, ast.Name | ast.Attribute | ast.Constant | ast.Call | ast.Subscript)
    return text if simple else f"({text})"
