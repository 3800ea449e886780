"""Commands: run configured models, and search for cheaper layers."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from lsprotocol import types

from convlint.integrations.lsp import run_client
from convlint.integrations.lsp.diagnostics import RUN, lines_from
from convlint.integrations.lsp.documents import Document
from convlint.integrations.lsp.run_facts import LastRun
from convlint.integrations.lsp.run_process import RunRequest, RunResponse, SuggestedRewrite
from convlint.integrations.lsp.server import ConvlintServer
from convlint.ir import Site
from convlint.outputs.parts.sentences import problem_sentence
from convlint.settings import config
from convlint.settings.targets import Target
from convlint.support.errors import UsageError

_MAX_BUTTONS = 3  # buttons of a message


async def run_models(ls: ConvlintServer, *arguments: Any) -> dict[str, Any] | None:
    """Run ``convlint.runModels``: run configured models and publish their findings.

    Arguments: the URI of a document, to run the models that depend on it, and the configured target of one of them.
    Without arguments, all models that are configured in the working directory run. The result is a summary.
    """
    uri, target = _texts(arguments, 2)
    try:
        settings, targets = await _models(ls, uri, target)
        responses = [await _run(ls, settings, target) for target in targets]
    except UsageError as error:
        ls.show(str(error))
        return None
    except asyncio.CancelledError:
        return None  # cancelled by the user, or by the end of the server
    ls.refresh_results()
    return _summary(responses)


async def _run(ls: ConvlintServer, settings: config.Config, target: Target) -> RunResponse:
    """Run a model and publish the result. Raises UsageError."""
    async with ls.exclusive_run():
        await _must_be_saved(ls, settings, target)
        before = {each.path: each.lines for each in ls.documents}
        async with _progress(ls, f"convlint: running {target.text}"):
            response = await run_client.run(RunRequest(settings.root, (target.text,), ls.baseline))
        _publish(ls, settings, target, response, before)
        return response


def _publish(
    ls: ConvlintServer, settings: config.Config, target: Target, response: RunResponse, before: dict[str, list[str]]
) -> None:
    """Publish the diagnostics of a run, and store its facts. ``before``: lines of open documents at its start."""
    root, lines_of = settings.root, lines_from(before, ls.documents)
    # Where findings without a site are reported.
    home = os.path.abspath(target.path or settings.path or root)
    diagnostics = [ls.diagnostics.finding(f, RUN, lines_of, home) for f in response.findings]
    for problem in response.problems:
        ls.show(problem_sentence(problem))
        if problem.path is not None:
            diagnostics.append(ls.diagnostics.problem(problem, RUN, lines_of, home))
    for ran in response.models:
        paths = {each.site.path for each in ran.built} | {each.site.path for each in ran.results}
        ls.facts.add(root, target.text, LastRun(ran, len(response.findings), {path: lines_of(path) for path in paths}))
    ls.set_run_diagnostics(root, target.text, diagnostics)


def _summary(responses: Sequence[RunResponse]) -> dict[str, Any]:
    return {
        "findings": sum(len(response.findings) for response in responses),
        "models": [
            {"target": m.target, "status": m.status, "params": m.params, "macs": m.macs}
            for response in responses
            for m in response.models
        ],
        "problems": [problem.message for response in responses for problem in response.problems],
    }


async def suggest(ls: ConvlintServer, *arguments: Any) -> list[dict[str, Any]] | None:
    """Run ``convlint.suggest``: look for cheaper forms of the layers that a call builds.

    Arguments: the URI of a document, a position in the call, and the target of the model. Rewrites that were verified
    by running the model are offered to the user, and returned with title and edit.
    """
    uri, target = _texts((*arguments[:1], *arguments[2:]), 2)
    document = ls.documents.by_uri(uri or "")
    if document is None or len(arguments) < 2:
        ls.show(f"convlint.suggest needs the URI of an open document and a position, not {arguments}")
        return None
    try:
        place = types.Position(int(arguments[1]["line"]), int(arguments[1]["character"]))
        settings, targets = await _models(ls, uri, target)
        return await _suggested(ls, document, place, settings, targets[0])
    except UsageError as error:
        ls.show(str(error))
    except (TypeError, KeyError, ValueError):
        ls.show(f"convlint.suggest needs a position with line and character, not {arguments[1]!r}")
    except asyncio.CancelledError:
        pass  # cancelled by the user, or by the end of the server
    return None


async def _suggested(
    ls: ConvlintServer, document: Document, place: types.Position, settings: config.Config, target: Target
) -> list[dict[str, Any]]:
    """Offer cheaper forms of the layers of a call. Raises UsageError."""
    async with ls.exclusive_run():
        await _must_be_saved(ls, settings, target)
        call = await _call_at(ls, document, place)
        before = document.lines
        versions = {each.path: each.version for each in ls.documents}
        lines_of = lines_from({each.path: each.lines for each in ls.documents}, ls.documents)
        async with _progress(ls, f"convlint: looking for cheaper layers in {target.text}"):
            response = await run_client.run(RunRequest(settings.root, (target.text,), ls.baseline, call))
    for problem in response.problems:
        ls.show(problem_sentence(problem))
    if not response.rewrites and not response.problems:
        why = "; ".join(response.reasons[:3]) or "no rewrite would save anything"
        ls.show(f"No cheaper form of this layer was found: {why}", types.MessageType.Info)
    rewrites = response.rewrites
    offers = [(each, ls.edits.create(ls.diagnostics.edits(each.edits, lines_of), versions)) for each in rewrites]
    if offers:
        ls.start_task(_offer(ls, document, before, target, offers[:_MAX_BUTTONS]))
    return [{"code": o.code, "title": o.title, "edit": edit} for o, edit in offers]


async def _call_at(ls: ConvlintServer, document: Document, place: types.Position) -> Site:
    line, column = ls.place_in(document, place)
    call = await ls.in_thread(partial(ls.linter.call_at, document.path, line, column, ls.buffers()))
    if call is None:
        raise UsageError("no call at this position; put the cursor on the call that builds the layer")
    return call.site


async def _offer(
    ls: ConvlintServer,
    document: Document,
    before: list[str],
    target: Target,
    offers: Sequence[tuple[SuggestedRewrite, types.WorkspaceEdit]],
) -> None:
    """Let the user choose a rewrite, and apply it."""
    titles = [types.MessageActionItem(rewrite.title) for rewrite, _ in offers]
    text = f"Verified by building and running {target.text}. Apply?"
    question = types.ShowMessageRequestParams(types.MessageType.Info, text, titles)
    chosen = await ls.window_show_message_request_async(question)
    if chosen is None:
        return
    offer, edit = next(each for each in offers if each[0].title == chosen.title)
    if document.lines != before:
        ls.show(f"{document.display_path} has changed since the run; run suggest again", types.MessageType.Warning)
        return
    applied = await ls.workspace_apply_edit_async(types.ApplyWorkspaceEditParams(edit, offer.title))
    if not applied.applied:
        reason = applied.failure_reason or "no reason given"
        ls.show(f"The editor did not apply the edit: {reason}", types.MessageType.Warning)


def _texts(arguments: Sequence[Any], count: int) -> list[str | None]:
    texts = [text if isinstance(text, str) else None for text in arguments[:count]]
    return texts + [None] * (count - len(texts))


async def _models(ls: ConvlintServer, uri: str | None, target: str | None) -> tuple[config.Config, list[Target]]:
    """Return the settings and the requested models. Raises UsageError if there are none."""
    document = ls.documents.by_uri(uri) if uri else None
    if document is not None:
        settings, targets = await ls.in_thread(partial(ls.linter.models_of, document.path))
    else:
        settings = await ls.in_thread(config.discover)
        targets = [entry.target for entry in settings.models]
    if not settings.models:
        raise UsageError("no model is configured; `convlint init` writes [[tool.convlint.models]]")
    chosen = [each for each in targets if target is None or each.text == target]
    if not chosen:
        model = f"configured model {target}" if target else "configured model"
        raise UsageError(f"no {model} depends on {document.display_path}" if document else f"there is no {model}")
    return settings, chosen


async def _must_be_saved(ls: ConvlintServer, settings: config.Config, target: Target) -> None:
    """Raise UsageError if a document that the model depends on is not saved, because runs read files."""
    for document in ls.documents:
        if document.is_saved:
            continue
        own, models = await ls.in_thread(partial(ls.linter.models_of, document.path))
        if own.root == settings.root and target.text in {model.text for model in models}:
            raise UsageError(f"{document.display_path} has unsaved changes; save it first, because a run reads files")


@asynccontextmanager
async def _progress(ls: ConvlintServer, title: str) -> AsyncIterator[None]:
    """Context in which the editor shows progress, if it can; the user can cancel the task there."""
    window = ls.client_capabilities.window
    if not (window and window.work_done_progress):
        yield
        return
    token, task = str(uuid.uuid4()), asyncio.current_task()
    await ls.work_done_progress.create_async(token)
    ls.work_done_progress.begin(token, types.WorkDoneProgressBegin(title=title, cancellable=True))
    ls.work_done_progress.tokens[token].add_done_callback(lambda _: task.cancel() if task else None)
    try:
        yield
    finally:
        ls.work_done_progress.tokens.pop(token, None)
        ls.work_done_progress.end(token, types.WorkDoneProgressEnd())
