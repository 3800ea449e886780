"""Follow the number of a layer backwards to the expressions in the user's files that it comes from.

A number is followed backwards from the argument of a constructor call: through arithmetic, local variables, parameters
and the calls that pass them, attributes, defaults and elements of lists, in every file of the project.
"""

from __future__ import annotations

import ast
import copy
import os
from collections.abc import Iterable, Iterator, Sequence

from convlint.analysis.constructor_parameters import parameter_of, position
from convlint.ir import Edit, Site
from convlint.repairs import builders, defining_files
from convlint.repairs.changes import Change, operand_changes
from convlint.repairs.moved import before
from convlint.repairs.written_number import Place, WrittenNumber, imported, may_be_number
from convlint.source_text import call_sites
from convlint.source_text.bindings import (
    appended,
    argument_for,
    arguments,
    assigned,
    attributes,
    default_of,
    keyed,
    keyword_of,
    parameters,
    passes_on_keywords,
)
from convlint.source_text.call_sites import Function, WrittenCall
from convlint.source_text.packages import is_installed
from convlint.source_text.texts import SourceTexts
from convlint.support.dataclass import replace

_PASSING_ELEMENTS = ("enumerate", "zip", "reversed", "list", "tuple", "sorted")
_Parameter = tuple[str, int]
_MAX_STEPS = 400  # expressions that are followed for one number


class Slicer:
    """Follows numbers backwards through the files of a project below the folders ``roots``."""

    def __init__(self, texts: SourceTexts, *roots: str) -> None:
        self.texts = texts
        self._roots = tuple(os.path.join(os.path.abspath(root), "") for root in roots)
        self._known: dict[object, list[WrittenNumber]] = {}
        self.edits: tuple[Edit, ...] = ()

    def after(self, edits: Sequence[Edit]) -> Slicer:
        """The same for a program with ``edits``, whose numbers are followed in the texts without them."""
        other = copy.copy(self)
        other.edits = tuple(edits)
        return other

    def call(self, site: Site) -> WrittenCall | None:
        """The call at a place of the program."""
        return call_sites.at(before(site, self.edits), self.texts)

    def numbers(self, op: str, label: str, frames: Sequence[Site], change: Change) -> list[WrittenNumber]:
        """The written numbers that one number of a layer comes from and the project may edit, innermost first.

        Args:
            op: the operator of the layer's call.
            label: the meaning of the number, "in", "out" or "groups".
            frames: the constructor call and the calls around it, innermost first.
            change: the change of the number.
        """
        name = parameter_of(op, label)
        at = position(op, name) if name else None
        return self._numbers(frames, (name, at) if name and at is not None else None, change)

    def numbers_of(self, frames: Sequence[Site], parameter: str, position: int, change: Change) -> list[WrittenNumber]:
        """The written numbers that one argument of a constructor call comes from; see ``numbers``."""
        call = self.call(frames[0])
        passed = call is not None and (call.argument(parameter, position) is not None or call.unpacks)
        return self._numbers(frames, (parameter, position), change) if passed else []

    def argument(self, frames: Sequence[Site], parameter: str, position: int) -> WrittenNumber | None:
        """One argument of a constructor call as it is written."""
        numbers = self.numbers_of(frames, parameter, position, Change())
        return next((number for number in numbers if number.place.depth == 0 and number.role == "argument"), None)

    def _numbers(self, frames: Sequence[Site], parameter: _Parameter | None, change: Change) -> list[WrittenNumber]:
        frames = [before(frame, self.edits) for frame in frames]
        key = tuple(frames), parameter, change
        if key not in self._known:
            self._known[key] = self._followed([*_calls(frames)], parameter, change)
        return self._known[key]

    def _followed(self, frames: Sequence[Site], parameter: _Parameter | None, change: Change) -> list[WrittenNumber]:
        call = call_sites.at(frames[0], self.texts) if frames else None
        if call is None:
            return []
        walk = _Walk(self, frames)
        argument = call.argument(*parameter) if parameter and not builders.is_helper(call) else None
        if parameter and argument is None and call.unpacks:
            walk.follow_unpacked(call, 0, parameter[0], change)
        else:
            for each in builders.numbers(call) if argument is None else [argument]:
                walk.follow_argument(call, each, 0, change, "argument")
        return [number for number in walk.numbers if self.owns(number.place.path)]

    def owns(self, path: str) -> bool:
        """Return whether a file belongs to the project: installed packages do not."""
        full = os.path.abspath(path)
        root = next((root for root in self._roots if full.startswith(root)), None)
        return root is not None and not is_installed(full[len(root) :])


