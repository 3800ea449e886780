"""Read the configuration: ``[tool.convlint]`` in pyproject.toml, or the same keys in convlint.toml.

The nearest file upwards from the working directory counts. An unknown key or code is an error that names the nearest
valid one. Paths and patterns are relative to the directory of the file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from convlint.ir import Finding, Severity
from convlint.rules.codes import codes as all_codes
from convlint.support.dataclass import dataclass, field, replace
from convlint.support.errors import UsageError, nearest
from convlint.support.regular_file import read_regular_file

if TYPE_CHECKING:
    from convlint.settings.input_shapes import InputSpec
    from convlint.settings.schema import Key
    from convlint.settings.targets import Target

DEFAULT_SELECT = ("CVL1", "CVL2", "CVL3", "CVL900", "CVL901")


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One ``[[tool.convlint.models]]``: a target and how to run it."""

    target: Target
    inputs: tuple[InputSpec, ...] = ()
    batch_size: int | None = None
    train: bool = False
    budgets: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration of a command; ``path`` is its file, None without one."""

    path: str | None = None
    select: tuple[str, ...] = DEFAULT_SELECT
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    exclude: tuple[str, ...] = ()
    fail_on: Severity = "warning"
    models: tuple[ModelEntry, ...] = ()

    @property
    def root(self) -> str:
        """The directory that paths in the configuration are relative to."""
        return os.path.dirname(self.path) if self.path else os.getcwd()

    def selects(self, code: str) -> bool:
        """Return True for a rule that runs: the longest matching prefix decides, a tie ignores the rule."""
        return _longest(self.select + self.extend_select, code) > _longest(self.ignore, code)

    def allows(self, finding: Finding) -> bool:
        """Return False for a finding that a per-file ignore removes."""
        return finding.site is None or self.allows_in(finding.site.path, finding.code)

    def allows_in(self, path: str, code: str) -> bool:
        """Return False for a code that a per-file ignore removes in a file."""
        path = os.path.relpath(os.path.abspath(path), self.root)
        return not any(
            _longest(prefixes, code) and _matches(path, pattern) for pattern, prefixes in self.per_file_ignores
        )

    def overridden(
        self,
        *,
        select: str | Iterable[str] = (),
        ignore: str | Iterable[str] = (),
        extend_select: str | Iterable[str] = (),
        exclude: Iterable[str] = (),
        fail_on: Severity | None = None,
    ) -> Config:
        """The configuration with the options of the command line over it.

        ``select`` and ``fail_on`` replace the values of the file, the others add to them. ``exclude`` has patterns
        relative to the working directory, several of them in one string. Raises UsageError for an unknown code.
        """
        patterns = (part.strip() for text in exclude for part in text.split(",") if part.strip())
        chosen = _codes(select, "--select")
        return replace(
            self,
            select=chosen or self.select,
            extend_select=self.extend_select + _codes(extend_select, "--extend-select"),
            ignore=self.ignore + _codes(ignore, "--ignore"),
            exclude=(*self.exclude, *(os.path.abspath(p) if "/" in p else p for p in patterns)),
            fail_on=fail_on or self.fail_on,
        )


def _longest(prefixes: tuple[str, ...], code: str) -> int:
    return max((len(prefix) for prefix in prefixes if code.startswith(prefix)), default=0)


def _matches(path: str, pattern: str) -> bool:
    """Match a path or a directory above it with a glob; a pattern without a slash matches the name."""
    from fnmatch import fnmatch

    pattern = os.path.normpath(pattern)
    parts = path.split(os.sep)
    if os.sep not in pattern:
        return any(fnmatch(part, pattern) for part in parts)
    return any(fnmatch(os.sep.join(parts[: end + 1]), pattern) for end in range(len(parts)))


# --- reading


def discover(start: str | None = None) -> Config:
    """The configuration in the nearest file upwards from ``start``, by default the working directory.

    In one directory convlint.toml comes before pyproject.toml; a pyproject.toml without ``[tool.convlint]`` is
    skipped. Raises UsageError.
    """
    folder = os.path.abspath(start or os.getcwd())
    while True:
        own = os.path.join(folder, "convlint.toml")
        if _is_there(own):
            return parse(_table(own), own)
        shared = os.path.join(folder, "pyproject.toml")
        if _is_there(shared) and _may_configure(shared):
            tool = _table(shared).get("tool", {})
            if "convlint" in tool:
                return parse(tool["convlint"], shared)
        above = os.path.dirname(folder)
        if above == folder:
            return Config()
        folder = above


def _is_there(path: str) -> bool:
    return os.path.exists(path) and not os.path.isdir(path)


def _may_configure(path: str) -> bool:
    """Search a pyproject.toml for a table of convlint before parsing it, which takes longer: most have none."""
    try:
        text = read_regular_file(path)
    except OSError:
        return True  # parsing it reports the error
    return b"convlint" in text and (re.search(_TABLE, text) is not None or b"\\" in text)


_TABLE = (
    rb"""(?mx) ["']?tool["']? \s*\.\s* ["']?convlint | ^\s* \[ \s*["']?tool["']?\s* \] | ^\s* ["']?tool["']? \s*="""
)
"""``tool.convlint``, or a table ``tool`` in which it may be. A quoted name may hold escapes."""


def _table(path: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(read_regular_file(path).decode())
    except RecursionError:
        raise UsageError(f"{os.path.relpath(path)}: nested too deeply") from None
    except OSError as error:
        raise UsageError(f"{os.path.relpath(path)} cannot be read: {error.strerror}") from None
    except ValueError as error:  # also for an invalid number or date
        raise UsageError(f"{os.path.relpath(path)}: {error}") from None


def parse(table: Any, path: str) -> Config:
    """The configuration in the parsed table of the file at ``path``. Raises UsageError."""
    from convlint.settings.schema import KEYS

    shown = os.path.relpath(path)
    if not isinstance(table, dict):
        raise UsageError(f"{shown}: the configuration must be a table")
    _require_valid(table, KEYS, shown)
    return Config(
        path=os.path.abspath(path),
        select=_codes(table["select"], f"{shown}: select") if "select" in table else DEFAULT_SELECT,
        ignore=_codes(table.get("ignore", []), f"{shown}: ignore"),
        extend_select=_codes(table.get("extend-select", []), f"{shown}: extend-select"),
        per_file_ignores=tuple(
            (pattern, _codes(codes, f"{shown}: per-file-ignores of {pattern!r}"))
            for pattern, codes in table.get("per-file-ignores", {}).items()
        ),
        exclude=_strings(table.get("exclude", [])),
        fail_on=table.get("fail-on", "warning"),
        models=tuple(
            _model(entry, f"{shown}: models[{position}]", os.path.dirname(os.path.abspath(path)))
            for position, entry in enumerate(table.get("models", []))
        ),
    )


def _require_valid(table: dict[str, Any], keys: tuple[Key, ...], where: str) -> None:
    """Raise UsageError for the first key that is unknown, missing, or has a value of the wrong form."""
    known = {key.name: key for key in keys}
    for name, value in table.items():
        if name not in known:
            raise UsageError(f"{where}: unknown key {name!r}{nearest(name, tuple(known))}")
        key = known[name]
        if not key.form.fits(value):
            raise UsageError(f"{where}: {name} must be {key.form.words}")
        if key.choices and value not in key.choices:
            raise UsageError(f"{where}: {name} {value!r} is unknown{nearest(value, key.choices)}")
    for key in keys:
        if key.needed and key.name not in table:
            raise UsageError(f"{where}: {key.name} must be {key.form.words}; it is missing")


def _strings(value: str | Iterable[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _codes(value: str | Iterable[str], where: str) -> tuple[str, ...]:
    """Parse codes, prefixes of codes and names of rules, several of them in one string.

    Raises UsageError for unknown ones.
    """
    known = tuple(all_codes())
    found = []
    for code in (part for text in _strings(value) for part in text.split(",")):
        prefix = "CVL" if code.strip().upper() == "ALL" else _code_named(code.strip()) or code.strip().upper()
        if not prefix.startswith("CVL") or not any(rule.startswith(prefix) for rule in known):
            typed = _code_of(prefix)
            is_digit = prefix[:3] == "CVL" and len(prefix) == 4
            near = "" if is_digit else nearest(typed, known, 0.8 if typed.startswith("CVL") else 0.5)
            hint = near if near.startswith("; did") else "; `convlint rule` lists all"
            if len(words := code.replace("*", "").split()) and _are_codes(words, known) and words != [code.strip()]:
                hint = f"; write {','.join(words)}: codes and prefixes, separated by commas"
            raise UsageError(f"{where}: no rule has the code {code.strip()!r}{hint}")
        found.append(prefix)
    return tuple(found)


def _are_codes(words: Sequence[str], known: Iterable[str]) -> bool:
    """Return True for codes of rules, and prefixes of codes."""
    return all(any(rule.startswith(word.upper()) for rule in known) for word in words)


def _code_named(name: str) -> str | None:
    """The code of the rule with this name."""
    return next((code for code, own in all_codes().items() if own == name.lower()), None)


def _code_of(name: str) -> str:
    """The code of the rule with a name that is similar to this or has it as a part; else this unchanged."""
    from difflib import get_close_matches

    names = {name.upper(): code for code, name in all_codes().items()}
    near = get_close_matches(name, names, 1) or [each for each in names if name in each.split("-")]
    return names[near[0]] if near else name


def _model(entry: Any, where: str, root: str) -> ModelEntry:
    if not isinstance(entry, dict):
        raise UsageError(f"{where}: must be a table")
    from convlint.settings import input_shapes, targets
    from convlint.settings.schema import MODEL_KEYS
    from convlint.support import quantities

    _require_valid(entry, MODEL_KEYS, where)
    try:
        target = _with_arguments(targets.parse_target(entry["target"]), entry.get("args"))
        if target.path is not None:
            target = replace(target, path=os.path.relpath(os.path.join(root, target.path)))
        return ModelEntry(
            target,
            tuple(input_shapes.parse_input(text) for text in _strings(entry.get("input", []))),
            entry.get("batch-size"),
            entry.get("train", False),
            {key: parse(entry[key], key) for key, parse in quantities.BUDGETS.items() if key in entry},
        )
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _with_arguments(target: Target, args: Any) -> Target:
    """The target with ``args``: the text of arguments, a list, or a table of keywords."""
    if args is None:
        return target
    if target.args or target.kwargs:
        raise UsageError(f"{target.text}: arguments given both in target and in `args`")
    if target.name is None:
        raise UsageError(f"{target.text} does not name a model, so `args` cannot be passed")
    if isinstance(args, list):
        args = ", ".join(map(repr, args))
    elif isinstance(args, dict):
        args = ", ".join(f"{name}={value!r}" for name, value in args.items())
    from convlint.settings.targets import parse_arguments

    positional, named = parse_arguments(args, target.name, "args")
    return replace(target, text=f"{target.text}({args})", args=positional, kwargs=named)
