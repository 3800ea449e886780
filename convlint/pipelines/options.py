"""Declare the options of a command as the fields of its request.

An option is written once, with its type, default, help panel and help text:

    jobs: int = option(1, EXECUTION, "N", "Number of files to check in parallel.", short="-j")

``cli.app`` makes typer's commands of these fields, ``cli.fast_path`` reads plain command lines by them, and the
pipelines read their values. No dataclass: creating one with so many fields takes as long as a tenth of a check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar, cast

ARGUMENTS = "Arguments"

T = TypeVar("T")
Parse = Callable[[Any, str], object]


class Option:
    """One option or positional argument of a command.

    ``kind`` is the type of a value on the command line; ``parse`` converts such a value, given the name of the option
    for error messages. ``alias`` is an old name that the help does not list. ``note`` is the default in words if the
    field's default is not informative. ``models_only``: it has no effect on files. ``commands`` have the option, ()
    stands for all commands of the request. ``advanced``: only ``--help-all`` lists it, in these commands or in all.
    ``brief`` is its text in ``--help`` if the first sentence does not fit on a line.
    """

    name = ""
    kind: type = str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    parse: Parse | None = None
    short = ""
    alias = ""
    note = ""
    required = False
    models_only = False
    advanced: bool | tuple[str, ...] = False
    brief = ""
    commands: tuple[str, ...] = ()

    def __init__(self, default: object, panel: str, metavar: str, help: str, **more: Any) -> None:
        self.default, self.panel, self.metavar, self.help = default, panel, metavar, help
        vars(self).update(more)

    def __set_name__(self, owner: type[Request], name: str) -> None:
        self.name = name

    def __get__(self, request: Request | None, owner: type[Request]) -> object:
        """The default, for a request that has no value of its own."""
        return self if request is None else self.default

    @property
    def flag(self) -> str:
        """``--max-params``."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def flags(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.flag, self.short, self.alias)))

    @property
    def is_switch(self) -> bool:
        return self.default is False

    @property
    def is_repeatable(self) -> bool:
        return isinstance(self.default, tuple)

    def is_common(self, command: str) -> bool:
        """Return True if ``--help`` of this command lists the option."""
        return not (self.advanced if isinstance(self.advanced, bool) else command in self.advanced)

    def help_row(self) -> tuple[str, str]:
        """The option with its metavar, and its help text with the default."""
        default = self.note
        if not default and self.default not in (None, False, ()):
            default = f"{self.default:g}" if self.kind is float else str(self.default)
        return self._names, f"{self.help}  [default: {default}]" if default else self.help

    def brief_row(self) -> tuple[str, str]:
        """The option with its metavar, and what fits on one line of its help text."""
        sentence = self.help.partition(". ")[0].removesuffix(".")
        return self._names, self.brief or f"{sentence.partition(', for example')[0]}."

    @property
    def _names(self) -> str:
        if self.panel == ARGUMENTS:
            return f"{self.metavar}{'...' * self.is_repeatable}"
        return f"{', '.join(filter(None, (self.short, self.flag)))} {self.metavar}".rstrip()


class Request:
    """The options of one command line; a field that was not given has its default."""

    def __init__(self, **values: object) -> None:
        vars(self).update(values)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(getattr(self, name) == getattr(other, name) for name in self.options())

    __hash__ = None  # type: ignore[assignment]  # not hashable, as it is compared by value

    @classmethod
    def options(cls, command: str | None = None) -> dict[str, Option]:
        """The options by the names of their fields, a subclass's own first; for None those of all commands."""
        found: dict[str, Option] = {}
        for owner in cls.__mro__:
            for name, value in vars(owner).items():
                if isinstance(value, Option):
                    found.setdefault(name, value)
        return {
            name: option
            for name, option in found.items()
            if command is None or not option.commands or command in option.commands
        }

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """The request of values as the command line has them. Raises UsageError."""
        options = cls.options()
        parsed = dict(values)
        for name, value in values.items():
            option = options[name]
            if option.parse is None:
                continue
            if option.is_repeatable:
                parsed[name] = tuple(option.parse(part, option.flag) for part in value)
            else:
                parsed[name] = option.parse(value, option.flag)
        return cls(**parsed)


def option(default: T, panel: str, metavar: str, help: str, **more: Any) -> T:
    """An option with a value; ``more`` are arguments of ``Option``."""
    return cast("T", Option(default, panel, metavar, help, **more))


def switch(panel: str, help: str, **more: Any) -> bool:
    """An option without a value, which is off by default."""
    return cast("bool", Option(False, panel, "", help, **more))
