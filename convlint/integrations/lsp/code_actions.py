"""Code actions for findings: text edits and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lsprotocol import types
from pygls.workspace import PositionCodec

from convlint.integrations.lsp.documents import Document, Documents
from convlint.integrations.lsp.positions import position, same_ends
from convlint.ir import Edit, Finding
from convlint.outputs.parts.sentences import repair_place
from convlint.source_text import lines

FIX_ALL_KIND = "source.fixAll.convlint"
RUN_COMMAND, SUGGEST_COMMAND = "convlint.runModels", "convlint.suggest"


class WorkspaceEdits:
    """Builds workspace edits in the form that the editor supports."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._versions = False

    def adapt(self, capabilities: types.ClientCapabilities) -> None:
        workspace = capabilities.workspace
        edit = workspace and workspace.workspace_edit
        self._versions = bool(edit and edit.document_changes)

    def create(
        self, edits: Mapping[str, Sequence[types.TextEdit]], versions: Mapping[str, int | None]
    ) -> types.WorkspaceEdit:
        """Build a workspace edit from edits by path; an editor refuses it if one of the ``versions`` is outdated."""
        uris = {path: self._documents.uri(path) for path in edits}
        if not self._versions:
            return types.WorkspaceEdit(changes={uris[path]: list(in_file) for path, in_file in edits.items()})
        changes = []
        for path, in_file in edits.items():
            document = types.OptionalVersionedTextDocumentIdentifier(uris[path], versions.get(path))
            changes.append(types.TextDocumentEdit(document, list(in_file)))
        return types.WorkspaceEdit(document_changes=changes)


def replacement(document: Document, data: bytes, codec: PositionCodec) -> types.TextEdit:
    """Return the edit that turns a document into ``data``, limited to the lines that differ."""
    before, after = document.lines, lines.split(lines.decode(data)[0])
    head, tail = same_ends(before, after)
    start = position(before, head + 1, 1, codec)
    end = position(before, len(before) - tail + 1, 1, codec)
    return types.TextEdit(types.Range(start, end), "".join(after[head : len(after) - tail]))


def quick_fix(
    title: str, diagnostic: types.Diagnostic, edit: types.WorkspaceEdit, *, preferred: bool = False
) -> types.CodeAction:
    """Return an action that resolves one finding."""
    kind = types.CodeActionKind.QuickFix
    return types.CodeAction(title, kind=kind, diagnostics=[diagnostic], is_preferred=preferred, edit=edit)


def fixes(finding: Finding) -> Iterator[tuple[str, bool, Sequence[Edit]]]:
    """Yield the title of each action that changes what a finding reports, whether it is preferred, and its edits.

    A finding has the repairs that were tried, of which the first is preferred, or a fix, which is preferred if it is
    safe and marked if it is not.
    """
    for number, repair in enumerate(finding.repairs):
        verb = "Apply verified repair" if repair.verified else "Apply repair"
        yield f"{verb}: {repair.title}{repair_place(finding, repair)}", number == 0, repair.edits
    fix = finding.fix
    if fix is None or fix.applicability == "display" or finding.repairs:
        return
    safe = fix.applicability == "safe"
    note = finding.code if safe else f"{finding.code}, unsafe: may change results"
    yield f"{fix.title[:1].upper()}{fix.title[1:]} ({note})", safe, fix.edits


def fix_all(edit: types.WorkspaceEdit) -> types.CodeAction:
    """Return the action that applies all safe fixes of a file."""
    return types.CodeAction(title="Apply all safe convlint fixes", kind=FIX_ALL_KIND, edit=edit)


def suggest(target: str, uri: str, place: types.Position) -> types.CodeAction:
    """Return the action that looks for a cheaper form of a layer; it is a command because it runs the model."""
    at = {"line": place.line, "character": place.character}
    title = f"Suggest a cheaper layer (runs {target})"
    command = types.Command(title, SUGGEST_COMMAND, arguments=[uri, at, target])
    return types.CodeAction(title, kind=types.CodeActionKind.RefactorRewrite, command=command)


def is_requested(only: Sequence[str] | None, kind: str) -> bool:
    """Return whether an editor requests a kind of action: ``source`` includes ``source.fixAll.convlint``."""
    if not only:  # actions that change a whole file must be requested explicitly
        return not kind.startswith(types.CodeActionKind.Source.value)
    return any(kind == wanted or kind.startswith(f"{wanted}.") for wanted in only)
