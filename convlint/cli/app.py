"""The command line as typer reads it, with its help and its words for mistakes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

import convlint
from convlint.cli import commands
from convlint.cli.asked import OPTIONS, Asked
from convlint.cli.options import (
    TEXT,
    AddNoqa,
    Baseline,
    BatchSize,
    Between,
    BetweenOption,
    CacheDir,
    Color,
    Columns,
    CompareTo,
    Depth,
    Device,
    Diff,
    Dtype,
    Exclude,
    Executor,
    ExitNonZeroOnFix,
    ExitZero,
    Explain,
    ExtendSelect,
    FailOnOption,
    Fix,
    Flat,
    ForceExclude,
    Groups,
    Ignore,
    Input,
    InputFile,
    Isolated,
    Jobs,
    Kind,
    LayerGlob,
    MaxActivationBytes,
    MaxMacs,
    MaxMemory,
    MaxParams,
    Measure,
    MinSaving,
    ModelsOf,
    NoCache,
    OutputFile,
    OutputFormat,
    PageFormat,
    Pairs,
    Plain,
    Prove,
    Quiet,
    Results,
    Retry,
    SaveWeights,
    Select,
    ShowFiles,
    Sort,
    Statistics,
    StdinFilename,
    SuggestFormat,
    SuggestOutputFormat,
    TargetMacs,
    TargetParams,
    Targets,
    Timeout,
    Top,
    Traceback,
    Train,
    UnsafeFixes,
    UpdateBaseline,
    Watch,
    Weights,
    When,
    Write,
)
from convlint.usage import UsageError

app = typer.Typer(
    help="Finds the defects of PyTorch conv models at their lines: in their text, and by running them once.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


_MISUSE: Any = (
    typer.BadParameter.__base__
)  # typer does not export the class of all its usage errors

_INTERRUPTED = 130
"""What typer makes of Ctrl-C, without a word; its earlier versions raise Abort."""


def run() -> int:
    """Run what the command line says, and give the exit code."""
    try:
        code = app(prog_name="convlint", standalone_mode=False) or 0
    except _MISUSE as error:
        from convlint.cli.misuse import misuse  # noqa: PLC0415 - loaded when needed

        # The help where nothing was asked at all.
        text = misuse(error) if sys.argv[1:] else error.format_message()
        print(text, file=sys.stderr)
        return 2
    except typer.Abort:
        raise KeyboardInterrupt from None
    if code == _INTERRUPTED:
        raise KeyboardInterrupt
    return code


def _asked(given: dict[str, Any]) -> Asked:
    """The options as typer gives them; what was not given is None."""
    lists = {name: tuple(value) for name, value in given.items() if isinstance(value, list)}
    return Asked(**{n: v for n, v in {**given, **lists}.items() if v is not None})


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False,
) -> None:
    if version:
        typer.echo(f"convlint {convlint.__version__}")
        raise typer.Exit


@app.command()
def check(
    targets: Targets = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: ExtendSelect = None,
    fail_on: FailOnOption = None,
    exit_zero: ExitZero = False,
    isolated: Isolated = False,
    exclude: Exclude = None,
    force_exclude: ForceExclude = False,
    stdin_filename: StdinFilename = None,
    show_files: ShowFiles = False,
    fix: Fix = False,
    unsafe_fixes: UnsafeFixes = False,
    diff: Diff = False,
    exit_non_zero_on_fix: ExitNonZeroOnFix = False,
    add_noqa: AddNoqa = False,
    baseline: Baseline = None,
    update_baseline: UpdateBaseline = False,
    jobs: Jobs = None,
    no_cache: NoCache = False,
    cache_dir: CacheDir = None,
    watch: Watch = False,
    prove: Prove = False,
    models_of: ModelsOf = False,
    input: Input = None,
    input_file: InputFile = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    train: Train = False,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    max_params: MaxParams = None,
    max_macs: MaxMacs = None,
    max_activation_bytes: MaxActivationBytes = None,
    executor: Executor = None,
    output_format: OutputFormat = TEXT,
    output_file: OutputFile = None,
    compare_to: CompareTo = None,
    statistics: Statistics = False,
    quiet: Quiet = False,
    columns: Columns = None,
    depth: Depth = None,
    sort: Sort = None,
    flat: Flat = False,
    color: Color = When.AUTO,
    traceback: Traceback = False,
) -> None:
    """Find defects in the text of files, and in models that are run.

    Exits with 0 if nothing was found, 1 for findings, and 2 if something could not be checked.
    """
    raise typer.Exit(commands.check(_asked(dict(locals()))))


@app.command(short_help="Table the layers of a model with their costs.")
def summary(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="path.py:Name, as for check.")],
    input: Input = None,
    input_file: InputFile = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    train: Train = False,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    output_format: OutputFormat = TEXT,
    output_file: OutputFile = None,
    columns: Columns = None,
    depth: Depth = None,
    sort: Sort = None,
    flat: Flat = False,
    color: Color = When.AUTO,
    traceback: Traceback = False,
) -> None:
    """Table the layers of a model: shapes, parameters, multiply-accumulates and memory."""
    given = {name: value for name, value in locals().items() if name != "target"}
    raise typer.Exit(commands.summary(target, _asked(given)))


@app.command(short_help="Propose cheaper layers, each verified by a run.")
def suggest(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="path.py:Name, as for check.")],
    kind: Kind = None,
    groups: Groups = "auto",
    pairs: Pairs = 1,
    between: BetweenOption = Between.NONE,
    layer: LayerGlob = None,
    min_saving: MinSaving = "0",
    top: Top = None,
    target_params: TargetParams = None,
    target_macs: TargetMacs = None,
    explain: Explain = False,
    write: Write = False,
    measure: Measure = False,
    weights: Weights = None,
    save_weights: SaveWeights = None,
    input: Input = None,
    input_file: InputFile = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    output_format: SuggestOutputFormat = SuggestFormat.TEXT,
    output_file: OutputFile = None,
    color: Color = When.AUTO,
    traceback: Traceback = False,
) -> None:
    """Propose cheaper layers as a diff, each verified by running the rewritten model.

    Prints what each saves, the totals, and a diff that git apply takes. Exits with 0, also if there is nothing
    to rewrite, and with 2 if something could not be done.
    """
    from convlint.cli import suggest as command  # noqa: PLC0415 - loaded when needed

    given = dict(locals())
    own = {name: given[name] for name in command.Wanted.__dataclass_fields__}
    own = {name: tuple(v) if isinstance(v, list) else v for name, v in own.items() if v is not None}
    rest = {name: v for name, v in given.items() if name in OPTIONS}
    raise typer.Exit(command.suggest(target, _asked(rest), command.Wanted(**own)))


@app.command(short_help="Run many models, and keep what came of each.")
def sweep(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...",
            help="Models as for check, or patterns: 'timm:resnet*', 'nets.py:*', 'package.module:*(groups=8)'. "
            "Without one: the models configured in [tool.convlint].",
            show_default=False,
        ),
    ] = None,
    results: Results = "convlint-sweep.jsonl",
    retry: Retry = False,
    jobs: Jobs = None,
    executor: Executor = None,
    select: Select = None,
    ignore: Ignore = None,
    extend_select: ExtendSelect = None,
    fail_on: FailOnOption = None,
    exit_zero: ExitZero = False,
    isolated: Isolated = False,
    input: Input = None,
    batch_size: BatchSize = None,
    device: Device = "cpu",
    dtype: Dtype = None,
    train: Train = False,
    timeout: Timeout = 120.0,
    max_memory: MaxMemory = None,
    quiet: Quiet = False,
) -> None:
    """Run all models that patterns stand for, and write what came of each to a file as soon as it is there.

    A sweep that was interrupted goes on where it was: what the file has already is not run again. A model that takes
    too much memory is run on the meta device. Exits as check does.
    """
    from convlint.cli import sweep as command  # noqa: PLC0415 - loaded when needed

    given = dict(locals())
    asked = _asked({name: given[name] for name in OPTIONS if name in given and name != "targets"})
    raise typer.Exit(command.sweep(targets or [], results, asked, retry=retry))


@app.command(short_help="Write the first settings of a project.")
def init(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PATH]...", help="Where to look for models. [default: .]"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Write without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would be written, and write nothing.")
    ] = False,
) -> None:
    """Look for the models of a project, and write their targets and inputs into its settings.

    Files are read, nothing is imported or run. The settings go to [tool.convlint] at the end of pyproject.toml, or
    to convlint.toml where there is none. Exits with 2 if there are settings already.
    """
    from convlint.cli import init as command  # noqa: PLC0415 - loaded when needed

    raise typer.Exit(command.init(paths or [], yes=yes, dry_run=dry_run))


@app.command(short_help="Serve an editor over the Language Server Protocol.")
def server(
    baseline: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Do not tell what is in it; a path in each project."),
    ] = None,
    stdio: Annotated[  # noqa: ARG001 - there is no other way yet, and some editors say so
        bool, typer.Option("--stdio", help="Speak on stdin and stdout, as without it.")
    ] = False,
) -> None:
    """Tell an editor what is found as you type, and run models when it asks for it.

    Needs pygls: pip install 'convlint[lsp]'.
    """
    from convlint.server import serve  # noqa: PLC0415 - loaded when needed

    raise typer.Exit(serve(baseline))


@app.command()
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="CVL301 or its name.")
    ] = None,
    output_format: PageFormat = Plain.TEXT,
) -> None:
    """Show one rule's page, or the list of all rules."""
    from convlint import pages  # noqa: PLC0415 - loaded when needed

    try:
        text = pages.page(code, output_format) if code else pages.listing(output_format)
    except pages.UnknownRuleError as error:
        raise UsageError(str(error)) from None
    typer.echo(text.rstrip("\n"))
