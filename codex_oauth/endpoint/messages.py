"""The messages of a chat, as instructions and the input items that codex takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from codex_oauth.endpoint.reading import image_in
from codex_oauth.endpoint.refusals import ApiError, bad_request
from codex_oauth.types import as_object

__all__ = ("Read", "read_messages")

_ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")

_MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    "system": frozenset({"role", "content", "name"}),
    "developer": frozenset({"role", "content", "name"}),
    "user": frozenset({"role", "content", "name"}),
    "assistant": frozenset(
        {
            "role",
            "content",
            "name",
            "refusal",
            "tool_calls",
            "function_call",
            "audio",
            "annotations",
            "reasoning_content",
        }
    ),
    "tool": frozenset({"role", "content", "tool_call_id", "name"}),
    "function": frozenset({"role", "content", "name"}),
}
# What clients send back of an answer is among an assistant's.

_GIVEN_BACK: Final = ("assistant", "tool", "function")
# Roles of what was not written by hand: clients add members of their own to it, such as litellm's
# `provider_specific_fields`. Those are passed over, and named.


class Read(NamedTuple):
    """Messages, read.

    Attributes:
        instructions: The first one, where it is a system or developer message and not all there is.
        items: The others.
        ignored: What of them codex has no place for.
    """

    instructions: str | None
    items: tuple[dict[str, Any], ...]
    ignored: tuple[str, ...]


def read_messages(messages: object) -> Read:
    """Read a chat.

    Raises:
        ApiError: It is none; the message says which part.
    """
    if not isinstance(messages, list) or not messages:
        raise bad_request("messages must be a list of messages, and not empty", param="messages")
    reading = _Reading()
    for number, message in enumerate(cast("list[object]", messages)):
        reading.message(message, f"messages[{number}]")
    reading.end()
    instructions, items = None, reading.items
    first = items[0] if items else {}
    if first.get("role") == "developer" and len(items) > 1:
        instructions = "\n".join(part["text"] for part in first["content"]) or None
        items = items[1:]
    if not items:
        raise bad_request("messages hold nothing for the model to answer", param="messages")
    return Read(instructions, tuple(items), tuple(sorted(reading.ignored)))


class _Reading:
    def __init__(self) -> None:
        self.items: list[dict[str, Any]] = []
        self.ignored: set[str] = set()
        # The calls that wait for their results: the client's id (for a legacy call, the function's name) and the one
        # on the wire, where each is used once.
        self._open: dict[str, str] = {}
        self._used: set[str] = set()
        self._place = ""

    def message(self, message: object, place: str) -> None:
        one = as_object(message)
        if one is None:
            raise bad_request(f"{place}: not an object", param=place)
        role = one.get("role")
        if role not in _ROLES:
            raise bad_request(
                f"{place}.role: must be one of {', '.join(_ROLES)}", param=f"{place}.role", code="invalid_value"
            )
        for name in one:
            if name not in _MEMBERS[role]:
                if role in _GIVEN_BACK:
                    # It goes into a header.
                    self.ignored.add(f"messages.{name[:60] if name.isidentifier() and name.isascii() else '?'}")
                    continue
                raise bad_request(
                    f"{place}: unknown member {name[:60]!r} in a message of role {role}",
                    param=f"{place}.{name[:60]}",
                    code="unknown_parameter",
                )
        if role in ("tool", "function"):
            self._result(one, place)
            return
        self._all_answered(place)
        if one.get("name") is not None:
            self.ignored.add("messages.name")
        if role == "assistant":
            self._assistant(one, place)
        elif role == "user":
            self._add("user", self._content(one, place, images=True))
        else:
            self._add("developer", self._content(one, place))

    def end(self) -> None:
        """No message follows."""
        self._all_answered("the end of messages")

    def _assistant(self, one: Mapping[str, Any], place: str) -> None:
        if one.get("audio") is not None:
            raise _unsupported(f"{place}.audio", "codex takes no audio")
        said: list[dict[str, Any]] = []
        if one.get("content") is not None:
            said = [part for part in self._content(one, place, kind="output_text") if part["text"]]
        refusal = one.get("refusal")
        if isinstance(refusal, str) and refusal:
            said.append({"type": "output_text", "text": refusal})
        elif refusal not in (None, ""):
            raise bad_request(f"{place}.refusal: must be text or null", param=f"{place}.refusal")
        calls, legacy = one.get("tool_calls"), as_object(one.get("function_call"))
        if one.get("content") is None and not (said or calls or legacy):
            raise bad_request(
                f"{place}.content: an assistant's message needs content or tool_calls", param=f"{place}.content"
            )
        if said:
            self._add("assistant", said)
        self._place = place
        if calls is not None:
            if not isinstance(calls, list):
                raise bad_request(f"{place}.tool_calls: must be a list", param=f"{place}.tool_calls")
            for number, call in enumerate(cast("list[object]", calls)):
                self._call(as_object(call) or {}, f"{place}.tool_calls[{number}]")
        if legacy is not None:
            name = _text(legacy, "name", f"{place}.function_call")
            self._add_call(name, name, _text(legacy, "arguments", f"{place}.function_call"), f"{place}.function_call")

    def _call(self, call: Mapping[str, Any], where: str) -> None:
        if call.get("type", "function") != "function":
            raise _unsupported(f"{where}.type", "only function tools can be called here")
        function = as_object(call.get("function")) or {}
        name = _text(function, "name", f"{where}.function")
        arguments = _text(function, "arguments", f"{where}.function")
        self._add_call(_text(call, "id", where), name, arguments, where)

    def _add_call(self, call_id: str, name: str, arguments: str, where: str) -> None:
        if not call_id or not name:
            raise bad_request(f"{where}: the id and the name must not be empty", param=where)
        if call_id in self._open:
            raise bad_request(f"{where}: another call of this message has its id", param=where)
        # Some clients count their calls anew in each message.
        wire, number = call_id, 1
        while wire in self._used:
            number += 1
            wire = f"{call_id}_{number}"
        self._used.add(wire)
        self._open[call_id] = wire
        self.items.append({"type": "function_call", "call_id": wire, "name": name, "arguments": arguments})

    def _result(self, one: Mapping[str, Any], place: str) -> None:
        role, key = (one["role"], "tool_call_id" if one["role"] == "tool" else "name")
        wire = self._open.pop(_text(one, key, place), None)
        if wire is None:
            raise bad_request(
                f"{place}: its {key} is that of no call in the assistant's message before it, or of one that has its "
                f"result already: a message of role {role} has to follow the message with its call",
                param=f"{place}.{key}",
            )
        content = one.get("content")
        output: str | list[dict[str, Any]] = ""
        if isinstance(content, str):
            output = content
        elif content is not None:
            output = self._content(one, place, images=True)
        self.items.append({"type": "function_call_output", "call_id": wire, "output": output})

    def _all_answered(self, place: str) -> None:
        if self._open:
            missing = ", ".join(repr(call_id[:60]) for call_id in self._open)
            raise bad_request(
                f"{self._place}: calls without a result before {place}: {missing}; a message of role tool has to "
                "follow for each of them",
                param=f"{self._place}.tool_calls",
            )

    def _add(self, role: str, content: Sequence[Mapping[str, Any]]) -> None:
        if content:
            self.items.append({"type": "message", "role": role, "content": list(content)})

    def _content(
        self, one: Mapping[str, Any], place: str, *, kind: str = "input_text", images: bool = False
    ) -> list[dict[str, Any]]:
        content, where = one.get("content"), f"{place}.content"
        if isinstance(content, str):
            return [{"type": kind, "text": content}]
        if not isinstance(content, list) or not content:
            raise bad_request(f"{where}: must be text, or a list of parts that is not empty", param=where)
        parts = enumerate(cast("list[object]", content))
        return [self._part(as_object(part) or {}, f"{where}[{number}]", kind, images) for number, part in parts]

    def _part(self, part: Mapping[str, Any], where: str, kind: str, images: bool) -> dict[str, Any]:
        match part.get("type"):
            case "text":
                return {"type": kind, "text": _text(part, "text", where)}
            case "refusal" if kind == "output_text":
                return {"type": kind, "text": _text(part, "refusal", where)}
            case "image_url" if images:
                image = as_object(part.get("image_url")) or {}
                url = image_in(image, "url", f"{where}.image_url.")
                if image.get("detail") not in (None, "auto"):
                    self.ignored.add("messages.image_url.detail")
                return {"type": "input_image", "image_url": url}
            case _:
                allowed = (
                    "text",
                    *(("image_url",) if images else ()),
                    *(("refusal",) if kind == "output_text" else ()),
                )
                raise bad_request(
                    f"{where}.type: must be {' or '.join(allowed)} here",
                    param=f"{where}.type",
                    code="unsupported_value",
                )


def _text(one: Mapping[str, Any], name: str, where: str) -> str:
    value = one.get(name)
    if not isinstance(value, str):
        raise bad_request(f"{where}.{name}: must be text", param=f"{where}.{name}", code="invalid_type")
    return value


def _unsupported(param: str, why: str) -> ApiError:
    return bad_request(f"{param}: {why}", param=param, code="unsupported_value")
