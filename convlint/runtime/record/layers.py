"""The modules of a model as ``ir.Layer`` records."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from convlint.ir import Layer
from convlint.runtime.build import construction_sites
from convlint.runtime.record import call_attributes

_PARAMETRIZED = "torch.nn.utils.parametrize"  # its classes replace those of the layers that they parametrize
_CONTAINERS = frozenset({"Module", "Sequential", "ModuleList", "ModuleDict", "Container"})


def layers(
    model: nn.Module, others_called: Iterable[tuple[str, nn.Module]], before: Sequence[tuple[str, nn.Module]] = ()
) -> Iterator[Layer]:
    """Return a layer for each registered module, and for each of ``others_called`` that is not registered.

    ``before`` are the modules that were registered before the forward: those that it has removed are part of the model.
    Shared parameters count for their first owner. Parameters of unregistered modules do not count, because the model's
    ``parameters()`` does not contain them either.
    """
    registered: dict[int, tuple[nn.Module, list[str]]] = {}
    now = list(model.named_modules(remove_duplicate=False))
    names, ids = {name for name, _ in now}, {id(module) for _, module in now}
    removed = [(name, module) for name, module in before if name not in names and id(module) not in ids]
    for name, module in (*now, *removed):
        registered.setdefault(id(module), (module, []))[1].append(name)
    counted: set[int] = set()
    owners: dict[int, list[str]] = {}
    for module, (first, *_) in registered.values():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners.setdefault(id(parameter), []).append(first)
    for module, (first, *others) in registered.values():
        yield _layer(module, first, tuple(others), counted, owners)
    for name, module in others_called:
        if id(module) not in registered:
            yield _layer(module, name, (), None)


def _layer(
    module: nn.Module,
    name: str,
    aliases: tuple[str, ...],
    counted: set[int] | None,
    owners: Mapping[int, list[str]] = MappingProxyType({}),
) -> Layer:
    built = construction_sites.construction_of(module)
    own = [(key, p) for key, p in module._parameters.items() if p is not None]
    shapes = []
    params = trainable = size = 0
    for key, parameter in own:
        if not nn.parameter.is_lazy(parameter):
            shapes.append((key, tuple(parameter.shape)))
            if counted is not None and id(parameter) not in counted:
                counted.add(id(parameter))
                count = parameter.numel()
                params += count
                trainable += count * parameter.requires_grad
                size += count * parameter.element_size()
    return Layer(
        name=name,
        kind=kind_of(module),
        base=base_of(module),
        leaf=is_leaf(module),
        site=built.site if built else None,
        chain=built.chain if built else (),
        attrs=_attrs(module, built),
        params=params,
        trainable_params=trainable,
        params_bytes=size,
        parameters=tuple(shapes),
        aliases=aliases,
        training=getattr(module, "training", False),  # a frozen module of TorchScript has none
        error=built.error if built else None,
        shares=tuple(dict.fromkeys([owner for _, p in own for owner in owners.get(id(p), ()) if owner != name])),
    )


def kind_of(module: nn.Module) -> str:
    """The class name of a module; for a scripted module that of its original."""
    if isinstance(module, torch.jit.ScriptModule):
        return str(getattr(module, "original_name", type(module).__name__))
    return type(module).__name__


def base_of(module: nn.Module) -> str:
    """The name of the first class of ``torch.nn`` among a module's class and its bases."""
    cls: Any = type(module)
    return _base_of(cls)


@cache
def _base_of(cls: type) -> str:
    modules = ((base.__name__, str(base.__module__)) for base in cls.__mro__)
    return next((name for name, home in modules if home.startswith("torch.nn") and home != _PARAMETRIZED), "Module")


def is_leaf(module: nn.Module) -> bool:
    """Return whether a module is a layer: it has no submodules, or it is a class of torch.nn other than a container."""
    return not module._modules or base_of(module) not in _CONTAINERS


@cache
def _constants(cls: type) -> tuple[str, ...]:
    """The constructor arguments that a class of torch.nn declares in ``__constants__``."""
    bases = [base for base in cls.__mro__ if str(base.__module__).startswith("torch.nn")]
    return tuple(dict.fromkeys(name for base in bases for name in base.__dict__.get("__constants__", ())))


def _attrs(module: nn.Module, built: construction_sites.Construction | None) -> dict[str, Any]:
    cls: Any = type(module)
    values = {name: getattr(module, name, None) for name in _constants(cls)}
    if built is not None and built.declared is not None:
        values |= built.declared
    found = call_attributes.plain_values(values)
    if "bias" in module._parameters and type(values.get("bias")) is not bool:
        found["bias"] = module._parameters["bias"] is not None
    return found
