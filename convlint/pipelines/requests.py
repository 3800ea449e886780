"""The table of options: the request of each command, with types, defaults, help panels and help texts.

Options are laid out by hand, one paragraph each, so that the table can be read as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from convlint.ir import SEVERITIES
from convlint.outputs import formats
from convlint.pipelines.options import ARGUMENTS, Request, option, switch
from convlint.settings.devices import DEVICES, MODEL_DTYPES
from convlint.support.errors import UsageError, check_choice

if TYPE_CHECKING:
    from convlint.ir import IntermediateLayers, Severity
    from convlint.settings.input_shapes import InputSpec

RULES = "Rule selection"
FILES = "Files"
MODELS = "Models and inputs"
FIXES = "Fixes"
OUTPUT = "Output"
EXECUTION = "Cache and cluster"
REWRITES = "Rewrites"

SWEEP_RESULTS = "convlint-sweep.jsonl"

PANELS = (ARGUMENTS, REWRITES, RULES, FILES, MODELS, FIXES, OUTPUT, EXECUTION)
"""The panels of the help, in their order."""

EXAMPLES = {
    RULES: "src/ --select CVL1,CVL2 --ignore latent-groups",
    FILES: "src/ --exclude 'tests,*_old.py'",
    MODELS: "net.py:Net --input 3,224,224 --batch-size 4",
    FIXES: "src/ --fix --unsafe-fixes",
    OUTPUT: "net.py:Net --output-format html --output-file a.html",
    EXECUTION: "src/ -j 4 --no-cache",
    REWRITES: "net.py:Net --kind grouped --groups 8",
}
"""Arguments that use the options of a panel."""

_CHECK = ("check",)
_CHECK_AND_SWEEP = ("check", "sweep")
_TABLES = ("check", "summary")
_REPORTS = ("check", "summary", "suggest")
_NOT_SUMMARY = ("check", "suggest", "sweep")
_NOT_SUGGEST = ("check", "summary", "sweep")
_ONE_MODEL = ("summary", "suggest")


def _input_shape(text: str, _: str) -> InputSpec:
    from convlint.settings.input_shapes import parse_input

    return parse_input(text)


def _count(text: str | int, name: str) -> int:
    from convlint.support.quantities import parse_count

    return parse_count(text, name)


def _bytes(text: str | int, name: str) -> int:
    from convlint.support.quantities import parse_bytes

    return parse_bytes(text, name)


def _groups(text: str, name: str) -> int | None:
    if text == "auto":
        return None
    if not text.isascii() or not text.isdecimal():
        raise UsageError(f"{name} {text}: expected auto or a number of at least 2")
    return int(text)


def _between(text: str, name: str) -> IntermediateLayers:
    from convlint.rewriting.between import FORMS

    check_choice(text, tuple(FORMS), name)
    return cast("IntermediateLayers", text)


def _share(text: str, name: str) -> float:
    """``5%`` or ``0.05``."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise UsageError(f"{name} {text}: expected a share of the model, for example 5% or 0.05") from None


def _required_share(text: str, name: str) -> float:
    """``80%`` or ``0.8``, at most all."""
    share = _share(text, name)
    if not 0 <= share <= 1:
        raise UsageError(f"{name} {text}: expected a share from 0% to 100%, for example 80%")
    return share


