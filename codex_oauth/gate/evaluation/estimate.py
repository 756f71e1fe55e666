"""What judging many requests would take, before any of it is paid for."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from codex_oauth.gate.evaluation.labelled import LabelledRequest
from codex_oauth.gate.policy import Policy
from codex_oauth.gate.prompt import instructions, request_text
from codex_oauth.gate.request import PermissionRequest
from codex_oauth.gate.verdict import REPLY_SCHEMA

__all__ = ("Estimate", "estimate")

_CHARACTERS: Final = 4
"""Of a token, on the average: enough to say whether it is thousands or millions."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run would take.

    Attributes:
        calls: Calls of the model.
        tokens: Tokens that would be sent, roughly. What comes back is some hundred for each call.
    """

    calls: int
    tokens: int


def estimate(requests: Sequence[LabelledRequest], policy_of: Callable[[PermissionRequest], Policy]) -> Estimate:
    """What judging these requests would take. Those that no model is asked about cost nothing."""
    schema = len(json.dumps(REPLY_SCHEMA))
    calls = characters = 0
    for labelled in requests:
        request = labelled.request
        if request.needs_person or request.is_empty:
            continue
        calls += 1
        characters += len(instructions(policy_of(request), request)) + schema
        characters += len(request_text(request, labelled.context).text)
    return Estimate(calls, characters // _CHARACTERS)
