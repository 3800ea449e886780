"""Run versions of a model: rewritten source texts of its project, each in a process of its own.

The worker's child runs no code of the project. It imports the libraries that the project uses once, and forks a process
for each version.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import torch
from torch import nn

from convlint.ir import BuiltLayer, Graph, ModelVersion, OtherCall, Problem, VersionRun, serialize
from convlint.rewriting.kinds import kinds
from convlint.runtime import consequences, model_run
from convlint.runtime.build import construction_sites, load_target, overlay
from convlint.runtime.data import evidence
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import silent
from convlint.runtime.measure import memory, timing
from convlint.runtime.record import layers
from convlint.runtime.record.record import record, training_flags_restored
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.weights import checkpoint
from convlint.runtime.weights.replace_layers import replace_layers
from convlint.runtime.worker import processes
from convlint.runtime.worker.client import JobResult
from convlint.runtime.worker.time_limit import TooLongError, at_most
from convlint.settings.jobs import Job, VersionsJob
from convlint.settings.targets import parse_target
from convlint.source_text.packages import is_installed
from convlint.support.dataclass import replace

_CALL_SECONDS = 5.0  # for one other call
_REWRITABLE = {base for kind in kinds().values() for base in kind.bases}
_CALLS_SHARE = 0.3  # of the job's time limit, after which no further call starts


def run_versions(asked: VersionsJob, enter: Callable[[str], None] = lambda _: None) -> JobResult:
    """Run every version of a job. A version that crashes its process only affects its own result."""
    model_run.prepare_process()
    enter("import")
    _import(asked.libraries)
    enter("forward")
    first, *others = asked.versions
    tried = [_run_forked(first, asked.job)]
    if others:
        _import(tried[0].libraries)
    return JobResult(tried=(*tried, *[_run_forked(version, asked.job) for version in others]))


def _import(names: Sequence[str]) -> None:
    """Import modules that the next versions share."""
    for name in names:
        with suppress(Exception), silent():  # the version that needs it reports the error
            importlib.import_module(name)


def _run_forked(version: ModelVersion, job: Job) -> VersionRun:
    """Run a version in a process of its own."""
    read, written = os.pipe()
    processes.flush()  # otherwise both processes would print what is buffered
    pid = os.fork()
    if pid == 0:
        os.close(read)
        answer = _in_the_fork(version, job)
        processes.flush()
        with os.fdopen(written, "wb") as pipe:
            pipe.write(json.dumps(serialize.encode(answer)).encode())
        os._exit(0)
    os.close(written)
    data = _read_all(read, job.timeout)
    os.close(read)
    if data is None:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return _failed("timeout", f"it took more than {job.timeout:g} s; --timeout sets the limit")
    status = os.waitpid(pid, 0)[1]
    if os.WIFSIGNALED(status) or not data:
        return VersionRun(problems=(processes.exit_problem(status, "it"),))
    tried: VersionRun = serialize.decode(VersionRun, json.loads(data))
    return tried


def _read_all(pipe: int, timeout: float) -> bytes | None:
    """Read a pipe until it is closed; None at the time limit (in seconds)."""
    until = time.monotonic() + timeout
    data = bytearray()
    while True:
        ready, _, _ = select.select([pipe], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        read = os.read(pipe, 1 << 20)
        if not read:
            return bytes(data)
        data += read


def _in_the_fork(version: ModelVersion, job: Job) -> VersionRun:
    try:
        with overlay.files_replaced(version.texts):
            return _run_version(version, job)
    except ProblemError as error:
        return VersionRun(problems=(error.problem,))
    except SystemExit as error:
        return _failed("exit", f"it called sys.exit({error.code!r})")
    except MemoryError:
        return _failed("out-of-memory", "it ran out of memory")
    except Exception as error:
        failure = failure_of(error, "constructor")
        place = f" at {failure.site}" if failure.site else ""
        text = f"it fails to build{place}: {failure.type}: {failure.message}"
        return VersionRun(problems=(Problem("does-not-run", text, traceback=failure.traceback),))
    except BaseException as error:
        return _failed("exit", f"it raised {type(error).__name__}: {one_line(error)}")


def _failed(kind: str, message: str) -> VersionRun:
    return VersionRun(problems=(Problem(kind, message),))


def run_live_versions(model: nn.Module, asked: VersionsJob, inputs: Inputs | None) -> JobResult:
    """Run versions of a live model: copies with layers replaced. The model itself does not change."""
    try:
        with model_run.live(model, asked.job, inputs) as (original, arguments):
            return JobResult(tried=tuple(_run_live_version(original, arguments, v, asked.job) for v in asked.versions))
    except ProblemError as error:
        return JobResult(problems=(error.problem,))


def _run_live_version(model: nn.Module, inputs: Inputs, version: ModelVersion, job: Job) -> VersionRun:
    if version.runs:
        return VersionRun(timings=timing.timings(copy.deepcopy(model), inputs, version.replacements, version.runs))
    try:
        return _run(replace_layers(copy.deepcopy(model), version.replacements), inputs, version, job)
    except Exception as error:
        return _failed("does-not-run", f"{type(error).__name__}: {one_line(error)}")


def _run_version(version: ModelVersion, job: Job) -> VersionRun:
    """Build and run the model from the replaced source files. Raises what the model raises."""
    before = set(sys.modules)
    if version.trial:
        return VersionRun(_tried(job), libraries=tuple(_libraries(before)))
    with silent() if version.texts else nullcontext():  # the original version has printed it already
        with construction_sites.WatchedConstruction():
            make = load_target.constructor_call(load_target.find_object(job.target, job.root), job.target)
            with model_run.device_of_job(job):
                value = make()
        model = model_run.configured_model(value, job)
        inputs = model_run.inputs_of(model, job)
    if version.runs:
        return VersionRun(timings=timing.timings(model, inputs, version.replacements, version.runs))
    if version.study or version.data is not None:
        with silent():
            return evidence.run(model, version, job)
    return replace(_run(model, inputs, version, job), libraries=tuple(_libraries(before)))


def _run(model: nn.Module, inputs: Inputs, version: ModelVersion, job: Job) -> VersionRun:
    """Record and measure a version's model."""
    errors = checkpoint.load_into(model, version) if version.weights is not None else {}
    graph = record(model, inputs.args, inputs.kwargs, target=job.target.text).graph()
    graph = replace(graph, input_source=inputs.source, batch_size=inputs.batch_size)
    if graph.failure is not None or any(node.error for node in graph.nodes):
        return VersionRun(graph)
    with silent():
        graph = memory.with_memory(graph, model, inputs.args, inputs.kwargs)
        error, untrained = _training_step(model, inputs)
        other_calls = tuple(_run_other_calls(version.other_calls, inputs, job))
    probes = consequences.run(model, inputs, version.probes, version.texts)
    return VersionRun(graph, (), error, untrained, other_calls, (), errors, probes=probes)


