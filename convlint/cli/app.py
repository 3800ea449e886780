"""The command line as typer reads it, with its help and its words for mistakes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

import convlint
from convlint.cli import commands
from convlint.cli import options as opt
from convlint.cli.check_options import OPTIONS, Asked
from convlint.support.errors import UsageError

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
        from convlint.cli.usage_errors import misuse

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
    targets: opt.Targets = None,
    select: opt.Select = None,
    ignore: opt.Ignore = None,
    extend_select: opt.ExtendSelect = None,
    fail_on: opt.FailOnOption = None,
    exit_zero: opt.ExitZero = False,
    isolated: opt.Isolated = False,
    exclude: opt.Exclude = None,
    force_exclude: opt.ForceExclude = False,
    stdin_filename: opt.StdinFilename = None,
    show_files: opt.ShowFiles = False,
    fix: opt.Fix = False,
    unsafe_fixes: opt.UnsafeFixes = False,
    diff: opt.Diff = False,
    exit_non_zero_on_fix: opt.ExitNonZeroOnFix = False,
    add_noqa: opt.AddNoqa = False,
    baseline: opt.Baseline = None,
    update_baseline: opt.UpdateBaseline = False,
    jobs: opt.Jobs = None,
    no_cache: opt.NoCache = False,
    cache_dir: opt.CacheDir = None,
    watch: opt.Watch = False,
    prove: opt.Prove = False,
    models_of: opt.ModelsOf = False,
    input: opt.Input = None,
    input_file: opt.InputFile = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = "cpu",
    dtype: opt.Dtype = None,
    train: opt.Train = False,
    timeout: opt.Timeout = 120.0,
    max_memory: opt.MaxMemory = None,
    max_params: opt.MaxParams = None,
    max_macs: opt.MaxMacs = None,
    max_activation_bytes: opt.MaxActivationBytes = None,
    executor: opt.Executor = None,
    output_format: opt.OutputFormat = opt.TEXT,
    output_file: opt.OutputFile = None,
    compare_to: opt.CompareTo = None,
    statistics: opt.Statistics = False,
    quiet: opt.Quiet = False,
    columns: opt.Columns = None,
    depth: opt.Depth = None,
    sort: opt.Sort = None,
    flat: opt.Flat = False,
    color: opt.Color = opt.When.AUTO,
    traceback: opt.Traceback = False,
) -> None:
    """Find defects in the text of files, and in models that are run.

    Exits with 0 if nothing was found, 1 for findings, and 2 if something could not be checked.
    """
    raise typer.Exit(commands.check(_asked(dict(locals()))))


@app.command(short_help="Table the layers of a model with their costs.")
def summary(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="path.py:Name, as for check.")],
    input: opt.Input = None,
    input_file: opt.InputFile = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = "cpu",
    dtype: opt.Dtype = None,
    train: opt.Train = False,
    timeout: opt.Timeout = 120.0,
    max_memory: opt.MaxMemory = None,
    output_format: opt.OutputFormat = opt.TEXT,
    output_file: opt.OutputFile = None,
    columns: opt.Columns = None,
    depth: opt.Depth = None,
    sort: opt.Sort = None,
    flat: opt.Flat = False,
    color: opt.Color = opt.When.AUTO,
    traceback: opt.Traceback = False,
) -> None:
    """Table the layers of a model: shapes, parameters, multiply-accumulates and memory."""
    given = {name: value for name, value in locals().items() if name != "target"}
    raise typer.Exit(commands.summary(target, _asked(given)))


@app.command(short_help="Propose cheaper layers, each verified by a run.")
def suggest(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="path.py:Name, as for check.")],
    kind: opt.Kind = None,
    groups: opt.Groups = "auto",
    pairs: opt.Pairs = 1,
    between: opt.BetweenOption = opt.Between.NONE,
    layer: opt.LayerGlob = None,
    min_saving: opt.MinSaving = "0",
    top: opt.Top = None,
    target_params: opt.TargetParams = None,
    target_macs: opt.TargetMacs = None,
    explain: opt.Explain = False,
    write: opt.Write = False,
    measure: opt.Measure = False,
    weights: opt.Weights = None,
    save_weights: opt.SaveWeights = None,
    input: opt.Input = None,
    input_file: opt.InputFile = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = "cpu",
    dtype: opt.Dtype = None,
    timeout: opt.Timeout = 120.0,
    max_memory: opt.MaxMemory = None,
    output_format: opt.SuggestOutputFormat = opt.SuggestFormat.TEXT,
    output_file: opt.OutputFile = None,
    color: opt.Color = opt.When.AUTO,
    traceback: opt.Traceback = False,
) -> None:
    """Propose cheaper layers as a diff, each verified by running the rewritten model.

    Prints what each saves, the totals, and a diff that git apply takes. Exits with 0, also if there is nothing
    to rewrite, and with 2 if something could not be done.
    """
    from convlint.cli import suggest as command

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
    results: opt.Results = "convlint-sweep.jsonl",
    retry: opt.Retry = False,
    jobs: opt.Jobs = None,
    executor: opt.Executor = None,
    select: opt.Select = None,
    ignore: opt.Ignore = None,
    extend_select: opt.ExtendSelect = None,
    fail_on: opt.FailOnOption = None,
    exit_zero: opt.ExitZero = False,
    isolated: opt.Isolated = False,
    input: opt.Input = None,
    batch_size: opt.BatchSize = None,
    device: opt.Device = "cpu",
    dtype: opt.Dtype = None,
    train: opt.Train = False,
    timeout: opt.Timeout = 120.0,
    max_memory: opt.MaxMemory = None,
    quiet: opt.Quiet = False,
) -> None:
    """Run all models that patterns stand for, and write what came of each to a file as soon as it is there.

    A sweep that was interrupted goes on where it was: what the file has already is not run again. A model that takes
    too much memory is run on the meta device. Exits as check does.
    """
    from convlint.cli import sweep as command

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
    from convlint.cli import init as command

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
    from convlint.integrations.lsp import serve

    raise typer.Exit(serve(baseline))


@app.command()
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="[CODE]", help="CVL301 or its name.")
    ] = None,
    output_format: opt.PageFormat = opt.Plain.TEXT,
) -> None:
    """Show one rule's page, or the list of all rules."""
    from convlint.docsgen import rule_pages

    try:
        text = rule_pages.page(code, output_format) if code else rule_pages.listing(output_format)
    except rule_pages.UnknownRuleError as error:
        raise UsageError(str(error)) from None
    typer.echo(text.rstrip("\n"))
