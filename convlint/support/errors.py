"""Errors in command lines, settings and arguments."""

from __future__ import annotations

NOTEBOOK = ".ipynb"
PYTHON = ("", ".py", ".pyi", ".pyw", ".pyt", ".gyp", ".gypi", ".tac", ".wsgi")
CHECKPOINTS = (".pt", ".pth", ".ckpt", ".safetensors", ".bin")


class UsageError(ValueError):
    """An invalid command line, setting or argument; the message is one line that says what to write instead."""


def check_choice(value: str, choices: tuple[str, ...], name: str) -> None:
    """Raise UsageError, which names the nearest valid value, unless ``value`` is one of ``choices``."""
    if value not in choices:
        parts = value.split(",")
        if len(parts) > 1 and (known := {*choices} & {*parts}) and len(known) < len({*parts}):
            value = next(part for part in parts if part not in known)
        elif set(parts) <= {*choices}:
            raise UsageError(
                f"{name} takes one value at a time; write `{' '.join(f'{name} {part}' for part in parts)}`"
            )
        raise UsageError(f"{name} {value!r} is unknown{nearest(value, choices)}")


SYNONYMS = {"gpu": "cuda", "fp16": "float16", "half": "float16", "bf16": "bfloat16", "fp32": "float32"}


def nearest(value: str, choices: tuple[str, ...], likeness: float = 0.5) -> str:
    """Return ``; did you mean 'int64'?``, or the list of all choices if none has a ``likeness`` (0 to 1)."""
    from difflib import get_close_matches

    begun = [choice for choice in choices if value and choice.startswith(value)]
    parts = [choice for choice in choices if value in choice.split("-")]  # `relu` of `norm-relu`
    same = [name for name in (SYNONYMS.get(value.lower()), value.lower()) if name in choices]
    close = same or begun or parts or get_close_matches(value, choices, n=1, cutoff=likeness)
    return f"; did you mean {close[0]!r}?" if close else f"; choose from {', '.join(choices)}"


def without_quotes(text: str) -> str:
    """The text inside of quotes that a shell has passed on, as that of Windows does; "" if it has none."""
    quoted = len(text) > 2 and text[0] in "'\"" and text[-1] == text[0]
    return text[1:-1] if quoted else ""


def notebook_advice(path: str) -> str:
    """State that notebooks are not read, and how to make a file of their code."""
    import os

    script = f"{os.path.splitext(os.path.basename(path))[0]}.py"
    return f"notebooks are not read; write the code to {script} with `jupyter nbconvert --to script {path}`"


def not_python(path: str, data: bytes = b"") -> str:
    """Say why a file that exists is not checked, and what to pass instead; "" for a Python file.

    A file with another extension is one if its contents begin with the path of Python. A file without an extension
    may be a script.
    """
    import os

    extension = os.path.splitext(path)[1].lower()
    if extension in PYTHON or (data.startswith(b"#!") and b"python" in data.partition(b"\n")[0]):
        return ""
    advice = "; pass the file that defines the model, as in net.py or net.py:Net"
    if extension in CHECKPOINTS:
        advice += f", and convert its weights with `convlint suggest net.py:Net --weights {path}`"
    return f"{path} is not a Python file{advice}"


def nearest_file(path: str) -> str:
    """Return ``; did you mean src?`` for a path that does not exist, or "" if no similar one does.

    Every misspelled folder on the way is replaced with the most similar one, and backslashes are read as on Windows.
    """
    import os

    several = [part for part in path.replace(",", " ").split() if part]
    if len(several) > 1 and all(os.path.lexists(part) for part in several):
        return f"; pass each as an argument of its own: {' '.join(several)}"
    wild = next((n for n, letter in enumerate(path) if letter in "*?["), len(path))
    if wild < len(path) and os.path.isdir(folder := os.path.dirname(path[:wild]) or "."):
        return f"; a directory stands for all files in it: {folder}"
    *folders, name = path.replace("\\", "/").rstrip("/").split("/")
    found = ""
    for folder in folders:
        near = folder if os.path.isdir(os.path.join(found or "/", folder)) else _similar(found, folder)
        if near is None or not os.path.isdir(os.path.join(found, near or "/")):
            return ""
        found = os.path.join(found, near or "/")
    last = name if os.path.lexists(os.path.join(found, name)) else _similar(found, name)
    if not last:
        return ""
    stem, extension = os.path.splitext(name)
    file = os.path.join(found, last)
    has_name = last == f"{stem}.py" and defines(file, extension[1:])
    return f"; did you mean {file}:{extension[1:]}?" if has_name else f"; did you mean {file}?"


def defines(file: str, name: str) -> bool:
    """Return whether a file has a class or function of this name."""
    import re

    from convlint.support.regular_file import read_regular_file

    try:
        text = read_regular_file(file).decode(errors="replace")
    except OSError:
        return False
    return name.isidentifier() and re.search(rf"^(class|def) {name}\b", text, re.MULTILINE) is not None


def _similar(folder: str, name: str) -> str | None:
    """The file or directory of a folder whose name is the most similar, extension apart; None if none is."""
    import os
    from difflib import get_close_matches

    try:
        there = {os.path.splitext(other)[0]: other for other in sorted(os.listdir(folder or "."))}
    except OSError:
        return None
    close = get_close_matches(os.path.splitext(name)[0], there, n=1, cutoff=0.6)
    return there[close[0]] if close else None
