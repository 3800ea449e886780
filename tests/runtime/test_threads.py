"""One recording at a time in a process: other threads are not seen in it, and do not notice it."""

from __future__ import annotations

import contextlib
import io
import random
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

import convlint
from convlint import outputs
from convlint.runtime.build.construction_sites import WatchedConstruction, construction_of
from convlint.runtime.build.symbolic_build import scope_of, symbolic_arguments
from convlint.runtime.record.record import record

SECONDS = 60.0  # after which a test counts as a deadlock


class Model(nn.Module):
    """A model with a bug, waits in its forward for ``meeting`` where one is set."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(width, 2)
        self.meeting: Callable[[], None] | None = None

    def forward(self, x: Tensor) -> Tensor:
        if self.meeting is not None:
            self.meeting()
        y: Tensor = self.fc(self.drop(self.norm(self.conv(x)).relu()).mean((2, 3)))
        return y


class Other(nn.Module):
    """A model that is not checked, with layers that no report may name."""

    def __init__(self) -> None:
        super().__init__()
        self.foreign = nn.Conv2d(3, 4, 3)
        self.head = nn.Sequential(nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))
        self.head(self.foreign(torch.zeros(1, 3, 8, 8)))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.head(self.foreign(x))
        return y


def report_of(model: nn.Module) -> str:
    return outputs.renderer("json")(convlint.check(model, input=(3, 16, 16)))


def in_threads(*works: Callable[[], object]) -> list[object]:
    """What each function returns, all called at the same time. Fails where they do not end."""
    with ThreadPoolExecutor(len(works)) as pool:
        running = [pool.submit(work) for work in works]
        return [each.result(SECONDS) for each in running]


def process_state() -> dict[str, object]:
    return {
        "patched": (nn.Module.__call__, nn.Module.__init__, threading.Thread.start, ThreadPoolExecutor.submit),
        "hooks": [
            dict(value)
            for name, value in vars(nn.modules.module).items()
            if name.startswith("_global_") and isinstance(value, dict)
        ],
        "streams": (sys.stdout, sys.stderr),
        "random": random.getstate(),
        "torch random": torch.get_rng_state().tolist(),
        "modes": (torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()),
    }


def flags(model: nn.Module) -> list[bool]:
    return [module.training for module in model.modules()]


def test_two_checks_at_once_and_another_model_meanwhile() -> None:
    torch.manual_seed(0)
    models, other = (Model(8), Model(16)), Other()
    models[0].conv.eval()
    expected = [report_of(model) for model in models]
    x = torch.rand(2, 3, 8, 8)
    with torch.no_grad():
        right = other(x)
    flags_before = [flags(model) for model in models]
    before = process_state()
    done = threading.Event()

    def calls_another() -> int:
        calls = 0
        with torch.no_grad():
            while not done.is_set():
                assert torch.equal(other(x), right)
                calls += 1
        return calls

    def checks() -> list[object]:
        try:
            return in_threads(*(lambda m=model: [report_of(m) for _ in range(3)] for model in models))
        finally:
            done.set()

    calls, reports = in_threads(calls_another, checks)
    assert reports == [[text] * 3 for text in expected]
    assert calls
    assert process_state() == before
    assert [flags(model) for model in models] == flags_before


def test_a_call_in_another_thread_during_a_forward_passes_through() -> None:
    torch.manual_seed(0)
    model, other = Model(), Other()
    x = torch.rand(2, 3, 8, 8)
    expected, right = report_of(model), other(x)
    inside, called = threading.Event(), threading.Event()
    results: list[Tensor] = []

    def meeting() -> None:
        inside.set()
        assert called.wait(SECONDS)

    def calls_another() -> None:
        assert inside.wait(SECONDS)
        results.append(other(x))
        called.set()

    model.meeting = meeting
    report, _ = in_threads(lambda: report_of(model), calls_another)
    model.meeting = None
    assert report == expected
    assert torch.equal(results[0], right)
    assert results[0].requires_grad


def test_a_second_check_waits_for_the_first() -> None:
    first, second = Model(), Model(16)
    expected = [report_of(first), report_of(second)]
    inside = threading.Event()
    order: list[str] = []

    def meeting() -> None:
        inside.set()
        threading.Event().wait(0.1)  # the second one gets as far as it may
        order.append("first")

    first.meeting = meeting
    second.meeting = lambda: order.append("second")

    def checks_second() -> str:
        assert inside.wait(SECONDS)
        return report_of(second)

    reports = in_threads(lambda: report_of(first), checks_second)
    assert reports == expected
    assert order.index("second") == order.count("first")


def test_prints_of_other_threads_are_not_dropped() -> None:
    model = Model()
    inside, printed = threading.Event(), threading.Event()
    calls = 0

    def meeting() -> None:
        nonlocal calls
        calls += 1
        sys.stdout.write("of the model\n")
        if calls > 1:  # the forwards after the recorded one are silent
            inside.set()
            assert printed.wait(SECONDS)

    def prints() -> None:
        assert inside.wait(SECONDS)
        sys.stdout.write("of another thread\n")
        printed.set()

    model.meeting = meeting
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        in_threads(lambda: report_of(model), prints)
    assert calls > 1
    assert out.getvalue().splitlines() == ["of the model", "of another thread"]


class Nested(nn.Module):
    """A model whose forward checks another one."""

    def __init__(self, in_thread: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.in_thread = in_thread
        reports: list[str] = []  # out of reach of what puts the model back
        self.inner = [Model()]
        self.add = reports.append
        self.reports = lambda: reports

    def forward(self, x: Tensor) -> Tensor:
        def check() -> None:
            self.add(report_of(self.inner[0]))

        if self.in_thread:
            thread = threading.Thread(target=check)
            thread.start()
            thread.join(SECONDS)
            assert not thread.is_alive()
        else:
            check()
        y: Tensor = self.conv(x)
        return y


def test_a_forward_that_checks_another_model() -> None:
    model = Nested()
    expected = report_of(model.inner[0])
    before = process_state()
    report = convlint.check(model, input=(3, 16, 16))
    assert not report.problems
    assert set(model.reports()) == {expected}
    assert process_state() == before


def test_a_forward_that_checks_another_model_in_a_thread_is_refused() -> None:
    model = Nested(in_thread=True)
    report = convlint.check(model, input=(3, 16, 16))
    assert not report.problems
    assert all("nested-run" in text for text in model.reports())
    assert model.reports()


def test_a_model_that_another_thread_builds_meanwhile_is_not_watched() -> None:
    watching, finished = threading.Event(), threading.Event()

    def builds_watched() -> Model:
        with WatchedConstruction(repair=True), symbolic_arguments():
            own = Model()
            assert nn.Conv2d(3, 4, 3, groups=2).groups == 1
            watching.set()
            assert finished.wait(SECONDS)
        return own

    def builds() -> Model:
        assert watching.wait(SECONDS)
        try:
            with pytest.raises(ValueError, match="in_channels must be divisible by groups"):
                nn.Conv2d(3, 4, 3, groups=2)
            return Model()
        finally:
            finished.set()

    own, foreign = in_threads(builds_watched, builds)
    assert isinstance(own, Model)
    assert isinstance(foreign, Model)
    assert (construction_of(own) is None, construction_of(foreign) is None) == (False, True)
    assert (scope_of(own.conv) is None, scope_of(foreign.conv) is None) == (False, True)


class Meet(nn.Module):
    """Lets no thread go on before all have come here."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self.barrier = barrier

    def forward(self, x: Tensor) -> Tensor:
        self.barrier.wait(SECONDS)
        return x.clone()


