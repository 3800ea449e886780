"""Construction sites of modules: the call expression that built each one, and the calls that led there.

While a ``WatchedConstruction`` is active, every new ``nn.Module`` stores the frames that built it. With ``repair``,
constructors of ``torch.nn`` that reject their arguments receive arguments that they accept (see ``stand_ins.py``). This
is for a second attempt, after the model has failed to build.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import cache
from types import FrameType
from typing import Any, Self

from torch import nn

from convlint.runtime.build.scripted_modules import originals_remembered
from convlint.runtime.code_sites import Instant, is_foreign, site_of
from convlint.runtime.failures import one_line
from convlint.runtime.isolation import exclusive, in_run, patched
from convlint.runtime.recover import stand_ins
from convlint.source_text.site import Site
from convlint.support.dataclass import dataclass

_KEY = "_convlint_built"
_MAX_FRAMES = 64  # above a constructor call; deeper ones belong to whoever runs convlint


@dataclass(slots=True)
class Construction:
    """One constructor call: its frames, innermost first, and the arguments and error if it was repaired."""

    frames: tuple[Instant, ...]
    declared: dict[str, Any] | None = None
    error: str | None = None

    def __deepcopy__(self, memo: object) -> Construction:
        return self

    @property
    def site(self) -> Site | None:
        return site_of(self.frames[0]) if self.frames else None

    @property
    def chain(self) -> tuple[Site, ...]:
        return tuple(site_of(instant) for instant in self.frames[1:])


class WatchedConstruction:
    """Context that records the construction of modules; see ``construction_of``.

    The record is stored in the ``__dict__`` of the module, so a deep copy has the record of its original. All patches
    of ``torch.nn`` are undone on exit. With ``collect``, ``built`` has the modules.
    """

    def __init__(self, repair: bool = False, *, collect: bool = False) -> None:
        self.built: list[nn.Module] = []
        self._repair = repair
        self._collect = collect
        self._patches = ExitStack()
        self._bottom: FrameType | None = None
        self._running: dict[FrameType, tuple[Instant, ...]] = {}  # constructors in progress, and their callers

    def __enter__(self) -> Self:
        self._bottom = sys._getframe(1).f_back  # this frame and those above do not belong to the model
        self._patches.enter_context(exclusive())
        self._patches.enter_context(originals_remembered())
        self._patches.enter_context(patched(nn.Module, "__init__", self._recording_init(nn.Module.__init__)))
        for owner, repair in stand_ins.CONSTRUCTORS.items() if self._repair else ():
            self._patches.enter_context(patched(owner, "__init__", _repairing_init(owner.__init__, repair)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.close()
        self._running.clear()
        self._bottom = None

    def _recording_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if in_run() and _KEY not in module.__dict__:
                module.__dict__[_KEY] = Construction(self._frames(module))
                if self._collect:
                    self.built.append(module)
            original(module, *args, **kwargs)

        __init__.__wrapped__ = original  # type: ignore[attr-defined]
        return __init__

    def _frames(self, module: nn.Module) -> tuple[Instant, ...]:
        """The user's frames above the constructor of ``module``, innermost first; enclosing ones are cached."""
        frame = sys._getframe(2)
        own: FrameType | None = None
        found: list[Instant] = []
        while frame is not None and frame is not self._bottom:
            code = frame.f_code
            if frame in self._running:
                found += ((code, frame.f_lasti), *self._running[frame])
                break
            if not is_foreign(code):
                if found or not _constructs(frame, module):
                    found.append((code, frame.f_lasti))
                else:
                    own = frame
            frame = frame.f_back  # type: ignore[assignment]
        while self._running and next(reversed(self._running)) is not frame:
            self._running.popitem()  # that constructor has returned
        frames = tuple(found[:_MAX_FRAMES])
        if own is not None:
            self._running[own] = frames
        return frames


def _constructs(frame: FrameType, module: nn.Module) -> bool:
    """Return whether a frame executes an ``__init__`` of this module."""
    code = frame.f_code
    if code.co_name != "__init__" or not code.co_argcount:
        return False
    cls: Any = type(module)
    known = _constructors(cls)
    if known is not None and id(code) not in known:
        return False  # the most frequent case; f_locals below is expensive
    return frame.f_locals.get(code.co_varnames[0]) is module


@cache
def _constructors(cls: type) -> frozenset[int] | None:
    """The ids of the code of all ``__init__`` of a class and its bases; None if a decorator hides one."""
    inits = [base.__dict__["__init__"] for base in cls.__mro__[:-1] if "__init__" in base.__dict__]
    codes: list[Any] = [getattr(inspect.unwrap(init), "__code__", None) for init in inits]
    return frozenset(map(id, codes)) if all(code and code.co_name == "__init__" for code in codes) else None


def _repairing_init(original: Callable[..., None], repair: stand_ins.Repair) -> Callable[..., None]:
    def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        try:
            original(module, *args, **kwargs)
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            if not in_run():
                raise
            declared, accepted = stand_ins.repaired(original, module, args, kwargs, repair)
            if accepted is None:
                raise
            record = module.__dict__.get(_KEY)
            original(module, **accepted)
            if record is not None:
                module.__dict__[_KEY] = Construction(record.frames, declared, one_line(error))

    __init__.__wrapped__ = original  # type: ignore[attr-defined]
    return __init__


def construction_of(module: nn.Module) -> Construction | None:
    """The construction of a module, or None if it was not recorded."""
    return module.__dict__.get(_KEY)


def forget_construction(module: nn.Module) -> None:
    """Remove the record of its construction from a module."""
    module.__dict__.pop(_KEY, None)
