"""The shapes of the results of calls, from runs and from static analysis, as the text of inlay hints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from convlint.ir import Site
from convlint.support.dataclass import dataclass

Dims = tuple[int | str, ...]
"""A shape; a size that static analysis does not know as a number is a text: ``planes``, ``H``, ``?``."""

_MOST_TENSORS = 3  # of one result, and different results, in the text of a hint
_MOST_ROWS = 20  # of a tooltip


@dataclass(frozen=True, slots=True)
class Result:
    """The shapes of the tensors that one call returned; None if they are not known.

    ``name`` is the path of the module that was called, or the operator of torch.
    """

    site: Site
    name: str
    shapes: tuple[Dims, ...] | None
    is_layer: bool = True

    @property
    def is_exact(self) -> bool:
        """Return whether all sizes are numbers."""
        return self.shapes is not None and all(isinstance(size, int) for shape in self.shapes for size in shape)


@dataclass(frozen=True, slots=True)
class BuiltModule:
    """A module that was built at ``site``, with its submodules; the shapes are those of its first call.

    ``params`` and ``macs`` are None where they are not known.
    """

    site: Site
    name: str
    kind: str
    calls: int
    inputs: tuple[Dims, ...]
    outputs: tuple[Dims, ...]
    params: int | None
    macs: int | None


class Spanned(Protocol):
    """A call of a module, in an execution or a run: the range of the calls of torch that it took."""

    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    @property
    def site(self) -> Site | None: ...


C = TypeVar("C", bound=Spanned)


def outermost(calls: Iterable[C]) -> Iterator[tuple[C, Site]]:
    """Yield calls with their sites, without those that a call at the same site made, as ``nn.Sequential`` does."""
    open_calls: list[C] = []
    for call in sorted(calls, key=lambda each: (each.start, -each.stop)):
        while open_calls and open_calls[-1].stop < call.stop:
            open_calls.pop()
        if call.site is not None and all(outer.site != call.site for outer in open_calls):
            yield call, call.site
        open_calls.append(call)


def of_functions(results: Sequence[Result], layers: Iterable[Result]) -> Iterator[Result]:
    """Yield results of functions of torch, in the order of their calls, that are not part of a call of a module.

    Several different results in a row at one site may be the parts of one call, so such a site has none.
    """
    sites = {result.site for result in layers}
    for before, after in pairwise(results):
        if before.site == after.site and before.shapes != after.shapes:
            sites.add(after.site)
    yield from (result for result in results if result.site not in sites)


def text(shape: Dims) -> str:
    """Write a shape: ``1x64x56x56``, and ``N x planes x H x W`` with names."""
    if not shape:
        return "scalar"
    parts = [str(size) for size in shape]
    return ("x" if all(isinstance(s, int) or len(s) == 1 for s in shape) else " x ").join(parts)


def texts(shapes: Sequence[Dims]) -> str:
    """Write the shapes of the tensors of one result."""
    more = ", ..." if len(shapes) > _MOST_TENSORS else ""
    return ", ".join(map(text, shapes[:_MOST_TENSORS])) + more


def label(results: Sequence[Result]) -> str | None:
    """Return the text of the hint at a call that returned these results; None if no shape is known."""
    different = list(dict.fromkeys(texts(result.shapes) for result in results if result.shapes))
    if not different:
        return None
    unknown = any(not result.shapes for result in results)
    if len(different) > _MOST_TENSORS:
        return f"\u2192 {different[0]} ... {different[-1]} ({len(different)} shapes)"
    return "\u2192 " + " | ".join([*different, "..."] if unknown else different)


def tooltip(results: Sequence[Result], origin: str) -> str:
    """Return the results as a Markdown table, with their origin."""
    rows = [f"| {_name(r.name)} | {'unknown' if not r.shapes else texts(r.shapes)} |" for r in _different(results)]
    more = [f"| and {len(rows) - _MOST_ROWS} more | |"] if len(rows) > _MOST_ROWS else []
    return "\n".join(["| call | returns |", "|---|---|", *rows[:_MOST_ROWS], *more, "", origin])


def _different(results: Sequence[Result]) -> list[Result]:
    return list(dict.fromkeys(results))


def _name(name: str) -> str:
    return f"`{name}`" if name else "the model"
