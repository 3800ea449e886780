"""The text of a call in a user's file, and the same call of another class."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from convlint.ir import Edit, Site
from convlint.rewriting.layer_class import filled, line_length, parameters_of
from convlint.source_text.call_sites import WrittenCall

GROUPS = 6  # the position of the parameter ``groups`` of all convolutions


def positions_of(base: str) -> tuple[str, ...]:
    """The parameters of a class of torch.nn, or of the class that is called, in their order."""
    names = list(parameters_of(base))
    return (*names[:GROUPS], "groups", *names[GROUPS:])


def without_groups(call: WrittenCall) -> tuple[Edit, ...]:
    """The edits that remove the argument ``groups``; positional arguments after it get their names."""
    keyword = next((keyword for keyword in call.node.keywords if keyword.arg == "groups"), None)
    if keyword is not None:
        return (call.removing(keyword),)
    positional = call.node.args[GROUPS:]
    if not positional:
        return ()
    first, last = call.replacing(positional[0], "").site, call.replacing(positional[-1], "").site
    rest = ", ".join(
        f"{name}={source(call, node)}"
        for name, node in zip(positions_of(call.callee)[GROUPS + 1 :], positional[1:], strict=False)
    )
    if rest:
        return (Edit(Site(first.path, first.line, first.column, last.end_line, last.end_column, first.function), rest),)
    before = call.replacing(call.node.args[GROUPS - 1], "").site
    span = Site(first.path, before.end_line, before.end_column, last.end_line, last.end_column, first.function)
    return (Edit(span, ""),)


def other_class(
    call: WrittenCall, name: str, before: str = "", indent: str | None = None, more: Sequence[str] = ()
) -> str:
    """The call with another class and ``more`` arguments, without ``groups``.

    In one line, or with its arguments in lines of their own where that is too long after ``before``, in a statement
    with this ``indent``.
    """
    arguments = [source(call, node) for node in call.node.args[:GROUPS]]
    after = zip(positions_of(call.callee)[GROUPS + 1 :], call.node.args[GROUPS + 1 :], strict=False)
    arguments += [f"{parameter}={source(call, node)}" for parameter, node in after]
    for keyword in call.node.keywords:
        if keyword.arg != "groups":
            value = source(call, keyword.value)
            arguments.append(f"{keyword.arg}={value}" if keyword.arg else f"**{value}")
    arguments += more
    text = f"{name}({', '.join(arguments)})"
    limit = line_length(call.file.lines)
    if indent is None or len(before + text) <= limit:
        return text
    return f"{name}(\n{filled(arguments, indent + step_of(indent), limit)}\n{indent})"


def in_shorter_lines(call: WrittenCall, name: str) -> tuple[Edit, ...]:
    """The edits that put the arguments of a call into a line of their own, if its line gets too long with this name."""
    node = call.node
    written = [*node.args, *(keyword.value for keyword in node.keywords)]
    line = call.file.lines[node.lineno - 1].rstrip("\r\n")
    before, after = line[: node.col_offset], line[node.end_col_offset :] if node.end_lineno == node.lineno else "("
    limit = line_length(call.file.lines)
    longer = len(line) + len(name) - len(source(call, node.func))
    if longer <= limit or not line.isascii() or after not in ("", ",") or not written or set("([{") & set(before):
        return ()
    indent = before[: len(before) - len(before.lstrip())]
    arguments = line[len(before) + len(source(call, node.func)) + 1 : (node.end_col_offset or 0) - 1]
    inner = indent + step_of(indent)
    if len(inner + arguments) > limit:
        return ()
    at = [
        (call.site.column + len(source(call, node.func)) + 1, f"\n{inner}"),
        (call.site.end_column - 1, f"\n{indent}"),
    ]
    path, number, function = call.site.path, node.lineno, call.site.function
    return tuple(Edit(Site(path, number, column, number, column, function), text) for column, text in at)


def realigned(call: WrittenCall, callee: str) -> tuple[Edit, ...]:
    """The edits of further lines of a call whose arguments are below the first one, for a callee of another length."""
    node, written = call.node, source(call, call.node.func)
    further = range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)
    moved = len(callee) - len(written)
    rows = {number: call.file.lines[number - 1].rstrip() for number in further}
    first = call.site.column + len(written)  # characters before the first argument
    aligned = all(len(row) - len(row.lstrip(" ")) >= first for row in rows.values() if row)
    texts = any(isinstance(part, ast.Constant) and part.lineno != part.end_lineno for part in ast.walk(node))
    limit = line_length(call.file.lines)
    if "\n" in written or not aligned or texts or any(len(row) + moved > limit for row in rows.values()):
        return ()
    path, function = call.site.path, call.site.function
    ends = {number: (1 if moved > 0 else 1 - moved) for number, row in rows.items() if row and moved}
    return tuple(Edit(Site(path, n, 1, n, end, function), " " * max(0, moved)) for n, end in ends.items())


def is_annotated(tree: ast.Module) -> bool:
    """Return whether all functions of a file have types, and there are some."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    given = [argument for f in functions for argument in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)]
    typed = all(argument.annotation or argument.arg in ("self", "cls") for argument in given)
    return bool(functions) and typed and all(function.returns for function in functions)


def step_of(indent: str) -> str:
    return "\t" if "\t" in indent else "    "


def needs_parentheses(call: WrittenCall) -> bool:
    """Return whether a conditional expression in place of the call has to be in parentheses."""
    parent, field = call.file.parents[call.node]
    return not isinstance(parent, ast.Assign | ast.Return | ast.Expr | ast.List | ast.Tuple | ast.keyword) and not (
        isinstance(parent, ast.Call) and field == "args"
    )


def source(call: WrittenCall, node: ast.expr) -> str:
    return ast.get_source_segment("".join(call.file.lines), node) or ast.unparse(node)