# fmt: off
class CheckRequest(Request):
    """The options of ``check``, and those of them that other commands have too."""

    targets: tuple[str, ...] = option((), ARGUMENTS, "TARGET",
        "Files and directories to check statically (- for standard input), or models to run: path.py:Name, "
        "'path.py:Name(64, groups=8)' or package.module:Name.",
        brief="Files and directories, or models such as net.py:Net.", note="the configured models", commands=_CHECK)
    target: str = option("", ARGUMENTS, "TARGET",
        "Model to run: path.py:Name, 'path.py:Name(64, groups=8)' or package.module:Name.",
        brief="Model to run: net.py:Net or 'net.py:Net(64)'.", required=True, commands=_ONE_MODEL)

    select: tuple[str, ...] = option((), RULES, "CODES",
        "Rule codes, prefixes or names to enable, for example CVL1,CVL301.", commands=_CHECK_AND_SWEEP)
    ignore: tuple[str, ...] = option((), RULES, "CODES",
        "Rule codes, prefixes or names to disable.", commands=_CHECK_AND_SWEEP)
    extend_select: tuple[str, ...] = option((), RULES, "CODES",
        "Rule codes, prefixes or names to enable in addition to --select.", commands=_CHECK_AND_SWEEP, advanced=True)
    fail_on: Severity | None = option(None, RULES, "SEVERITY",
        "Lowest severity with exit code 1: error, warning or info.",
        choices=SEVERITIES, note="warning", commands=_CHECK_AND_SWEEP, advanced=True)
    min_coverage: float | None = option(None, RULES, "SHARE",
        "Exit with code 2 if less than this share of the layers was followed, for example 80%.",
        parse=_required_share, commands=_CHECK, advanced=True)
    exit_zero: bool = switch(RULES,
        "Exit with code 0 even if there are findings.", commands=_CHECK_AND_SWEEP, advanced=True)
    isolated: bool = switch(RULES, "Ignore all configuration files.", commands=_CHECK_AND_SWEEP, advanced=True)

    exclude: tuple[str, ...] = option((), FILES, "GLOBS",
        "Skip files that match these globs. Repeatable.", commands=_CHECK)
    force_exclude: bool = switch(FILES,
        "Apply exclusions to files named on the command line too.", commands=_CHECK, advanced=True)
    stdin_filename: str | None = option(None, FILES, "FILE",
        "Path to report for code read from standard input.", commands=_CHECK, advanced=True)
    show_files: bool = switch(FILES, "List the files that would be checked, and exit.", commands=_CHECK, advanced=True)
    affected_by: bool = switch(FILES, "Run only the configured models that depend on these files.",
        alias="--models-of", commands=_CHECK, advanced=True)

    fix: bool = switch(FIXES, "Apply safe fixes.", commands=_CHECK)
    unsafe_fixes: bool = switch(FIXES, "Include unsafe fixes in --fix or --diff.", commands=_CHECK)
    diff: bool = switch(FIXES,
        "Print the changes that --fix would make; exit with code 1 if there are any.", commands=_CHECK, advanced=True)
    exit_non_zero_on_fix: bool = switch(FIXES,
        "Exit with code 1 if a finding was fixed.", commands=_CHECK, advanced=True)
    add_noqa: bool = switch(FIXES,
        "Add a suppression comment to every line with findings.", commands=_CHECK, advanced=True)
    baseline: str | None = option(None, FIXES, "FILE",
        "Report only findings that are not in this baseline.", commands=_CHECK, advanced=True)
    update_baseline: bool = switch(FIXES, "Write the current findings to the baseline.", commands=_CHECK, advanced=True)

    jobs: int = option(1, EXECUTION, "N", "Number of files and models to check in parallel.",
        kind=int, minimum=1, short="-j", commands=_CHECK_AND_SWEEP)
    executor: str | None = option(None, EXECUTION, "ADDRESS",
        "Run models on a Dask cluster, for example dask://localhost:8786.", models_only=True,
        commands=_CHECK_AND_SWEEP, advanced=True)
    no_cache: bool = switch(EXECUTION, "Do not read or write the cache.", commands=_CHECK, advanced=True)
    cache_dir: str | None = option(None, EXECUTION, "DIR",
        "Cache directory.", note=".convlint_cache in the project", commands=_CHECK, advanced=True)
    watch: bool = switch(EXECUTION,
        "Check again whenever a file changes; Ctrl-C ends it.", commands=_CHECK, advanced=True)

    confirm: bool = switch(MODELS, "Confirm latent findings by building classes with other arguments. Needs torch.",
        brief="Confirm latent findings by runs. Needs torch.", alias="--prove", commands=_CHECK)
    input: tuple[InputSpec, ...] = option((), MODELS, "SHAPE",
        "Shape of one input without the batch dimension, for example 3,224,224. Repeatable: mask=1,32,32 by keyword, "
        "batch.image=3,64,64 for a dict, 128:int64[0,1000) for integers below 1000, t=:int64 for one value per sample.",
        parse=_input_shape, models_only=True)
    input_file: str | None = option(None, MODELS, "FILE",
        "Input tensors, saved with torch.save.", models_only=True, commands=_REPORTS, advanced=True)
    batch_size: int | None = option(None, MODELS, "N",
        "Number of samples in a batch.", kind=int, minimum=1, note="1", models_only=True, advanced=_NOT_SUMMARY)
    device: str = option("cpu", MODELS, "DEVICE", "Device: cpu, cuda, or meta for shapes alone.",
        choices=DEVICES, models_only=True, advanced=_NOT_SUMMARY)
    dtype: str | None = option(None, MODELS, "DTYPE", "Data type of the model and its inputs, for example bfloat16.",
        choices=MODEL_DTYPES, models_only=True, advanced=True)
    train: bool = switch(MODELS, "Run the model in training mode.",
        models_only=True, commands=_NOT_SUGGEST, advanced=_NOT_SUMMARY)
    timeout: float = option(120.0, MODELS,
        "SECONDS", "Time limit for each model in seconds.", kind=float, minimum=0.1, advanced=True)
    max_memory: int | None = option(None, MODELS, "BYTES",
        "Memory limit for each model, for example 4GB or 512MiB.", parse=_bytes, models_only=True, advanced=True)

    max_params: int | None = option(None, MODELS, "N", "Report CVL113 above this many parameters, for example 5M.",
        parse=_count, models_only=True, commands=_CHECK, advanced=True)
    max_macs: int | None = option(None, MODELS, "N",
        "Report CVL113 above this many multiply-accumulates, for example 4G.",
        parse=_count, models_only=True, commands=_CHECK, advanced=True)
    max_activation_bytes: int | None = option(None, MODELS, "BYTES",
        "Report CVL113 above this much peak activation memory, for example 512MB.",
        parse=_bytes, models_only=True, commands=_CHECK, advanced=True)

    output_format: str = option("text", OUTPUT, "FORMAT",
        f"Output format: {', '.join(formats())}.", brief="Output format: text, json, html, sarif, or 7 others.",
        choices=formats(), commands=_TABLES)
    output_file: str | None = option(None, OUTPUT, "FILE",
        "File to write instead of standard output.", commands=_REPORTS, advanced=_CHECK)
    compare_to: str | None = option(None, OUTPUT, "FILE",
        "Compare with an earlier JSON report; prints text or markdown.", commands=_CHECK, advanced=True)
    statistics: bool = switch(OUTPUT,
        "Print the number of findings per rule instead of the findings.", commands=_CHECK, advanced=True)
    verbose: bool = switch(OUTPUT, "List infos too, instead of counting them.", short="-v", commands=_CHECK)
    quiet: bool = switch(OUTPUT,
        "Print only findings and problems.", short="-q", commands=_CHECK_AND_SWEEP, advanced=_CHECK)
    color: str = option("auto", OUTPUT, "WHEN", "When to color the output: auto, always or never.",
        choices=("auto", "always", "never"), commands=_REPORTS, advanced=True)
    traceback: bool = switch(OUTPUT, "Print the tracebacks of failures.", commands=_REPORTS, advanced=True)

    table: bool = switch(OUTPUT,
        "Print the layer table of each model, also of several.", commands=_CHECK, advanced=True)
    no_table: bool = switch(OUTPUT,
        "Print one line for each model instead of its layer table.", commands=_CHECK, advanced=True)
    exact: bool = switch(OUTPUT, "Print totals with all digits: 1,814,073,344 instead of 1.81 G.",
        commands=_TABLES, advanced=True)
    classic: bool = switch(OUTPUT, "Print memory as torchsummary estimates it, instead of the measured memory.",
        commands=_TABLES, advanced=True)
    columns: str | None = option(None, OUTPUT, "NAMES",
        "Columns of the layer table, for example name,params,macs.", commands=_TABLES, advanced=_CHECK)
    depth: int | None = option(None, OUTPUT, "N",
        "Collapse modules nested deeper than N.", kind=int, minimum=0, commands=_TABLES, advanced=_CHECK)
    sort: str | None = option(None, OUTPUT,
        "COLUMN", "Sort layers by this column; implies --flat.", commands=_TABLES, advanced=_CHECK)
    flat: bool = switch(OUTPUT, "List layers instead of the module tree.", commands=_TABLES, advanced=True)

    @property
    def budgets(self) -> dict[str, int]:
        """The limits that were given, by their names in the settings."""
        names = ("max_params", "max_macs", "max_activation_bytes")
        return {name.replace("_", "-"): limit for name in names if (limit := getattr(self, name)) is not None}


