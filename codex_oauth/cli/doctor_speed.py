"""The doctor's look at the time: whether the warm service runs, how much of the last calls was local, and on what."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from codex_oauth.cli.finding import Check
from codex_oauth.errors import ConfigurationError

if TYPE_CHECKING:
    from codex_oauth.cli.options import Where
    from codex_oauth.config import Settings
    from codex_oauth.metrics.records import Record

__all__ = ("service_checks", "speed_checks")

_LAST: Final = 50
"""Calls that are looked at."""

_FEWEST: Final = 10
"""Calls that say something."""

_MUCH: Final = 300.0
"""Milliseconds of local time that a person notices, whatever the model takes: a cold call's own are 60 to 100."""

_LITTLE: Final = 100.0
"""Milliseconds that nobody notices, even if the model takes no longer."""

_PART: Final = 0.25
"""Of all of the time. A small model's shortest turns take half a second to a second."""

_OF_STARTING: Final = ("spawn", "initialize", "account")
_CAUSES: Final[Mapping[str, tuple[str, str | None]]] = {
    "read": ("until the request was read", None),
    "policy": ("reading policies, the repository and the conversation, from a slow file system, say", None),
    "asked": ("making the question", None),
    "queued": ("waiting for a place: too many calls at once", None),
    "spawn": ("starting codex", None),
    "initialize": ("codex's start", None),
    "account": ("codex's account check, which is a round trip on the network", "check HTTPS_PROXY"),
    "thread": ("opening a thread", None),
    "total": ("after the model's turn", None),
}


def service_checks(settings: Settings, where: Where) -> list[Check]:
    """Whether the warm service runs. Nothing needs it, so that it is only wrong where it does not answer.

    Args:
        settings: What the calls work with.
        where: The options that name a home and a codex: another service for each.
    """
    from codex_oauth.server import address_of, find_service

    if settings.service == "off":
        return [Check("service", "ok", "turned off")]
    if not settings.managed:
        return []  # it serves managed homes alone
    named = {"--home": where.home, "--profile": where.profile, "--codex-bin": where.codex_bin}
    try:
        address = address_of(settings, {name: str(value) for name, value in named.items() if value is not None})
    except ConfigurationError as error:
        return [Check("service", "ok", error.message)]  # there is none on this system
    try:
        found = find_service(address.socket)
    except ConfigurationError as error:
        return [Check("service", "warn", error.message)]
    if found is None:
        return [Check("service", "ok", "not running; the first hook starts it")]
    if found.status is None:
        finding = f"process {found.pid} has the service's socket and does not answer"
        return [Check("service", "warn", finding, "codex-oauth service stop")]
    return [Check("service", "ok", f"runs, process {found.pid}")]


def speed_checks(settings: Settings) -> list[Check]:
    """How much of the last calls' time was not the model's; nothing where there were too few."""
    from codex_oauth.metrics.spent import Spent
    from codex_oauth.metrics.words import percent, span

    calls = _last(settings)
    spent = Spent()
    for call in calls:
        spent.add(call.phases, whole=call.has_steps)
    (local, _), (model, _) = spent.percentiles(spent.local), spent.percentiles(spent.model)
    if spent.calls < _FEWEST or local is None or model is None:
        return []
    warm = sum(call.warm for call in calls)
    share = spent.share or 0.0
    finding = (
        f"{span(local)} local and {span(model)} the model's, typically; {percent(share)} of all was local "
        f"(the last {spent.calls} calls, {warm} of them warm)"
    )
    if local <= _MUCH and (share <= _PART or local <= _LITTLE):
        return [Check("speed", "ok", finding)]
    step = max(spent.steps, key=lambda step: sum(spent.steps[step]), default=None)
    if warm < spent.calls / 2 and (step is None or step in _OF_STARTING):
        detail, mend = "most calls started codex anew, which the warm service saves", _start(settings)
    elif step is not None:
        detail, mend = _CAUSES[step]
        detail = f"most of the local time went by {detail}"
    else:
        detail, mend = "the lines are an earlier version's, and do not say what took it", None
    return [Check("speed", "warn", finding, mend or "codex-oauth metrics", details=(detail,))]


def _start(settings: Settings) -> str:
    if settings.service == "off":
        return 'set service = "on-demand" in the configuration file'
    return "codex-oauth service start"


def _last(settings: Settings) -> deque[Record]:
    from codex_oauth.metrics import scan
    from codex_oauth.metrics.records import record
    from codex_oauth.metrics.spent import steps_of

    calls: deque[Record] = deque(maxlen=_LAST)
    if settings.metrics is not None:
        try:
            for line in scan(settings.metrics):
                call = record(line) if line is not None else None
                if call is not None and not call.failed and steps_of(call.phases) is not None:
                    calls.append(call)
        except OSError:
            pass  # whoever looks at the file says so
    return calls
