"""Where a module was constructed: the exact call expression, and the calls that led there.

While a ``Construction`` is active every new ``nn.Module`` remembers the frames that built it. With ``repair``, the
constructors of ``torch.nn`` that refuse their arguments are given arguments they accept (see ``recover.py``): that is
for a second attempt, after the model has really failed to build.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from types import CodeType, FrameType, TracebackType
from typing import Any, Self

import torch
from torch import nn

import convlint
from convlint.ir import Site
from convlint.runtime.isolation import exclusive, in_run
from convlint.runtime.recover import stand_ins
from convlint.source_text import lines

_TORCH = os.path.dirname(torch.__file__) + os.sep
_OWN = os.path.dirname(convlint.__file__) + os.sep
_KEY = "_convlint_built"
_DEEPEST = (
    64  # frames kept above a constructor call: deeper ones belong to the caller's own machinery
)

Instant = tuple[CodeType, int]  # a code object and the instruction it stood at


_foreign: dict[int, tuple[bool, CodeType]] = {}
"""By id, for the hash of code is as slow as the code is long; it is kept, so that its id is not given anew."""


def is_foreign(code: CodeType) -> bool:
    """Whether code belongs to torch, to convlint or to the interpreter, and so is no line of the user's."""
    known = _foreign.get(id(code))
    if known is None:
        path = code.co_filename
        foreign = path.startswith((_TORCH, _OWN, "<frozen", "<string>"))
        known = _foreign[id(code)] = (foreign or path.endswith("contextlib.py"), code)
    return known[0]


@cache
def _positions(code: CodeType) -> list[tuple[int | None, int | None, int | None, int | None]]:
    return list(code.co_positions())


_sites: dict[tuple[int, int], tuple[Site, CodeType]] = {}  # as _foreign


def site_of(instant: Instant) -> Site:
    """The span of source that an instruction belongs to; the path relative to the working directory if below it."""
    code, last = instant
    known = _sites.get((id(code), last))
    if known is None:
        known = _sites[id(code), last] = (_read_site(code, last), code)
    return known[0]