class SummaryRequest(CheckRequest):
    """The options of ``summary``."""

    output_format: str = option("text", OUTPUT, "FORMAT",
        "Output format: text, json, csv, latex, markdown, or html for the report page.",
        brief="Output format: text, json, csv, latex, html.",
        choices=("text", "json", "csv", "latex", "markdown", "html"))
    totals: bool = switch(OUTPUT, "Print only the totals: one name and number a line.")


class SuggestRequest(CheckRequest):
    """The options of ``suggest``."""

    kind: tuple[str, ...] = option((), REWRITES, "KIND",
        "Rewrites to try: grouped, depthwise-separable, factorised, global-depthwise, tucker or low-rank. Repeatable.",
        brief="Rewrites to try: grouped, tucker, low-rank and more.",
        note="all; tucker and low-rank with --weights")
    groups: int | None = option(None, REWRITES, "N",
        "Number of groups of a grouped convolution. Or auto, for as many as fit.", note="auto", parse=_groups)
    pairs: int = option(1, REWRITES, "N",
        "Number of depthwise-pointwise pairs to sum; more pairs keep more of trained weights.",
        kind=int, minimum=1, advanced=True)
    rank: float | None = option(None, REWRITES, "SHARE",
        "Ranks of tucker and low-rank as a share of the channels, for example 50%.",
        note="38%", parse=_share, advanced=True)
    between: IntermediateLayers | None = option(None, REWRITES, "LAYERS",
        "Layers between depthwise and pointwise convolution: none, norm, or norm and an activation, such as norm-relu.",
        note="those of a separable block of the project, or none", parse=_between, advanced=True)
    layer: tuple[str, ...] = option((), REWRITES, "GLOB", "Rewrite only layers whose names match. Repeatable.")
    min_saving: float = option(0.0, REWRITES, "SHARE",
        "Hide suggestions that save less than this share of the model, for example 5%.", note="0%", parse=_share,
        brief="Hide suggestions that save less, for example 5%.")
    top: int | None = option(None, REWRITES, "N",
        "Maximum number of suggestions.", kind=int, minimum=1, advanced=True)
    target_params: str | None = option(None, REWRITES, "N",
        "Choose the cheapest rewrites that bring the model down to this many parameters, for example 5M.",
        brief="Parameters to bring the model down to: 5M.")
    target_macs: str | None = option(None, REWRITES, "N",
        "Choose the cheapest rewrites that bring the model down to this many multiply-accumulates, for example 1G.",
        advanced=True)
    max_error: float | None = option(None, REWRITES, "SHARE",
        "Choose for each layer the smallest form with at most this relative error of its outputs (of its weights "
        "without --data), for example 10%.", parse=_share, advanced=True)
    explain: bool = switch(REWRITES, "Explain why each other layer was not rewritten.")
    write: bool = switch(REWRITES, "Write the rewritten files.")
    measure: bool = switch(REWRITES, "Measure the latency of layers and model before and after.", advanced=True)
    weights: str | None = option(None, REWRITES, "FILE", "Checkpoint to convert, .pt or .safetensors.")
    save_weights: str | None = option(None, REWRITES, "FILE", "Write the converted checkpoint to this file.")
    data: str | None = option(None, REWRITES, "LOADER",
        "Function that yields batches or (input, target), for example data.py:loader; the new weights are fitted on "
        "them, and errors are measured. Needs --weights.", advanced=True)
    recalibrate: bool = switch(REWRITES,
        "Estimate the statistics of norms again by forward passes over --data; weights do not change.", advanced=True)
    output_format: str = option("text", OUTPUT, "FORMAT",
        "Output format: text, json, diff, markdown or html.", choices=("text", "json", "diff", "markdown", "html"))


