"""A permission request: what a coding agent wants to do, as its hook tells it or as a shell command."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.records import field, record

__all__ = ("Host", "PermissionRequest")

Host: TypeAlias = Literal["claude", "codex"]

_NEEDS_PERSON = frozenset({"ExitPlanMode", "AskUserQuestion"})
# These are the agent's own questions to the person: any verdict would answer in the person's place.


class _RepeatedKeyError(Exception):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _RepeatedKeyError
    return members


@record(kw_only=True)
class PermissionRequest:
    """What is asked for.

    Attributes:
        tool: The tool's name, such as `Bash`.
        tool_input: What it would be called with, as the host sent it.
        host: Which host asks; None for a command given by hand.
        cwd: Where it would run.
        mode: The host's permission mode, such as `default` or `plan`.
        session: The host's name for the conversation.
        transcript_path: Where the host keeps the conversation; None where it keeps none.
        agent: The sub-agent that asks, such as `general-purpose`; None for the main one.
        suggestions: What Claude Code would offer the person to remember, as it was sent.
    """

    tool: str
    tool_input: Mapping[str, Any] = field(repr=False)
    host: Host | None = None
    cwd: str | None = field(default=None, repr=False)
    mode: str | None = None
    session: str | None = None
    transcript_path: str | None = field(default=None, repr=False)
    agent: str | None = None
    suggestions: Sequence[Any] = field(default=(), repr=False)

    @property
    def needs_person(self) -> bool:
        """Whether this is a question to the person, which no policy may answer."""
        return self.tool in _NEEDS_PERSON

    @property
    def nobody_can_be_asked(self) -> bool:
        """Whether the host asks no person, whatever the answer: Codex with approvals off."""
        return self.host == "codex" and self.mode == "bypassPermissions"

    @property
    def is_empty(self) -> bool:
        """Whether it does not say what would be done, so that there is nothing to allow."""
        return all(value in (None, "", [], {}) for value in self.tool_input.values())

    @classmethod
    def from_command(cls, command: str, *, cwd: str | None = None, host: Host | None = None) -> Self:
        """A shell command.

        Raises:
            ConfigurationError: There is none.
        """
        if not isinstance(cast("object", command), str) or not command.strip():
            raise ConfigurationError("the command is empty")
        return cls(tool="Bash", tool_input={"command": command}, cwd=cwd, host=host)

    @classmethod
    def from_hook(cls, payload: str | bytes, *, host: Host | None = None) -> Self:
        """What a `PermissionRequest` hook of Claude Code or Codex gets on stdin.

        Unknown fields are passed over. Codex is told from Claude Code by its `turn_id` and `model`, unless `host` is
        given.

        Raises:
            ConfigurationError: It is not such a request; the message says what is wrong, without the content.
        """
        try:
            # A host may hand on bytes that are no UTF-8, out of a file or a terminal: the request is still to be
            # judged.
            text = payload.decode("utf-8", "replace") if isinstance(payload, bytes) else payload
            if not text.strip():
                raise ConfigurationError("the hook's input is empty")
            value = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_unique)
        except _RepeatedKeyError:
            # Which of the two would be run is the host's to say, so neither is judged.
            raise ConfigurationError("the hook's input has the same key twice in one object") from None
        except (ValueError, RecursionError) as error:
            where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
            raise ConfigurationError(f"the hook's input is not JSON{where}") from None
        if not isinstance(value, dict):
            raise ConfigurationError("the hook's input is not a JSON object")
        fields = cast("dict[str, Any]", value)
        event = fields.get("hook_event_name", "PermissionRequest")
        if event != "PermissionRequest":
            named = f" ({event})" if isinstance(event, str) and event.isidentifier() and len(event) <= 40 else ""
            raise ConfigurationError(f"the hook's input is of another event than PermissionRequest{named}")
        tool = fields.get("tool_name")
        if not isinstance(tool, str) or not tool:
            raise ConfigurationError("the hook's input has no tool_name")
        tool_input = fields.get("tool_input")
        if not isinstance(tool_input, dict):
            # Codex may send any JSON there.
            tool_input = {"input": tool_input}

        def word(name: str) -> str | None:
            value = fields.get(name)
            return value if isinstance(value, str) and value else None

        suggestions = fields.get("permission_suggestions")
        return cls(
            tool=tool,
            tool_input=cast("dict[str, Any]", tool_input),
            host=host or ("codex" if "turn_id" in fields else "claude"),
            cwd=word("cwd"),
            mode=word("permission_mode"),
            session=word("session_id"),
            transcript_path=word("transcript_path"),
            agent=word("agent_type"),
            suggestions=tuple(cast("list[Any]", suggestions)) if isinstance(suggestions, list) else (),
        )
