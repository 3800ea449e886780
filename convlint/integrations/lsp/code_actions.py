"""What an editor can do about findings: changes of the text, and commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lsprotocol.types import (
    ClientCapabilities,
    CodeAction,
    CodeActionKind,
    Command,
    Diagnostic,
    OptionalVersionedTextDocumentIdentifier,
    Position,
    TextDocumentEdit,
    TextEdit,
    WorkspaceEdit,
)
from lsprotocol.types import Range as TextRange
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.documents import Document, Documents
from convlint.integrations.lsp.positions import position, same_ends
from convlint.ir import Fix
from convlint.source_text import lines

OURS_ALL = "source.fixAll.convlint"
RUN, SUGGEST = "convlint.runModels", "convlint.suggest"


class Changes:
    """Makes changes of texts in the form that an editor understands."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._versions = False

    def adapt(self, capabilities: ClientCapabilities) -> None:
        """Make what this editor understands from now on."""
        about = capabilities.workspace
        self._versions = bool(
            about and about.workspace_edit and about.workspace_edit.document_changes
        )

    def of(
        self, edits: Mapping[str, Sequence[TextEdit]], versions: Mapping[str, int | None]
    ) -> WorkspaceEdit:
        """Edits by path. ``versions`` are those of the open documents that they are for: an editor makes none of
        them where one has changed since, if it can.
        """
        uris = {path: self._documents.uri(path) for path in edits}
        if not self._versions:
            return WorkspaceEdit(changes={uris[path]: list(made) for path, made in edits.items()})
        return WorkspaceEdit(
            document_changes=[
                TextDocumentEdit(
                    OptionalVersionedTextDocumentIdentifier(uris[path], versions.get(path)),
                    list(made),
                )
                for path, made in edits.items()
            ]
        )


def replaced(document: Document, data: bytes, codec: PositionCodec) -> TextEdit:
    """The edit that makes ``data`` of a document: the lines that differ."""
    before, after = document.lines, lines.split(lines.decode(data)[0])
    head, tail = same_ends(before, after)
    start = position(before, head + 1, 1, codec)
    end = position(before, len(before) - tail + 1, 1, codec)
    return TextEdit(TextRange(start, end), "".join(after[head : len(after) - tail]))


def fix(code: str, made: Fix, diagnostic: Diagnostic, edit: WorkspaceEdit) -> CodeAction:
    """The fix of a finding: the preferred one where it is safe, and marked where it is not."""
    safe = made.applicability == "safe"
    about = code if safe else f"{code}, unsafe: may change results"
    return CodeAction(
        title=f"{made.title[:1].upper()}{made.title[1:]} ({about})",
        kind=CodeActionKind.QuickFix,
        diagnostics=[diagnostic],
        is_preferred=safe,
        edit=edit,
    )


def silence(code: str, diagnostic: Diagnostic, edit: WorkspaceEdit) -> CodeAction:
    """A comment that silences a finding."""
    return CodeAction(
        title=f"Silence {code} with # noqa",
        kind=CodeActionKind.QuickFix,
        diagnostics=[diagnostic],
        is_preferred=False,
        edit=edit,
    )


def fix_all(edit: WorkspaceEdit) -> CodeAction:
    """Every safe fix of a file."""
    return CodeAction(title="Make all safe fixes of convlint", kind=OURS_ALL, edit=edit)


def suggest(target: str, uri: str, place: Position) -> CodeAction:
    """The search for a cheaper form of a layer: a command, for it runs the model."""
    at = {"line": place.line, "character": place.character}
    title = f"Suggest a cheaper layer (runs {target})"
    return CodeAction(
        title=title,
        kind=CodeActionKind.RefactorRewrite,
        command=Command(title=title, command=SUGGEST, arguments=[uri, at, target]),
    )


def wants(only: Sequence[str] | None, kind: str) -> bool:
    """Whether an editor asks for a kind of actions: ``source`` asks for ``source.fixAll.convlint`` too. What
    changes a whole file is only for those who ask for it by name.
    """
    if not only:
        return not kind.startswith(CodeActionKind.Source.value)
    return any(kind == asked or kind.startswith(f"{asked}.") for asked in only)
