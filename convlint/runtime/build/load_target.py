"""Load a target: import its file or module, look up the name, and prepare the constructor call.

A target that cannot be loaded raises ProblemError. An exception of the model's constructor passes through: the caller
reports it as a finding.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import pkgutil
import re
import sys
import tokenize
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from difflib import get_close_matches
from io import BytesIO
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from convlint.runtime import code_sites
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.settings.discovery import find as find_files
from convlint.settings.targets import Target
from convlint.support.errors import nearest_file
from convlint.support.regular_file import read_regular_file

_MOST_FILES = 1000  # that are searched for a name


def find_object(target: Target, root: str) -> Any:
    """Return the class, function or instance that a target names. Raises ProblemError.

    A file is imported under its name in its package, so that relative imports work. The parent folder of the package,
    or ``root`` for a dotted module, becomes the first entry of ``sys.path``; for a file, the working directory becomes
    the last one.
    """
    value: Any = import_target_module(target, root)
    *outer, last = (target.name or "").split(".")
    for position, part in enumerate((*outer, last)):
        owner = value
        try:
            value = getattr(owner, part)
        except AttributeError:
            raise _unknown_name(target, owner, part) from None
        if _is_model_class(owner) and inspect.isfunction(value):
            of = f"{target.where}:{'.'.join(outer[:position])}"
            raise ProblemError("not-a-module", f"{target.name} is a method of a model; did you mean {of}?")
    return value


def import_target_module(target: Target, root: str) -> ModuleType:
    """Import the module of a target. Raises ProblemError."""
    return _import_file(target.path, target.name or "") if target.path else _import_module(target.module or "", root)


def constructor_call(value: Any, target: Target) -> Callable[[], Any]:
    """Return a function that builds the model from the object that the target names. Raises ProblemError.

    Arguments that do not match the signature are rejected here, so whatever the function raises comes from the model.
    """
    name = str(target.name)
    args, kwargs = arguments(target)
    if isinstance(value, nn.Module):
        if args or kwargs:
            raise ProblemError("arguments", f"{name} is a model instance; it takes no arguments")
        return lambda: value
    if not callable(value) or (isinstance(value, type) and not issubclass(value, nn.Module)):
        kind = "is not a subclass of nn.Module"
        if not callable(value):
            kind = f"is of type {type(value).__name__}, which is not a model and cannot build one"
        raise ProblemError("not-a-module", f"{name} {kind}; {target.where} {_has(_offered(_module_of(target)))}")
    _check_arguments(value, target, args, kwargs)
    return lambda: value(*args, **kwargs)


def arguments(target: Target) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a target whose module is imported. Raises ProblemError."""

    def name(text: str) -> Any:
        if not hasattr(module, text):
            close = get_close_matches(text, [name for name in vars(module) if not name.startswith("_")], n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ProblemError("arguments", f"{target.where} has no {text!r}, which an argument names{hint}")
        return getattr(module, text)

    module = _module_of(target)
    try:
        return target.arguments(name)
    except ProblemError:
        raise
    except Exception as error:
        text = f"the arguments of {target.text} cannot be made: {type(error).__name__}: {one_line(error)}"
        raise ProblemError("arguments", text, failure_of(error, "constructor").site) from error


def _module_of(target: Target) -> ModuleType | None:
    """Return the module of a target, as it was imported."""
    if target.path is None:
        return sys.modules.get(target.module or "")
    file = Path(os.path.abspath(target.path))
    named = [(module, getattr(module, "__file__", None)) for module in list(sys.modules.values())]
    return next((module for module, path in named if path and Path(path).absolute() == file), None)


def check_model(value: Any, target: Target) -> nn.Module:
    """Return ``value`` if it is a model. Raises ProblemError otherwise."""
    if isinstance(value, nn.Module):
        return value
    text = f"{target.name} returned an object of type {type(value).__name__}, not an nn.Module"
    raise ProblemError("not-a-module", text)


def _import_file(path: str, target_name: str) -> ModuleType:
    file = Path(os.path.abspath(path))
    _check_text(file, path, target_name)
    folder, parts = file.parent, [] if file.stem == "__init__" else [file.stem]
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    if not all(part.isidentifier() for part in parts) or not _is_free(parts[0], folder):
        parts = [f"_convlint_{file.stem}"]
    sys.path[:] = [str(folder), *sys.path, os.getcwd()]
    sys.argv = [str(file)]
    name = ".".join(parts)
    with _import_problems(f"{file.name} cannot be imported", file):
        if len(parts) > 1:
            importlib.import_module(".".join(parts[:-1]))
        if name in sys.modules:
            return sys.modules[name]
        spec = importlib.util.spec_from_file_location(name, file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{file} is not a Python file")
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException:
            sys.modules.pop(name, None)
            raise
        return sys.modules[name]


def _is_free(name: str, folder: Path) -> bool:
    """Return whether importing ``name`` would find the module in ``folder`` and not one that is loaded already."""
    loaded = sys.modules.get(name)
    if loaded is None:
        return name not in sys.builtin_module_names
    origin = getattr(loaded, "__file__", None)
    return origin is not None and Path(origin).absolute().is_relative_to(folder)


def _import_module(name: str, root: str) -> ModuleType:
    sys.path.insert(0, os.path.abspath(root))
    with _import_problems(f"module {name} cannot be imported"):
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and f"{name}.".startswith(f"{error.name}."):
                text = f"no module named {error.name!r} was found{_near_module(error.name, root)}"
                raise ProblemError("missing-file", text) from None
            raise


@contextmanager
def _import_problems(refusal: str, file: Path | None = None) -> Iterator[None]:
    """Context in which exceptions become problems; their messages begin with ``refusal``. ``file`` is imported."""
    try:
        yield
    except ProblemError:
        raise
    except SyntaxError as error:
        raise ProblemError("syntax-error", f"{refusal}: {error.msg}", error.filename, error.lineno) from error
    except Exception as error:
        text = f"{refusal}: {type(error).__name__}: {one_line(error)}"
        if isinstance(error, ImportError) and "relative import" in text:
            text += "; write the target as package.module:Name, from the folder that contains the package"
        if isinstance(error, ModuleNotFoundError) and file is not None and error.name is not None:
            text += _folder_of(error.name, file)
        raise ProblemError("import-error", text, failure_of(error, "constructor").site) from error


def _folder_of(module: str, file: Path) -> str:
    """Advice to start in the folder above ``file`` that has a module; empty if only the current one has it."""
    top = module.partition(".")[0]
    for folder in file.resolve().parents:
        if folder != Path.cwd() and ((folder / top).is_dir() or (folder / f"{top}.py").is_file()):
            return f"; {folder} has {top!r}: start convlint there, with {file.resolve().relative_to(folder)}:Name"
    return ""


def _check_text(file: Path, path: str, name: str) -> None:
    if not file.exists():
        text = f"{code_sites.report_path(str(file))} does not exist{nearest_file(path)}"
        raise ProblemError("missing-file", text)
    if file.is_dir():
        raise ProblemError("missing-file", f"{path} is a folder, not a Python file{_defined_in(path, name)}")
    try:
        raw = read_regular_file(str(file))
        encoding, _ = tokenize.detect_encoding(BytesIO(raw).readline)
        raw.decode(encoding)
    except OSError as error:
        raise ProblemError("missing-file", f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"the file is not {encoding.upper()}: byte 0x{raw[error.start]:02x}; save it as UTF-8"
        raise ProblemError("encoding", message, str(file), line) from error
    except SyntaxError as error:
        raise ProblemError("encoding", f"the file is not UTF-8: {error.msg}", str(file), 1) from error


def _defined_in(folder: str, name: str) -> str:
    """A suggestion with the first file of a folder that defines a name; empty if there is none."""
    pattern = re.compile(rf"^(class|def) {re.escape(name)}\b|^{re.escape(name)} *=", re.MULTILINE)
    for file in islice(find_files([folder]).files, _MOST_FILES):
        with suppress(OSError):
            if pattern.search(read_regular_file(file).decode(errors="replace")):
                return f"; did you mean {file}:{name}?"
    return ""


def _near_module(name: str, root: str) -> str:
    """A suggestion with the most similar module name in the same package; empty if there is none."""
    *packages, own = name.split(".")
    names = [found.name for found in pkgutil.iter_modules([str(Path(root, *packages))])]
    close = get_close_matches(own, names, n=1)
    return f"; did you mean {'.'.join([*packages, close[0]])!r}?" if close else ""


def _unknown_name(target: Target, owner: Any, part: str) -> ProblemError:
    """A problem that suggests the most similar models of the module, or lists all of them."""
    if _is_model_class(owner):
        outer = str(target.name).partition(f".{part}")[0]
        text = f"{target.where} has no {target.name}; did you mean {target.where}:{outer}?"
        return ProblemError("no-such-name", text)
    hint = f"; it {_has(offered := _offered(owner))}"
    if close := get_close_matches(part, offered, n=3, cutoff=0.5):
        hint = f"; did you mean {' or '.join(close)}?"
    return ProblemError("no-such-name", f"{target.where} has no {target.name}{hint}")


def _offered(owner: Any) -> list[str]:
    """The names of models of a module, and of functions that may build them."""
    return [name for name, value in vars(owner).items() if not name.startswith("_") and _is_model_like(value, owner)]


def _has(offered: list[str]) -> str:
    """Describe the models of a module, for a message."""
    return f"defines {', '.join(offered[:8])}{' ...' if len(offered) > 8 else ''}" if offered else "has no model"


def _is_model_class(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module)


def _is_model_like(value: Any, owner: Any) -> bool:
    """Return whether a value is a model, or a class or function of this module that may build one."""
    if isinstance(value, nn.Module):
        return True
    home = getattr(value, "__module__", None)
    if home not in (getattr(owner, "__name__", None), getattr(owner, "__module__", None)):
        return False
    return issubclass(value, nn.Module) if isinstance(value, type) else inspect.isfunction(value)


def _check_arguments(value: Callable[..., Any], target: Target, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return  # a C function without a signature: the call itself raises
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        text = f"{target.name}: {one_line(error)}; its signature is {signature_text(signature)}"
        if missing := _missing(signature, args, kwargs):
            *first, last = missing
            given = [*target.args, *(f"{name}={text}" for name, text in target.kwargs)]
            how = ", ".join([*given, *(f"{name}=..." for name in missing)])
            text = f"{target.name} needs {', '.join(first)}{' and ' if first else ''}{last}"
            text += f"; pass them as '{target.where}:{target.name}({how})'"
            if any(_is_object(signature.parameters[name]) for name in missing):
                text += ": a name or call of the module such as Config(width=8), or a file such as @config.yaml:model; "
                text += "or name a function that builds the model"
        raise ProblemError("arguments", text) from None


def _is_object(parameter: inspect.Parameter) -> bool:
    """Return whether a parameter seems to take a configuration, by its annotation or its name."""
    if parameter.annotation is parameter.empty:
        return parameter.name.strip("_") in _CONFIGURATIONS
    name = getattr(parameter.annotation, "__name__", str(parameter.annotation))
    return name in ("dict", "Namespace") or "config" in name.lower() or "cfg" in name.lower()


_CONFIGURATIONS = ("args", "cfg", "conf", "config", "configs", "hparams", "hp", "opt", "opts", "options", "params")


def _missing(signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[str]:
    """Names of the required parameters that receive no argument."""
    try:
        bound = signature.bind_partial(*args, **kwargs).arguments
    except TypeError:
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, parameter in signature.parameters.items()
        if parameter.default is parameter.empty and parameter.kind not in variadic and name not in bound
    ]


def signature_text(signature: inspect.Signature) -> str:
    """Format a signature without annotations: ``(x, mask=None)``."""
    return str(inspect.Signature([p.replace(annotation=p.empty) for p in signature.parameters.values()]))
