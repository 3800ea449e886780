"""The abstract interpreter: calls of functions, classes and modules of the program.

Statements are followed by ``statements``, expressions by ``expressions``; what the parts of Python
and torch do that the program calls stands in ``builtin``, ``containers`` and ``torchlib``. An
``Interpreter`` follows one execution: which way it goes where a condition is not decided is asked
of ``Choices``.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from convlint.dims import Dim
from convlint.model import Site
from convlint.source import (
    builtin,
    classes,
    containers,
    expressions,
    methods,
    repeats,
    standard,
    statements,
    submodules,
)
from convlint.source.binding import bind, tensors_in
from convlint.source.choices import Choices
from convlint.source.dispatch import EXPRESSIONS, STATEMENTS, execute
from convlint.source.execution import Execution, Refused, Stop
from convlint.source.modules import SourceModule, is_main_guard
from convlint.source.native import guarded
from convlint.source.project import Project
from convlint.source.torchlib import LAYERS, function
from convlint.source.torchlib.registry import fits
from convlint.source.values import (
    UNKNOWN,
    Bound,
    Builtin,
    Class,
    Frame,
    Function,
    Instance,
    Library,
    Num,
    Outside,
    Partial,
    Scope,
    Shape,
    Tensor,
    Value,
    site_of,
)

EXPRESSIONS.update(expressions.HANDLERS)
STATEMENTS.update(statements.HANDLERS)

_DEEPEST = 60  # calls within calls
# What an operation meets in arguments of a kind that PyTorch takes nowhere: a word for a size, a
# list for a number. The call is unknown then, and said to be.
_NOT_TAKEN = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
_MOST_STEPS = 60_000  # statements and expressions of one execution


@dataclass(slots=True, eq=False)
class ModuleCall:
    """One call of a module: tensors in and out, and the steps made inside."""

    instance: Instance
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    start: int
    stop: int
    site: Site | None
    owner: Instance | None


class Interpreter:
    """Follows a program from some call on."""

    def __init__(self, project: Project, run: Execution, choices: Choices) -> None:
        self.project = project
        self.run = run
        self.choices = choices
        self.frames: list[Frame] = []
        self.calls: list[ModuleCall] = []
        self.built: list[Instance] = []  # modules that no other module's constructor built
        self.creators: dict[Instance, Instance | None] = {}
        self.called_at: dict[Instance, tuple[ast.expr, Scope]] = {}  # where those were built
        self.arguments: dict[Instance, dict[str, Value]] = {}  # of its own constructor
        self.demands: dict[Instance, tuple[tuple[Num, Num], ...]] = {}  # of a layer's constructor
        self.constructing: list[Instance] = []
        self.steps = _MOST_STEPS
        self.top: Scope | None = None  # of the file, if that is followed
        self._twins: dict[Hashable, Instance] = {}
        self._followed: dict[Hashable, Shape] = {}

    # --- places

    def step(self) -> None:
        """Count one step of the program. Raises Stop when there were too many."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("it takes too many steps to follow")

    @property
    def in_own_code(self) -> bool:
        """Whether what runs is the class or function that is followed for itself, and not a part of
        it: the ways of a part are gone when that is followed.
        """
        owner = self.run.owner
        return len(self.constructing) <= 1 and (owner is None or self.creators.get(owner) is None)

    def at(self, node: ast.expr | ast.stmt, scope: Scope) -> Site:
        """The span of a node of the program."""
        return site_of(node, scope)

    def lose(self, reason: str, node: ast.expr | ast.stmt, scope: Scope) -> Value:
        """Note what could not be followed, and give UNKNOWN."""
        self.run.site = self.at(node, scope)
        return self.run.lose(reason)

    # --- names

    def name_of_module(self, module: SourceModule, name: str) -> Value:
        """What a name means at the top level of a module; UNKNOWN if that cannot be told."""
        if name in module.values:
            return module.values[name]
        if name in module.pending:
            return UNKNOWN
        if name not in module.bindings:
            return self._from_star(module, name)
        module.pending.add(name)
        scope = Scope(module, None, "", module.values)
        frames, self.frames = self.frames, []
        constructing, self.constructing = self.constructing, []
        built, self.built = self.built, []
        try:
            for statement in self._making(module, name):
                execute(self, statement, scope)
        except Stop:
            module.values.setdefault(name, UNKNOWN)
            if self.steps < 0:
                raise
        finally:
            self.frames, self.constructing, self.built = frames, constructing, built
            module.pending.discard(name)
        return module.values.setdefault(name, UNKNOWN)

    def _making(self, module: SourceModule, name: str) -> list[ast.stmt]:
        """The statements to run for the value of a name."""
        if module.ran or not module.depends_on_order(name):
            return module.bindings[name]
        module.ran = True
        return [s for s in module.main if not (isinstance(s, ast.If) and is_main_guard(s.test))]

    def _from_star(self, module: SourceModule, name: str) -> Value:
        if name.startswith("__"):
            return self._dunder(module, name)
        for statement in module.stars:
            source = statement.module or ""
            other = self.project.find(source, module, statement.level)
            if other is None:
                if source.split(".")[0] == "torch":
                    found = classes.library(f"{source}.{name}")
                    if isinstance(found, Class) or function(found.name) is not None:
                        return found
                continue
            if other is not module and (name in other.bindings or other.stars):
                value = self.name_of_module(other, name)
                if value is not UNKNOWN:
                    return value
        return builtin.NAMES.get(name, UNKNOWN)

    def _dunder(self, module: SourceModule, name: str) -> Value:
        if name == "__name__":
            return module.name
        return module.path if name == "__file__" else builtin.NAMES.get(name, UNKNOWN)

    # --- calls

    def call(
        self,
        callee: Value,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> Value:
        """Call anything. ``open_``: there may be more arguments, of which nothing is known."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("it takes too many steps to follow")
        kind = type(callee)
        if kind is Function:
            return self.call_function(callee, args, kwargs, node, scope, open_=open_)
        if kind is Bound:
            bound = callee.function
            call = self.call_function if type(bound) is Function else self.call
            return call(bound, [callee.self, *args], kwargs, node, scope, open_=open_)
        if kind is Class:
            return self.instantiate(callee, args, kwargs, node, scope, open_=open_)
        if kind is Instance:
            return self.call_instance(callee, args, kwargs, node, scope, open_=open_)
        if kind is Partial:
            merged = {**callee.kwargs, **kwargs}
            return self.call(
                callee.function, [*callee.args, *args], merged, node, scope, open_=open_
            )
        if kind is Builtin:
            self.run.site = self.at(node, scope)
            if callee.name.startswith(methods.OWNERS):
                return methods.call(self, callee.name, args, kwargs, node, scope)
            return builtin.call(self, callee.name, args, kwargs, node, scope)
        if kind is Library:
            return self._call_library(callee, args, kwargs, node, scope, open_=open_)
        if callable(callee) and kind is not Dim:
            return self.call_torch(callee, args, kwargs, node, scope, open_=open_)
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
        self.run.site = self.at(node, scope)
        return self.run.emit("unseen", tensors, [None])[0]

    def call_torch(
        self,
        handler: Value,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> Value:
        """Call an operation of torch; what it cannot take is unknown."""
        if open_ or not fits(handler, len(args), kwargs):
            return self.call_unknown(args, kwargs, node, scope)
        self.run.site = self.at(node, scope)
        try:
            return handler(self.run, *args, **kwargs)
        except _NOT_TAKEN:
            self.run.lose("arguments that no such operation takes")
            return self.call_unknown(args, kwargs, node, scope)

    def _call_library(
        self,
        callee: Library,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool,
    ) -> Value:
        own = standard.LIBRARY.get(callee.name)
        if own is not None:
            self.run.site = self.at(node, scope)
            return guarded(own, self, args, kwargs, node, scope)
        handler = function(callee.name) if callee.name.startswith("torch.") else None
        if handler is not None:
            return self.call_torch(handler, args, kwargs, node, scope, open_=open_)
        if standard.is_harmless(callee.name):
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
        open_: bool = False,
        instance: Instance | None = None,
    ) -> Value:
        """Call a function of the program."""
        names = bind(callee, args, kwargs, open_=open_)
        if instance is not None and names is not None and instance not in self.arguments:
            self.arguments[instance] = dict(names)
        if names is None or len(self.frames) > _DEEPEST:
            return self.call_unknown(args, kwargs, node, scope)
        inner = Scope(callee.scope.module, callee.scope, callee.qualname, names)
        self.frames.append(Frame(node, scope))
        try:
            return statements.run_function(self, callee, inner)
        finally:
            self.frames.pop()

    # --- objects

    def instantiate(
        self,
        cls: Class,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> Value:
        """Call a class."""
        special = classes.special(self, cls, args, kwargs, node, scope)
        if special is not None:
            return special[0]
        key = None
        if cls.node is not None and cls.is_module and not open_:
            key = repeats.constructor_key(cls, node, args, kwargs)
            if key is not None and key in self._twins:
                return self._twins[key]
        site = None if type(node) is Outside else self.at(node, scope)
        instance = Instance(cls, site, tuple(self.frames))
        if cls.is_module:
            outer = self.constructing[-1] if self.constructing else None
            self.creators[instance] = outer
            if outer is None:
                self.built.append(instance)
                self.called_at[instance] = (node, scope)
        self.construct(instance, args, kwargs, node, scope, open_=open_)
        if key is not None:
            self._twins[key] = instance
        return instance

    def construct(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> None:
        """Run the constructor of an object."""
        self.constructing.append(instance)
        try:
            init = classes.lookup(instance.cls, "__init__")
            if type(init) is Function:
                self.call_function(
                    init, [instance, *args], kwargs, node, scope, open_=open_, instance=instance
                )
            else:
                classes.default_init(self, instance, args, kwargs, node, scope, open_=open_)
        finally:
            self.constructing.pop()

    def construct_layer(
        self,
        instance: Instance,
        name: str,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> None:
        """Run the constructor of the class ``name`` of ``torch.nn`` on an object."""
        instance.kind = name
        self.run.site = self.at(node, scope)
        if submodules.construct(self, instance, name, args, kwargs):
            if open_:
                containers.taint(instance)
            return
        layer = LAYERS.get(name)
        if layer is None:
            instance.incomplete = name != "Module"
            return
        if open_:
            kwargs = classes.with_unknown(layer.construct, args, kwargs)
        if not fits(layer.construct, len(args), kwargs):
            instance.incomplete = True
            return
        try:
            instance.attrs.update(layer.construct(self.run, *args, **kwargs))
        except Refused as refused:
            instance.attrs.update(refused.attrs)
            instance.error = str(refused)
        except _NOT_TAKEN:
            self.run.lose("arguments that no such layer takes")
            instance.incomplete = True
        self.demands[instance] = self.run.taken()

    def call_instance(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> Value:
        """Call an object: the forward of a module."""
        if not instance.is_module:
            method = classes.lookup(instance.cls, "__call__")
            if type(method) is Function:
                return self.call_function(
                    method, [instance, *args], kwargs, node, scope, open_=open_
                )
            return self.call_unknown(args, kwargs, node, scope)
        key = None
        if instance.cls.node is not None and not kwargs and not open_:
            key = repeats.call_key(instance, args)
            if key is not None and key in self._followed:
                self.run.site = self.at(node, scope)
                return self.run.emit("unseen", args, [self._followed[key]])[0]
        start = len(self.run.steps)
        owner, self.run.owner = self.run.owner, instance
        try:
            result = self._forward(instance, args, kwargs, node, scope, open_=open_)
        finally:
            self.run.owner = owner
        if key is not None and type(result) is Tensor and result.shape is not None:
            self._followed[key] = result.shape
        self.calls.append(
            ModuleCall(
                instance,
                tuple([t for value in (*args, *kwargs.values()) for t in tensors_in(value)]),
                tuple(tensors_in(result)),
                start,
                len(self.run.steps),
                self.at(node, scope),
                owner,
            )
        )
        return result

    def _forward(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool,
    ) -> Value:
        forward = classes.lookup(instance.cls, "forward")
        if type(forward) is Function:
            return self.call_function(forward, [instance, *args], kwargs, node, scope, open_=open_)
        return self.forward_layer(instance, args, kwargs, node, scope, open_=open_)

    def forward_layer(
        self,
        instance: Instance,
        args: Sequence[Value],
        kwargs: dict[str, Value],
        node: ast.expr,
        scope: Scope,
        *,
        open_: bool = False,
    ) -> Value:
        """The forward of a class of ``torch.nn``."""
        name = instance.kind or ""
        if name == "Sequential" and len(args) == 1:
            value = args[0]
            for item in submodules.items(instance):
                value = self.call(item, [value], {}, node, scope)
            return value
        layer = LAYERS.get(name)
        if layer is None or layer.forward is None or instance.incomplete or open_:
            return self.call_unknown(args, kwargs, node, scope)
        if args and args[0] is UNKNOWN:
            args = [self.run.emit("unseen", [], [None])[0], *args[1:]]
        if not fits(layer.forward, len(args) + 1, kwargs):
            return self.call_unknown(args, kwargs, node, scope)
        outer, self.run.layer = self.run.layer, instance
        self.run.site = self.at(node, scope)
        try:
            return layer.forward(self.run, instance, *args, **kwargs)
        except _NOT_TAKEN:
            self.run.lose("arguments that no such layer takes")
            return self.call_unknown(args, kwargs, node, scope)
        finally:
            self.run.layer = outer
