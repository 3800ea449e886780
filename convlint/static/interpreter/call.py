"""One call in the program, as everything that can be called receives it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import TYPE_CHECKING

from convlint.ir import Site
from convlint.static.domain.objects import Scope, site_of
from convlint.static.domain.values import Tensor, Value, is_small
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    from convlint.static.interpreter.interpreter import Interpreter


@dataclass(slots=True, eq=False, repr=False)
class Call:
    """The arguments of a call and its expression; with ``open_ended`` there may be others that are not known."""

    interpreter: Interpreter
    args: Sequence[Value]
    kwargs: dict[str, Value]
    node: ast.expr
    scope: Scope
    open_ended: bool = False

    @property
    def site(self) -> Site:
        """The span of the call."""
        return site_of(self.node, self.scope)

    def with_args(
        self, args: Sequence[Value], kwargs: dict[str, Value] | None = None, *, open_ended: bool | None = None
    ) -> Call:
        """Return the same call with other positional arguments; the rest stays unless it is passed too."""
        kwargs = self.kwargs if kwargs is None else kwargs
        open_ended = self.open_ended if open_ended is None else open_ended
        return Call(self.interpreter, args, kwargs, self.node, self.scope, open_ended)

    def values(self) -> list[Value]:
        """Return the positional arguments, then the keyword arguments."""
        return [*self.args, *self.kwargs.values()]

    def argument(self, position: int, name: str, default: Value = None) -> Value:
        """Return the argument that is passed at a position or by a name."""
        if position < len(self.args):
            return self.args[position]
        return self.kwargs.get(name, default)

    def tensors(self) -> tuple[Tensor, ...]:
        """Return the tensors among the arguments."""
        return tuple([tensor for value in self.values() for tensor in tensors_in(value)])


def tensors_in(value: Value) -> list[Tensor]:
    """Return the tensors of a value that may be a list, tuple or dict of them."""
    kind = type(value)
    if kind is Tensor:
        return [value]
    if kind not in (list, tuple, dict) or not is_small(value):
        return []
    return [t for item in (value.values() if kind is dict else value) for t in tensors_in(item)]
