"""Repairs of a class to try: expressions in its code that a number comes from, and others in scope to replace them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from fractions import Fraction

from convlint.analysis import ops
from convlint.analysis.width_names import is_width_name
from convlint.ir import Site
from convlint.latent.arguments import NOT_WIDTHS
from convlint.latent.expression_values import scope_of, value_of
from convlint.latent.following import Followed
from convlint.latent.numbers import LayerNumber, numbers_of
from convlint.latent.replacements import texts
from convlint.latent.rewritten import reordered
from convlint.latent.substitution import position
from convlint.repairs.changes import Change
from convlint.repairs.slicer import Slicer
from convlint.repairs.written_number import WrittenNumber
from convlint.source_text.call_sites import Function
from convlint.source_text.trees import expression
from convlint.static.domain.objects import Class, Outside, Scope, site_of
from convlint.static.domain.values import Value
from convlint.support.dataclass import dataclass, replace


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
    def has_new_number(self) -> bool:
        """True if the new expression has a number that the old one has not."""
        old, new = self.written.node, expression(self.text)
        before, after = ({n.value for n in ast.walk(each) if isinstance(n, ast.Constant)} for each in (old, new))
        return not after <= before

    @property
    def changed_names(self) -> set[str]:
        """The names, also of attributes, that only the old or only the new expression reads."""
        return _names(self.written.node) ^ _names(expression(self.text))


def _names(code: ast.AST) -> set[str]:
    nodes = list(ast.walk(code))
    return {n.id for n in nodes if isinstance(n, ast.Name)} | {n.attr for n in nodes if isinstance(n, ast.Attribute)}


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
                options = list(texts(failed, number, _sharpened(failed, number, written, numbers)))
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
    if number.parameter is not None:
        return slicer.numbers_of(frames, *number.parameter, change)
    if number.op == ops.ATTENTION:
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
    value = value_of(failed, written.node, scope)
    other = value_of(failed, parent.right if written.node is parent.left else parent.left, scope)
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


def numbers_given(repair: ClassRepair, state: Sequence[Followed]) -> tuple[tuple[int, ...], ...] | None:
    """The values of the new expression of a repair wherever executions come to it, as far as they built layers there.

    None if one is unknown, or if not all are seen: in a loop, a block that was built before stands for an equal one.
    """
    written = repair.written
    if not written.is_in_the_call or _is_repeated(written):
        return None
    new = ast.parse(repair.text, mode="eval").body
    given: list[tuple[int, ...]] = []
    for followed in state:
        values = [value_of(followed, new, scope) for scope in _scopes_at(followed, written.frame)]
        numbers = tuple([value for value in values if type(value) is int])
        if not numbers or len(numbers) < len(values):
            return None
        given.append(numbers)
    return tuple(given)


def _is_repeated(written: WrittenNumber) -> bool:
    """Return whether a loop or comprehension of its function is around an expression."""
    around: ast.AST | None = written.node
    while around is not None and around is not written.place.scope:
        around, _ = written.place.file.parents.get(around, (None, ""))
        if isinstance(around, ast.For | ast.While | ast.comprehension | ast.ListComp | ast.GeneratorExp):
            return True
    return False


def _scopes_at(followed: Followed, call: Site) -> Iterator[Scope]:
    """Yield the names at a call each time that it built layers."""
    interpreter = followed.path.interpreter
    for layer in interpreter.creators:
        if layer.site == call:
            yield interpreter.built_at[layer][1]
        else:
            yield from (
                f.scope for f in layer.frames if type(f.node) is not Outside and site_of(f.node, f.scope) == call
            )


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
    return value_of(followed, written.node, scope), value_of(followed, text, scope)
