"""One ChatGPT for two: the model of a Codex that is the host, and the model that judges for the gate."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias, cast

from codex_oauth.testing import Json, LoopbackChatGPT, ModelRequest, Reply, Text

__all__ = ("ALLOW_RULE", "DENIED", "SAID", "TASK", "Behavior", "GateModel", "told")

Behavior: TypeAlias = Literal["allow", "deny", "ask"]

DENIED: Final = "Leave that file alone; write a note to the person instead."
"""What the gate's model has for the agent when it denies."""

SAID: Final = "Then I stop here."
"""What a host's model says when it has nothing else to do."""

TASK: Final = "Please tidy up after the bandicoots."
"""What the person has told the host to do."""

ALLOW_RULE: Final = "local-development"
"""The rule that the gate's model names when it allows."""

_RULES: Final[dict[Behavior, str]] = {"allow": ALLOW_RULE, "deny": "destroy", "ask": "outward"}


class GateModel:
    """Tells the two apart: a request of the gate asks for a reply that fits a schema, and one of a host never does."""

    def __init__(self, chatgpt: LoopbackChatGPT) -> None:
        self.chatgpt = chatgpt
        self.while_judging: Callable[[], object] = lambda: None
        self._verdict: Reply = Text("")
        self._host = deque[Reply]()
        chatgpt.default = self._answer
        self.judge("ask")

    def judge(self, behavior: Behavior) -> None:
        """What the gate's model answers from now on."""
        message = DENIED if behavior == "deny" else ""
        verdict = {"reason": "By the rule.", "rule": _RULES[behavior], "behavior": behavior, "deny_message": message}
        self._verdict = Json(verdict)

    def play(self, replies: Sequence[Reply]) -> None:
        """What the host's model answers next; after that it says `SAID`."""
        self._host.clear()
        self._host.extend(replies)

    def reset(self) -> None:
        """Forget what was asked and what is to be played."""
        self.chatgpt.reset()
        self._host.clear()
        self.while_judging = lambda: None

    @property
    def judged(self) -> list[ModelRequest]:
        """What the gate has asked its model."""
        return [request for request in self.chatgpt.model_requests if request.schema is not None]

    @property
    def of_host(self) -> list[ModelRequest]:
        """What the host has asked its model."""
        return [request for request in self.chatgpt.model_requests if request.schema is None]

    def _answer(self, request: ModelRequest) -> Reply:
        if request.schema is not None:
            self.while_judging()
            return self._verdict
        return self._host.popleft() if self._host else Text(SAID)


def told(output: object) -> str:
    """The text of a tool's result, which is a string or a list of parts."""
    if isinstance(output, list):
        parts = cast("list[dict[str, Any]]", output)
        return "\n".join(str(part.get("text", "")) for part in parts)
    return output if isinstance(output, str) else json.dumps(output)
