"""The report that the functions return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convlint import ir
from convlint.support.dataclass import dataclass

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

    from convlint.outputs.parts.columns import TableOptions


@dataclass(frozen=True, repr=False)
class Report(ir.Report):
    """A report of ``check`` (``linted``) or ``suggest`` (``suggested``) that prints as text, and as HTML in a notebook.

    ``for finding in report`` iterates over its findings. ``files`` were checked statically; None if a model was run.
    ``fail_on`` is the lowest severity that makes ``exit_code`` 1. ``table`` are the options of the printed layer table.
    """

    linted: bool = True
    suggested: bool = False
    files: tuple[str, ...] | None = None
    fail_on: ir.Severity = "warning"
    table: TableOptions | None = None

    @property
    def exit_code(self) -> int:
        """0: no findings, 1: findings at ``fail_on`` or worse, 2: something could not be checked."""
        return self.exit_code_at(self.fail_on)

    @property
    def layers(self) -> tuple[ir.Row, ...]:
        """The rows of the layer table."""
        return tuple([row for model in self.models for row in model.layers])

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it: dicts, lists, numbers and texts; docs/schema.json describes it."""
        from convlint.outputs import json_

        return json_.document(self)

    def to_pandas(self) -> pd.DataFrame:
        """Return the layers as a data frame with the columns of ``summary --output-format csv``. Needs pandas."""
        try:
            import pandas as pd  # only for those who call this
        except ImportError:
            raise ImportError("to_pandas needs pandas: pip install pandas") from None
        from convlint.outputs.tables.records import NAMES, layer_records

        return pd.DataFrame(layer_records(self.models), columns=list(NAMES))

    def __repr__(self) -> str:
        if self.suggested:
            from convlint.outputs.suggestions import text as suggestions

            return suggestions.render(self).rstrip("\n").replace("--explain lists why", "report.refusals says why")
        from convlint.outputs import text

        files = None if self.files is None else len(self.files)
        infos = ("CVL",) if self.fail_on == "info" else ()
        return text.render(
            self,
            table=self.table or "usual",
            verdict=self.linted,
            files=files,
            infos=infos,
            layout="tables" if self.table else "auto",
            in_python=True,
        ).rstrip("\n")

    def _repr_html_(self) -> str:
        from convlint.outputs.parts import notebook

        return notebook.render(self, table=self.table or notebook.DEFAULT_TABLE, suggested=self.suggested)
