"""The abstract interpreter: one execution of a piece of the program.

``statements`` and ``expressions`` execute syntax, ``instantiation`` builds objects, ``module_calls``
calls modules, ``pymodel`` has the parts of Python that models use, and ``torch_shapes`` those of
torch. Where a condition is not decided, ``PathChoices`` says which branch to take.
"""

from __future__ import annotations

import ast
from collections.abc import Hashable, Sequence

from convlint.static.domain.budget import CALLS_IN_CALLS, ITEMS_IN_A_STEP, STEPS_OF_AN_EXECUTION
from convlint.static.domain.execution import Execution, Gap, Stop
from convlint.static.domain.objects import Built, Class, Frame, Function, Instance, Scope, site_of
from convlint.static.domain.origins import first_unknown
from convlint.static.domain.values import UNKNOWN, Bound, Builtin, Either, Library, Num, Partial, Tensor, Unknown, Value
from convlint.static.interpreter import (
    attributes,
    expressions,
    instantiation,
    joining,
    libraries,
    module_calls,
    module_names,
    statements,
)
from convlint.static.interpreter.binding import bind
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.call_cache import BuiltInstance, Returned, State
from convlint.static.interpreter.dispatch import EXPRESSIONS, STATEMENTS, evaluate, execute, execute_block
from convlint.static.interpreter.initialization import initialized
from convlint.static.interpreter.path_choices import PathChoices
from convlint.static.interpreter.pymodel import builtin_functions, lookup, methods, standard_library
from convlint.static.interpreter.pymodel.native import call_native
from convlint.static.program.project import Project
from convlint.static.program.source_module import SourceModule
from convlint.static.torch_shapes import NOT_TAKEN, Operation, function
from convlint.symbolic import Dim

EXPRESSIONS.update(expressions.HANDLERS)
STATEMENTS.update(statements.HANDLERS)


