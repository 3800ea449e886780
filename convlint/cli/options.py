"""The options of the commands as typer takes them: their types and what the help says."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from convlint.outputs import formats

Format = StrEnum("Format", {name.upper(): name for name in formats()})  # type: ignore[misc]  # read off the files
TEXT = Format("text")


class Plain(StrEnum):
    TEXT = "text"
    JSON = "json"


class SuggestFormat(StrEnum):
    TEXT = "text"
    JSON = "json"
    DIFF = "diff"
    MARKDOWN = "markdown"


class Between(StrEnum):
    NONE = "none"
    NORM = "norm"
    NORM_RELU = "norm-relu"
    NORM_PRELU = "norm-prelu"


class FailOn(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class When(StrEnum):
    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[TARGET]...",
        help="Files and folders to read (- for standard input), and models to run: path.py:Name, "
        "'path.py:Name(64, groups=8)' or package.module:Name. "
        "Without one: the models configured in [tool.convlint].",
        show_default=False,
    ),
]
Select = Annotated[list[str] | None, typer.Option(metavar="CODES", help="Only these rules.")]
Ignore = Annotated[list[str] | None, typer.Option(metavar="CODES", help="Not these rules.")]
ExtendSelect = Annotated[
    list[str] | None, typer.Option(metavar="CODES", help="These rules as well.")
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option(help="Least severity that gives exit code 1.  [default: warning]"),
]
ExitZero = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 in spite of findings.")]
Isolated = Annotated[bool, typer.Option("--isolated", help="Read no configuration file.")]

Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="GLOBS", help="Nor these files below a folder. Repeatable."),
]
ForceExclude = Annotated[
    bool, typer.Option("--force-exclude", help="Exclude also what is named as a target.")
]
StdinFilename = Annotated[
    str | None, typer.Option(metavar="NAME", help="The file that standard input stands for.")
]
ShowFiles = Annotated[
    bool, typer.Option("--show-files", help="List the files that would be checked.")
]

Fix = Annotated[bool, typer.Option("--fix", help="Fix what can safely be fixed.")]
UnsafeFixes = Annotated[
    bool, typer.Option("--unsafe-fixes", help="With --fix or --diff: unsafe fixes too.")
]
Diff = Annotated[
    bool, typer.Option("--diff", help="Show what --fix would change; exit with 1 if anything.")
]
ExitNonZeroOnFix = Annotated[
    bool, typer.Option("--exit-non-zero-on-fix", help="Exit with 1 if something was fixed.")
]
AddNoqa = Annotated[
    bool, typer.Option("--add-noqa", help="Silence every finding by a comment on its line.")
]
Baseline = Annotated[
    str | None, typer.Option(metavar="FILE", help="Report only what is not in this file.")
]
UpdateBaseline = Annotated[
    bool, typer.Option("--update-baseline", help="Write what is found to the baseline.")
]

Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        metavar="N",
        help="How many files are read, and models run, at the same time.  [default: 1]",
    ),
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Neither read nor write the cache.")]
CacheDir = Annotated[str | None, typer.Option(metavar="DIR", help="Where the cache is.")]
Watch = Annotated[bool, typer.Option("--watch", help="Check again whenever a file changes.")]
Prove = Annotated[
    bool, typer.Option("--prove", help="Run what proves that a latent defect is one.")
]

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
Executor = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Run models on a Dask cluster: dask://host:port."),
]
Results = Annotated[
    str,
    typer.Option(metavar="FILE", help="Where the result of each model is kept, in a line of JSON."),
]
Retry = Annotated[
    bool, typer.Option("--retry", help="Run again what could not be checked the last time.")
]
OutputFormat = Annotated[Format, typer.Option(help="How to print.")]
OutputFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Where to print to, instead of stdout.")
]
CompareTo = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="A JSON report of before: say what changed, as text or markdown."
    ),
]
PageFormat = Annotated[Plain, typer.Option("--output-format", help="How to print.")]
Columns = Annotated[str | None, typer.Option(metavar="NAMES", help="Columns: name,params,macs ...")]
Depth = Annotated[int | None, typer.Option(min=0, help="Sum up modules that lie deeper.")]
Sort = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Sort by a column; implies --flat.")
]
Flat = Annotated[bool, typer.Option("--flat", help="List layers instead of the module tree.")]
Color = Annotated[When, typer.Option(help="Colour the output.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show the tracebacks of what failed.")]
ModelsOf = Annotated[
    bool,
    typer.Option("--models-of", help="Run the configured models that are made of these files."),
]
MaxParams = Annotated[str | None, typer.Option(metavar="N", help="Budget: 5M.")]
MaxMacs = Annotated[str | None, typer.Option(metavar="N", help="Budget: 4G.")]
MaxActivationBytes = Annotated[str | None, typer.Option(metavar="BYTES", help="Budget: 512MB.")]
Statistics = Annotated[
    bool, typer.Option("--statistics", help="Count the findings of each rule, do not tell them.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Tell findings and problems, and nothing else.")
]

Kind = Annotated[
    list[str] | None,
    typer.Option(
        metavar="KIND",
        help="grouped, depthwise-separable, factorised or global-depthwise; all without it. Repeatable.",
    ),
]
Groups = Annotated[
    str, typer.Option(metavar="G", help="Groups of a grouped convolution, or auto: as many as fit.")
]
Pairs = Annotated[
    int,
    typer.Option(
        min=1,
        help="Depthwise and pointwise kernels that are summed: more keep more of trained weights.",
    ),
]
BetweenOption = Annotated[
    Between, typer.Option("--between", help="What stands between depthwise and pointwise.")
]
LayerGlob = Annotated[
    list[str] | None, typer.Option(metavar="GLOB", help="Only layers with such names. Repeatable.")
]
MinSaving = Annotated[
    str, typer.Option(metavar="SHARE", help="Only what saves so much of the model: 5%.")
]
Top = Annotated[int | None, typer.Option(min=1, help="Not more suggestions than these.")]
TargetParams = Annotated[
    str | None, typer.Option(metavar="N", help="The cheapest rewrites that bring it down to: 5M.")
]
TargetMacs = Annotated[
    str | None, typer.Option(metavar="N", help="The cheapest rewrites that bring it down to: 1G.")
]
Explain = Annotated[
    bool, typer.Option("--explain", help="Say of every layer that stays as it is why.")
]
Write = Annotated[bool, typer.Option("--write", help="Write the rewritten files.")]
Measure = Annotated[
    bool, typer.Option("--measure", help="Time layers and model, before and after.")
]
Weights = Annotated[
    str | None, typer.Option(metavar="FILE", help="A checkpoint of the model: .pt or .safetensors.")
]
SaveWeights = Annotated[
    str | None, typer.Option(metavar="FILE", help="Where to save it for the rewritten model.")
]
SuggestOutputFormat = Annotated[
    SuggestFormat, typer.Option("--output-format", help="How to print.")
]
