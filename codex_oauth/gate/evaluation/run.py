"""Labelled requests judged, each result kept as it comes, and one that is known not asked for again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Self, cast

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import CodexOAuthError, ConfigurationError
from codex_oauth.gate.classifier import judge
from codex_oauth.gate.evaluation.labelled import LabelledRequest
from codex_oauth.gate.evaluation.many import judge_many
from codex_oauth.gate.policy import Behavior, Policy
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import Verdict
from codex_oauth.types import Usage
from codex_oauth.version import __version__

__all__ = ("Outcome", "ResultsFile", "evaluate", "known_outcomes")

_BEHAVIORS: Final = ("allow", "deny", "ask")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a labelled request.

    Attributes:
        id: The request's.
        digest: The request's: another one under the same id is another request.
        policy: The fingerprint of what it was judged by.
        behavior: The verdict; None where there is none.
        error: The code of the failure; None where there is a verdict.
        rule: The id of the rule that the verdict rests on.
        source: What made the verdict so.
        reason: Why, in the model's words.
        model: The model that judged.
        effort: Its reasoning effort.
        latency_ms: Milliseconds that it took.
        usage: Tokens.
    """

    id: str
    digest: str
    policy: str
    behavior: Behavior | None = None
    error: str | None = None
    rule: str | None = None
    source: str | None = None
    reason: str = field(default="", repr=False)
    model: str | None = None
    effort: str | None = None
    latency_ms: float = 0.0
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, labelled: LabelledRequest, policy: Policy, result: Verdict | CodexOAuthError) -> Self:
        """The outcome of a verdict or of a failure."""
        names: dict[str, Any] = {"id": labelled.id, "digest": labelled.digest, "policy": policy.fingerprint}
        if isinstance(result, CodexOAuthError):
            return cls(**names, error=result.code)
        kept = ("behavior", "rule", "source", "reason", "model", "effort", "usage")
        names.update({name: getattr(result, name) for name in kept})
        return cls(**names, latency_ms=round(result.latency_ms, 1))

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """A line of a results file; None if it is none, or one of another version."""
        if not isinstance(value, dict):
            return None
        members = cast("dict[str, Any]", value)
        if members.get("version") != __version__ or members.get("behavior") not in (*_BEHAVIORS, None):
            return None
        try:
            members = {name: members[name] for name in cls.__slots__}
            members["usage"] = Usage(**members["usage"])
            members["latency_ms"] = float(members["latency_ms"])
        except (KeyError, TypeError, ValueError):
            return None
        texts = (members[name] for name in ("id", "digest", "policy", "reason"))
        return cls(**members) if all(isinstance(text, str) for text in texts) else None

    def to_json(self) -> dict[str, Any]:
        """The line of a results file."""
        return {**asdict(self), "version": __version__}


class ResultsFile:
    """A file of JSON lines that each outcome is added to, so that a run that was cut off can go on.

    Args:
        path: The file, made if need be: readable by its owner only, for a reason may quote a request.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> tuple[Outcome, ...]:
        """What is there; nothing where there is no file. Lines that are no outcome are passed over.

        Raises:
            ConfigurationError: The file is there and cannot be read.
        """
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from error
        return tuple(found for line in lines if (found := Outcome.from_json(_value(line))) is not None)

    def begin(self) -> None:
        """Make sure that it can be written, before anything is judged.

        Raises:
            ConfigurationError: It cannot.
        """
        self._append(b"")

    def add(self, outcome: Outcome) -> None:
        """Add an outcome.

        Raises:
            ConfigurationError: The file cannot be written.
        """
        self._append(json.dumps(outcome.to_json()).encode("ascii") + b"\n")

    def _append(self, line: bytes) -> None:
        try:
            with open(self._path, "a+b", opener=_private) as file:
                # What was cut off before stays a bad line of its own.
                if line and file.tell():
                    file.seek(-1, os.SEEK_END)
                    line = line if file.read(1) == b"\n" else b"\n" + line
                file.write(line)
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be written: {error.strerror}") from error


def known_outcomes(
    requests: Sequence[LabelledRequest],
    *,
    policy_of: Callable[[PermissionRequest], Policy],
    results: ResultsFile | None,
    model: str | None = None,
    effort: str | None = None,
) -> Mapping[str, Outcome]:
    """The outcomes that need no other call, by the requests' names: what `results` has a verdict of already, by the
    same policy, model and version.

    Args:
        requests: What is to be judged.
        policy_of: As for `evaluate`, like the others.
        results: As for `evaluate`.
        model: As for `evaluate`.
        effort: As for `evaluate`.

    Raises:
        ConfigurationError: The file is there and cannot be read.
    """
    kept = {
        (outcome.id, outcome.digest, outcome.policy): outcome
        for outcome in (results.read() if results is not None else ())
        if outcome.behavior is not None
    }
    if not kept:
        return {}
    found: dict[str, Outcome] = {}
    for labelled in requests:
        policy = _with_model(policy_of(labelled.request), model, effort)
        if (outcome := kept.get((labelled.id, labelled.digest, policy.fingerprint))) is not None:
            found[labelled.id] = outcome
    return found


def _with_model(policy: Policy, model: str | None, effort: str | None) -> Policy:
    # Which model judges is part of what the outcome stands for.
    return replace(policy, model=model or policy.model, effort=effort or policy.effort)


async def evaluate(
    requests: Sequence[LabelledRequest],
    *,
    policy_of: Callable[[PermissionRequest], Policy],
    codex: AsyncCodex,
    done: Callable[[LabelledRequest, Outcome], None],
    concurrency: int = 8,
    results: ResultsFile | None = None,
    model: str | None = None,
    effort: str | None = None,
    timeout: float | None = None,
) -> None:
    """Judge the requests. Nothing goes into the metrics, which are about what agents asked for.

    Args:
        requests: What is judged.
        policy_of: The policy for a request.
        codex: What makes the calls; entered, so that one app-server serves them all.
        done: Told the outcome of each request; first of those that `results` had already.
        concurrency: How many at once.
        results: Where the outcomes are kept. A request that has a verdict there, by the same policy, model and version,
            is not judged again.
        model: A model's id; None for the policy's, or the small tier.
        effort: A reasoning effort; None for the policy's, or the model's lowest.
        timeout: Seconds for a verdict; None for the policy's, or the configured ones.

    Raises:
        CodexOAuthError: It was of no use to go on: see `judge_many`.
    """

    def judged_by(request: PermissionRequest) -> Policy:
        return _with_model(policy_of(request), model, effort)

    known = known_outcomes(requests, policy_of=policy_of, results=results, model=model, effort=effort)
    left = [labelled for labelled in requests if labelled.id not in known]
    for labelled in requests:
        if labelled.id in known:
            done(labelled, known[labelled.id])
    if left and results is not None:
        results.begin()

    async def judge_one(labelled: LabelledRequest) -> Verdict:
        policy = judged_by(labelled.request)
        return await judge(labelled.request, policy=policy, codex=codex, context=labelled.context, timeout=timeout)

    def keep(labelled: LabelledRequest, result: Verdict | CodexOAuthError) -> None:
        outcome = Outcome.of(labelled, judged_by(labelled.request), result)
        if results is not None:
            results.add(outcome)
        done(labelled, outcome)

    await judge_many(left, judge_one, concurrency=concurrency, done=keep)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _value(line: bytes) -> object:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value
