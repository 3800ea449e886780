"""The execution of each kind of entry point: the call that is made, and its arguments."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import compress, takewhile

from convlint import symbolic
from convlint.settings.input_shapes import nested
from convlint.static.domain.execution import Raised, Stop
from convlint.static.domain.objects import Class, Function, Instance, Outside, Scope
from convlint.static.domain.values import UNKNOWN, InputMapping, Tensor, Value
from convlint.static.exploration import list_inputs
from convlint.static.exploration.arguments import arguments, is_empty
from convlint.static.exploration.base_parameters import base_arguments
from convlint.static.exploration.entry_points import PARAMETERS, EntryPoint, ExecutionPath
from convlint.static.exploration.optional_inputs import optional
from convlint.static.exploration.rebuilt_layers import find_rebuilt
from convlint.static.interpreter import Call, Interpreter, is_mapping, takes_exceptions, with_definitions
from convlint.static.program.parse import cached, positional, walk
from convlint.static.program.source_module import bound_names, is_main_guard
from convlint.static.torch_shapes import LAYERS
from convlint.support.errors import UsageError


def execute_entry_point(path: ExecutionPath) -> None:
    """Execute the entry point of a path."""
    interpreter = path.interpreter
    steps = interpreter.steps
    try:
        _BY_KIND[path.entry_point.kind](path)
    finally:
        interpreter.project.work.steps += steps - interpreter.steps


# --- classes


def _execute_class(path: ExecutionPath) -> None:
    interpreter, cls = path.interpreter, path.entry_point.value
    interpreter.entry_code = cls.node
    call = _call_of(path, cls.node)
    init = cls.lookup("__init__")
    if type(init) is Function:
        given = optional(interpreter, init, init.defaults, is_empty)
        call.kwargs = arguments(call, init, given | path.variant, skip=1)
        of_base = base_arguments(cls, init, call, path.variant)
        call.open_ended = of_base is None and (init.node.args.kwarg is not None or init.node.args.vararg is not None)
        call.kwargs |= of_base or {}
        if init.node.args.kwarg is not None and init.node.args.vararg is not None and init.owner is cls:
            _pass_on(path.entry_point.value, call)
    elif cls.layer is not None:
        _pass_on(cls, call)
    path.instance = instance = interpreter.instantiate(cls, call)
    if type(instance) is Instance:
        _forward_on_unknown_inputs(instance, call)
        if interpreter.built_in_forward:
            path.rebuilt = find_rebuilt(interpreter, instance, lambda: _forward_on_unknown_inputs(instance, call))


def _pass_on(cls: Class, call: Call) -> None:
    """Add the numbers that a layer of torch needs, which a class derived from it passes on."""
    layer = LAYERS.get(cls.layer or "")
    needed = [] if layer is None else [name for name in layer.construct.parameters if name in _NEEDED]
    if needed and not call.kwargs.keys() & set(needed):
        call.kwargs |= {name: symbolic.symbol(name, PARAMETERS) for name in needed}
        call.open_ended = False


_NEEDED = frozenset({"in_channels", "out_channels", "kernel_size", "num_features", "in_features", "out_features"})


def _execute_example(path: ExecutionPath) -> None:
    """Build a class without arguments, and call it on its ``example_input_array``."""
    call = _call_of(path, path.entry_point.value.node)
    instance = path.interpreter.instantiate(path.entry_point.value, call)
    if type(instance) is Instance:
        _forward(instance, call)


def _forward(instance: Instance, call: Call) -> None:
    """Call a module on its ``example_input_array``, or on inputs of unknown shape; ``call`` is the place."""
    example = instance.attrs.get("example_input_array")
    if example is None:
        example = instance.cls.lookup("example_input_array")
    if example is not None:
        tensors = list(example) if type(example) is tuple else [example]
        if all(type(item) is Tensor and item.shape is not None for item in tensors):
            call.interpreter.call(instance, call.with_args(tensors, {}, open_ended=False))
            return
    _forward_on_unknown_inputs(instance, call)


def _forward_on_unknown_inputs(instance: Instance, call: Call) -> None:
    interpreter = call.interpreter
    forward = instance.cls.lookup("forward")
    if type(forward) is not Function:
        if instance.kind not in ("ModuleList", "ModuleDict", "Module", None):
            interpreter.call(instance, call.with_args([_input(interpreter)], {}, open_ended=False))
        return
    parameters = forward.node.args
    passed = required_inputs(forward)
    if interpreter.pass_optional_tensors:
        passed += optional_tensors(forward)
    values = {parameter.arg: _input_for(interpreter, instance, forward, parameter) for parameter in passed}
    by_name = {parameter.arg for parameter in parameters.kwonlyargs}
    args = [value for name, value in values.items() if name not in by_name]
    kwargs = {name: value for name, value in values.items() if name in by_name}
    kwargs |= optional(
        interpreter,
        forward,
        {name: default for name, default in forward.defaults.items() if name not in values},
        lambda value: value is None or type(value) in (int, float) or is_empty(value),
    )
    interpreter.call(instance, call.with_args(args, kwargs, open_ended=parameters.vararg is not None))


def _input(interpreter: Interpreter) -> Tensor:
    execution = interpreter.execution
    number = sum(step.op == "input" for step in execution.steps) if interpreter.input_ranks else 0
    tensor = execution.emit("input", [], [None])[0]
    rank = next(iter(interpreter.input_ranks[number : number + 1]), None)
    if rank is not None:
        execution.require_rank(tensor, rank)
    return tensor


def _input_for(interpreter: Interpreter, module: Instance, forward: Function, parameter: ast.arg) -> Value:
    """Return a tensor, unless the annotation of the parameter or its use says otherwise."""
    if is_mapping(forward.node, parameter.arg):
        return InputMapping({})
    if list_inputs.is_list(forward, parameter):
        return list_inputs.tensors(interpreter, module, forward, parameter)
    return _input(interpreter) if takes_tensor(forward, parameter) else UNKNOWN


def required_inputs(forward: Function) -> list[ast.arg]:
    """The parameters of a ``forward`` that need an argument: by position, then by keyword."""
    parameters = forward.node.args
    every = [*positional(parameters)[1:], *parameters.kwonlyargs]
    return [parameter for parameter in every if parameter.arg not in forward.defaults]


def takes_tensor(forward: Function, parameter: ast.arg) -> bool:
    """Return whether an input of a ``forward`` is followed as a tensor, as its annotation and its use say."""
    annotation = "Tensor" if parameter.annotation is None else ast.unparse(parameter.annotation)
    annotation = _OPTIONAL.sub("", annotation.strip("'\""))
    is_tensor = annotation.rsplit(".", 1)[-1] in ("Tensor", "FloatTensor")
    return is_tensor and not is_mapping(forward.node, parameter.arg) and not list_inputs.is_list(forward, parameter)


_OPTIONAL = re.compile(r"^(\w+\.)?Optional\[|\]$| *\| *None")


def optional_tensors(forward: Function) -> list[ast.arg]:
    """The inputs that may be None or tensors, of a ``forward`` that takes them right after those it needs."""
    every = positional(forward.node.args)[1:]
    after = every[sum(parameter.arg not in forward.defaults for parameter in every) :]
    may_be = (forward.defaults[p.arg] is None and takes_tensor(forward, p) for p in after)
    return list(compress(after, takewhile(bool, may_be)))


# --- calls


def _call_of(path: ExecutionPath, node: ast.AST) -> Call:
    """Return the call of an entry point, without arguments, located at its definition ``node``."""
    place = Outside(getattr(node, "name", ""), ast.Load())
    place.lineno = place.end_lineno = getattr(node, "lineno", 1)
    place.col_offset = place.end_col_offset = getattr(node, "col_offset", 0)
    return Call(path.interpreter, [], {}, place, Scope(path.entry_point.module, None, ""))


# --- functions, files and configured models


_COMMAND_LINE = ("argv", "args")  # parameters that are passed to ``parse_args``, where None stands for no options


def _execute_function(path: ExecutionPath) -> None:
    interpreter, entry_point = path.interpreter, path.entry_point
    function: Function = entry_point.value
    interpreter.entry_code = function.node
    skip = 1 if function.owner is not None and function.kind != "staticmethod" else 0
    defaults = {name: value for name, value in function.defaults.items() if name not in _COMMAND_LINE}
    given = optional(interpreter, function, defaults, lambda value: value is None or is_empty(value))
    call, parameters = _call_of(path, function.node), function.node.args
    call.kwargs = arguments(call, function, given | path.variant, skip)
    call.args = [UNKNOWN] * skip + [call.kwargs.pop(parameter.arg) for parameter in positional(parameters)[skip:]]
    takes_more = parameters.kwarg is not None or parameters.vararg is not None
    call.open_ended = takes_more and _is_called(entry_point)
    result = interpreter.call_function(function, call)
    if result is not None or not _expects_exceptions(function.node):
        _call_built_models(path)


def _expects_exceptions(node: ast.AST) -> bool:
    """Return whether a function tests code: that it raises. The models that it only builds need not fit any input."""
    return any(isinstance(part, ast.With) and any(map(takes_exceptions, part.items)) for part in walk(node))


def _is_called(entry_point: EntryPoint) -> bool:
    """Return whether a function is called in its own file, possibly with more than its defaults."""
    tree = entry_point.module.text.tree
    return entry_point.name in cached(tree, "called_names", lambda: _called_names(tree))


def _called_names(tree: ast.Module) -> frozenset[str]:
    return frozenset(
        node.func.id for node in walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    )


def _execute_model(path: ExecutionPath) -> None:
    """Build a configured model, and call it on its configured input."""
    interpreter, entry, module = path.interpreter, path.entry_point.value, path.entry_point.module
    call = _call_of(path, module.text.tree)
    first, *rest = entry.target.name.split(".")
    value = interpreter.name_of_module(module, first)
    for name in rest:
        value = interpreter.attribute(value, name, call.node, call.scope)
    if type(value) is not Instance:
        args = [_argument(interpreter, text, call) for text in entry.target.args]
        kwargs = {name: _argument(interpreter, text, call) for name, text in entry.target.kwargs}
        value = interpreter.call(value, call.with_args(args, kwargs))
    path.model = value
    if type(value) is not Instance or not value.is_module:
        return
    if not entry.inputs:
        _forward(value, call)
        return
    inputs, named = [], {}
    for spec in entry.inputs:
        tensor = interpreter.execution.emit("input", [], [(entry.batch_size or 1, *spec.shape)], dtype=spec.dtype)[0]
        if spec.name:
            named[spec.name] = tensor
        else:
            inputs.append(tensor)
    with suppress(UsageError):  # a run reports it
        interpreter.call(value, call.with_args(inputs, nested(named)))


def _argument(interpreter: Interpreter, text: str, call: Call) -> Value:
    """Return the value of an argument of a target, which names of its module may be part of."""
    return interpreter.evaluate_text(text, call)


def _execute_file(path: ExecutionPath) -> None:
    interpreter, module = path.interpreter, path.entry_point.module
    interpreter.top_level = scope = Scope(module, None, "", path.names)
    for statement in module.main:
        try:
            if isinstance(statement, ast.If) and is_main_guard(statement.test):
                interpreter.execute_block(statement.body, scope)
            elif with_definitions(interpreter, module, statement, path.names):
                interpreter.execute(statement, scope)
        except Raised:
            if statement not in module.tried:
                raise
            scope.names.update(dict.fromkeys(bound_names(statement), UNKNOWN))  # a handler may bind them
        except Stop:
            path.last = statement if interpreter.steps < 0 else None
            raise
        except RecursionError:
            interpreter.record_gap("the code is nested too deeply", statement, scope)
            scope.names.update(dict.fromkeys(bound_names(statement), UNKNOWN))
    _call_built_models(path)


def _call_built_models(path: ExecutionPath) -> None:
    """Call the models that were built and never called: most factories only build one."""
    interpreter = path.interpreter
    called = {call.instance for call in interpreter.calls}
    for instance in interpreter.top_modules:
        called.update(child for child in descendants(instance) if child is not instance)
    for instance in list(interpreter.top_modules):
        if instance in called or instance.incomplete:
            continue
        if instance.cls.node is not None or instance.kind == "Sequential":
            node, scope = interpreter.built_at[instance]
            _forward(instance, Call(interpreter, [], {}, node, scope))


def descendants(instance: Instance) -> Iterator[Instance]:
    """Yield a module and all below it, each once."""
    seen = {instance}
    pending = [instance]
    while pending:
        module = pending.pop()
        yield module
        for _, child in module.children():
            if child not in seen:
                seen.add(child)
                pending.append(child)


_BY_KIND: dict[str, Callable[[ExecutionPath], None]] = {
    "class": _execute_class,
    "example": _execute_example,
    "function": _execute_function,
    "factory": _execute_function,
    "model": _execute_model,
    "file": _execute_file,
}
