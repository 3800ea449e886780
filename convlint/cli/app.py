"""The command line as typer reads it, made from the table of options."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, cast

import typer
from typer.core import TyperCommand

import convlint
from convlint.cli import completion
from convlint.pipelines import requests
from convlint.pipelines.options import ARGUMENTS, Option, Request

if TYPE_CHECKING:
    from convlint.runtime.worker.client import Worker

COMMANDS: dict[str, tuple[type[Request], str]] = {
    "check": (
        requests.CheckRequest,
        ("Check files and models for bugs.\nExit codes: 0 no findings, 1 findings, 2 something could not be checked."),
    ),
    "summary": (
        requests.SummaryRequest,
        "Print the layers of a model with shapes, parameters, multiply-accumulates and memory.",
    ),
    "suggest": (
        requests.SuggestRequest,
        (
            "Suggest cheaper layers as a diff for git apply, each verified by a run.\n"
            "Exit codes: 0 also without suggestions, 2 something could not be done."
        ),
    ),
    "sweep": (
        requests.SweepRequest,
        (
            "Run many models and append the result of each to a file.\n"
            "An interrupted sweep resumes: models that have a result in the file are not run again. A model that "
            "exceeds the memory limit is run on the meta device. Exit codes are those of check."
        ),
    ),
    "init": (
        requests.InitRequest,
        (
            "Write an initial configuration with the models of a project.\n"
            "Finds models and their inputs statically and appends [tool.convlint] to pyproject.toml, or writes "
            "convlint.toml if there is none. Exits with code 2 if there is a configuration already."
        ),
    ),
    "server": (
        requests.ServerRequest,
        (
            "Start the language server for editors.\n"
            "Reports findings as you type, and runs models on request. Needs pygls: pip install pygls."
        ),
    ),
    "rule": (requests.RuleRequest, "Print the page of a rule, or the list of all rules."),
}
"""The request and the help text of each command; ``convlint.cli.NAME.run`` runs it."""

_UsageError: Any = typer.BadParameter.__base__  # typer does not export the class of its usage errors
_COMPLETIONS: dict[str, Callable[..., Any]] = {
    "TARGET": completion.complete_target,
    **dict.fromkeys(("CODE", "CODES"), completion.complete_code),
    **dict.fromkeys(("COLUMN", "NAMES"), completion.complete_column),
    "KIND": completion.complete_kind,
}
"""The values that a shell completes, by the placeholder of an option."""

_INTERRUPTED = 130  # what typer returns after Ctrl-C; its earlier versions raise Abort


def run(worker: Worker | None = None) -> int:
    """Run the command line and return the exit code. ``worker`` is a worker process that has been started already."""
    if os.environ.get("_CONVLINT_COMPLETE") == "complete_bash":
        return completion.complete_for_bash(lambda: _run(worker))
    return _run(worker)


def _run(worker: Worker | None) -> int:
    try:
        code: int = _app(worker)(prog_name="convlint", standalone_mode=False) or 0
    except _UsageError as error:
        from convlint.cli.usage_errors import message_of
        from convlint.outputs.parts.terminal import message

        # Without any arguments the message is the help.
        text = message(message_of(error)) if sys.argv[1:] else error.format_message()
        print(text, file=sys.stderr)
        return 2
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _app(worker: Worker | None) -> typer.Typer:
    app = typer.Typer(
        help="Linter for PyTorch convolutional models: checks files statically, and models by running them once.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(invoke_without_command=True)(_version)
    for name, (request, text) in COMMANDS.items():
        options = request.options(name)
        command = type("_CommandWithOptions", (_Command,), {"options": options})
        short = text.partition("\n")[0]
        app.command(name, cls=command, help=text, short_help=short)(_function(name, request, options, worker))
    return app


def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        typer.echo(f"convlint {convlint.__version__}")
        raise typer.Exit


def _function(
    name: str, request: type[Request], options: Mapping[str, Option], worker: Worker | None
) -> Callable[..., None]:
    """The function that typer calls, with one parameter for each option."""

    def command(**values: Any) -> None:
        del values["help_all"]  # it has been printed
        given = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in values.items()
            if value is not None and value is not False
        }
        raise typer.Exit(importlib.import_module(f"convlint.cli.{name}").run(request.parse(given), worker))

    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=_annotation(option),
            default=inspect.Parameter.empty if option.required else _default(option),
        )
        for name, option in options.items()
    ]
    all_options = Annotated[bool, typer.Option("--help-all", is_eager=True, callback=_help_all)]
    parameters.append(
        inspect.Parameter("help_all", inspect.Parameter.KEYWORD_ONLY, annotation=all_options, default=False)
    )
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    cast("Any", command).__signature__ = inspect.Signature(parameters)
    return command


def _default(option: Option) -> bool | None:
    """The value of an option that was not given; the request has the defaults."""
    return False if option.is_switch else None


def _annotation(option: Option) -> Any:
    """The type of an option, and its description for typer."""
    kind: Any = Literal[option.choices] if option.choices else option.kind
    if option.is_switch:
        kind = bool
    elif not option.required:
        kind = (list[kind] if option.is_repeatable else kind) | None
    if option.panel == ARGUMENTS:
        return Annotated[
            kind, typer.Argument(metavar=option.metavar, help=option.help, autocompletion=_completion(option))
        ]
    description = typer.Option(
        *option.flags,
        metavar=option.metavar or None,
        help=option.help,
        min=option.minimum,
        show_default=False,
        rich_help_panel=option.panel,
        autocompletion=_completion(option),
    )
    return Annotated[kind, description]


def _completion(option: Option) -> Callable[..., Any] | None:
    return _COMPLETIONS.get(option.metavar)


class _Command(TyperCommand):
    """A command whose help has a section for each panel, each with an example.

    It lists the common options, or all of them after ``--help-all``, but never the old names of options.
    """

    options: ClassVar[Mapping[str, Option]] = {}
    lists_all = False

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """Refuse an option with one value that is given twice: the parser would take the last without a word."""
        _, _, order = self.make_parser(ctx).parse_args(args=[*args])
        options = [param for param in order if param.param_type_name == "option"]
        once = [param for param in options if not param.multiple and not getattr(param, "is_flag", False)]
        if twice := [param for param in once if once.count(param) > 1]:
            raise _UsageError(f"{twice[0].opts[0]} is given twice; pass it once", ctx=ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        options = [*self.options.values()]
        common = [option for option in options if option.is_common(self.name or "")]
        if len(common) < len(options) and not self.lists_all:
            self._format_common(ctx, formatter, common, len(options) - len(common))
            return
        for panel, listed in _by_panel(options):
            formatter.write_paragraph()
            _section(formatter, panel, self._example(ctx, panel), [option.help_row() for option in listed])
        rows = [("-h, --help", "Print the common options." if self.lists_all else "Print this help.")]
        if self.lists_all:
            rows.append(("--help-all", "Print all options."))
        formatter.write_paragraph()
        _section(formatter, "Help", "", rows)

    def _format_common(self, ctx: Any, formatter: Any, common: Iterable[Option], hidden: int) -> None:
        """Write the common options, each on a line and without empty ones: a screen of 24 lines has to show all."""
        formatter.write_paragraph()
        rows = {option.name: option.brief_row() for option in common}
        width = max(len(names) for names, _ in rows.values())
        for panel, listed in _by_panel(common):
            aligned = [(rows[option.name][0].ljust(width), rows[option.name][1]) for option in listed]
            if panel == ARGUMENTS:
                _options(formatter, aligned)
            else:
                _section(formatter, panel, self._example(ctx, panel), aligned)
        formatter.write(f"{_bold('--help-all')} prints {hidden} more options.\n")

    def _example(self, ctx: Any, panel: str) -> str:
        """The example of a panel; empty if this command lacks one of its options."""
        arguments = requests.EXAMPLES.get(panel, "")
        known = {flag for option in self.options.values() for flag in option.flags}
        words = arguments.split()
        takes_all = {word for word in words if word.startswith("-")} <= known
        is_file = not any(":" in word for word in words)
        if not takes_all or (is_file and self.name != "check"):
            return ""
        return f"{ctx.command_path} {arguments}" if words else ""


def _by_panel(options: Iterable[Option]) -> Iterator[tuple[str, list[Option]]]:
    """The panels that have options, and these."""
    for panel in requests.PANELS:
        if listed := [option for option in options if option.panel == panel]:
            yield panel, listed


def _section(formatter: Any, title: str, example: str, rows: list[tuple[str, str]]) -> None:
    """Write a title with an example next to it, and the options below."""
    formatter.write(f"{_bold(title)}:{f'  {_dim(example)}' if example else ''}\n")
    _options(formatter, rows)


def _options(formatter: Any, rows: list[tuple[str, str]]) -> None:
    formatter.indent()
    formatter.write_dl(rows)
    formatter.dedent()


def _help_all(ctx: typer.Context, value: bool) -> None:
    if value and isinstance(ctx.command, _Command):
        ctx.command.lists_all = True
        typer.echo(ctx.get_help())
        raise typer.Exit


def _bold(text: str) -> str:
    return typer.style(text, bold=True) if sys.stdout.isatty() else text


def _dim(text: str) -> str:
    return typer.style(text, dim=True) if sys.stdout.isatty() else text
