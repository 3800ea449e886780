"""The constructor calls whose modules contain a failing operation, as claims that a run can repeat."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from convlint import symbolic
from convlint.ir import Argument, Claim, Finding, Graph, Instantiation, Shape, Trial
from convlint.ir.claims import MODULE
from convlint.static.domain.execution import Step
from convlint.static.domain.objects import Class, Function, Instance
from convlint.static.domain.values import Library, Num, Value
from convlint.static.exploration.entry_points import PARAMETERS, ExecutionPath
from convlint.static.exploration.execute import required_inputs, takes_tensor
from convlint.static.program.parse import positional
from convlint.symbolic import Atom, Dim, Symbol

_MOST_CALLS = 3


def failing_calls(path: ExecutionPath, graph: Graph, finding: Finding) -> tuple[Claim, ...]:
    """The calls of the classes around the operation that fails, from the inside out.

    The first is that of the class with the line of the finding: a layer inside it may rightly refuse its input.
    """
    sites = {graph.nodes[id].site for id in finding.nodes}
    failed = next(path.execution.failing_at(sites), None)
    step = None if failed is None else failed[1]
    layer = next((built for built in path.interpreter.creators if built.error), None) if step is None else None
    innermost = layer if step is None else step.layer or step.owner
    scopes = [scope for scope in graph.scopes if scope.id == PARAMETERS]
    values: dict[Atom, Dim] = {
        Symbol(name, PARAMETERS): symbolic.as_dim(value) for scope in scopes for name, value, _ in scope.symbols
    }
    found: list[Claim] = []
    around = list(_around(path, innermost))
    first = next((place for place, each in enumerate(around) if _contains(each, finding)), len(around) - 1)
    for instance in around[max(first, 0) :]:
        claim = _claim(path, instance, failed, values)
        if claim is not None:
            found.append(claim)
    return (*found[: _MOST_CALLS - 1], *found[_MOST_CALLS - 1 :][-1:])


def _around(path: ExecutionPath, instance: Instance | None) -> Iterator[Instance]:
    """The objects in whose constructors an object was built, beginning with itself."""
    while instance is not None:
        yield instance
        instance = path.interpreter.creators.get(instance)


def _contains(instance: Instance, finding: Finding) -> bool:
    """Return whether the class of an object has the line of a finding."""
    node, module, site = instance.cls.node, instance.cls.module, finding.site
    if node is None or module is None or site is None or site.path != module.path:
        return False
    return node.lineno <= site.line <= (node.end_lineno or node.lineno)


def _claim(
    path: ExecutionPath, instance: Instance, failed: tuple[int, Step] | None, values: Mapping[Atom, Dim]
) -> Claim | None:
    """The call that built a module; None if it cannot be written, or is one of a library."""
    cls = instance.cls
    if cls.module is None or cls.module.is_library or not cls.is_module or "<locals>" in cls.qualname:
        return None
    arguments = _arguments(path, instance, values)
    if arguments is None:
        return None
    step = None if failed is None else failed[1]
    shapes = () if failed is None else _shapes(path, instance, failed[0], values)
    failing = Instantiation((), arguments=arguments, shapes=shapes)
    built = [step.site, step.layer.site if step.layer else None] if step else []
    built += [] if step else [each.site for each in path.interpreter.creators if each.error]
    sites = tuple(dict.fromkeys(site for site in built if site is not None))
    return Claim(
        cls.module.path,
        cls.qualname,
        (),
        (Trial(failing, None),),
        sites,
        fails_in="constructor" if step is None else "forward",
    )


def _arguments(path: ExecutionPath, instance: Instance, values: Mapping[Atom, Dim]) -> tuple[Argument, ...] | None:
    """The arguments of a constructor call, without those that are defaults; None if one has no source text."""
    init = instance.cls.lookup("__init__")
    if type(init) is not Function:
        return ()
    given = path.interpreter.arguments.get(instance)
    if given is None:
        return None
    parameters = init.node.args
    found: list[Argument] = []
    named = {each.arg: given.get(each.arg) for each in (*positional(parameters)[1:], *parameters.kwonlyargs)}
    if parameters.vararg is not None and given.get(parameters.vararg.arg):
        return None
    others = given.get(parameters.kwarg.arg) if parameters.kwarg is not None else None
    if type(others) is dict:
        named |= {name: value for name, value in others.items() if type(name) is str}
    for name, value in named.items():
        default = init.defaults.get(name, _NO_DEFAULT)
        text = None if value is default else _text(path, instance.cls, value, values)
        if text is not None:
            found.append(Argument(name, text))
        elif default is _NO_DEFAULT:
            return None
    return tuple(found)


_NO_DEFAULT = object()


def _text(path: ExecutionPath, cls: Class, value: Value, values: Mapping[Atom, Dim]) -> str | None:
    """The source text of an argument; None if it has none."""
    if type(value) is Library:
        return value.name
    if type(value) in (Class, Function):  # that the file of the class defines or imports
        return value.qualname if cls.module is not None and value.qualname in cls.module.bindings else None
    if type(value) is Instance:
        return MODULE if value.is_module else None
    text = repr(_plain(path, value, values))
    try:
        ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None
    return text


def _plain(path: ExecutionPath, value: Value, values: Mapping[Atom, Dim]) -> Value:
    """A value with numbers for the symbols in it."""
    if type(value) in (list, tuple):
        return type(value)([_plain(path, item, values) for item in value])
    return _number(path, value, values) if type(value) is Dim else value


def _number(path: ExecutionPath, value: Num, values: Mapping[Atom, Dim]) -> Num:
    reduced = path.execution.reduced(value)
    known = symbolic.as_dim(reduced).substitute(values).value if type(reduced) is Dim else reduced
    return reduced if known is None else known


def _shapes(path: ExecutionPath, instance: Instance, place: int, values: Mapping[Atom, Dim]) -> tuple[Shape, ...]:
    """The shapes of the inputs of the call of a module in which a step fails: 0 for any size; empty if unknown."""
    call = next((c for c in path.interpreter.calls if c.instance is instance and c.start <= place < c.stop), None)
    forward = instance.cls.lookup("forward")
    if call is None or type(forward) is not Function:
        return ()
    parameters = required_inputs(forward)
    tensors = [parameter for parameter in parameters if takes_tensor(forward, parameter)]
    if len(call.inputs) < len(tensors) or any(tensor.shape is None for tensor in call.inputs[: len(tensors)]):
        return ()
    found: list[Shape] = []
    left = iter(call.inputs)
    for parameter in parameters:
        shape = (next(left).shape or ()) if parameter in tensors else ()
        sizes = [_number(path, size, values) for size in shape]
        found.append(tuple([size if type(size) is int else 0 for size in sizes]))
    return tuple(found)
