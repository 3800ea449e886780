"""Classes of published packages with one wrong width, and what PyTorch says about them.

A mutant is the file of a class in whose constructor one channel expression is replaced by another one in scope. PyTorch
judges it with many constructor arguments: those with which the original works.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import io
import itertools
import re
import sys
import types
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

import bench.preloaded  # noqa: F401  finding a module of a package imports the package, and torchvision needs help

PACKAGES = ("timm.layers", "timm.models", "torchvision.models", "torchvision.ops")
WIDTHS = (16, 32, 64)
MOST_CALLS = 20
"""Constructor calls with which a class is judged."""
_LAYER = re.compile(r"conv|linear|norm|^bn|prelu|dense|proj|mlp", re.IGNORECASE)
_NO_CHANNELS = re.compile(r"kernel|stride|pad|dilation|size|group|head|ratio|depth|layers|rate|drop")
_WIDTH = re.compile(
    r"(^|_)(dims?|chs?|channels?|chans?|planes|inplanes|outplanes|features?|width|filters?|inp|oup|embed|hidden|nf|c[12]?"
    r"|in|out|ch_?(in|out))(_|$)"
)

_IS_WIDTH = re.compile(r"^[^()]*(dim|ch|plane|feat|width|filter|inp|oup|hidden|mid|embed|inner|out|rd_)[^()]*$")

Verdict = Literal["latent", "fails", "equivalent"]
"""Of a mutant: it fails for some arguments with which the original works, for all of them, or for none."""


@dataclass(frozen=True, slots=True)
class Original:
    """A class, the file that defines it, and the constructor calls and input shapes with which PyTorch runs it."""

    module: str
    name: str
    line: int
    stop: int
    works: tuple[tuple[tuple[tuple[str, Any], ...], tuple[tuple[int, ...], ...]], ...] = ()

    @property
    def path(self) -> str:
        """The path of the file below the folder of its package."""
        spec = importlib.util.find_spec(self.module)
        assert spec is not None
        assert spec.origin is not None
        package = importlib.util.find_spec(self.module.split(".")[0])
        assert package is not None
        assert package.origin is not None
        return str(Path(spec.origin).relative_to(Path(package.origin).parent.parent))


@dataclass(frozen=True, slots=True)
class Mutant:
    """A replaced expression: a span in one line, with offsets from 0."""

    original: Original
    line: int
    start: int
    before: str
    after: str

    def apply(self, source: str) -> str:
        """Return the file with the expression replaced."""
        lines = source.split("\n")
        text = lines[self.line - 1]
        stop = self.start + len(self.before)
        assert text[self.start : stop] == self.before
        lines[self.line - 1] = text[: self.start] + self.after + text[stop:]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant with PyTorch's verdict, a call that fails and one that works."""

    mutant: Mutant
    verdict: Verdict
    fails: str = ""
    works: str = ""


# --- the classes


def modules() -> list[str]:
    """The modules of the packages, by name."""
    found = []
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        folder = Path(spec.origin).parent
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(folder).with_suffix("").parts
            if parts[-1] != "__init__":
                found.append(".".join((package, *parts)))
    return found


def source_of(module: str) -> str:
    return place_of(module).read_text(encoding="utf-8")


