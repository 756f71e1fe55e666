"""The hook: what a host sent, to the exact bytes that it is answered with."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from codex_oauth.errors import CodexOAuthError
from codex_oauth.gate.asking import Asking
from codex_oauth.gate.claude import render as render_for_claude
from codex_oauth.gate.codex import render as render_for_codex
from codex_oauth.gate.denials import Denials
from codex_oauth.gate.failures import failure_class
from codex_oauth.gate.journal import Journal
from codex_oauth.gate.policy.layers import load_policy
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.situation import situation_of
from codex_oauth.gate.verdict import REPLY_SCHEMA, Verdict
from codex_oauth.records import record, replace

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

    from codex_oauth.client import AsyncCodex
    from codex_oauth.config import Settings
    from codex_oauth.gate.flights import Flights
    from codex_oauth.gate.policy import Behavior, FailureClass, OnFailure, Policy
    from codex_oauth.gate.request import Host
    from codex_oauth.gate.settling import Question
    from codex_oauth.gate.situation import Situation
    from codex_oauth.metrics import Served
    from codex_oauth.types import Reply

__all__ = ("HookAnswer", "HookCall", "answer", "ask", "failed")


@record()
class HookAnswer:
    """What the process does with its last breath.

    Attributes:
        stdout: The host's answer; empty where the person decides.
        failed: Whether there is no verdict: exit 1, unless a denial stands in for it.
        notes: Lines for stderr.
    """

    stdout: bytes
    failed: bool = False
    notes: tuple[str, ...] = ()


class HookCall:
    """One request of a host, in two steps with a question to the model between them. Neither raises anything: a
    failure is an answer too, and never an allow.

    Args:
        payload: The host's JSON.
        host: Whose it is.
        settings: Where the policies and the metrics are.
        policy_file: A policy file to use instead of the user's and the repository's.
        on_failure: What becomes of a request that has no verdict, whatever the policy says; None for the policy's word.
        served: Who makes the call, for the metrics: the process that was asked, or the warm service.
        began: When the request began, by `time.perf_counter()`, such as where the host's hook was started; now if None.
    """

    def __init__(
        self,
        payload: bytes,
        host: Host,
        settings: Settings,
        *,
        policy_file: Path | None = None,
        on_failure: OnFailure | None = None,
        served: Served = "process",
        began: float | None = None,
    ) -> None:
        self._payload = payload
        self._host: Host = host
        self._settings = settings
        self._policy_file = policy_file
        self._on_failure: OnFailure | None = on_failure
        self._request: PermissionRequest | None = None
        self._situation: Situation | None = None
        self._asking: Asking | None = None
        self.journal = Journal(settings.metrics, command="hook", host=host, served=served, began=began)

    def question(self) -> Question | HookAnswer:
        """What the model is asked; the answer itself where that needs no model, or where there is none."""
        settings = self._settings
        try:
            self._request = self.journal.request = request = PermissionRequest.from_hook(self._payload, host=self._host)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the host gets an answer that is no allow
            return self._without(error, "input", None)
        self.journal.reached("read")
        try:
            self._situation = situation = situation_of(request, settings, policy_file=self._policy_file)
        except Exception as error:  # noqa: BLE001
            name = failure_class(error)
            return self._without(error, name, _users_word(name, request, settings))
        self.journal.policy = policy = situation.policy
        self.journal.reached("policy")
        try:
            self._asking = asking = Asking(request, policy, situation.context, settings, self.journal)
            asked = asking.question()
            return self._with(asked, request, situation) if isinstance(asked, Verdict) else asked
        except Exception as error:  # noqa: BLE001
            return self.without(error)

    def answer(self, reply: Reply[Any], *, shared: bool = False) -> HookAnswer:
        """The answer that the model's reply makes.

        Args:
            reply: The reply.
            shared: Whether it is that of a call which somebody else had begun with the same question.
        """
        try:
            assert self._request is not None
            assert self._situation is not None
            assert self._asking is not None
            return self._with(self._asking.verdict(reply, shared=shared), self._request, self._situation)
        except Exception as error:  # noqa: BLE001
            return self.without(error)

    def without(self, error: Exception) -> HookAnswer:
        """The answer where the model's reply did not come."""
        name = failure_class(error)
        situation = self._situation
        if situation is None:
            return self._without(error, name, None)
        return self._without(error, name, situation.policy.on_failure.get(name), situation.notes)

    def _with(self, verdict: Verdict, request: PermissionRequest, situation: Situation) -> HookAnswer:
        denials = Denials(self._settings.state_dir / "gate" / "denials", request.session)
        verdict = _escalated(verdict, request, denials)
        self.journal.judged(verdict)
        return HookAnswer(_rendered(verdict, request, situation.policy), notes=situation.notes)

    def _without(
        self, error: Exception, name: FailureClass, heard: OnFailure | None, notes: tuple[str, ...] = ()
    ) -> HookAnswer:
        ended = failed(error, name, self._on_failure or heard, notes)
        behavior: Behavior = "deny" if ended.stdout else "ask"
        self.journal.failed(error, Verdict(behavior=behavior, reason="", source="failure"))
        return ended


