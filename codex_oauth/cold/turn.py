"""The call from its turn on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from codex_oauth.errors import CodexOAuthError, OutputValidationError
from codex_oauth.events import Event, PhaseReached, RepairStarted
from codex_oauth.lateness import Lateness
from codex_oauth.records import replace
from codex_oauth.session.oneshot import OneShot
from codex_oauth.session.opening import Late, NotBegun, Opened
from codex_oauth.session.request import TurnRequest, TurnResult
from codex_oauth.trace import CallTrace
from codex_oauth.types import Reply

__all__ = ("followed",)


def followed(
    opened: Opened,
    *,
    text: str,
    instructions: str,
    schema: Mapping[str, Any],
    parse: Callable[[str], Any],
    effort: str | None,
    seconds: float,
    began: float,
    spawned: float,
    home: Path,
    sign_in: Callable[[], str],
    fell_back: Callable[[], None],
) -> Reply[Any]:
    """The reply of a turn that has been asked for, repaired if need be.

    Args:
        opened: The turn.
        text: Its input.
        instructions: What the model is told before it.
        schema: The strict schema of the reply.
        parse: Its value, or OutputValidationError.
        effort: The reasoning effort.
        seconds: What the whole call has.
        began: When it began.
        spawned: When its app-server was started.
        home: Its CODEX_HOME.
        sign_in: Gives the command that signs in there.
        fell_back: Called where the network refuses WebSockets.

    Raises:
        NotBegun: The turn was refused.
        CodexOAuthError: As `AsyncCodex.complete`.
    """
    trace, lateness = CallTrace("", model_requested=None, began=began), Lateness()
    trace.effort, trace.model = effort, opened.model

    def observe(event: Event) -> None:
        trace.observe(event)
        lateness.observe(event)

    observe(PhaseReached("spawn", spawned))
    shot = OneShot(opened, auth_file=home / "auth.json", sign_in=sign_in, observer=observe, fell_back=fell_back)
    request = TurnRequest(
        text=text, instructions=instructions, schema=schema, model=opened.model, effort=effort, observer=observe
    )
    try:
        result = _fitting(shot, request, parse)
    except Late:
        raise lateness.error(seconds) from None
    return Reply(
        output=result.value,
        text=result.text,
        usage=result.usage,
        model=result.model,
        effort=effort,
        account=result.account,
        timing=trace.timing(),
        repaired=result.repaired,
        warm=False,
        turn_id=result.turn_id,
        codex_version=opened.codex_version,
        began=began,
    )


def _fitting(shot: OneShot, request: TurnRequest, parse: Callable[[str], Any]) -> TurnResult:
    first = shot.run(request)
    try:
        return replace(first, value=parse(first.text))
    except OutputValidationError as error:
        from codex_oauth.policy.structured_output import repair_text

        request.observer(RepairStarted(error.errors))
        misfit = error
    try:
        second = shot.run(replace(request, text=repair_text(misfit), thread=first.thread))
    except NotBegun as error:
        # One turn has been paid for, so it is not begun anew.
        raise error.__cause__ if isinstance(error.__cause__, CodexOAuthError) else misfit from error
    return replace(second, value=parse(second.text), usage=first.usage + second.usage, repaired=True)
