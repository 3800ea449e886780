"""Find what the chosen rewrites break or change in the project besides the model's own run."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence

from convlint.ir import Consequence, LayerChange, ModelVersion, Replacement, Suggestion, VersionRun
from convlint.ir.suggestions import PROBES, TOO_LONG
from convlint.pipelines.model_versions import VersionRunner
from convlint.rewriting import consequences
from convlint.rewriting.kinds import of_code
from convlint.settings.discovery import DEFAULT_EXCLUDE
from convlint.settings.jobs import Job
from convlint.source_text import call_sites
from convlint.source_text.call_sites import ParsedFile

_MOST_FILES = 200
_LARGEST = 200_000  # bytes
# What the probes import, in parts: the worker answers between them.
MODULES = (
    "sympy",
    "torch.fx.experimental.symbolic_shapes",
    "torch._numpy",
    "torch.distributed.tensor",
    "torch.export._trace",
    "torch.ao.quantization.quantize_fx",
)
_MENTIONED = ("load_state_dict", "load_from", "weight", "fuse", "Conv2d", ".conv", "named_parameters")


class Consequences:
    """The files of a project, and what a rewritten model means for them."""

    def __init__(self, versions: VersionRunner) -> None:
        self.versions = versions
        self.files = dict(_files(versions))
        self.probes = (*PROBES, *self._methods())

    def of(
        self, run: VersionRun, suggestions: Sequence[Suggestion], known: Iterable[str]
    ) -> tuple[tuple[str, ...], tuple[Consequence, ...]]:
        """Return what works as before, and what does not.

        ``run`` is that of the rewritten model with ``probes``, ``known`` are attributes that new layers have.
        """
        changes = [change for each in suggestions for change in each.changes]
        new, errors = run.graph, run.probes
        slow = {name: error for name, error in errors.items() if error.startswith(TOO_LONG)}
        failing = tuple(name for name, error in errors.items() if error and name not in slow)
        before = self._of_original(failing)
        broken = [name for name in failing if before.get(name) == ""]
        unknown = [name for name in failing if before.get(name, TOO_LONG).startswith(TOO_LONG)]
        done = sorted(errors, key=lambda name: PROBES.index(name) if name in PROBES else len(PROBES))
        works = tuple(_called(name) for name in done if not errors[name])
        found = [
            Consequence(
                "breaks",
                f"{_called(name)} works for the original and not for the rewritten model: {errors[name]}",
                consequences.site_of_method(self.files, name),
            )
            for name in broken
        ]
        found += [Consequence("not-tried", f"{_called(name)}: {error}") for name, error in slow.items()]
        found += [
            Consequence("not-tried", f"{_called(name)} with the original; the rewritten model fails: {errors[name]}")
            for name in unknown
        ]
        old = self.versions.original.graph
        if old is not None and new is not None:
            command = command_for(self.versions.job, changes)
            obstacles = [_obstacle(change.replacement) for change in changes]
            found += consequences.checkpoints(old, new, self.files, command, max(obstacles, default=""))
            found += consequences.names(old, new, self.files)
            methods = [name for name in errors if name not in PROBES]
            edits = [edit for each in suggestions for edit in each.edits]
            found += consequences.reads(changes, self.files, known, methods, edits)
        return works, tuple(found)

    def _methods(self) -> Iterator[str]:
        """Methods that fuse layers, only the model's own where it has one of that name, which calls the others."""
        graph = self.versions.original.graph
        root = graph.layer("") if graph is not None else None
        names = consequences.methods(self.files)
        own = {name.partition(".")[2] for name in names if root is not None and name.startswith(f"{root.kind}.")}
        kinds = {layer.kind for layer in graph.layers} if graph is not None else set()
        for name in names:
            cls, _, method = name.partition(".")
            if cls in kinds and (method not in own or (root is not None and cls == root.kind)):
                yield name

    def _of_original(self, names: tuple[str, ...]) -> dict[str, str]:
        runs = self.versions.run_versions([ModelVersion(probes=names)], "comparing the original") if names else None
        return dict(runs[0].probes) if runs else {}


def _files(versions: VersionRunner) -> Iterator[tuple[str, ParsedFile]]:
    """The files that build the model, and others of the project in their folders."""
    target, graph = versions.job.target.path, versions.original.graph
    layers = graph.layers if graph is not None else ()
    own = [site.path for site in (layer.site for layer in layers) if site and not versions.project.refusal(site)]
    paths = dict.fromkeys([*([target] if target else []), *own])
    texts = versions.project.texts
    imports = [_imports_of(path, texts.text(path)) for path in paths]
    folders = dict.fromkeys(os.path.dirname(path) or "." for path in paths)
    others = dict.fromkeys(os.path.normpath(path) for folder in folders for path in _python_files(folder))
    others = {path: None for path in others if any(imports_it(texts.text(path)) for imports_it in imports)}
    for path in list(paths | others)[:_MOST_FILES]:
        if any(word in texts.text(path) for word in _MENTIONED):
            parsed = call_sites.parsed_file(path, texts)
            if parsed is not None:
                yield path, parsed


def _imports_of(path: str, text: str) -> Callable[[str], bool]:
    """A test whether a text imports a file: by its name, or something that it defines from its package."""
    stem = os.path.splitext(os.path.basename(path))[0]
    folder = os.path.dirname(path)
    package = os.path.basename(folder) if os.path.isfile(os.path.join(folder, "__init__.py")) else ""
    defined = "|".join(map(re.escape, re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE)))
    by_name = [_import(stem)] if stem != "__init__" else []
    of_package = _import(package) if package and defined else None
    used = re.compile(rf"\b({defined})\b")

    def imports_it(other: str) -> bool:
        if any(pattern.search(other) for pattern in by_name):
            return True
        return of_package is not None and bool(of_package.search(other) and used.search(other))

    return imports_it


def _import(name: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*(from|import)\b.*(?<!\bas )\b{re.escape(name)}\b", re.MULTILINE)


def _python_files(folder: str) -> Iterator[str]:
    """Python files in a folder and below it, at most ``_MOST_FILES``."""
    count = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in DEFAULT_EXCLUDE and not name.startswith("."))
        for name in sorted(names):
            path = os.path.join(place, name)
            if name.endswith(".py") and os.path.isfile(path) and os.path.getsize(path) < _LARGEST:
                count += 1
                if count > _MOST_FILES:
                    return
                yield path


def _obstacle(form: Replacement) -> str:
    """The part of a replacement that trained weights do not have; "" if there is none."""
    if form.shuffled:
        return "the channel shuffle before a grouped layer"
    if form.between in ("none", "norm"):
        return ""
    return "the activation between the two convolutions; with --between none they can"


def _called(name: str) -> str:
    return name if name in PROBES else f"{name}()"


def command_for(job: Job, changes: Sequence[LayerChange]) -> str:
    """The command that suggests the kinds of these changes, for a shell."""
    inputs = [str(spec) for spec in job.inputs] if job.inputs_from == "--input" else []
    kinds = dict.fromkeys(of_code(change.replacement.code).name for change in changes)
    options = [word for text in inputs for word in ("--input", text)] + [w for kind in kinds for w in ("--kind", kind)]
    return shlex.join(["convlint", "suggest", job.target.text, *options])
