"""The pytest plugin: ``pytest --convlint`` checks each configured model as a test.

The settings are those of ``convlint check`` in the folder where pytest is started. The files and folders in the pytest
option ``convlint_paths`` are checked statically, as one more test. Other modules are imported when they are needed, so
that pytest without ``--convlint`` starts as fast as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from convlint.ir import Report
    from convlint.runtime.worker.client import Worker
    from convlint.settings.config import Config
    from convlint.settings.jobs import Job

MARKER = "convlint"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("convlint")
    group.addoption(
        "--convlint",
        action="store_true",
        help="check the models configured in [tool.convlint], and the files of convlint_paths",
    )
    parser.addini(
        "convlint_paths",
        "files and folders that --convlint checks statically, relative to this file",
        type="paths",
        default=[],
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARKER}: convlint checks, added by --convlint")
    if config.getoption("convlint"):
        config.pluginmanager.register(Checks(config), "convlint-checks")


class FindingsError(Exception):
    """The findings and problems of a check, as ``convlint check`` prints them."""


class Checks:
    """The checks of a pytest session, and the worker that runs its models."""

    def __init__(self, config: pytest.Config) -> None:
        """Raises pytest.UsageError if the settings are invalid or there is nothing to check."""
        from convlint.settings import config as settings_
        from convlint.support.errors import UsageError

        try:
            self.settings: Config = settings_.discover(str(config.invocation_params.dir))
        except UsageError as error:
            raise pytest.UsageError(f"convlint: {error}") from None
        self.paths = [_display_path(path) for path in config.getini("convlint_paths")]
        if not (self.settings.models or self.paths):
            raise pytest.UsageError(
                "convlint: nothing to check; configure [[tool.convlint.models]], "
                "or convlint_paths in the pytest settings"
            )
        self._worker: Worker | None = None

    @pytest.hookimpl(tryfirst=True)  # before -k, -m and --deselect are applied
    def pytest_collection_modifyitems(self, session: pytest.Session, items: list[pytest.Item]) -> None:
        items += self._items(session)

    def _items(self, session: pytest.Session) -> Iterator[pytest.Item]:
        if self.paths:
            yield SourceItem.from_parent(session, checks=self, name="source")
        if self.settings.models:
            from convlint.pipelines import run_models
            from convlint.pipelines.requests import CheckRequest

            for job in run_models.jobs([], CheckRequest(), self.settings):
                yield ModelItem.from_parent(session, checks=self, name=job.text, job=job)

    @property
    def worker(self) -> Worker:
        """The worker of the session, which is started for the first model."""
        if self._worker is None:
            from convlint.runtime.worker.client import Worker

            self._worker = Worker()
        return self._worker

    def pytest_unconfigure(self) -> None:
        if self._worker is not None:
            self._worker.close()


class CheckItem(pytest.Item):
    """A check as a test; it fails if ``convlint check`` would not exit with code 0."""

    def __init__(self, *, checks: Checks, **known: Any) -> None:
        super().__init__(nodeid=f"convlint::{known['name']}", **known)
        self.checks = checks
        self.funcargs: dict[str, Any] = {}  # other plugins read the fixtures of every test
        self.add_marker(MARKER)
        if self.config.pluginmanager.hasplugin("xdist"):
            self.add_marker(pytest.mark.xdist_group("convlint"))  # with loadgroup: one worker

    def report_findings(self, report: Report, files: int | None = None) -> None:
        """Raise FindingsError if the check fails, else add the findings to the report of the test."""
        from convlint.outputs import text

        width, color = self._terminal
        infos = ("CVL",) if self.checks.settings.fail_on == "info" else ()
        rendered = text.render(report, table=None, width=width, color=color, files=files, infos=infos).rstrip("\n")
        if report.exit_code_at(self.checks.settings.fail_on):
            raise FindingsError(rendered)
        if report.findings:
            self.add_report_section("call", MARKER, rendered)

    @property
    def _terminal(self) -> tuple[int | None, bool]:
        """The width of the terminal that pytest writes to, None if it is not one, and whether it has colors."""
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if reporter is None:  # with xdist, another process writes
            return None, False
        writer = self.config.get_terminal_writer()
        return (writer.fullwidth if reporter.isatty else None), writer.hasmarkup

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        if isinstance(excinfo.value, FindingsError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


class ModelItem(CheckItem):
    """Builds and runs a configured model."""

    def __init__(self, *, job: Job, **known: Any) -> None:
        super().__init__(**known)
        self.job = job

    def runtest(self) -> None:
        from convlint.pipelines import run_models
        from convlint.pipelines.check import model_linter

        worker, settings = self.checks.worker, self.checks.settings
        report = run_models.check_models(
            [self.job], worker.run, settings, worker.prove, run_versions=worker.run, linter=model_linter(settings)
        )
        self.report_findings(report)

    def reportinfo(self) -> tuple[str, int | None, str]:
        return self.job.target.path or str(self.config.rootpath), None, f"convlint {self.name}"


class SourceItem(CheckItem):
    """Checks the files of ``convlint_paths`` statically."""

    def runtest(self) -> None:
        from convlint.ir import Report
        from convlint.pipelines.check import check_files
        from convlint.pipelines.requests import CheckRequest

        outcome = check_files(self.checks.paths, None, Report(), self.checks.settings, CheckRequest())
        self.report_findings(outcome.report, len(outcome.files))

    def reportinfo(self) -> tuple[str, int | None, str]:
        return self.checks.paths[0], None, "convlint source"


def _display_path(path: Any) -> str:
    from convlint.settings.discovery import display_path

    return display_path(str(path))