async def answer(
    payload: bytes,
    host: Host,
    codex: AsyncCodex,
    *,
    policy_file: Path | None = None,
    on_failure: OnFailure | None = None,
    served: Served = "process",
    began: float | None = None,
    flights: Flights | None = None,
) -> HookAnswer:
    """Judge what a host's hook got on stdin, with a client's call. Raises nothing but cancellation.

    Args:
        payload: As for `HookCall`, like the others.
        host: As for `HookCall`.
        codex: What makes the call.
        policy_file: As for `HookCall`.
        on_failure: As for `HookCall`.
        served: As for `HookCall`.
        began: As for `HookCall`.
        flights: The calls that are shared by those who ask the same at the same moment; None to share none.
    """
    call = HookCall(
        payload, host, codex.settings, policy_file=policy_file, on_failure=on_failure, served=served, began=began
    )
    asked = call.question()
    if isinstance(asked, HookAnswer):
        return asked
    try:
        reply, shared = await ask(asked, codex, flights)
    except Exception as error:  # noqa: BLE001
        return call.without(error)
    return call.answer(reply, shared=shared)


async def ask(asked: Question, codex: AsyncCodex, flights: Flights | None = None) -> tuple[Reply[Any], bool]:
    """The model's reply to a question, and whether it is that of a call which somebody else had begun.

    Raises:
        CodexOAuthError: There is none.
    """

    def make(timeout: float | None) -> Awaitable[Reply[Any]]:
        return codex.complete(
            asked.text,
            instructions=asked.instructions,
            output=REPLY_SCHEMA,
            model=asked.model,
            effort=asked.effort,
            timeout=timeout,
            label=None,
        )

    if flights is None:
        return await make(asked.timeout), False
    from codex_oauth.gate.flights import flight_key

    settings = codex.settings
    return await flights.fly(flight_key(asked, settings), make, timeout=asked.timeout or settings.timeout)


def failed(
    error: BaseException, name: FailureClass, on_failure: OnFailure | None, notes: tuple[str, ...] = ()
) -> HookAnswer:
    """The answer where there is no verdict: the person decides, or a denial says why.

    Args:
        error: What happened.
        name: Its class.
        on_failure: `deny` for a denial; `ask` or None to leave it to the person.
        notes: What else to say on stderr.
    """
    # An error that is not this package's own may quote anything.
    words = error.message if isinstance(error, CodexOAuthError) else f"unexpected {type(error).__name__}"
    line = f"{name}: {words}"
    if on_failure != "deny":
        return HookAnswer(b"", failed=True, notes=(*notes, f"no verdict, so the person decides: {line}"))
    verdict = Verdict(
        behavior="deny",
        reason=words,
        deny_message=f"The permission gate could not judge this, and its policy is to deny then. ({words[:400]}) Stop, "
        "and report it to the person, who can run codex-oauth doctor; trying another way leads to the same.",
        source="failure",
    )
    # Both hosts read a denial alike.
    return HookAnswer(render_for_codex(verdict), failed=True, notes=(*notes, f"no verdict, so denied: {line}"))


def _users_word(name: FailureClass, request: PermissionRequest, settings: Settings) -> OnFailure | None:
    """What the user's own policy file says of a failure, where it was a repository's that is broken."""
    with suppress(CodexOAuthError):
        policy = load_policy(settings, host=request.host, mode=request.mode, git=None).policy
        return policy.on_failure.get(name)
    return None


def _escalated(verdict: Verdict, request: PermissionRequest, denials: Denials) -> Verdict:
    if verdict.behavior != "deny":
        denials.count(denied=False)
        return verdict
    why = denials.too_many()
    if why is None:
        denials.count(denied=True)
        return verdict
    if request.nobody_can_be_asked:
        return replace(verdict, deny_message=f"{why} Stop, and report what you need. {verdict.deny_message}"[:900])
    # Neither counted as a denial nor as its end: what the person says to it, a hook does not learn.
    return replace(verdict, behavior="ask", deny_message="", reason=f"{why} {verdict.reason}", source="escalated")


def _rendered(verdict: Verdict, request: PermissionRequest, policy: Policy) -> bytes:
    return render_for_codex(verdict) if request.host == "codex" else render_for_claude(verdict, request, policy)
