"""How tests check an example of a rule: by a run, or statically."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from unittest.mock import patch

from convlint.ir import Finding
from convlint.pipelines import run_models
from convlint.pipelines.lint_files import Linter
from convlint.pipelines.requests import CheckRequest
from convlint.rules.base import Decides
from convlint.rules.example_files import Example
from convlint.runtime.worker.client import Worker
from convlint.settings.config import Config, ModelEntry
from convlint.settings.input_shapes import parse_input
from convlint.settings.targets import parse_target
from convlint.support.quantities import BUDGETS

StartWorker = Callable[[], Worker]


class Check:
    """Checks the model of a file in one mode, with the file's text as given and the options of an example."""

    def __init__(
        self, mode: Decides, start_worker: StartWorker, file: Path, example: Example, select: tuple[str, ...] = ("CVL",)
    ) -> None:
        self._mode, self._file, self._select = mode, file, select
        self._start_worker = start_worker
        self._target = parse_target(f"{file}:Net")
        self._inputs = tuple(map(parse_input, example.input))
        words = [word for word in example.options if word != "--train"]
        self._train = "--train" in example.options
        self._budgets = {
            name.removeprefix("--").replace("-", "_"): BUDGETS[name.removeprefix("--")](value, name)
            for name, value in zip(words[::2], words[1::2], strict=True)
            if name != "--extend-select"
        }

    def __call__(self, texts: dict[str, bytes]) -> Sequence[Finding]:
        """Return all findings of the selected rules."""
        for path, data in texts.items():
            Path(path).write_bytes(data)
        if self._mode == "source":
            model = ModelEntry(self._target, self._inputs)
            linter = Linter(Config(select=self._select, models=(model,)))
            # The rules alone, as in the run below: tests/repairs is about the repairs of errors.
            with patch("convlint.repairs.static_trials.followed_first", return_value=[]):
                found = linter.find(texts)
            assert not linter.problems
            return found
        request = CheckRequest(input=self._inputs, train=self._train, timeout=60, **self._budgets)
        config = Config(select=self._select)
        jobs = run_models.jobs([self._target], request, config)
        report = run_models.check_models(jobs, self._start_worker().run, config)
        assert not report.problems
        return report.findings

    def source(self, text: str) -> Sequence[Finding]:
        """Return the findings in the file with another text."""
        return self({str(self._file): text.encode()})
