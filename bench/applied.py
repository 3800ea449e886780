"""Apply diffs to a project, one at a time, and run its model after each.

``python -m bench.applied < REQUEST`` runs as a separate process: torch is loaded once, and each diff gets a forked
child, because modules imported from one version of the source cannot be imported again from the next.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LIMIT = 120  # seconds per diff
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TORCHDYNAMO_DISABLE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
"""Environment of all processes that run models: they share the cores, and write no compiled files."""


def git(folder: Path, *words: str, stdin: bytes | None = None) -> None:
    """Run git on a project without converting line ends. Raises CalledProcessError."""
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false", *words]
    subprocess.run(command, cwd=folder, input=stdin, check=True, capture_output=True)


def start(folder: Path) -> None:
    """Make a folder a repository whose current state ``measured`` can restore."""
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")


def measured(folder: Path, target: str, inputs: Sequence[Sequence[int]], diffs: Sequence[str]) -> list[dict[str, Any]]:
    """Return the results of ``measure`` for the current project and for each diff, applied to it with git.

    If a run fails, its result is a dict with the error in ``failed``.
    """
    asked = {"folder": str(folder), "target": target, "inputs": inputs, "diffs": diffs}
    done = subprocess.run(
        [sys.executable, "-m", "bench.applied"],
        cwd=ROOT,
        input=json.dumps(asked).encode(),
        env={**os.environ, **ENVIRONMENT},
        check=False,
        capture_output=True,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode(errors="replace")[-2000:])
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


# --- in the separate process


def main() -> None:
    """Answer the request on stdin with JSON on stdout."""
    import torch

    from convlint.runtime import model_run  # noqa: F401  loaded before the forks

    torch.set_num_threads(1)
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    results = [_forked(asked)]
    for diff in asked["diffs"]:
        try:
            git(folder, "apply", "--whitespace=nowarn", "-", stdin=diff.encode())
            results.append(_forked(asked))
        except subprocess.CalledProcessError as error:
            said = error.stderr.decode(errors="replace").strip()
            results.append({"failed": f"the diff does not apply: {said}"})
        finally:
            git(folder, "checkout", "--quiet", ".")
            git(folder, "clean", "-fdq")
    print(json.dumps(results))


def _forked(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of ``measure`` from a child process."""
    read, written = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(LIMIT)
        os.dup2(2, 1)  # the output of a model is not part of the answer
        try:
            answer = measure(Path(asked["folder"]), asked["target"], asked["inputs"])
        except BaseException:  # noqa: BLE001  whatever it was, it is told
            answer = {"failed": traceback.format_exc(limit=-3)}
        with os.fdopen(written, "wb") as pipe:
            pipe.write(json.dumps(answer).encode())
        os._exit(0)
    os.close(written)
    with os.fdopen(read, "rb") as pipe:
        data = pipe.read()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not data:
        return {"failed": f"its process ended with exit code {status}"}
    result: dict[str, Any] = json.loads(data)
    return result


def measure(folder: Path, target: str, inputs: Sequence[Sequence[int]]) -> dict[str, Any]:
    """Build and run the target from the source on disk, first with PyTorch alone, then with convlint.

    ``params`` and ``macs`` are pairs of convlint's and PyTorch's counts; PyTorch counts the multiply-accumulates of
    convolutions and matrix products only. ``dense`` are the plain ``Conv2d`` layers that could be rewritten,
    ``other`` those of subclasses. The process must end afterwards.
    """
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.dont_write_bytecode = True
    params, macs, dense, other = _by_pytorch(target, inputs)
    said = _by_convlint(target, inputs)
    return {"params": (said[0], params), "macs": (said[1], macs), "dense": dense, "other": other}


def _by_pytorch(target: str, inputs: Sequence[Sequence[int]]) -> tuple[int, int, list[str], list[str]]:
    import torch
    from torch import nn
    from torch.utils.flop_counter import FlopCounterMode

    file, _, call = target.partition(":")
    module = importlib.import_module(".".join(Path(file).with_suffix("").parts))
    words = ast.parse(call if "(" in call else f"{call}()", mode="eval").body
    assert isinstance(words, ast.Call)
    options = {str(word.arg): ast.literal_eval(word.value) for word in words.keywords}
    torch.manual_seed(0)
    model: nn.Module = getattr(module, ast.unparse(words.func))(**options).eval()
    called: set[str] = set()
    convs = {name: m for name, m in model.named_modules() if isinstance(m, nn.Conv2d)}
    for name, conv in convs.items():
        conv.register_forward_hook(lambda *_, name=name: called.add(name))
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        model(*(torch.rand(1, *shape) for shape in inputs))
    found = [
        name
        for name, m in convs.items()
        if name in called and m.groups == 1 and m.in_channels > 4 and max(m.kernel_size) > 1
    ]
    dense = [name for name in found if type(convs[name]) is nn.Conv2d]
    params = sum(parameter.numel() for parameter in model.parameters())
    other = [name for name in found if name not in dense]
    return params, counter.get_total_flops() // 2, dense, other


def _by_convlint(target: str, inputs: Sequence[Sequence[int]]) -> tuple[int, int]:
    from convlint.analysis import cost
    from convlint.runtime.model_run import run_job
    from convlint.settings.input_shapes import parse_input
    from convlint.settings.jobs import Job
    from convlint.settings.targets import parse_target

    shapes = tuple(parse_input(",".join(map(str, shape))) for shape in inputs)
    with contextlib.redirect_stdout(sys.stderr):
        answer = run_job(Job(parse_target(target), shapes))
    if answer.problems or answer.graph is None:
        raise RuntimeError("; ".join(problem.message for problem in answer.problems))
    if answer.graph.status != "complete":
        raise RuntimeError(f"the run is {answer.graph.status}: {answer.graph.failure}")
    totals = cost.totals(answer.graph)
    return totals.params, totals.macs


if __name__ == "__main__":
    main()