class SweepRequest(CheckRequest):
    """The options of ``sweep``."""

    targets: tuple[str, ...] = option((), ARGUMENTS, "TARGET",
        "Models as for check, or patterns of models: 'timm:resnet*', 'nets.py:*', 'package.module:*(groups=8)'.",
        note="the models configured in [tool.convlint]")
    results: str = option(SWEEP_RESULTS, EXECUTION, "FILE", "File of results, one line of JSON per model.")
    retry: bool = switch(EXECUTION, "Run models again that could not be checked before.")


class InitRequest(Request):
    """The options of ``init``."""

    paths: tuple[str, ...] = option((), ARGUMENTS, "PATH", "Files and directories to search for models.", note=".")
    yes: bool = switch(OUTPUT, "Write without asking.", short="-y")
    dry_run: bool = switch(OUTPUT, "Print the settings instead of writing them.")


class ServerRequest(Request):
    """The options of ``server``."""

    baseline: str | None = option(None, FIXES, "FILE",
        "Report only findings that are not in this baseline; a path relative to each project.")
    stdio: bool = switch(EXECUTION, "Communicate over standard input and output, which is the default.")


class RuleRequest(Request):
    """The options of ``rule``."""

    code: str | None = option(None, ARGUMENTS, "CODE", "Rule code or name, for example CVL301.", note="all rules")
    output_format: str = option("text", OUTPUT, "FORMAT", "Output format: text or json.", choices=("text", "json"))
