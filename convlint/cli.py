"""The command line: options in, a report out. No logic of its own."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Annotated, Any

import typer

import convlint
from convlint import config, run
from convlint.model import Report
from convlint.targets import (
    DEVICES,
    MODEL_DTYPES,
    InputSpec,
    UsageError,
    check_choice,
    parse_bytes,
    parse_input,
    parse_target,
)
from convlint.trace.client import Answer, Worker

app = typer.Typer(
    help="Runs a PyTorch conv model once, tables its layers, and names every defect at its line.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_started: list[Worker] = []


class Format(StrEnum):
    TEXT = "text"
    JSON = "json"


class FailOn(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class When(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def main(worker: Worker | None = None) -> None:
    """Run the command line; ``worker`` is one that was started already."""
    if worker is not None:
        _started.append(worker)
    try:
        code = app(prog_name="convlint", standalone_mode=False)
    except UsageError as error:
        typer.echo(f"convlint: {error}", err=True)
        raise SystemExit(2) from None
    except _MISUSE as error:
        typer.echo(_misuse(error), err=True)
        raise SystemExit(2) from None
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("convlint: interrupted", err=True)
        raise SystemExit(130) from None
    except BrokenPipeError:  # `convlint ... | head`
        sys.stderr.close()
        raise SystemExit(141) from None
    raise SystemExit(code or 0)


_MISUSE: Any = (
    typer.BadParameter.__base__
)  # typer does not export the class of all its usage errors


def _misuse(error: Any) -> str:
    """One line for what typer could not parse; the help where nothing was asked at all."""
    message = " ".join(error.format_message().split())
    if not sys.argv[1:]:
        return str(error.format_message())
    command = error.ctx.command_path if error.ctx else "convlint"
    return f"{command}: {message} ({command} --help lists what there is)"


Input = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SHAPE",
        help="One sample without its batch dimension: 3,224,224; name=3,224,224; 128:int64. Repeatable.",
    ),
]
InputFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Tensors saved with torch.save.")
]
BatchSize = Annotated[int | None, typer.Option(min=1, help="Samples in a batch.  [default: 1]")]
Device = Annotated[str, typer.Option(help="cpu, cuda, or meta for shapes without values.")]
Dtype = Annotated[str | None, typer.Option(help="Run the model and its inputs as this dtype.")]
Train = Annotated[bool, typer.Option("--train", help="Run in training mode.")]
Timeout = Annotated[
    float, typer.Option(min=0.1, metavar="SECONDS", help="Time limit of one model.")
]
MaxMemory = Annotated[
    str | None, typer.Option(metavar="BYTES", help="Memory limit of one model: 4GB, 512MiB.")
]
OutputFormat = Annotated[Format, typer.Option(help="How to print.")]
Columns = Annotated[str | None, typer.Option(metavar="NAMES", help="Columns: name,params,macs ...")]
Depth = Annotated[int | None, typer.Option(min=0, help="Sum up modules that lie deeper.")]
Sort = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Sort by a column; implies --flat.")
]
Flat = Annotated[bool, typer.Option("--flat", help="List layers instead of the module tree.")]
Color = Annotated[When, typer.Option(help="Colour the output.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show the tracebacks of what failed.")]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        typer.echo(f"convlint {convlint.__version__}")
        raise typer.Exit


@app.command()
def check(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="path.py:Name, 'path.py:Name(64, groups=8)' or package.module:Name. "
            "Without one: the models configured in [tool.convlint].",
            show_default=False,
        ),
    ] = None,
    input: Input = None,
    input_file: InputFile = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    train: Train = False,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    max_params: Annotated[str | None, typer.Option(metavar="N", help="Budget: 5M.")] = None,
    max_macs: Annotated[str | None, typer.Option(metavar="N", help="Budget: 4G.")] = None,
    max_activation_bytes: Annotated[
        str | None, typer.Option(metavar="BYTES", help="Budget: 512MB.")
    ] = None,
    select: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="Only these rules.")
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="Not these rules.")
    ] = None,
    extend_select: Annotated[
        list[str] | None, typer.Option(metavar="CODES", help="These rules as well.")
    ] = None,
    fail_on: Annotated[
        FailOn | None,
        typer.Option(help="Least severity that gives exit code 1.  [default: warning]"),
    ] = None,
    exit_zero: Annotated[
        bool, typer.Option("--exit-zero", help="Exit with 0 in spite of findings.")
    ] = False,
    output_format: OutputFormat = Format.TEXT,
    columns: Columns = None,
    depth: Depth = None,
    sort: Sort = None,
    flat: Flat = False,
    color: Color = When.AUTO,
    traceback: Traceback = False,
) -> None:
    """Find defects in models, and table their layers.

    Exits with 0 if nothing was found, 1 for findings, and 2 if something could not be checked.
    """
    settings = config.discover().overridden(
        select=select or (),
        ignore=ignore or (),
        extend_select=extend_select or (),
        fail_on=fail_on.value if fail_on else None,
    )
    if not targets and not settings.models:
        raise UsageError(
            "nothing to check: name a target such as net.py:Net, or configure [[tool.convlint.models]]"
        )
    budgets = {
        "max-params": max_params,
        "max-macs": max_macs,
        "max-activation-bytes": max_activation_bytes,
    }
    options = run.Options(
        inputs=_inputs(input),
        input_file=input_file,
        batch_size=batch_size,
        device=_one_of(device, DEVICES, "--device") or "cpu",
        dtype=_one_of(dtype, MODEL_DTYPES, "--dtype"),
        train=train,
        budgets={k: config.BUDGETS[k](v, f"--{k}") for k, v in budgets.items() if v is not None},
        timeout=timeout,
        max_memory=None if max_memory is None else parse_bytes(max_memory, "--max-memory"),
    )
    shown = _Shown(output_format, columns, depth, sort, flat, color, traceback)
    jobs = run.jobs([parse_target(text) for text in targets or []], options, settings)
    with _running() as run_job:
        report = run.check(jobs, run_job, settings)
    shown.print(report)
    code = report.exit_code(settings.fail_on)
    raise typer.Exit(0 if exit_zero and code == 1 else code)


@app.command()
def summary(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="As for check.")],
    input: Input = None,
    input_file: InputFile = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    train: Train = False,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    output_format: OutputFormat = Format.TEXT,
    columns: Columns = None,
    depth: Depth = None,
    sort: Sort = None,
    flat: Flat = False,
    color: Color = When.AUTO,
    traceback: Traceback = False,
) -> None:
    """Table the layers of a model: shapes, parameters, multiply-accumulates and memory."""
    settings = config.discover()
    options = run.Options(
        inputs=_inputs(input),
        input_file=input_file,
        batch_size=batch_size,
        device=_one_of(device, DEVICES, "--device") or "cpu",
        dtype=_one_of(dtype, MODEL_DTYPES, "--dtype"),
        train=train,
        timeout=timeout,
        max_memory=None if max_memory is None else parse_bytes(max_memory, "--max-memory"),
    )
    shown = _Shown(output_format, columns, depth, sort, flat, color, traceback)
    jobs = run.jobs([parse_target(target)], options, settings)
    with _running() as run_job:
        report = run.summary(jobs, run_job, settings)
    shown.print(report, linted=False)
    raise typer.Exit(report.exit_code())


@app.command()
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="CVL301 or its name.")
    ] = None,
    output_format: OutputFormat = Format.TEXT,
) -> None:
    """Show one rule's page, or the list of all rules."""
    from convlint import pages  # noqa: PLC0415 - loaded when needed

    try:
        text = pages.page(code, output_format) if code else pages.listing(output_format)
    except pages.UnknownRuleError as error:
        raise UsageError(str(error)) from None
    typer.echo(text.rstrip("\n"))


