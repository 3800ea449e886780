"""Run one model: load, build, record a forward, measure.

``run_job`` does this for a target in a child of the worker, ``run_model`` for a live model in the user's own process,
which it restores afterwards.
"""

from __future__ import annotations

import copy
import os
import random
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any, Literal

import torch
from torch import fx, nn

from convlint.ir import Graph, Problem
from convlint.runtime import code_sites, restore
from convlint.runtime.build import construction_sites, load_target, module_invariants, scripted_modules, symbolic_build
from convlint.runtime.failures import ProblemError, failure_of, one_line
from convlint.runtime.inputs import guessed, probe, resolution, second_batch
from convlint.runtime.inputs import make_inputs as model_inputs
from convlint.runtime.inputs.make_inputs import Inputs
from convlint.runtime.isolation import NestedRunError, exclusive, silent
from convlint.runtime.measure import memory
from convlint.runtime.record import provenance, record
from convlint.runtime.record.steps import tensors_in
from convlint.runtime.recover import external_failures
from convlint.runtime.worker import failure_origin
from convlint.runtime.worker.client import JobResult
from convlint.settings.jobs import Job
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

_MAX_NAMES = 3  # of threads in a message
Phase = Literal["import", "constructor", "forward"]


def run_job(job: Job, enter: Callable[[Phase], None] = lambda _: None) -> JobResult:
    """Load, build and run the model of a job. ``enter`` is called with each phase that begins.

    Only for a process that exits after the job, because the modules of the target stay imported.
    """
    prepare_process()
    if job.at_once > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // job.at_once))
    threads = set(threading.enumerate())
    if job.device == "cuda" and not torch.cuda.is_available():
        return JobResult(None, (Problem("device", "PyTorch finds no CUDA device; drop --device cuda"),))
    try:
        enter("import")
        value = build(lambda: load_target.find_object(job.target, job.root))
        threads |= {thread for thread in threading.enumerate() if thread.daemon}
        make = load_target.constructor_call(value, job.target)
        enter("constructor")
        answer = _run_built(job, make, enter)
    except ProblemError as error:
        return JobResult(None, (error.problem,))
    return JobResult(answer.graph, (*answer.problems, *_threads_left(threads)))


def prepare_process() -> None:
    """Seed the random generators and disable bytecode files, so that runs are reproducible and write nothing."""
    random.seed(0)
    torch.manual_seed(0)
    sys.dont_write_bytecode = True


def _run_built(job: Job, make: Callable[[], Any], enter: Callable[[Phase], None]) -> JobResult:
    try:
        with device_of_job(job):
            value = build(make)
    except ProblemError:
        raise
    except Exception as error:
        failure = failure_of(error, "constructor")
        external_failures.raise_if_environment(failure, job)
        return JobResult(Graph(job.target.text, "failed", failure=failure, budgets=job.budgets))
    model = configured_model(value, job)
    enter("forward")
    return _record_and_measure(model, inputs_of(model, job), job)


def device_of_job(job: Job) -> Any:
    """Context in which a job's model is built: the meta device if the job runs there, else no change."""
    return torch.device("meta") if job.device == "meta" else nullcontext()


def configured_model(value: Any, job: Job) -> nn.Module:
    """Move a model to the device and dtype of a job. Raises ProblemError if ``value`` is not a model."""
    model = scripted_modules.with_originals(load_target.check_model(value, job.target))
    module_invariants.check_modules(model)
    model = module_invariants.move_to(model, job.device)
    return model if job.dtype is None else model.to(getattr(torch, job.dtype))


def run_model(model: nn.Module, job: Job, inputs: Inputs | None = None) -> JobResult:
    """Run a live model, and restore it and the process; see ``live``. Whatever cannot be checked is a problem."""
    try:
        with live(model, job, inputs) as (prepared, arguments):
            return _record_and_measure(prepared, arguments, job)
    except ProblemError as error:
        return JobResult(None, (error.problem,))
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        return JobResult(None, (failure_origin.problem(error, "the run of the model"),))


def trace(model: nn.Module, job: Job, inputs: Inputs | None = None) -> fx.Graph:
    """Return the FX graph of a forward of a live model. Raises ProblemError, and what the forward raises."""
    with live(model, job, inputs) as (prepared, arguments):
        return record.trace(prepared, arguments.args, arguments.kwargs, train=job.train)


@contextmanager
def live(model: nn.Module, job: Job, inputs: Inputs | None) -> Iterator[tuple[nn.Module, Inputs]]:
    """Context in which a live model can be run. Yields the model and its inputs; restores model and process on exit.

    If ``inputs`` is None, the job or the model itself provides them. Input tensors are copied, because a forward may
    write to them. A model with lazy layers is replaced with a copy. Waits for runs in other threads. Raises
    ProblemError for a model that PyTorch cannot run, and for inputs that do not match the signature of ``forward``.
    """
    try:
        with exclusive(), code_sites.sites_of_run(os.getcwd()):
            module_invariants.check_modules(model)
            if any(nn.parameter.is_lazy(t) for t in (*model.parameters(), *model.buffers())):
                model = _copy_of_lazy(model)
            with restore.as_found(model):
                inputs = inputs_of(model, job) if inputs is None else inputs
                inputs = inputs.map(lambda tensor: tensor.detach().clone())
                model_inputs.check_signature(model, inputs)
                yield model, inputs
    except NestedRunError as error:
        raise ProblemError("nested-run", str(error)) from None


