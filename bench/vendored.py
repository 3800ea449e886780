"""Copy torchvision or timm into a project, next to the user's own files.

The folder of the project is first on ``sys.path``, so the package is imported from there: every line that builds a
layer then belongs to the project and can be rewritten.
"""

from __future__ import annotations

import ast
import compileall
import importlib.util
import shutil
from pathlib import Path

PACKAGES = ("torchvision", "timm")
_NEEDED = {"torchvision": ("torchvision",), "timm": ("timm", "torchvision")}
_LEFT_OUT = shutil.ignore_patterns("*.so", "*.dll", "*.dylib", "*.pyd", "*.pyi")

_OPERATORS = '''\
"""What the compiled operators of torchvision are for its models, written out."""

import os

import torch

os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # roi_align would be compiled: minutes, for nothing


{nms}


LIBRARY = torch.library.Library("torchvision", "DEF")  # operators go when this object does
for name in ("nms", "qnms"):
    LIBRARY.define(f"{{name}}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
LIBRARY.impl("nms", _nms, "CPU")
'''
_FIRST = "from torchvision import _operators\n"
_LAST = "\n\ndef _assert_has_ops():  # _operators.py has them\n    pass\n"


def vendored(folder: Path, package: str) -> None:
    """Copy ``package`` and the modules that importing it requires into ``folder``.

    Compiled operators are not copied, because they fit only one build of torch. Byte code is copied: user code runs
    in processes that do not write any.
    """
    for name in _NEEDED[package]:
        spec = importlib.util.find_spec(name)
        assert spec is not None, f"{name} is not installed"
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, folder / name, ignore=_LEFT_OUT)
    _without_operators(folder / "torchvision")
    for name in _NEEDED[package]:
        compileall.compile_dir(folder / name, quiet=2)


def _without_operators(torchvision: Path) -> None:
    """Make a copy of torchvision importable, and its detection models runnable, without compiled code."""
    operators = _OPERATORS.format(nms=_function("_nms"))
    (torchvision / "_operators.py").write_text(operators, encoding="utf-8")
    first, last = torchvision / "__init__.py", torchvision / "extension.py"
    first.write_text(_FIRST + first.read_text(encoding="utf-8"), encoding="utf-8")
    last.write_text(last.read_text(encoding="utf-8") + _LAST, encoding="utf-8")


def _function(name: str) -> str:
    """Return the source of a function in zoo_models.py, which cannot be imported without torch."""
    text = Path(__file__).with_name("zoo_models.py").read_text(encoding="utf-8")
    found = [n for n in ast.parse(text).body if isinstance(n, ast.FunctionDef) and n.name == name]
    segment = ast.get_source_segment(text, found[0])
    assert segment is not None
    return segment