def _read_site(code: CodeType, last: int) -> Site:
    line, end_line, column, end_column = _positions(code)[last // 2]
    path = code.co_filename
    line = line or code.co_firstlineno
    end_line = end_line or line
    return Site(
        path=shown_path(path),
        line=line,
        column=_characters(path, line, column),
        end_line=end_line,
        end_column=_characters(path, end_line, end_column),
        function=code.co_qualname,
    )


def is_own(code: CodeType) -> bool:
    """Whether code is convlint's."""
    return code.co_filename.startswith(_OWN)


_folder: str | None = None


def stay_in(folder: str) -> None:
    """Show paths relative to ``folder``, wherever the code of a model goes."""
    global _folder  # noqa: PLW0603 - of the process of one job, as the working directory is
    _folder = folder


def shown_path(path: str) -> str:
    """A path as reports show it: relative to the working directory where it lies below it."""
    below = os.path.join(_folder or os.getcwd(), "")
    absolute = os.path.abspath(path)
    return absolute[len(below) :] if absolute.startswith(below) else path


def _characters(path: str, line: int, column: int | None) -> int:
    """The column in characters, from 1, for an offset in UTF-8 bytes, from 0."""
    if column is None:
        return 1
    text = lines.at(path, line)
    if text.isascii():
        return column + 1
    return len(text.encode()[:column].decode(errors="replace")) + 1


def user_frame(frame: FrameType | None) -> FrameType | None:
    """The nearest frame, upwards, that is the user's."""
    while frame is not None:
        known = _foreign.get(id(frame.f_code))
        if not (known[0] if known is not None else is_foreign(frame.f_code)):
            return frame
        frame = frame.f_back
    return None


@dataclass(slots=True)
class Built:
    """What is remembered of one constructor call: its frames, innermost first, and what had to be repaired."""

    frames: tuple[Instant, ...]
    declared: dict[str, Any] | None = None
    error: str | None = None

    def __deepcopy__(self, memo: object) -> Built:
        return self

    @property
    def site(self) -> Site | None:
        return site_of(self.frames[0]) if self.frames else None

    @property
    def chain(self) -> tuple[Site, ...]:
        return tuple(site_of(instant) for instant in self.frames[1:])


class Construction:
    """Context in which a model is built; afterwards ``built(module)`` tells where each module came from.

    Modules keep the record in their ``__dict__`` while they live, so that a deep copy knows its original's line.
    Names that are patched on ``torch.nn`` are put back on exit.
    """

    def __init__(self, repair: bool = False) -> None:
        self._repair = repair
        self._patches = ExitStack()
        self._bottom: FrameType | None = None
        self._running: dict[
            FrameType, tuple[Instant, ...]
        ] = {}  # constructors, and who called them

    def __enter__(self) -> Self:
        self._bottom = sys._getframe(1).f_back  # frames from here on are the caller's own
        self._patches.enter_context(exclusive())
        self._patch(nn.Module, "__init__", self._recording_init(nn.Module.__init__))
        for owner, repair in stand_ins.CONSTRUCTORS.items() if self._repair else ():
            self._patch(owner, "__init__", _repairing_init(owner.__init__, repair))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._patches.close()
        self._running.clear()
        self._bottom = None

    def _patch(self, owner: type, name: str, replacement: Callable[..., Any]) -> None:
        self._patches.callback(setattr, owner, name, owner.__dict__[name])
        setattr(owner, name, replacement)

    def _recording_init(self, original: Callable[..., None]) -> Callable[..., None]:
        def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
            if in_run() and _KEY not in module.__dict__:
                module.__dict__[_KEY] = Built(self._frames(module))
            original(module, *args, **kwargs)

        __init__.__wrapped__ = original  # type: ignore[attr-defined]
        return __init__

    def _frames(self, module: nn.Module) -> tuple[Instant, ...]:
        """The user's frames above the constructor of ``module``, without the constructor's own.

        Modules are built inside other modules' constructors: from there outwards, the frames are known.
        """
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
            self._running.popitem()  # that constructor has ended
        frames = tuple(found[:_DEEPEST])
        if own is not None:
            self._running[own] = frames
        return frames


def _constructs(frame: FrameType, module: nn.Module) -> bool:
    """Whether a frame is an ``__init__`` of this very module."""
    code = frame.f_code
    if code.co_name != "__init__" or not code.co_argcount:
        return False
    cls: Any = type(module)
    known = _constructors(cls)
    if known is not None and id(code) not in known:
        return False  # so it is for most, and to make a frame's f_locals would cost more than all the rest
    return frame.f_locals.get(code.co_varnames[0]) is module


@cache
def _constructors(cls: type) -> frozenset[int] | None:
    """The id of the code of every ``__init__`` that a class has or inherits; None where a decorator hides one."""
    inits = [base.__dict__["__init__"] for base in cls.__mro__[:-1] if "__init__" in base.__dict__]
    codes: list[Any] = [getattr(inspect.unwrap(init), "__code__", None) for init in inits]
    hidden = any(code is None or code.co_name != "__init__" for code in codes)
    return None if hidden else frozenset(map(id, codes))


def _repairing_init(original: Callable[..., None], repair: stand_ins.Repair) -> Callable[..., None]:
    def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:
        try:
            original(module, *args, **kwargs)
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            if not in_run():
                raise
            declared, accepted = repair(original, module, args, kwargs)
            if accepted is None:
                raise
            record = module.__dict__.get(_KEY)
            original(module, **accepted)
            if record is not None:
                module.__dict__[_KEY] = Built(record.frames, declared, stand_ins.one_line(error))

    __init__.__wrapped__ = original  # type: ignore[attr-defined]
    return __init__


def built(module: nn.Module) -> Built | None:
    """Where a module was constructed, or None if that was not recorded."""
    return module.__dict__.get(_KEY)
