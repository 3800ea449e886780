"""The commands: runs of configured models, and the search for cheaper layers."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from lsprotocol import types

from convlint.integrations.lsp.diagnostics import RAN, lines_from
from convlint.integrations.lsp.documents import Document
from convlint.integrations.lsp.run_client import ask
from convlint.integrations.lsp.run_facts import Run
from convlint.integrations.lsp.run_process import Answer, Asked, Offer
from convlint.integrations.lsp.session import Session
from convlint.ir import Site
from convlint.outputs.parts.sentences import problem_sentence
from convlint.settings import config
from convlint.settings.targets import Target
from convlint.support.errors import UsageError

_OFFERED = 3  # buttons of a message


async def run_models(ls: Session, *arguments: Any) -> dict[str, Any] | None:
    """``convlint.runModels``: run configured models, and tell what was found.

    Arguments: the URI of a document, for the models that it is part of; the target of one of them, as it is configured.
    Without any: all that are configured in the working directory. The result counts what came of it.
    """
    uri, target = _texts(arguments, 2)
    try:
        settings, targets = await _models(ls, uri, target)
        answers = [await _run(ls, settings, one) for one in targets]
    except UsageError as error:
        ls.tell(str(error))
        return None
    except asyncio.CancelledError:
        return None  # by the user, or with the server
    about = ls.client_capabilities.workspace
    if about and about.code_lens and about.code_lens.refresh_support:
        ls.start(ls.workspace_code_lens_refresh_async(None))
    return _counts(answers)


async def _run(ls: Session, settings: config.Config, target: Target) -> Answer:
    """Run a model, and show what came of it. Raises UsageError."""
    async with ls.alone():
        await _must_be_saved(ls, settings, target)
        before = {one.path: one.lines for one in ls.documents}
        async with _progress(ls, f"convlint: running {target.text}"):
            answer = await ask(Asked(settings.root, (target.text,), ls.baseline))
        _take(ls, settings, target, answer, before)
        return answer


def _take(
    ls: Session,
    settings: config.Config,
    target: Target,
    answer: Answer,
    before: dict[str, list[str]],
) -> None:
    """Show what a run found, and keep what it showed. ``before`` are the lines of open texts when it began. What has no
    line is told of the model's file, or else of the settings.
    """
    root, lines_of = settings.root, lines_from(before, ls.documents)
    home = os.path.abspath(target.path or settings.path or root)
    found = [ls.shower.finding(f, RAN, lines_of, home) for f in answer.findings]
    for problem in answer.problems:
        ls.tell(problem_sentence(problem))
        if problem.path is not None:
            found.append(ls.shower.problem(problem, RAN, lines_of, home))
    for ran in answer.models:
        paths = dict.fromkeys(built.site.path for built in ran.built)
        lines = {path: lines_of(path) for path in paths}
        ls.facts.put(root, target.text, Run(ran, len(answer.findings), lines))
    ls.put_run(root, target.text, found)


def _counts(answers: Sequence[Answer]) -> dict[str, Any]:
    return {
        "findings": sum(len(answer.findings) for answer in answers),
        "models": [
            {"target": m.target, "status": m.status, "params": m.params, "macs": m.macs}
            for answer in answers
            for m in answer.models
        ],
        "problems": [problem.message for answer in answers for problem in answer.problems],
    }


async def suggest(ls: Session, *arguments: Any) -> list[dict[str, Any]] | None:
    """``convlint.suggest``: look for something cheaper than the layers that a call builds.

    Arguments: the URI of a document, a position in the call, and the target of the model. What was verified by running
    the model with it is offered to the user, and given as title and edit.
    """
    uri, target = _texts((*arguments[:1], *arguments[2:]), 2)
    document = ls.documents.of(uri or "")
    if document is None or len(arguments) < 2:
        ls.tell(
            f"convlint.suggest needs the URI of an open document and a position, not {arguments}"
        )
        return None
    try:
        place = types.Position(int(arguments[1]["line"]), int(arguments[1]["character"]))
        settings, targets = await _models(ls, uri, target)
        return await _suggested(ls, document, place, settings, targets[0])
    except UsageError as error:
        ls.tell(str(error))
    except (TypeError, KeyError, ValueError):
        ls.tell(f"convlint.suggest needs a position with line and character, not {arguments[1]!r}")
    except asyncio.CancelledError:
        return None  # by the user, or with the server
    return None


async def _suggested(
    ls: Session, document: Document, place: types.Position, settings: config.Config, target: Target
) -> list[dict[str, Any]]:
    """What is cheaper than the layers of a call, offered. Raises UsageError."""
    async with ls.alone():
        await _must_be_saved(ls, settings, target)
        call = await _call_at(ls, document, place)
        before = document.lines
        versions = {one.path: one.version for one in ls.documents}
        lines_of = lines_from({one.path: one.lines for one in ls.documents}, ls.documents)
        async with _progress(ls, f"convlint: looking for cheaper layers in {target.text}"):
            answer = await ask(Asked(settings.root, (target.text,), ls.baseline, call))
    for problem in answer.problems:
        ls.tell(problem_sentence(problem))
    if not answer.offers and not answer.problems:
        why = "; ".join(answer.reasons[:3]) or "nothing would be saved"
        ls.tell(f"Nothing cheaper was found for this layer: {why}", types.MessageType.Info)
    offers = [
        (one, ls.changes.of(ls.shower.edits(one.edits, lines_of), versions))
        for one in answer.offers
    ]
    if offers:
        ls.start(_offer(ls, document, before, target, offers[:_OFFERED]))
    return [{"code": o.code, "title": o.title, "edit": edit} for o, edit in offers]


async def _call_at(ls: Session, document: Document, place: types.Position) -> Site:
    line, column = ls.place_in(document, place)
    work = partial(ls.judge.call_at, document.path, line, column, ls.buffers())
    call = await ls.in_thread(work)
    if call is None:
        raise UsageError(
            "there is no call at this place: put the cursor on the one that builds the layer"
        )
    return call.site


async def _offer(
    ls: Session,
    document: Document,
    before: list[str],
    target: Target,
    offers: Sequence[tuple[Offer, types.WorkspaceEdit]],
) -> None:
    """Let the user choose one, and make it."""
    titles = [types.MessageActionItem(one.title) for one, _ in offers]
    text = f"Verified by building and running {target.text}. Apply?"
    asked = types.ShowMessageRequestParams(types.MessageType.Info, text, titles)
    chosen = await ls.window_show_message_request_async(asked)
    if chosen is None:
        return
    offer, edit = next(each for each in offers if each[0].title == chosen.title)
    if document.lines != before:
        ls.tell(
            f"{document.shown} has changed since it was run: suggest again",
            types.MessageType.Warning,
        )
        return
    applied = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, offer.title))
    if not applied.applied:
        reason = applied.failure_reason or "it gives no reason"
        ls.tell(f"The editor did not make the change: {reason}", types.MessageType.Warning)


# --- what both need


def _texts(arguments: Sequence[Any], count: int) -> list[str | None]:
    found = [text if isinstance(text, str) else None for text in arguments[:count]]
    return found + [None] * (count - len(found))


async def _models(
    ls: Session, uri: str | None, target: str | None
) -> tuple[config.Config, list[Target]]:
    """The configured models that are meant. Raises UsageError where there are none."""
    document = ls.documents.of(uri) if uri else None
    if document is not None:
        settings, targets = await ls.in_thread(partial(ls.judge.models_of, document.path))
    else:
        settings = await ls.in_thread(config.discover)
        targets = [entry.target for entry in settings.models]
    if not settings.models:
        raise UsageError(
            "no model is configured: `convlint init` writes [[tool.convlint.models]] into the settings"
        )
    chosen = [one for one in targets if target is None or one.text == target]
    if not chosen:
        about = f"{document.shown} is part of" if document else "there is"
        raise UsageError(f"{about} no configured model{f' {target}' if target else ''}")
    return settings, chosen


async def _must_be_saved(ls: Session, settings: config.Config, target: Target) -> None:
    """Raise UsageError if a text that a model is made of is not saved: runs read files."""
    for document in ls.documents:
        if document.is_saved:
            continue
        own, models = await ls.in_thread(partial(ls.judge.models_of, document.path))
        if own.root == settings.root and target.text in {model.text for model in models}:
            raise UsageError(
                f"{document.shown} has changes that are not saved: a run reads files, save it first"
            )


@asynccontextmanager
async def _progress(ls: Session, title: str) -> AsyncIterator[None]:
    """Context in which the editor shows that something runs, where it can; cancelled there, it is cancelled here."""
    window = ls.client_capabilities.window
    if not (window and window.work_done_progress):
        yield
        return
    token, task = str(uuid.uuid4()), asyncio.current_task()
    await ls.work_done_progress.create_async(token)
    begin = types.WorkDoneProgressBegin(title=title, cancellable=True)
    ls.work_done_progress.begin(token, begin)
    ls.work_done_progress.tokens[token].add_done_callback(lambda _: task.cancel() if task else None)
    try:
        yield
    finally:
        ls.work_done_progress.tokens.pop(token, None)
        ls.work_done_progress.end(token, types.WorkDoneProgressEnd())