def _calls(frames: Sequence[Site]) -> Iterator[Site]:
    """The frames without those that only run a comprehension, which is part of the function around it."""
    in_comprehension = False
    for frame in frames:
        if not in_comprehension:
            yield frame
        in_comprehension = frame.function.endswith(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))


class _Walk:
    """One number on its way back through the calls ``frames``."""

    def __init__(self, slicer: Slicer, frames: Sequence[Site]) -> None:
        self._slicer = slicer
        self._frames = frames
        self._seen: set[tuple[str, int, int, int | None]] = set()
        self.numbers: list[WrittenNumber] = []

    def follow_argument(
        self, call: WrittenCall, node: ast.expr, depth: int, change: Change, role: str, holds: bool = False
    ) -> None:
        """Follow an expression that is written in ``call``, the call of frame ``depth``.

        With ``holds`` it is not the number, but a list or the like that holds it.
        """
        self._follow(Place(call.site.path, call.file, call.scope, depth), node, change, role, holds)

    def _follow(self, place: Place, node: ast.expr, change: Change, role: str, holds: bool = False) -> None:
        key = (place.path, node.lineno, node.col_offset, node.end_col_offset)
        if key in self._seen or len(self._seen) > _MAX_STEPS:
            return
        self._seen.add(key)
        if isinstance(node, ast.Starred):
            self._follow(place, node.value, change, role, holds=True)
        elif isinstance(node, ast.Tuple | ast.List):
            for element in node.elts:
                self._follow(place, element, change, "element")
        elif holds:
            self._follow_inside(place, node, change)
        elif may_be_number(node, role):
            frame = self._frames[min(place.depth, len(self._frames) - 1)]
            callers = tuple(self._frames[place.depth + 1 :])
            self.numbers.append(WrittenNumber(node, place, change, role, frame, callers))
            self._follow_parts(place, node, change)

    def _follow_inside(self, place: Place, node: ast.expr, change: Change) -> None:
        """Follow the elements of a list or the like, of which one is the number."""
        parts: list[ast.expr] = []
        match node:
            case ast.Name(id=name):
                self._follow_name(place, name, change, holds=True)
            case ast.Attribute(value=owner, attr=name):
                self._follow_attribute(place, owner, name, change, holds=True)
            case ast.Dict(values=values):
                parts = [value for value in values if isinstance(value, ast.List | ast.Tuple)]
                for value in values:
                    self._follow(place, value, change.of_alternative(), "element")
            case ast.Subscript(value=base):
                parts = [base]
            case ast.BinOp(left=left, right=right):
                parts = [left, right]
            case ast.IfExp(body=body, orelse=orelse):
                parts = [body, orelse]
            case ast.Call(func=ast.Name(id=name), args=args) if name in _PASSING_ELEMENTS:
                parts = args
            case ast.Call(args=args):
                for argument in args:
                    self._follow(place, argument, change.scaled(None), "operand")
            case ast.ListComp(elt=element) | ast.GeneratorExp(elt=element):
                self._follow(place, element, change, "element")
        for part in parts:
            self._follow(place, part, change, "element", holds=True)

    def _follow_parts(self, place: Place, node: ast.expr, change: Change) -> None:
        parts: list[tuple[ast.expr, Change]] = []
        match node:
            case ast.Name(id=name):
                self._follow_name(place, name, change)
            case ast.Attribute(value=owner, attr=name):
                self._follow_attribute(place, owner, name, change)
            case ast.Call(func=ast.Attribute(value=base, attr="pop")):
                self._follow(place, base, change, "element", holds=True)
            case ast.Subscript(value=base, slice=index):
                self._follow(place, base, change, "element", holds=True)
                if isinstance(index, ast.Constant) and isinstance(index.value, str):
                    self._follow_all(place, keyed(place.file, index.value), change)
            case ast.BinOp():
                parts = list(operand_changes(node, change))
            case ast.UnaryOp(operand=operand):
                parts = [(operand, change)]
            case ast.IfExp(body=body, orelse=orelse):
                parts = [(part, change.of_alternative()) for part in (body, orelse)]
            case ast.BoolOp(values=values):
                parts = [(value, change.of_alternative()) for value in values]
            case ast.Call(args=args):
                parts = [(argument, change.scaled(None)) for argument in args]
        for part, its in parts:
            self._follow(place, part, its, "operand")

    def _follow_all(self, place: Place, values: Iterable[ast.expr], change: Change, holds: bool = False) -> None:
        for value in values:
            self._follow(replace(place, scope=place.file.scope(value)), value, change, "attribute", holds)

    def _follow_attribute(self, place: Place, owner: ast.expr, name: str, change: Change, holds: bool = False) -> None:
        """Follow what an attribute of a module or an object is, in the first file around that writes any value for it.

        A subclass in another file may have its own. ``groups=cfg.groups`` passes on what it is.
        """
        texts = self._slicer.texts
        module = defining_files.module_named(texts, place, owner)
        if module is not None:
            self._follow_name(module, name, change, holds)
            return
        of_self = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
        for there in defining_files.files_around(texts, place, self._frames, of_self=of_self):
            written = [*attributes(there.file, name), *(() if of_self else keyed(there.file, name))]
            values = [each for each in written if of_self or ast.unparse(each).rpartition(".")[2] != name]
            self._follow_all(there, values, change, holds)
            if values and not of_self:
                return

    def _follow_name(self, place: Place, name: str, change: Change, holds: bool = False) -> None:
        """Follow what a name was assigned, what a caller passed for it, or what it was imported as."""
        scope: ast.AST | None = place.scope
        while scope is not None:
            here = replace(place, scope=scope)
            is_parameter = isinstance(scope, Function) and name in parameters(scope)
            if isinstance(scope, Function) and is_parameter:
                self._follow_parameter(here, scope, name, change, holds)
            values = assigned(scope, name)
            for value, is_inside in values:
                self._follow(here, value, change, "assignment", holds or is_inside)
            for value in appended(scope, name) if holds and not isinstance(scope, ast.Module) else ():
                self._follow(here, value, change, "assignment")
            if values or is_parameter:
                return
            scope = None if isinstance(scope, ast.Module) else place.file.scope(scope)
        for node in place.file.nodes:
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        there = imported(self._slicer.texts, place.path, node)
                        if there is not None:
                            self._follow_name(replace(there, depth=place.depth), alias.name, change, holds)

    def _follow_parameter(self, place: Place, function: Function, name: str, change: Change, holds: bool) -> None:
        """Follow the argument that the next frame passes for a parameter, or the parameter's default."""
        depth = place.depth + 1
        call = call_sites.at(self._frames[depth], self._slicer.texts) if depth < len(self._frames) else None
        passed = None if call is None else argument_for(call, function, name)
        default = default_of(function, name)
        if call is not None and builders.unpacks(call, function, place.file.scope(function)):
            self._follow_passed(depth, name, change, holds)
        elif call is not None and passed is not None:
            self.follow_argument(call, passed, depth, change, "argument", holds)
        elif call is not None and call.unpacks:
            self.follow_unpacked(call, depth, name, change, holds)
        elif default is not None:
            self._follow(place, default, change, "default", holds)

    def follow_unpacked(self, call: WrittenCall, depth: int, name: str, change: Change, holds: bool = False) -> None:
        """Follow an argument that a call passes in ``*args`` or ``**kwargs``: what a caller passes for them, or the
        values of that name in the file that defines what is unpacked.
        """
        outer: WrittenCall | None = call
        while outer is not None and passes_on_keywords(outer):
            depth += 1
            outer = call_sites.at(self._frames[depth], self._slicer.texts) if depth < len(self._frames) else None
            passed = None if outer is None else keyword_of(outer, name)
            if outer is not None and passed is not None:
                self.follow_argument(outer, passed, depth, change, "argument", holds)
                return
        call = outer or call
        for argument in call.node.args:
            if isinstance(argument, ast.Starred):
                self.follow_argument(call, argument, depth, change, "unpacked", holds)
        here = Place(call.site.path, call.file, call.scope, depth)
        for value in (keyword.value for keyword in call.node.keywords if keyword.arg is None):
            scope = here.scope
            if not isinstance(scope, Function) or not builders.is_computed_in(scope, value):
                for place in defining_files.origins(self._slicer.texts, here, value):
                    self._follow_all(place, keyed(place.file, name), change, holds)
            elif values := list(keyed(here.file, name, scope)):
                self._follow_all(here, values, change, holds)
            else:
                self._follow_passed(depth + 1, name, change, holds)

    def _follow_passed(self, depth: int, name: str, change: Change, holds: bool) -> None:
        """Follow the values of a name in the first of the files around that has any: ``build`` unpacks what it gets."""
        for outer in range(depth, len(self._frames)):
            call = call_sites.at(self._frames[outer], self._slicer.texts)
            if call is None:
                continue
            here = Place(call.site.path, call.file, call.scope, outer)
            for place in (
                here,
                *(
                    there
                    for argument in arguments(call)
                    for there in defining_files.origins(self._slicer.texts, here, argument)
                ),
            ):
                if values := list(keyed(place.file, name)):
                    self._follow_all(place, values, change, holds)
                    return
