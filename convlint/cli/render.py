"""How a report is printed: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TextIO

from convlint.cli.check_options import Asked
from convlint.ir import Report
from convlint.outputs.parts.terminal import number_of, terminal
from convlint.pipelines.check import Outcome
from convlint.support.errors import UsageError

if TYPE_CHECKING:
    from convlint.ir import EarlierReport
    from convlint.outputs.parts.columns import TableOptions


class Shown:
    """How reports are printed; bad names of columns, and files that cannot be written, are refused before anything
    runs.
    """

    def __init__(self, asked: Asked) -> None:
        self._table = _table(asked)
        self._asked = asked
        self.earlier: EarlierReport | None = None  # what checks are compared with
        if asked.output_file is not None:
            from convlint.cli import output_file

            output_file.check(asked.output_file)

    def outcome(self, outcome: Outcome) -> None:
        """What a check came to."""
        asked = self._asked
        if asked.diff:
            self._diff(outcome)
            return
        stream = sys.stdout
        if asked.fix and outcome.standing:
            for data in outcome.standing.values():
                raw(data.decode(errors="surrogateescape"))
            stream = sys.stderr
        read = asked.output_format == "text" and asked.output_file is None
        told = stream if read else sys.stderr
        if outcome.silenced is not None:
            print(f"Silenced {number_of(outcome.silenced, 'finding')} by comments.", file=told)
        if outcome.recorded is not None:
            text = f"Wrote {number_of(outcome.recorded, 'finding')} to {asked.baseline}."
            print(text, file=told)
        report = outcome.report
        self.report(
            replace(report, earlier=self.earlier) if self.earlier else report,
            stream=stream if asked.output_file is None else None,
            files=len(outcome.files) if outcome.files or not report.models else None,
            fixed=len(outcome.fixed),
        )

    def report(
        self,
        report: Report,
        *,
        linted: bool = True,
        stream: TextIO | None = None,
        files: int | None = None,
        fixed: int = 0,
    ) -> None:
        """Print a report to ``stream``; for None, where results go."""
        if self._asked.output_format != "text":
            from convlint.outputs import renderer

            self._put(renderer(self._asked.output_format)(report), stream)
            return
        from convlint.outputs import text

        to_file = stream is None and self._asked.output_file is not None
        width, color = (None, False) if to_file else terminal(stream or sys.stdout)
        if self._asked.color != "auto":
            color = self._asked.color == "always"
        self._put(
            text.render(
                report,
                table=self._table,
                width=width,
                color=color,
                verdict=linted,
                files=files,
                fixed=fixed,
                statistics=self._asked.statistics,
                quiet=self._asked.quiet,
            ),
            stream,
        )
        tracebacks(report, self._asked)

    def _put(self, text: str, stream: TextIO | None) -> None:
        if stream is None and self._asked.output_file is not None:
            from convlint.cli import output_file

            output_file.put(text, self._asked.output_file)
        else:
            (stream or sys.stdout).write(text)

    def _diff(self, outcome: Outcome) -> None:
        from convlint.source_text import edits

        diff = "".join(edits.diff(one.path, one.before, one.after) for one in outcome.changes)
        if self._asked.output_file is None:
            raw(diff)
        else:
            self._put(diff, None)
        if outcome.report.problems:
            self.report(Report(problems=outcome.report.problems), linted=False, stream=sys.stderr)
        if outcome.changes and not self._asked.quiet:
            fixed, files = len(outcome.fixed), len(outcome.changes)
            print(
                f"Would fix {number_of(fixed, 'finding')} in {number_of(files, 'file')}.",
                file=sys.stderr,
            )


def tracebacks(report: Report, asked: Asked) -> None:
    """The tracebacks of what failed, on stderr, where they were asked for."""
    if asked.traceback and asked.output_format == "text":
        failures = [model.graph.failure for model in report.models]
        for failed in (*report.problems, *failures):
            if failed is not None and failed.traceback:
                print(failed.traceback.rstrip(), file=sys.stderr)


def _table(asked: Asked) -> TableOptions | Literal["usual"]:
    """How tables are shown. Raises UsageError."""
    if not (asked.columns or asked.depth is not None or asked.sort or asked.flat):
        return "usual"
    from convlint.outputs.parts.columns import TableOptions

    names = tuple(name.strip() for name in (asked.columns or "").split(",") if name.strip())
    try:
        return TableOptions(columns=names, depth=asked.depth, sort=asked.sort, flat=asked.flat)
    except ValueError as error:
        raise UsageError(str(error)) from None


def raw(text: str) -> None:
    """Write text of the user's files to stdout as the bytes that it came from."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(encoded(text))
    buffer.flush()


def encoded(text: str) -> bytes:
    """Text as bytes: what came from files as it was; a name in a model may hold what no text has, which is escaped."""
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")