def place_of(module: str) -> Path:
    """The file of a module."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin)


def classes_of(module: str) -> list[Original]:
    """The classes of a module that PyTorch runs, with the calls that work. Only for a process of its own."""
    namespace = vars(importlib.import_module(module))
    found = []
    for node in ast.parse(source_of(module)).body:
        cls = namespace.get(node.name) if isinstance(node, ast.ClassDef) else None
        if isinstance(node, ast.ClassDef) and cls is not None and _init(node) is not None:
            works = tuple(_working(cls))
            if len({call for call, _ in works}) > 1:
                found.append(Original(module, node.name, node.lineno, node.end_lineno or node.lineno, works))
    return found


def _init(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next((s for s in node.body if isinstance(s, ast.FunctionDef) and s.name == "__init__"), None)


# --- the mutants


def mutants(original: Original, random: Random, count: int) -> list[Mutant]:
    """Replace one channel expression of a constructor by another one in scope: ``count`` different mutants."""
    source = source_of(original.module)
    lines = source.split("\n")
    node = next(n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == original.name)
    init = _init(node)
    assert init is not None
    places = list(_channel_expressions(init))
    names = [a.arg for a in (*init.args.args[1:], *init.args.kwonlyargs) if _WIDTH.search(a.arg)]
    texts = list(dict.fromkeys([*(ast.unparse(place) for place in places), *names]))
    every = [
        Mutant(original, place.lineno, place.col_offset, before, text)
        for place in places
        for text in texts
        for before in [lines[place.lineno - 1][place.col_offset : place.end_col_offset]]
        if place.lineno == place.end_lineno and lines[place.lineno - 1].isascii() and text != ast.unparse(place)
    ]
    return random.sample(every, min(count, len(every)))


def _channel_expressions(init: ast.FunctionDef) -> Iterator[ast.expr]:
    """The arguments that are widths in calls that build layers."""
    for node in ast.walk(init):
        if not isinstance(node, ast.Call):
            continue
        callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if not _LAYER.search(callee):
            continue
        count = 1 if re.search("norm|^bn|prelu", callee, re.IGNORECASE) else 2
        keywords = [k.value for k in node.keywords if k.arg and _WIDTH.search(k.arg) and not _NO_CHANNELS.search(k.arg)]
        for argument in [*node.args[:count], *keywords]:
            is_plain = isinstance(argument, ast.Name | ast.BinOp | ast.Subscript | ast.Attribute)
            if is_plain and _IS_WIDTH.search(ast.unparse(argument)):
                yield argument


# --- PyTorch's verdict


def judged(chosen: Sequence[Mutant]) -> list[Judged]:
    """Run mutants of a class, without those whose new expression is not a number. Only for a process of its own."""
    return [verdict for mutant in chosen if (verdict := _judged(mutant)) is not None]


def _judged(mutant: Mutant) -> Judged | None:
    original = mutant.original
    cls = load(original.module, mutant.apply(source_of(original.module)))[original.name]
    fails: list[str] = []
    works: list[str] = []
    for call, shapes in original.works[:MOST_CALLS]:
        kwargs = dict(call)
        if _mistakes_a_type(cls, kwargs):
            return None
        text = f"{original.name}({', '.join(f'{name}={value!r}' for name, value in call)})"
        (works if _input_that_works(cls, kwargs, [shapes]) is not None else fails).append(text)
    verdict: Verdict = "equivalent" if not fails else "latent" if works else "fails"
    return Judged(mutant, verdict, *(fails[:1] or [""]), *(works[:1] or [""]))


def _mistakes_a_type(cls: type, kwargs: dict[str, Any]) -> bool:
    """Return whether a constructor uses something that is not a number, or a name that has no value yet."""
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        try:
            cls(**kwargs)
        except (TypeError, NameError, AttributeError):
            return True
        except Exception:  # noqa: BLE001  the class refuses these arguments
            return False
    return False


def load(module: str, source: str, name: str = "") -> dict[str, Any]:
    """Execute a module with another text, whose lines errors name by ``name``. Only for a process of its own."""
    real = importlib.import_module(module)
    loaded = types.ModuleType(module)
    loaded.__file__, loaded.__package__, loaded.__spec__ = real.__file__, real.__package__, real.__spec__
    sys.modules[module] = loaded
    importlib.import_module("torchvision.models._api").BUILTIN_MODELS.clear()  # it refuses to register a model again
    with redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        exec(compile(source, name or module, "exec"), loaded.__dict__)  # noqa: S102  the benchmark's own mutants
    return loaded.__dict__


def _working(cls: type) -> Iterator[tuple[tuple[tuple[str, Any], ...], tuple[tuple[int, ...], ...]]]:
    known: list[tuple[tuple[int, ...], ...]] = []
    for kwargs in itertools.islice(_calls(cls), MOST_CALLS):
        found = _input_that_works(cls, kwargs, known)
        if found is not None:
            if found not in known:
                known.insert(0, found)
            yield tuple(kwargs.items()), found
        elif not known and len(kwargs) > 3:
            continue


def _calls(cls: type) -> Iterator[dict[str, Any]]:
    """Constructor calls: widths in all combinations, flags both ways, usual values for the rest."""
    widths: list[str] = []
    flags: list[tuple[str, Any]] = []
    base: dict[str, Any] = {}
    for parameter in list(inspect.signature(cls).parameters.values()):
        name, default = parameter.name, parameter.default
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        required = default is parameter.empty
        if _WIDTH.search(name) and not _NO_CHANNELS.search(name) and (required or type(default) is int):
            widths.append(name)
        elif required:
            base[name] = _usual(name, str(parameter.annotation))
        elif type(default) is bool:
            flags.append((name, not default))
        elif name == "stride" and default == 1:
            flags.append((name, 2))
    if not widths:
        return
    combinations = list(itertools.product(WIDTHS, repeat=min(len(widths), 3)))
    combinations.sort(key=lambda combination: -len(set(combination)))
    Random(0).shuffle(combinations)
    for combination in combinations:
        chosen = dict(zip(widths, itertools.chain(combination, itertools.repeat(combination[-1])), strict=False))
        yield base | chosen
    for name, value in flags:
        for combination in combinations[:3]:
            chosen = dict(zip(widths, itertools.chain(combination, itertools.repeat(combination[-1])), strict=False))
            yield base | chosen | {name: value}


def _usual(name: str, annotation: str) -> Any:
    if "str" in annotation:
        return "relu"
    return next((value for pattern, value in _USUAL if re.search(pattern, name)), 2)


_USUAL: tuple[tuple[str, float], ...] = (
    ("kernel", 3),
    ("stride|dilation|group", 1),
    ("pad", 1),
    ("resolution|size", 8),
    ("drop|prob", 0.0),
)


_SIZES = ((8, 8), (64,), (), (4, 8, 8), (32, 32))


def _input_that_works(
    cls: type, kwargs: dict[str, Any], known: Sequence[tuple[tuple[int, ...], ...]]
) -> tuple[tuple[int, ...], ...] | None:
    """The shapes of inputs on which a call of a class runs, whatever their channels; None if there are none."""
    import torch

    with torch.no_grad(), redirect_stderr(io.StringIO()), redirect_stdout(io.StringIO()):
        try:
            model = cls(**kwargs).eval()
        except Exception:  # noqa: BLE001  the class refuses these arguments
            return None
        counts = _channel_counts(model, kwargs)
        for shapes in _shapes(model, counts, known):
            try:
                model(*(torch.rand(shape) for shape in shapes))
            except Exception:  # noqa: BLE001, S112  the class refuses this input
                continue
            return shapes
    return None


def _channel_counts(model: Any, kwargs: dict[str, Any]) -> list[int]:
    names = ("in_channels", "in_features", "num_features", "num_channels", "num_parameters")
    counts = [getattr(module, name) for module in model.modules() for name in names if hasattr(module, name)]
    counts += [module.normalized_shape[-1] for module in model.modules() if hasattr(module, "normalized_shape")]
    counts += list(kwargs.values())
    return list(dict.fromkeys(count for count in counts if type(count) is int and count > 0))[:12]


def _shapes(
    model: Any, counts: Sequence[int], known: Sequence[tuple[tuple[int, ...], ...]]
) -> Iterator[tuple[tuple[int, ...], ...]]:
    parameters = list(inspect.signature(model.forward).parameters.values())
    required = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    if not 0 < len(required) < 3:
        return
    open_forms = [(size, last) for size in _SIZES for last in (False, True) if size or not last]
    forms: list[tuple[Form, ...]] = [tuple((_size(shape), _is_last(shape)) for shape in shapes) for shapes in known]
    for form in dict.fromkeys(forms) if known else [(form,) * len(required) for form in open_forms]:
        for channels in itertools.product(counts, repeat=len(form)):
            yield tuple(
                (2, *size, count) if last else (2, count, *size)
                for (size, last), count in zip(form, channels, strict=True)
            )


Form = tuple[tuple[int, ...], bool]
"""The sizes of an input without batch and channels, and whether the channels come last."""


def _size(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[1:-1] if _is_last(shape) else shape[2:]


def _is_last(shape: tuple[int, ...]) -> bool:
    """Whether a shape has its channels last: its other sizes are those of ``_SIZES``."""
    return tuple(shape[1:-1]) in _SIZES and len(shape) > 2 and tuple(shape[2:]) not in _SIZES