class Branches(nn.Module):
    """A model that runs its branches in threads of its own, as DataParallel does."""

    def __init__(self, how: str) -> None:
        super().__init__()
        barrier = threading.Barrier(3 if how == "at once" else 1)
        self.branches = nn.ModuleList(nn.Sequential(nn.Conv2d(3, 4, 3), Meet(barrier)) for _ in range(3))
        self.join = nn.Conv2d(12, 2, 1)
        self.pool = [ThreadPoolExecutor(2)] if how == "pool" else []
        self.turns = how == "in turn"

    def forward(self, x: Tensor) -> Tensor:
        found: dict[int, Tensor] = {}

        def run(number: int) -> None:
            found[number] = self.branches[number](x)

        if self.pool:
            for each in [self.pool[0].submit(run, number) for number in range(3)]:
                each.result(SECONDS)
        else:
            threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
            for thread in threads:
                thread.start()
                if self.turns:
                    thread.join(SECONDS)
            for thread in threads:
                thread.join(SECONDS)
        y: Tensor = self.join(torch.cat([found[number] for number in range(3)], 1))
        return y


@pytest.fixture(params=["in turn", "at once", "pool"])
def branches(request: pytest.FixtureRequest) -> Iterator[Branches]:
    model = Branches(request.param)
    yield model
    for pool in model.pool:
        pool.shutdown()


def test_a_recording_follows_the_threads_of_its_model(branches: Branches) -> None:
    x = torch.rand(1, 3, 8, 8)
    branches(x)  # a pool that has its threads already
    graph = record(branches, (x,)).graph()
    called = [call.layer for call in graph.calls]
    parts = [[f"branches.{n}{part}" for part in ("", ".0", ".1")] for n in range(3)]
    inside = [called[1:4], called[4:7], called[7:10]]
    assert sorted(inside) == parts
    assert (called[0], called[-1]) == ("", "join")
    assert sorted(name for name, _ in graph.untraced) == sorted(n for part in parts for n in part[1:])


@pytest.mark.slow
def test_six_threads_that_check_print_train_and_fail() -> None:
    class Prints(Model):
        def forward(self, x: Tensor) -> Tensor:
            sys.stdout.write("from a model\n")
            y: Tensor = super().forward(x)
            return y

    class Fails(Model):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError(f"as it must: {x.shape}")

    def checks(make: Callable[[], nn.Module]) -> set[str]:
        return {report_of(make()) for _ in range(4)}

    def trains() -> int:
        torch.manual_seed(1)
        other = Other().train()
        for _ in range(40):
            other(torch.rand(2, 3, 8, 8)).sum().backward()
        return sum(parameter.grad is not None for parameter in other.parameters())

    def diverts() -> str:
        for _ in range(200):
            with contextlib.redirect_stdout(io.StringIO()) as own:
                sys.stdout.write("from a thread\n")
        return own.getvalue()

    before = process_state()
    del before["random"], before["torch random"]  # which the training thread draws
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        results = in_threads(
            lambda: checks(Model),
            lambda: checks(lambda: Model(16)),
            lambda: checks(Prints),
            lambda: checks(Fails),
            trains,
            diverts,
        )
        assert getattr(sys.stdout, "_stream", sys.stdout) is printed
        sys.stdout.write("at the end")
    assert printed.getvalue().endswith("at the end")
    after = process_state()
    assert {key: after[key] for key in before} == before
    assert [len(texts) for texts in results[:4] if isinstance(texts, set)] == [1, 1, 1, 1]
    assert results[4] == 4
