"""Import modules of unpacked packages without installing what they need: missing libraries become stubs.

Only for a process of its own.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import os
import sys
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

_MODULES = {"BaseModule", "LightningModule", "BaseModel", "ModelMixin", "Module"}


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


class _StubClass(type):
    def __getattr__(cls, name: str) -> Any:
        if _is_special(name):
            raise AttributeError(name)
        return Stub

    def __iter__(cls) -> Iterator[Any]:
        return iter(())

    def __or__(cls, other: Any) -> Any:
        return cls

    __ror__ = __or__


class Stub(metaclass=_StubClass):
    """Any object of a missing library; as a decorator, it leaves what it decorates as it is."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        return args[0] if _decorates(args, kwargs) else object.__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        pass

    def __init_subclass__(cls, **kwargs: Any) -> None:
        pass

    def __class_getitem__(cls, key: Any) -> Any:
        return cls

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args[0] if _decorates(args, kwargs) else self

    def __getattr__(self, name: str) -> Any:
        if _is_special(name):
            raise AttributeError(name)
        return self

    def __getitem__(self, key: Any) -> Any:
        return self

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def __lt__(self, other: object) -> bool:
        return False

    def __ge__(self, other: object) -> bool:
        return True

    __gt__ = __ge__  # a required version is always there


def _decorates(args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    return len(args) == 1 and not kwargs and isinstance(args[0], type | types.FunctionType)


def _stub(name: str) -> Any:
    """What stands for a name of a missing library: a module for a base class of modules."""
    if name not in _MODULES and not name.endswith("Layer"):
        return Stub
    return type(name, (torch.nn.Module,), {"__init__": lambda self, *_, **__: torch.nn.Module.__init__(self)})


class _StubModule(types.ModuleType):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__path__ = []

    def __getattr__(self, name: str) -> Any:
        if _is_special(name):
            raise AttributeError(name)
        value = _stub(name)
        setattr(self, name, value)
        return value


class _Package(types.ModuleType):
    """A package whose ``__init__`` runs only for a name that is none of its modules."""

    def __getattr__(self, name: str) -> Any:
        if name == "__version__":
            return "1.0.0"
        if _is_special(name):
            raise AttributeError(name)
        folder = Path(self.__path__[0])
        if (folder / f"{name}.py").exists() or (folder / name).is_dir():
            return importlib.import_module(f"{self.__name__}.{name}")
        if "_has_run" not in vars(self):
            vars(self)["_has_run"] = True
            file = folder / "__init__.py"
            try:
                exec(compile(file.read_text(encoding="utf-8"), str(file), "exec"), vars(self))  # noqa: S102
            except Exception:  # noqa: BLE001  what was defined before is of use
                return vars(self).get(name, Stub)
        return vars(self).get(name, Stub)


class _Loader(importlib.abc.Loader):
    def __init__(self, kind: type[types.ModuleType]) -> None:
        self._kind = kind

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return self._kind(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Run nothing."""
        module.__file__ = os.path.join(*module.__path__, "__init__.py") if module.__path__ else None


class _Packages(importlib.abc.MetaPathFinder):
    """Finds the packages below a folder."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "")

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        last = fullname.rpartition(".")[2]
        for each in sys.path if path is None else path:
            place = os.path.join(os.path.abspath(each or "."), last)
            if place.startswith(self._folder) and os.path.isfile(os.path.join(place, "__init__.py")):
                spec = importlib.machinery.ModuleSpec(fullname, _Loader(_Package), is_package=True)
                spec.submodule_search_locations = [place]
                return spec
        return None


class _Missing(importlib.abc.MetaPathFinder):
    """Finds a stub for every library that is not there, and for its modules."""

    def __init__(self, own: str) -> None:
        self._own = own

    def find_spec(
        self, fullname: str, _: Sequence[str] | None, __: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        top, _, rest = fullname.partition(".")
        is_stub = isinstance(sys.modules.get(top), _StubModule) if rest else top != self._own and not _is_optional()
        return importlib.machinery.ModuleSpec(fullname, _Loader(_StubModule), is_package=True) if is_stub else None


def _is_optional() -> bool:
    """Return whether the import that runs now stands in a ``try``: what the library replaces is there then."""
    frame: types.FrameType | None = sys._getframe(2)  # noqa: SLF001  only the caller knows where it is
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    if frame is None or not os.path.exists(frame.f_code.co_filename):
        return True
    line = frame.f_lineno
    tree = ast.parse(Path(frame.f_code.co_filename).read_bytes())
    guarded = [body for node in ast.walk(tree) if isinstance(node, ast.Try) for body in node.body]
    return any(each.lineno <= line <= (each.end_lineno or 0) for each in guarded)


def install(folder: Path, file: Path) -> None:
    """Make the packages in the folders below ``folder`` importable, from that of ``file`` on."""
    own = file.relative_to(folder).parts[0]
    top = file.parent
    while (top.parent / "__init__.py").exists():
        top = top.parent
    others = [each for each in sorted(folder.iterdir()) if each.name != own]
    sys.path += [str(each) for each in (top.parent if (top / "__init__.py").exists() else top, folder / own, *others)]
    sys.meta_path.insert(0, _Packages(str(folder)))
    sys.meta_path.append(_Missing(top.name))
    sys.modules["transformers.dependency_versions_check"] = _StubModule("transformers.dependency_versions_check")


def load(file: Path) -> types.ModuleType:
    """Import a module; if that raises, run its statements one by one, with stubs for the imports that fail."""
    parts = [file.stem]
    folder = file.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    name = ".".join(parts)
    try:
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  the classes may work without what is missing
        sys.modules.pop(name, None)
    module = types.ModuleType(name)
    module.__file__, module.__package__ = str(file), name.rpartition(".")[0]
    for statement in ast.parse(file.read_bytes()).body:
        try:
            exec(compile(ast.Module([statement], []), str(file), "exec"), vars(module))  # noqa: S102
        except Exception:  # noqa: BLE001
            if isinstance(statement, ast.Import | ast.ImportFrom):
                names = (each.asname or each.name.partition(".")[0] for each in statement.names)
                vars(module).update({name: _stub(name) for name in names})
    return module
