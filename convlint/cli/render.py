"""Print reports: results to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal, TextIO

from convlint.ir import Report
from convlint.outputs.parts.listing import ALL
from convlint.outputs.parts.terminal import number_of, terminal
from convlint.pipelines.check import Outcome
from convlint.pipelines.requests import CheckRequest
from convlint.settings.config import Config
from convlint.support.dataclass import replace
from convlint.support.errors import UsageError

if TYPE_CHECKING:
    from convlint.ir import EarlierReport
    from convlint.outputs.parts.columns import TableOptions
    from convlint.outputs.text import Layout

_ASCII_BRANCHES = str.maketrans("│├└─", "||`-")


class Printer:
    """Prints reports as the options say.

    Unknown columns and files that cannot be written are refused here, before anything runs. Raises UsageError.
    """

    def __init__(self, request: CheckRequest) -> None:
        self._table = table_options(request)
        self._request = request
        self.earlier: EarlierReport | None = None  # the report that checks are compared with
        if request.output_file is not None:
            from convlint.cli import output_file

            output_file.require_writable(request.output_file)

    def outcome(self, outcome: Outcome, config: Config) -> None:
        request = self._request
        if request.diff:
            self._diff(outcome)
            return
        stream = sys.stdout
        if request.fix and outcome.stdin is not None:
            write_stdout(outcome.stdin.decode(errors="surrogateescape"))
            stream = sys.stderr
        is_text = request.output_format == "text" and request.output_file is None
        messages = stream if is_text else sys.stderr
        if outcome.suppressed is not None:
            text = f"Suppressed {number_of(outcome.suppressed, 'finding')} with comments."
            print(text, file=messages)
        if outcome.recorded is not None:
            text = f"Wrote {number_of(outcome.recorded, 'finding')} to {request.baseline}."
            print(text, file=messages)
        report = outcome.report
        self.report(
            replace(report, earlier=self.earlier) if self.earlier else report,
            stream=stream if request.output_file is None else None,
            files=len(outcome.files) if outcome.files or not report.models else None,
            fixed=len(outcome.fixed),
            infos=_listed_infos(request, config),
        )

    def report(
        self,
        report: Report,
        *,
        linted: bool = True,
        stream: TextIO | None = None,
        files: int | None = None,
        fixed: int = 0,
        infos: tuple[str, ...] = (),
    ) -> None:
        """Print a report to ``stream``; None stands for ``--output-file`` or stdout.

        ``infos``: prefixes of the codes whose infos text lists.
        """
        output_format = self._request.output_format
        width, color = self._terminal(stream)
        if output_format == "concise":
            from convlint.outputs import concise

            self._put(concise.render(report, color=color), stream)
            return
        if output_format == "grouped":
            from convlint.outputs import grouped

            self._put(grouped.render(report, width=width, color=color, infos=infos), stream)
            return
        if output_format != "text":
            from convlint.outputs import renderer

            self._put(renderer(output_format)(report), stream)
            return
        from convlint.outputs import text

        self._put(
            text.render(
                report,
                table=self._table,
                width=width,
                color=color,
                verdict=linted,
                files=files,
                fixed=fixed,
                statistics=self._request.statistics,
                quiet=self._request.quiet,
                infos=infos,
                layout=_layout(self._request),
            ),
            stream,
        )
        print_tracebacks(report, self._request)

    def _terminal(self, stream: TextIO | None) -> tuple[int | None, bool]:
        """The width of the terminal that is printed to, None for a file, and whether to use colors."""
        to_file = stream is None and self._request.output_file is not None
        width, color = (None, False) if to_file else terminal(stream or sys.stdout)
        return width, color if self._request.color == "auto" else self._request.color == "always"

    def _put(self, text: str, stream: TextIO | None) -> None:
        if stream is None and self._request.output_file is not None:
            from convlint.cli import output_file

            output_file.write(text, self._request.output_file)
        else:
            stream = stream or sys.stdout
            stream.write(_in_encoding(text, stream))

    def _diff(self, outcome: Outcome) -> None:
        from convlint.cli import output_file
        from convlint.source_text import edits

        diff = "".join(edits.diff(change.path, change.before, change.after) for change in outcome.changes)
        output_file.write(diff, self._request.output_file)
        if outcome.report.problems:
            self.report(Report(problems=outcome.report.problems), linted=False, stream=sys.stderr)
        if outcome.changes and not self._request.quiet:
            fixed, files = len(outcome.fixed), len(outcome.changes)
            print(f"Would fix {number_of(fixed, 'finding')} in {number_of(files, 'file')}.", file=sys.stderr)


def _in_encoding(text: str, stream: TextIO) -> str:
    """The text with branches of ASCII where the terminal has no others."""
    try:
        "│├└─".encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return text.translate(_ASCII_BRANCHES)
    return text


def print_tracebacks(report: Report, request: CheckRequest) -> None:
    """Print the tracebacks of failures on stderr, with ``--traceback``."""
    if request.traceback and request.output_format == "text":
        for failed in (*report.problems, *(model.graph.failure for model in report.models)):
            if failed is not None and failed.traceback:
                print(failed.traceback.rstrip(), file=sys.stderr)


def _listed_infos(request: CheckRequest, config: Config) -> tuple[str, ...]:
    """The prefixes of the codes whose infos are listed: all with ``--verbose`` or if infos make the check fail, else
    those that the command line selects.
    """
    if request.verbose or config.fail_on == "info":
        return ALL
    return Config().overridden(extend_select=(*request.select, *request.extend_select)).extend_select


def _layout(request: CheckRequest) -> Layout:
    """Tables or lines for models; options of tables request them."""
    if request.no_table:
        return "lines"
    wants_table = request.table or request.columns or request.depth is not None or request.sort or request.flat
    return "tables" if wants_table or request.classic else "auto"


def table_options(request: CheckRequest) -> TableOptions | Literal["usual"]:
    """Return the options of tables. Raises UsageError for unknown columns."""
    columns, depth, sort, flat = request.columns, request.depth, request.sort, request.flat
    exact, classic = request.exact, request.classic
    if not (columns or depth is not None or sort or flat or exact or classic):
        return "usual"
    from convlint.outputs.parts.columns import TableOptions

    names = tuple(name.strip() for name in (columns or "").split(",") if name.strip())
    try:
        return TableOptions(columns=names, depth=depth, sort=sort, flat=flat, exact=exact, classic=classic)
    except ValueError as error:
        raise UsageError(str(error)) from None


def write_stdout(text: str) -> None:
    """Write text of the user's files to stdout as the bytes that it was decoded from."""
    buffer = getattr(sys.stdout, "buffer", None)
    if buffer is None:
        sys.stdout.write(text)
        return
    sys.stdout.flush()
    buffer.write(encode(text))
    buffer.flush()


def encode(text: str) -> bytes:
    """Encode text as UTF-8, undecodable bytes of files as they were; other surrogates, as in the name of a layer, are
    escaped.
    """
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace")