# --- in


def _inputs(texts: list[str] | None) -> tuple[InputSpec, ...]:
    return tuple(parse_input(text) for text in texts or ())


def _one_of(value: str | None, choices: tuple[str, ...], option: str) -> str | None:
    if value is not None:
        check_choice(value, choices, option)
    return value


@contextmanager
def _running() -> Iterator[run.Run]:
    """Runs jobs in the worker; says which on a terminal if it takes more than a second."""
    with _started.pop() if _started else Worker() as worker:

        def run_job(job: Any) -> Answer:
            told = threading.Timer(1.0, _tell, [f"convlint: running {job.target.text} ..."])
            told.daemon = True
            if sys.stderr.isatty():
                told.start()
            try:
                return worker.run(job)
            finally:
                told.cancel()

        yield run_job


def _tell(text: str) -> None:
    typer.echo(text, err=True)


# --- out


class _Shown:
    """How a report is printed; bad names of columns are refused before anything runs."""

    def __init__(
        self,
        output_format: Format,
        columns: str | None,
        depth: int | None,
        sort: str | None,
        flat: bool,
        color: When,
        traceback: bool,
    ) -> None:
        from convlint.outputs.table import TableOptions  # noqa: PLC0415 - loaded when needed

        names = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
        try:
            self._table = TableOptions(columns=names, depth=depth, sort=sort, flat=flat)
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._format = output_format
        self._color = color
        self._traceback = traceback

    def print(self, report: Report, *, linted: bool = True) -> None:
        if self._format is Format.JSON:
            from convlint.outputs import json_  # noqa: PLC0415 - loaded when needed

            typer.echo(json_.render(report).rstrip("\n"))
            return
        from convlint.outputs import text  # noqa: PLC0415 - loaded when needed
        from convlint.outputs.terminal import terminal  # noqa: PLC0415 - loaded when needed

        width, color = terminal(sys.stdout)
        if self._color is not When.AUTO:
            color = self._color is When.ALWAYS
        sys.stdout.write(
            text.render(report, table=self._table, width=width, color=color, verdict=linted)
        )
        if self._traceback:
            failures = [model.graph.failure for model in report.models]
            for failed in (*report.problems, *failures):
                if failed is not None and failed.traceback:
                    typer.echo(failed.traceback.rstrip(), err=True)
