"""Recorded requests judged again: what the present policy would say of what agents asked for before."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.gate.classifier import judge
from codex_oauth.gate.evaluation.many import judge_many
from codex_oauth.gate.policy import Behavior, Policy
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import Verdict
from codex_oauth.metrics import read
from codex_oauth.metrics.records import asked_for

__all__ = ("NOT_RECORDED", "Recorded", "Recording", "Replay", "Replayed", "read_recorded", "replay")

NOT_RECORDED: Final = (
    "The conversation and the host's own permission rules were not recorded: a verdict that rested on what the person "
    "had said may differ for that alone. Secrets were taken out before anything was recorded, and long inputs were "
    "cut: such requests are marked."
)
"""What a replay cannot know, in words."""

_ORDER: Final = ("deny>allow", "ask>allow", "allow>deny", "allow>ask", "deny>ask", "ask>deny")
# What gets through now, and did not, comes first; then what the person or the agent would notice.

_ANOTHER_WORD: Final = frozenset({"escalated", "nobody"})
"""Sources of a verdict in the place of the model's, for what is not known of a record: who could be asked then, and how
many denials came before."""

_LEFT_OUT: Final = re.compile(r"\[…[^\]]*…\]")
_TAKEN_OUT: Final = re.compile(r"\[secret: ")
_BEHAVIORS: Final = ("allow", "deny", "ask")
_IDENTITY: Final = ("tool", "input", "cwd", "host", "mode")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A request that was judged before, once or more often.

    Attributes:
        request: The request, as far as it was recorded.
        behavior: Its last verdict.
        source: What made that verdict so.
        rule: The rule that it rested on.
        policy: The fingerprint of the policy that it was judged by.
        times: How often it was recorded.
        last: When it was recorded last.
    """

    request: PermissionRequest
    behavior: Behavior
    source: str
    rule: str | None
    policy: str | None
    times: int
    last: datetime

    @property
    def cut(self) -> bool:
        """Whether a part of it was too long to be recorded."""
        return _LEFT_OUT.search(self._input) is not None

    @property
    def redacted(self) -> bool:
        """Whether secrets were taken out of it."""
        return _TAKEN_OUT.search(self._input) is not None

    @property
    def _input(self) -> str:
        return json.dumps(self.request.tool_input, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Recording:
    """What is recorded.

    Attributes:
        requests: The requests, each once, the one that was recorded last first.
        recorded: How many records there are of permission requests.
        skipped: How many of them are not among the requests, by the reason for that.
    """

    requests: Sequence[Recorded]
    recorded: int
    skipped: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded request and what became of it now: a verdict, or the failure that there is in its place."""

    recorded: Recorded
    policy: str
    result: Verdict | CodexOAuthError = field(repr=False)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict, if there is one."""
        return self.result if isinstance(self.result, Verdict) else None

    @property
    def changed(self) -> bool:
        """Whether there is a verdict, and another one than before."""
        return self.verdict is not None and self.verdict.behavior != self.recorded.behavior

    @property
    def other_rule(self) -> bool:
        """Whether the same verdict rests on another rule."""
        verdict = self.verdict
        return verdict is not None and not self.changed and verdict.rule != self.recorded.rule

    @property
    def same_policy(self) -> bool:
        """Whether the policy is the one of before."""
        return self.policy == self.recorded.policy

    @property
    def models_own(self) -> bool:
        """Whether a difference would be the model's own: the policy is the same, and the old verdict was not put in the
        place of the model's by what went on then."""
        return self.same_policy and self.recorded.source not in _ANOTHER_WORD

    @property
    def step(self) -> str:
        """The old verdict and the new one, as `deny>allow`; the same where there is none."""
        verdict = self.verdict
        return f"{self.recorded.behavior}>{verdict.behavior if verdict else self.recorded.behavior}"

    def to_json(self) -> dict[str, Any]:
        """Everything that a reader needs to judge the difference."""
        recorded, verdict = self.recorded, self.verdict
        request = recorded.request
        return {
            "host": request.host,
            "mode": request.mode,
            "tool": request.tool,
            "what": asked_for(request.tool, dict(request.tool_input)),
            "cwd": request.cwd,
            "times": recorded.times,
            "last": recorded.last.isoformat(timespec="seconds"),
            "old": recorded.behavior,
            "old_rule": recorded.rule,
            "old_source": recorded.source,
            "new": verdict.behavior if verdict else None,
            "new_rule": verdict.rule if verdict else None,
            "new_source": verdict.source if verdict else None,
            "reason": verdict.reason if verdict else "",
            "error": None if isinstance(self.result, Verdict) else self.result.code,
            "same_policy": self.same_policy,
            "models_own": self.models_own,
            "cut": recorded.cut,
            "redacted": recorded.redacted,
        }


@dataclass(frozen=True, slots=True)
class Replay:
    """What judging again comes to.

    Attributes:
        replayed: Every request that was tried.
        selected: How many were to be tried.
    """

    replayed: Sequence[Replayed]
    selected: int

    @property
    def changes(self) -> Sequence[Replayed]:
        """Those with another verdict than before: what would get through now comes first."""
        changed = [one for one in self.replayed if one.changed]
        return sorted(changed, key=lambda one: (_ORDER.index(one.step), -one.recorded.times))

    @property
    def failed(self) -> Sequence[Replayed]:
        """Those without a verdict."""
        return [one for one in self.replayed if one.verdict is None]

    def to_json(self) -> dict[str, Any]:
        """What `gate replay --json` prints, but for what is known of the records."""
        judged = [one for one in self.replayed if one.verdict is not None]
        return {
            "selected": self.selected,
            "judged": len(judged),
            "complete": len(self.replayed) == self.selected,
            "changed": [one.to_json() for one in self.changes],
            "changes": dict(Counter(one.step.replace(">", " to ") for one in self.changes)),
            "unchanged": sum(not one.changed for one in judged),
            "other_rule": sum(one.other_rule for one in judged),
            "same_policy": sum(one.same_policy for one in judged),
            "models_own": sum(one.models_own for one in self.changes),
            "errors": [one.to_json() for one in self.failed],
            "not_recorded": NOT_RECORDED,
        }


def read_recorded(path: Path, *, since: datetime | None = None) -> Recording:
    """The requests in a metrics file. Identical ones count as one: the same tool, input, folder, host and mode.

    Args:
        path: The file.
        since: Leave out what was recorded before.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    found: dict[str, Recorded] = {}
    skipped: Counter[str] = Counter()
    count = 0
    try:
        for line in read(path):
            gate, last = line.get("gate"), _time(line.get("time"))
            if not isinstance(gate, dict) or last is None or (since is not None and last < since):
                continue
            count += 1
            fields = cast("dict[str, Any]", gate)
            if (why := _unfit(fields)) is not None:
                skipped[why] += 1
                continue
            name = json.dumps([fields.get(part) for part in _IDENTITY], sort_keys=True)
            before = found.pop(name, None)  # so that the order is that of the last time
            found[name] = _recorded(fields, last, before.times + 1 if before else 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    return Recording(tuple(reversed(found.values())), count, dict(skipped))


async def replay(
    requests: Sequence[Recorded],
    *,
    policy_of: Callable[[PermissionRequest], Policy],
    codex: AsyncCodex,
    done: Callable[[Replayed], None],
    concurrency: int = 8,
    model: str | None = None,
    effort: str | None = None,
    timeout: float | None = None,
) -> None:
    """Judge the requests again. Nothing goes into the metrics: these are no new requests.

    Args:
        requests: What is judged.
        policy_of: The policy for a request.
        codex: What makes the calls; entered, so that one app-server serves them all.
        done: Told of each request what became of it.
        concurrency: How many at once.
        model: A model's id; None for the policy's, or the small tier.
        effort: A reasoning effort; None for the policy's, or the model's lowest.
        timeout: Seconds for a verdict; None for the policy's, or the configured ones.

    Raises:
        CodexOAuthError: It was of no use to go on: see `judge_many`.
    """

    async def judge_one(recorded: Recorded) -> Verdict:
        policy = policy_of(recorded.request)
        return await judge(recorded.request, policy=policy, codex=codex, model=model, effort=effort, timeout=timeout)

    def tell(recorded: Recorded, result: Verdict | CodexOAuthError) -> None:
        done(Replayed(recorded, policy_of(recorded.request).fingerprint, result))

    await judge_many(requests, judge_one, concurrency=concurrency, done=tell)


def _time(value: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time if time is not None and time.tzinfo is not None else None


def _unfit(fields: Mapping[str, Any]) -> str | None:
    """Why a record cannot be judged again; None where it can."""
    if fields.get("source") == "rule":
        return "no model was asked"
    if fields.get("verdict") not in _BEHAVIORS or fields.get("source") == "failure":
        return "there was no verdict"
    value = fields.get("input")
    if not isinstance(fields.get("tool"), str) or not isinstance(value, dict) or not value:
        return "the input was not recorded"
    return None


def _recorded(fields: Mapping[str, Any], last: datetime, times: int) -> Recorded:
    def word(name: str) -> str | None:
        value = fields.get(name)
        return value if isinstance(value, str) and value else None

    host = word("host")
    return Recorded(
        request=PermissionRequest(
            tool=fields["tool"],
            tool_input=fields["input"],
            host=host if host in ("claude", "codex") else None,
            cwd=word("cwd"),
            mode=word("mode"),
        ),
        behavior=fields["verdict"],
        source=word("source") or "model",
        rule=word("rule"),
        policy=word("policy"),
        times=times,
        last=last.astimezone(),
    )
