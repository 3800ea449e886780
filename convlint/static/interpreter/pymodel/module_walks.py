"""Walks over a module: ``modules()``, ``parameters()``, ``apply(fn)`` and the like, with their real contents."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from convlint.static.domain.objects import Function, Instance
from convlint.static.domain.values import LONGEST, UNKNOWN, Bound, Partial, Tensor, Unknown, Value
from convlint.static.interpreter.call import Call
from convlint.static.interpreter.initialization import is_initializer

Named = Iterator[tuple[str, Value]]

_BUFFERS = ("running_mean", "running_var", "num_batches_tracked")
_PARAMETERS = ("weight", "bias")
_WITH_MORE = ("LSTM", "GRU", "RNN", "Transformer", "Multihead", "Bilinear", "Lazy")  # how the names of layers begin


def _modules(module: Instance, prefix: str = "") -> Named:
    """Yield a module and all below it, each once; the name "" and UNKNOWN stand for those that are not known."""
    seen: set[Instance] = set()
    pending: list[tuple[str, Instance]] = [(prefix, module)]
    while pending:
        name, current = pending.pop(0)
        if current in seen:
            continue
        seen.add(current)
        yield name, current
        dot = f"{name}." if name else ""
        pending[:0] = [(f"{dot}{key}", child) for key, child in current.children()]
        if current.may_have_more_children:
            yield "", UNKNOWN


def _own_tensors(module: Instance, *, buffers: bool) -> Named:
    if module.cls.node is not None:  # which of its tensors are parameters is not known
        if module.kind in (None, "Module") and any(type(value) is Tensor for value in module.attrs.values()):
            yield "", UNKNOWN
        return
    if (module.kind or "").startswith(_WITH_MORE):
        yield "", UNKNOWN
        return
    for name in _BUFFERS if buffers else _PARAMETERS:
        value = module.attrs.get(name)
        if value is not None and value is not False:
            yield name, value if type(value) is Tensor else UNKNOWN


def _tensors(module: Instance, *, buffers: bool) -> Named:
    for name, each in _modules(module):
        if type(each) is not Instance:
            yield "", UNKNOWN
            continue
        for own, tensor in _own_tensors(each, buffers=buffers):
            yield (f"{name}.{own}" if name else own), tensor


_WALKS: dict[str, Callable[[Instance], Named]] = {
    "modules": _modules,
    "children": lambda module: module.children(),
    "parameters": lambda module: _tensors(module, buffers=False),
    "buffers": lambda module: _tensors(module, buffers=True),
}


def walk(name: str, module: Instance, call: Call) -> Value:
    """Call ``modules``, ``children``, ``parameters`` or ``buffers`` of a module, or one of them with names."""
    plain = name.removeprefix("named_")
    if call.args or set(call.kwargs) - {"recurse"} or call.kwargs.get("recurse") is False:
        return UNKNOWN
    pairs = [pair for pair, _ in zip(_WALKS[plain](module), range(LONGEST), strict=False)]
    if plain == "children" and module.may_have_more_children:
        return UNKNOWN
    call.interpreter.steps -= len(pairs)
    if plain == name:
        return [value for _, value in pairs]
    return [UNKNOWN if type(value) is Unknown else (key, value) for key, value in pairs]


def apply(module: Instance, call: Call) -> Value:
    """``module.apply(fn)``: calls ``fn`` for each module below, the innermost first."""
    function = call.argument(0, "fn", UNKNOWN)
    inner = function
    while type(inner) in (Bound, Partial):
        inner = inner.function
    if type(inner) is Instance and not inner.is_module:
        inner = inner.cls.lookup("__call__")
    if type(inner) is Function and not is_initializer(inner.node):
        for each in _innermost_first(module, set()):
            call.interpreter.call(function, call.with_args([each], {}))
    return module


def _innermost_first(module: Instance, seen: set[Instance]) -> Iterator[Instance]:
    seen.add(module)
    for _, child in module.children():
        if child not in seen:
            yield from _innermost_first(child, seen)
    yield module
