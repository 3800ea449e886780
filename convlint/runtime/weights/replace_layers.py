"""Replace layers of a live model with their rewritten forms, as the edited source would build them."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from functools import cache
from typing import Any

from torch import nn

from convlint.ir import Replacement
from convlint.rewriting.kinds import of_code
from convlint.runtime.weights import checkpoint as conversion


def replace_layers(model: nn.Module, forms: Mapping[str, Replacement]) -> nn.Module:
    """Replace layers of ``model`` in place. Returns the model, or its replacement if it is itself one of the layers.

    New layers have fresh weights, and the training flag, device and dtype of the layers that they replace. A layer with
    several names is replaced under all of them. Raises KeyError for an unknown name.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    made = {id(modules[name]): (modules[name], replacement_for(modules[name], forms[name])) for name in forms}
    for name, module in modules.items():
        if name and id(module) in made:
            owner, _, attribute = name.rpartition(".")
            setattr(modules[owner], attribute, made[id(module)][1])
    return made[id(model)][1] if id(model) in made else model


def rewritten(model: nn.Module, forms: Mapping[str, Replacement], *, weights: bool) -> nn.Module:
    """Return a copy of ``model`` with layers replaced; with ``weights`` they get the nearest weights, else fresh ones.

    Raises ValueError for an unknown name or a layer of the wrong class.
    """
    modules = dict(model.named_modules(remove_duplicate=False))
    for name, form in forms.items():
        layer, base = modules.get(name), form.base or of_code(form.code).base
        if not isinstance(layer, getattr(nn, base)):
            there_is = "no such layer" if layer is None else f"of class {type(layer).__name__}"
            raise ValueError(  # noqa: TRY004 - the name is what is wrong
                f"the model has no {base} called {name!r}: {there_is}"
            )
    made = replace_layers(copy.deepcopy(model), forms)
    if weights:
        state, _ = conversion.convert(model.state_dict(), forms, (), modules)
        made.load_state_dict(state)
    return made


def replacement_for(layer: nn.Module, form: Replacement) -> nn.Module:
    """The rewritten form of one layer, with fresh weights."""
    expression = of_code(form.code).expression(form)
    made = eval(expression, {**_defined(form), "layer": layer})  # noqa: S307 - convlint's own text
    assert isinstance(made, nn.Module)
    return made.train(layer.training)


@cache
def _defined(form: Replacement) -> dict[str, Any]:
    """Execute the helpers of a form: the same text that is inserted into a user's file."""
    namespace: dict[str, Any] = {"nn": nn, "__name__": "convlint.rewritten"}
    for helper in of_code(form.code).helpers(form):
        exec(helper.text, namespace)  # noqa: S102 - convlint's own text
    return namespace