def _tried(job: Job) -> Graph:
    """Build the model and record a forward, with stand-ins for constructors and calls that fail."""
    with silent():
        value = model_run.build(lambda: load_target.find_object(job.target, job.root), symbolic=False)
        make = load_target.constructor_call(value, job.target)
        try:
            with model_run.device_of_job(job):
                built = model_run.build(make, symbolic=False)
        except ProblemError:
            raise
        except Exception as error:
            return Graph(job.target.text, "failed", failure=failure_of(error, "constructor"))
        model = model_run.configured_model(built, job)
        inputs = model_run.inputs_of(model, job)
        recording = record(model, inputs.args, inputs.kwargs, train=job.train, target=job.target.text)
    return replace(recording.graph(), input_source=inputs.source, batch_size=inputs.batch_size)


def _libraries(before: set[str]) -> Iterator[str]:
    """The modules of installed packages that were imported after ``before``."""
    for name, module in list(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if name not in before and isinstance(place, str) and is_installed(place):
            yield name


def _training_step(model: nn.Module, inputs: Inputs) -> tuple[str | None, tuple[str, ...]]:
    """Run a forward in train mode and its backward: the error, and the parameters that receive no gradient."""
    error: str | None = None
    for batch in (inputs, inputs.map(lambda t: torch.cat((t, t)) if t.dim() else t)):  # norms reject a single value
        model.zero_grad(set_to_none=True)
        try:
            with training_flags_restored(model), torch.enable_grad():
                model.train()
                result = model(*batch.args, **batch.kwargs)
                losses = [t.float().sum() for t in tensors_in(result) if t.requires_grad]
                torch.stack(losses).sum().backward()
        except Exception as raised:
            error = error or f"{type(raised).__name__}: {one_line(raised)}"
            continue
        wanted = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        return None, tuple(name for name, parameter in wanted if parameter.grad is None)
    return error, ()


def _run_other_calls(targets: tuple[str, ...], inputs: Inputs, job: Job) -> Iterator[OtherCall]:
    """Build other targets in order until the time limit."""
    until = time.monotonic() + _CALLS_SHARE * job.timeout
    for target in targets:
        if time.monotonic() > until:
            return
        yield _run_other_call(target, inputs, job)


def _run_other_call(text: str, inputs: Inputs, job: Job) -> OtherCall:
    """Build a target, on the meta device if possible, and run it on the job's input."""
    target = parse_target(text)
    try:
        with at_most(_CALL_SECONDS), torch.no_grad():
            made, meta = _build(load_target.constructor_call(load_target.find_object(target, job.root), target))
            model = load_target.check_model(made, target)
            built = tuple(_rewritable_layers(model))
            arguments = inputs.map(lambda tensor: tensor.to("meta")) if meta else inputs
            try:
                result = model.eval()(*arguments.args, **arguments.kwargs)
            except Exception:  # a block needs other inputs than the model
                return OtherCall(text, "built", built=built)
            shapes = tuple("x".join(map(str, tensor.shape)) for tensor in tensors_in(result))
            return OtherCall(text, "ran", shapes, built=built)
    except (Exception, TooLongError) as error:
        return OtherCall(text, "failed", error=f"{type(error).__name__}: {one_line(error)}")


def _build(make: Callable[[], Any]) -> tuple[Any, bool]:
    """Build a model on the meta device, or with values if its constructor reads them. Returns whether it is on meta."""
    try:
        with construction_sites.WatchedConstruction(), torch.device("meta"):
            return make(), True
    except Exception:
        with construction_sites.WatchedConstruction():
            return make(), False


def _rewritable_layers(model: nn.Module) -> Iterator[BuiltLayer]:
    """The layers that could be rewritten, without duplicates of the same call with the same arguments."""
    seen: set[tuple[Any, str]] = set()
    for layer in layers.layers(model, ()):
        if layer.base in _REWRITABLE and layer.site is not None:
            key = (layer.site, f"{layer.kind} {sorted(layer.attrs.items())}")
            if key not in seen:
                seen.add(key)
                yield BuiltLayer(layer.site, layer.kind, layer.attrs)