class Interpreter:
    """Executes the program on symbolic numbers, and records what it does in an ``Execution``."""

    def __init__(self, project: Project, execution: Execution, choices: PathChoices) -> None:
        self.project = project
        self.execution = execution
        self.choices = choices
        self.frames: list[Frame] = []
        self.calls: list[module_calls.ModuleCall] = []
        self.top_modules: list[Instance] = []  # modules that no other module's constructor built
        self.creators: dict[Instance, Instance | None] = {}
        self.built_at: dict[Instance, tuple[ast.expr, Scope]] = {}  # the call that built each module
        self.arguments: dict[Instance, dict[str, Value]] = {}  # of its own constructor
        self.demands: dict[Instance, tuple[tuple[Num, Num], ...]] = {}  # of a layer's constructor
        self.constructing: list[Instance] = []
        self.built_in_forward: list[Built] = []  # modules that the forward of another module built
        self.steps = STEPS_OF_AN_EXECUTION  # that are left
        self.entry_code: ast.AST | None = None  # of the entry point, if that is a class or function
        self.is_trial = False  # whether arguments are tried: a failure alone is then no finding
        self.input_ranks: Sequence[int | None] = ()  # of the inputs of an entry point; None: as its code requires
        self.pass_all_inputs = False  # whether the call of an entry point passes optional inputs too
        self.pass_optional_tensors = False  # whether those that may be tensors are passed as tensors
        self.left_out_inputs = False  # whether it left one out
        self.left_out_lists = False  # ... that is a list of tensors, which may bring channels
        self.raises_type_error = False  # whether Python refuses a call or an attribute that was followed
        self.top_level: Scope | None = None  # of the file, if the entry point is a file
        self.called: set[Instance] = set()  # modules, each called at least once
        self.running: dict[Hashable, int] = {}  # functions and their objects: unknown conditions at the outermost call
        self.generators: set[ast.FunctionDef] = set()  # that are being executed
        self.entered: set[ast.AST] = set()  # functions that were called
        self.decided: dict[ast.If | ast.IfExp, bool] = {}  # the branch that was taken last at a condition on parameters
        self.cached_instances: dict[Hashable, BuiltInstance] = {}  # by the key of their constructor call
        self.shared: set[Instance] = set()  # modules of which each stands for several that one line built
        self.states: dict[Instance, State] = {}  # ... with what its last call left in it
        self.cached_calls: dict[Hashable, Returned] = {}  # by the key of a call of a module

    def step(self) -> None:
        """Count one step of the program. Raises Stop when there were too many."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("too many steps")

    def handle_items(self, count: int) -> None:
        """Count the steps in which items are copied or compared. Raises Stop when there were too many."""
        self.steps -= count // ITEMS_IN_A_STEP
        if self.steps < 0:
            raise Stop("too many steps")

    @property
    def in_entry_point(self) -> bool:
        """Return whether the entry point's own code runs: paths through a class that it uses are explored there."""
        owner = self.execution.owner
        return len(self.constructing) <= 1 and (owner is None or self.creators.get(owner) is None)

    def record_gap(
        self, reason: str, node: ast.expr | ast.stmt, scope: Scope, value: Value = None, *, is_value: bool = False
    ) -> Value:
        """Note that the analysis stopped at a node, because of ``value`` if that is unknown, and return UNKNOWN."""
        self.execution.site = site_of(node, scope)
        return self.execution.record_gap(reason, first_unknown([value]), is_value=is_value)

    def execute(self, statement: ast.stmt, scope: Scope) -> None:
        """Execute one statement."""
        execute(self, statement, scope)

    def execute_block(self, statements: Sequence[ast.stmt], scope: Scope) -> None:
        """Execute statements, up to the first that leaves the block."""
        execute_block(self, statements, scope)

    def evaluate(self, node: ast.expr, scope: Scope) -> Value:
        """Return the value of an expression."""
        return evaluate(self, node, scope)

    def attribute(self, value: Value, name: str, node: ast.expr, scope: Scope) -> Value:
        """Return the attribute of a value; UNKNOWN if it has none that is known."""
        return attributes.get(self, value, name, node, scope)

    def of_library(self, name: str) -> Value:
        """Return the value of a qualified name of a library: ``argparse.ArgumentParser``."""
        return module_names.of_library(self, name)

    def name_of_module(self, module: SourceModule, name: str) -> Value:
        """Return the value of a name at the top level of a module; UNKNOWN if it cannot be determined."""
        return module_names.value_of(self, module, name)

    def evaluate_text(self, text: str, call: Call) -> Value:
        """Return the value of an expression that ``call`` brings as text."""
        return lookup.evaluated(text, call)

    # --- calls

    def call(self, callee: Value, call: Call) -> Value:
        """Call anything."""
        self.steps -= 1
        if self.steps < 0:
            raise Stop("too many steps")
        kind = type(callee)
        if kind is Function:
            return self.call_function(callee, call)
        if kind is Bound:
            bound_call = call.with_args([callee.self, *call.args])
            if type(callee.function) is Function:
                return self.call_function(callee.function, bound_call)
            return self.call(callee.function, bound_call)
        if kind is Class:
            return instantiation.instantiate(callee, call)
        if kind is Instance:
            return module_calls.call_instance(callee, call)
        if kind is Partial:
            args = [*callee.args, *call.args]
            return self.call(callee.function, call.with_args(args, {**callee.kwargs, **call.kwargs}))
        if kind is Builtin:
            self.execution.site = call.site
            if callee.name.startswith(methods.OWNERS):
                return methods.call_method(callee.name, call)
            native = builtin_functions.FUNCTIONS.get(callee.name)
            return self.call_unknown(call, callee) if native is None else call_native(native, call)
        if kind is Library:
            return self._call_library(callee, call)
        if kind is Either:
            return joining.call_either(callee, call)
        if callable(callee) and kind is not Dim:
            return self.call_torch(callee, call)
        return self.call_unknown(call, callee)

    def instantiate(self, cls: Class, call: Call) -> Value:
        """Call a class."""
        return instantiation.instantiate(cls, call)

    def call_unknown(self, call: Call, callee: Value = None) -> Value:
        """Call something unknown: it may read every tensor and change every list and dict."""
        tensors = call.tensors()
        for value in call.values():
            if type(value) is list:
                value.append(UNKNOWN)
            elif type(value) is dict:
                value[UNKNOWN] = UNKNOWN
        if not tensors:
            return UNKNOWN
        self.execution.site = call.site
        result = self.execution.emit("unseen", tensors, [None])[0]
        self._record_unfollowed(call, callee, result)
        return result

    def _record_unfollowed(self, call: Call, callee: Value, result: Tensor) -> None:
        """Note a call of which nothing is known, and the first unknown value that caused it."""
        cause = first_unknown([callee, *call.values()])
        subject = getattr(call.node, "func", call.node) if type(callee) is Unknown else call.node
        gap = Gap(call.site, "", subject, cause, result, type(callee) is Unknown, self.execution.owner)
        self.execution.unfollowed.append(gap)

    def call_torch(self, operation: Operation, call: Call) -> Value:
        """Call an operation of torch; the result of arguments that it does not accept is unknown."""
        arguments = None if call.open_ended else operation.bind(call.args, call.kwargs)
        if arguments is None:
            return self.call_unknown(call)
        self.execution.site = call.site
        self.handle_items(sum(len(value) for value in call.values() if type(value) in (list, tuple)))
        try:
            return operation.call(self.execution, arguments)
        except NOT_TAKEN:
            self.execution.record_gap("this operation does not accept these arguments")
            return self.call_unknown(call)

    def _call_library(self, callee: Library, call: Call) -> Value:
        native = standard_library.LIBRARY.get(callee.name) or libraries.function(callee.name)
        if native is not None:
            self.execution.site = call.site
            return call_native(native, call)
        handler = function(callee.name) if callee.name.startswith("torch.") else None
        if handler is not None:
            return self.call_torch(handler, call)
        return UNKNOWN if standard_library.is_harmless(callee.name) else self.call_unknown(call, callee)

    def call_function(self, function: Function, call: Call, *, instance: Instance | None = None) -> Value:
        """Call a function of the program; ``instance`` is the object if it is a constructor."""
        if self.steps < 0:  # statements count them; a property is called without ``call``
            raise Stop("too many steps")
        only_initialized = None if instance else initialized(function, call.values())
        if only_initialized is not None:
            return only_initialized
        names = bind(function, call)
        if instance is not None and names is not None and instance not in self.arguments:
            self.arguments[instance] = dict(names)
        if names is None:
            self.raises_type_error |= not call.open_ended
            return self.call_unknown(call)
        if len(self.frames) > CALLS_IN_CALLS:
            return self.call_unknown(call)
        key = function.node, call.args[0] if call.args and type(call.args[0]) is Instance else None
        assumptions = self.execution.assumptions
        running = self.running.get(key)
        if running is None:
            self.running[key] = assumptions
        elif assumptions > running:  # it calls itself, on a condition that is not known: without end, perhaps
            return self.call_unknown(call)
        inner = Scope(function.scope.module, function.scope, function.qualname, names, function.node)
        in_program = not inner.module.is_library
        if in_program:
            self.entered.add(function.node)
            self.frames.append(Frame(call.node, call.scope.as_now() if self.is_trial else call.scope))
        else:  # what it does, the program does at the call
            inner.called_from = call.scope.called_from or (call.node, call.scope)
        try:
            return statements.run_function(self, function, inner)
        finally:
            if in_program:
                self.frames.pop()
            if running is None:
                del self.running[key]
