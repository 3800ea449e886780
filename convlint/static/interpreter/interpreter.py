"""The abstract interpreter: calls of anything, and what is known of one execution.

Statements are followed by ``statements``, expressions by ``expressions``; objects are built by
``building``, modules called by ``module_calls``; what the parts of Python and torch do that the
program calls stands in ``builtin``, ``containers`` and ``torchlib``. All of them are handed the
``Interpreter``. It follows one execution: which way it goes where a condition is not decided is
asked of ``Choices``.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence

from convlint.ir import Site
from convlint.static.domain.execution import Execution, Stop
from convlint.static.domain.objects import Class, Frame, Function, Instance, Scope, site_of
from convlint.static.domain.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Library,
    Num,
    Partial,
    Shape,
    Value,
)
from convlint.static.interpreter import (
    expressions,
    instantiation,
    module_calls,
    module_names,
    statements,
)
from convlint.static.interpreter.binding import bind, tensors_in
from convlint.static.interpreter.dispatch import EXPRESSIONS, STATEMENTS
from convlint.static.interpreter.path_choices import PathChoices
from convlint.static.interpreter.pymodel import (
    builtin_functions,
    methods,
    standard_library,
)
from convlint.static.interpreter.pymodel.native import guarded
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.torch_shapes import function
from convlint.static.torch_shapes.registry import NOT_TAKEN, fits
from convlint.symbolic import Dim

EXPRESSIONS.update(expressions.HANDLERS)
STATEMENTS.update(statements.HANDLERS)

_DEEPEST = 60  # calls within calls
_MOST_STEPS = 60_000  # statements and expressions of one execution


class Interpreter:
    """Follows a program from some call on."""

    def __init__(self, project: Project, execution: Execution, choices: PathChoices) -> None:
        self.project = project
        self.execution = execution
        self.choices = choices
        self.frames: list[Frame] = []
        self.calls: list[module_calls.ModuleCall] = []
        self.built: list[Instance] = []  # modules that no other module's constructor built
        self.creators: dict[Instance, Instance | None] = {}
        self.called_at: dict[Instance, tuple[ast.expr, Scope]] = {}  # where those were built
        self.arguments: dict[Instance, dict[str, Value]] = {}  # of its own constructor
        self.demands: dict[Instance, tuple[tuple[Num, Num], ...]] = {}  # of a layer's constructor
        self.constructing: list[Instance] = []
        self.steps = _MOST_STEPS
        self.all_inputs = False  # whether what may be left out of the call of a root is passed
        self.left_out = False  # whether something was
        self.top: Scope | None = None  # of the file, if that is followed
        self.twins: dict[Hashable, Instance] = {}
        self.followed: dict[Hashable, Shape] = {}

    # --- places

    def step(self) -> None:
        """Count one step of the program. Raises Stop when there were too many."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("it takes too many steps to follow")

    @property
    def in_entry_point(self) -> bool:
        """Whether what runs is the class or function that is followed for itself, and not a part of
        it: the ways of a part are gone when that is followed.
        """
        owner = self.execution.owner
        return len(self.constructing) <= 1 and (owner is None or self.creators.get(owner) is None)

    def at(self, node: ast.expr | ast.stmt, scope: Scope) -> Site:
        """The span of a node of the program."""
        return site_of(node, scope)

    def record_gap(self, reason: str, node: ast.expr | ast.stmt, scope: Scope) -> Value:
        """Note what could not be followed, and give UNKNOWN."""
        self.execution.site = self.at(node, scope)
        return self.execution.record_gap(reason)

    def name_of_module(self, module: SourceModule, name: str) -> Value:
        """What a name means at the top level of a module; UNKNOWN if that cannot be told."""
        return module_names.meaning(self, module, name)

    # --- calls

    def call(
        self,
        callee: Value,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_ended: bool = False,
    ) -> Value:
        """Call anything. ``open_``: there may be more arguments, of which nothing is known."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("it takes too many steps to follow")
        kind = type(callee)
        if kind is Function:
            return self.call_function(callee, args, kwargs, node, scope, open_ended=open_ended)
        if kind is Bound:
            bound = callee.function
            call = self.call_function if type(bound) is Function else self.call
            return call(bound, [callee.self, *args], kwargs, node, scope, open_ended=open_ended)
        if kind is Class:
            return instantiation.instantiate(
                self, callee, args, kwargs, node, scope, open_ended=open_ended
            )
        if kind is Instance:
            return module_calls.call_instance(
                self, callee, args, kwargs, node, scope, open_ended=open_ended
            )
        if kind is Partial:
            merged = {**callee.kwargs, **kwargs}
            return self.call(
                callee.function, [*callee.args, *args], merged, node, scope, open_ended=open_ended
            )
        if kind is Builtin:
            self.execution.site = self.at(node, scope)
            if callee.name.startswith(methods.OWNERS):
                return methods.call(self, callee.name, args, kwargs, node, scope)
            return builtin_functions.call(self, callee.name, args, kwargs, node, scope)
        if kind is Library:
            return self._call_library(callee, args, kwargs, node, scope, open_ended=open_ended)
        if callable(callee) and kind is not Dim:
            return self.call_torch(callee, args, kwargs, node, scope, open_ended=open_ended)
        return self.call_unknown(args, kwargs, node, scope)

    def call_unknown(
        self, args: Sequence[Value], kwargs: dict[str, Value], node: ast.expr, scope: Scope
    ) -> Value:
        """What an unknown callee may give and do: it reads every tensor and may change every list."""
        tensors = [t for value in (*args, *kwargs.values()) for t in tensors_in(value)]
        for value in (*args, *kwargs.values()):
            if type(value) is list:
                value.append(UNKNOWN)
            elif type(value) is dict:
                value[UNKNOWN] = UNKNOWN
        if not tensors:
            return UNKNOWN
        self.execution.site = self.at(node, scope)
        return self.execution.emit("unseen", tensors, [None])[0]

    def call_torch(
        self,
        handler: Value,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_ended: bool = False,
    ) -> Value:
        """Call an operation of torch; what it cannot take is unknown."""
        if open_ended or not fits(handler, len(args), kwargs):
            return self.call_unknown(args, kwargs, node, scope)
        self.execution.site = self.at(node, scope)
        try:
            return handler(self.execution, *args, **kwargs)
        except NOT_TAKEN:
            self.execution.record_gap("arguments that no such operation takes")
            return self.call_unknown(args, kwargs, node, scope)

    def _call_library(
        self,
        callee: Library,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_ended: bool,
    ) -> Value:
        own = standard_library.LIBRARY.get(callee.name)
        if own is not None:
            self.execution.site = self.at(node, scope)
            return guarded(own, self, args, kwargs, node, scope)
        handler = function(callee.name) if callee.name.startswith("torch.") else None
        if handler is not None:
            return self.call_torch(handler, args, kwargs, node, scope, open_ended=open_ended)
        if standard_library.is_harmless(callee.name):
            return UNKNOWN
        return self.call_unknown(args, kwargs, node, scope)

    def call_function(
        self,
        callee: Function,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_ended: bool = False,
        instance: Instance | None = None,
    ) -> Value:
        """Call a function of the program."""
        given = bind(callee, args, kwargs, open_ended=open_ended)
        if instance is not None and given is not None and instance not in self.arguments:
            self.arguments[instance] = dict(given)
        if given is None or len(self.frames) > _DEEPEST:
            return self.call_unknown(args, kwargs, node, scope)
        inner = Scope(callee.scope.module, callee.scope, callee.qualname, given)
        self.frames.append(Frame(node, scope))
        try:
            return statements.run_function(self, callee, inner)
        finally:
            self.frames.pop()