def _copy_of_lazy(model: nn.Module) -> nn.Module:
    """Copy a model with lazy layers. Raises ProblemError if it cannot be copied."""
    new: dict[int, Any] = {}  # PyTorch copies lazy parameters only
    for buffer in model.buffers():
        if nn.parameter.is_lazy(buffer):
            make: Any = type(buffer)
            new[id(buffer)] = make(device=buffer.device, dtype=buffer.dtype)
    try:
        return copy.deepcopy(model, new)
    except Exception as error:
        text = f"the model has lazy layers, and no copy of it can be made ({one_line(error)}); call it once before"
        raise ProblemError("lazy-layers", text) from error


def is_module(value: Any) -> bool:
    """Return whether a value is an ``nn.Module``; for callers that do not import torch."""
    return isinstance(value, nn.Module)


def device_of(model: nn.Module) -> str:
    """The device type of a live model's first parameter. One whose parameters cannot be listed is reported later."""
    with suppress(Exception):
        return next((parameter.device.type for parameter in model.parameters()), "cpu")
    return "cpu"


def tensor_inputs(value: Any) -> Inputs | None:
    """Arguments of a forward from a Python value with tensors; None if it contains no tensors."""
    if not any(True for _ in tensors_in(value)):
        return None
    if isinstance(value, dict):
        return Inputs((), value, "input")
    return Inputs(tuple(value) if isinstance(value, tuple | list) else (value,), {}, "input")


# With symbolic integers first, then with plain ones. If both fail, constructors that reject their arguments are
# repaired, so that the rest of the model can be checked, too.
_ATTEMPTS = ((False, True), (False, False), (True, True), (True, False))  # repair, symbolic
_PLAIN_ATTEMPTS = ((False, False), (True, False))


def build(make: Callable[[], Any], *, symbolic: bool = True) -> Any:
    """Call ``make`` while constructions are recorded. Raises what the first attempt with plain integers raises.

    With ``symbolic``, constructors receive symbolic integers where possible.
    """
    failed: Exception | None = None
    for repair, with_symbols in _ATTEMPTS if symbolic else _PLAIN_ATTEMPTS:
        try:
            with (
                construction_sites.WatchedConstruction(repair),
                symbolic_build.symbolic_arguments() if with_symbols else nullcontext(),
            ):
                return make()
        except Exception as error:
            cause = error.__cause__ if isinstance(error, ProblemError) else error
            external_failures.raise_if_out_of_memory(cause)
            if isinstance(error, ProblemError) and not _while_building(cause):
                raise
            if not repair:
                failed = error
    assert failed is not None
    raise failed


def _while_building(error: BaseException | None) -> bool:
    """Return whether an exception passed through the constructor of a module, for example one called at import."""
    for frame, _ in traceback.walk_tb(error.__traceback__ if error else None):
        code = frame.f_code
        of = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
        if code.co_name == "__init__" and isinstance(of, nn.Module):
            return True
    return False


def inputs_of(model: nn.Module, job: Job) -> Inputs:
    """The inputs that the job or the model specifies, else guessed ones. Raises ProblemError."""
    requested = model_inputs.requested(model, job)
    if requested is not None:
        return requested
    with silent():
        return probe.guess_inputs(model, job)


def _record_and_measure(model: nn.Module, inputs: Inputs, job: Job) -> JobResult:
    """Record one forward and, if it succeeds, measure its memory and try other input sizes."""
    recording = record.record(model, inputs.args, inputs.kwargs, train=job.train, target=job.target.text)
    external_failures.raise_if_out_of_memory(recording.error)
    external_failures.raise_if_environment(recording.failure, job)
    graph = replace(
        provenance.annotate(recording.graph(), model),
        input_source=inputs.source,
        batch_size=inputs.batch_size,
        input_bytes=inputs.nbytes,
        budgets=job.budgets,
    )
    external_failures.raise_if_other_layout(graph, job)
    if graph.failure is not None or any(node.error for node in graph.nodes):
        with silent():
            if graph.input_is_guessed:
                graph = guessed.without_guesses(graph, model, inputs, job)
            return JobResult(replace(graph, smallest_input=probe.smallest_size(model, inputs, graph)))
    with silent():
        graph = memory.with_memory(graph, model, inputs.args, inputs.kwargs)
        graph = replace(graph, tried_sizes=resolution.tried_sizes(model, inputs, graph))
        graph = replace(graph, merged_batches=second_batch.merged_at_batch_two(model, inputs, graph))
    if not graph.outputs:
        given = f"an object of type {type(recording.result).__name__} without tensors"
        if recording.result is None:
            given = "None; is a return statement missing?"
        return JobResult(graph, (Problem("no-output", f"forward returned {given}"),))
    return JobResult(graph)


def _threads_left(before: set[threading.Thread]) -> list[Problem]:
    """A problem if threads other than ``before`` are still running."""
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(0.2 / len(left))
    names = [repr(thread.name) for thread in left if thread.is_alive()]
    if not names:
        return []
    what = "thread" if len(names) == 1 else f"{len(names)} threads:"
    named = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    verbs = "was started and is" if len(names) == 1 else "were started and are"
    return [Problem("thread-left", f"{what} {named} {verbs} still running")]
