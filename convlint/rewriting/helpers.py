"""What the helpers of rewritten calls need in a file: their definitions once, and imports, where they can be."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from convlint.ir import Edit, Site
from convlint.rewriting.base import Draft, Helper
from convlint.source_text import lines
from convlint.source_text.call_sites import File

_NN = re.compile(r"\bnn\.")
_IMPORTS = (ast.Import, ast.ImportFrom)


def edits(path: str, text: str, drafts: Sequence[Draft]) -> list[Edit]:
    """All edits that make ``drafts`` in the file of that text: theirs, and one that defines what they need.

    A helper that the file has already, word for word, is used; one whose name it uses for something else
    gets another name. Raises ValueError where Python cannot parse the text.
    """
    tree = lines.parsed(text)
    if tree is None:
        raise ValueError(f"{path} cannot be parsed")
    file = File(tree, lines.split(text))
    helpers = list(dict.fromkeys(helper for draft in drafts for helper in draft.helpers))
    modules = list(dict.fromkeys(module for draft in drafts for module in draft.modules))
    nn, imports = _torch_nn(file)
    imports = [*(f"import {m}" for m in modules if m not in _top_names(file)), *imports]
    names = _names(file, helpers, nn)
    made = [Edit(edit.site, _renamed(edit.text, names)) for draft in drafts for edit in draft.edits]
    missing = [
        written
        for helper in helpers
        if (written := _written(helper, names, nn)) not in _definitions(file)
    ]
    if not missing:
        imports = [line for line in imports if not line.startswith("from torch")]
    if missing or imports:
        made.append(_inserted(path, file, nn.split(".")[0], imports, missing))
    return made


def _written(helper: Helper, names: dict[str, str], nn: str) -> str:
    return _renamed(_NN.sub(f"{nn}.", helper.text), names)


def _renamed(text: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        if name != other:
            text = re.sub(rf"\b{name}\b", other, text)
    return text


# --- names


def _names(file: File, helpers: Iterable[Helper], nn: str) -> dict[str, str]:
    """What each helper is called in this file."""
    helpers = list(helpers)
    taken = _all_names(file)
    there = _definitions(file)
    chosen = {helper.name: helper.name for helper in helpers}
    for helper in helpers:
        for name in (helper.name, *(f"{helper.name}{count}" for count in range(2, 100))):
            trial = {**chosen, helper.name: name}
            if name not in taken or _written(helper, trial, nn) in there:
                chosen[helper.name] = name
                break
    return chosen


def _all_names(file: File) -> set[str]:
    """Every name that the file binds or reads."""
    found: set[str] = set()
    for node in file.nodes:
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.arg):
            found.add(node.arg)
    return found


def _definitions(file: File) -> set[str]:
    """The text of every class and function at the top of the file."""
    found = set()
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            text = "".join(file.lines[node.lineno - 1 : node.end_lineno])
            found.add(text.replace("\r\n", "\n").rstrip("\n") + "\n")
    return found


def _top_names(file: File) -> dict[str, str]:
    """What the file imports at its top, also where that depends on a condition: each name and its meaning."""
    found = {}
    for node in _top_statements(file.tree.body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.split(".")[0]
                found[name] = alias.name if alias.asname else name
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return {name: meaning for name, meaning in found.items() if file.imported.get(name) == meaning}


def _top_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.Try | ast.If):
            yield from _top_statements(node.body)


def _torch_nn(file: File) -> tuple[str, list[str]]:
    """How the file can say torch.nn, and the import that it needs for that."""
    names = _top_names(file)
    for name, meaning in names.items():
        if meaning == "torch.nn":
            return name, []
    for name, meaning in names.items():
        if meaning == "torch":
            return f"{name}.nn", []
    if "nn" not in _all_names(file):
        return "nn", ["from torch import nn"]
    return "torch_nn", ["from torch import nn as torch_nn"]


# --- where definitions go


def _inserted(
    path: str, file: File, needed: str, imports: list[str], definitions: list[str]
) -> Edit:
    """The edit that puts imports and definitions behind the imports of the file, that of the name ``needed`` among
    them, before all that may need them.
    """
    body = file.tree.body
    least = next((i for i, node in enumerate(body) if needed in _imported_by(node)), -1)
    lead = 0
    while lead < len(body) and (lead <= least or _is_preamble(body[lead])):
        lead += 1
    if not definitions:  # imports alone go to the other imports
        while lead and not isinstance(body[lead - 1], ast.Import | ast.ImportFrom):
            lead -= 1
    after = (body[lead - 1].end_lineno or 0) if lead else 0
    if not definitions:
        return _at(path, after + 1, "".join(f"{line}\n" for line in imports))
    text = "".join(f"{line}\n" for line in imports)
    text += "\n\n" if imports else ""
    text += "\n\n".join(definitions)
    if lead < len(body):
        line = _first_line(file, body[lead], after)
        blank = line - 1 <= after
        return _at(path, line, ("\n\n" if blank and after else "") + text + "\n\n")
    return _at(path, after + 1, "\n\n" + text)


def _imported_by(statement: ast.stmt) -> set[str]:
    """The names that a statement at the top imports."""
    nodes = [node for node in _top_statements([statement]) if isinstance(node, _IMPORTS)]
    return {(a.asname or a.name).split(".")[0] for node in nodes for a in node.names}


def _at(path: str, line: int, text: str) -> Edit:
    return Edit(Site(path, line, 1, line, 1), text)


def _is_preamble(node: ast.stmt) -> bool:
    """Whether a statement needs none of the helpers: a docstring, an import, a constant."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Try | ast.If):
        parts = [
            *node.body,
            *node.orelse,
            *(s for h in getattr(node, "handlers", ()) for s in h.body),
        ]
        return all(_is_preamble(part) for part in parts) and not _calls(getattr(node, "test", None))
    if isinstance(node, ast.Assign | ast.AnnAssign):
        return not _calls(node.value)
    return isinstance(node, ast.Pass)


def _calls(node: ast.AST | None) -> bool:
    return node is not None and any(isinstance(part, ast.Call) for part in ast.walk(node))


def _first_line(file: File, node: ast.stmt, after: int) -> int:
    """Where a statement begins, with its decorators and the comments right above it."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    line = min([node.lineno, *(decorator.lineno for decorator in decorators)])
    while line - 1 > after and file.lines[line - 2].lstrip().startswith("#"):
        line -= 1
    return line
