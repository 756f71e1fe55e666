"""The `input` of `POST /v1/responses`: from what its clients write to the items that are sent.

Clients write short forms (text for a list of parts, no `type`), give back whole output items with ids and statuses, and
refer to what OpenAI has stored. Here the short forms are written out, what only a store could use is left out, and what
cannot be kept is refused by its place: nothing is dropped that somebody would miss.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast

from codex_oauth.endpoint.reading import image_in, list_in, text_in, text_or_none
from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.types import as_object

__all__ = ("Input", "read_input")

_ROLES: Final = {"user": "user", "system": "developer", "developer": "developer", "assistant": "assistant"}
_PARTS: Final = {
    "user": ("input_text", "input_image"),
    "developer": ("input_text",),
    "assistant": ("output_text", "refusal"),
}
_PHASES: Final = ("commentary", "final_answer")
_SEND_ITEMS: Final = "nothing is stored here: send the item itself in `input`"


class Input(NamedTuple):
    """What an `input` comes down to.

    Attributes:
        instructions: The text of the system or developer message that it begins with; None for none.
        items: The rest, as `AsyncCodex.respond` takes it.
        ignored: What of it has no effect.
    """

    instructions: str | None
    items: tuple[Mapping[str, Any], ...]
    ignored: tuple[str, ...]


def read_input(value: object, *, lead: bool) -> Input:
    """Read an `input`.

    Args:
        value: What the request has there.
        lead: Whether a system or developer message at its beginning becomes the instructions.

    Raises:
        ApiError: Something in it cannot be sent; the error names its place.
    """
    reading = _Reading()
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    if not isinstance(value, list):
        raise bad_request("input must be text or a list of items", param="input", code="invalid_type")
    for number, one in enumerate(cast("list[object]", value)):
        reading.item(one, f"input[{number}]")
    reading.end()
    instructions, items = None, reading.items
    if lead and len(items) > 1 and items[0].get("role") == "developer":
        instructions = "\n\n".join(part["text"] for part in items[0]["content"])
        del items[0]
    if not items:
        raise bad_request("input holds nothing for the model to answer", param="input", code="invalid_value")
    return Input(instructions or None, tuple(items), tuple(sorted(reading.ignored)))


class _Reading:
    def __init__(self) -> None:
        self.items: list[Mapping[str, Any]] = []
        self.ignored: set[str] = set()
        # Where each call and each output stands.
        self._calls: dict[str, str] = {}
        self._outputs: dict[str, str] = {}

    def item(self, value: object, where: str) -> None:
        item = as_object(value)
        if item is None:
            raise bad_request(f"{where} must be an object", param=where, code="invalid_type")
        kind = item.get("type") or ("message" if "role" in item else "item_reference" if "id" in item else None)
        match kind:
            case "message":
                self._message(item, where)
            case "function_call":
                texts = {name: text_in(item, name, f"{where}.") for name in ("call_id", "name", "arguments")}
                _once(self._calls, texts["call_id"], where)
                self.items.append({"type": kind, **texts})
            case "function_call_output":
                call_id, output = text_in(item, "call_id", f"{where}."), item.get("output")
                _once(self._outputs, call_id, where)
                if not isinstance(output, str):
                    output = self._parts(item, "output", where, _PARTS["user"])
                self.items.append({"type": kind, "call_id": call_id, "output": output})
            case "reasoning":
                self._reasoning(item, where)
            case "item_reference":
                message = f"{where} refers to a stored item; {_SEND_ITEMS}"
                raise bad_request(message, param=where, code="unsupported_value")
            case _:
                named = "an item without a type" if kind is None else f"items of type {str(kind)[:60]!r}"
                message = f"{where}: {named} cannot be sent with a ChatGPT plan"
                raise bad_request(message, param=f"{where}.type", code="unsupported_value")

    def end(self) -> None:
        """No item follows. codex would make up what is missing, or drop what is too much."""
        for call_id, where in self._calls.items():
            if call_id not in self._outputs:
                raise bad_request(f"{where}: this call has no function_call_output in `input`", param=where)
        for call_id, where in self._outputs.items():
            if call_id not in self._calls:
                message = f"{where}: its function_call is not in `input`, and nothing is stored here: send both"
                raise bad_request(message, param=where)

    def _message(self, item: Mapping[str, Any], where: str) -> None:
        role = _ROLES.get(text_in(item, "role", f"{where}."))
        if role is None:
            message = f"{where}.role must be one of {', '.join(_ROLES)}"
            raise bad_request(message, param=f"{where}.role", code="invalid_value")
        content = item.get("content")
        if isinstance(content, str):
            parts = [{"type": _PARTS[role][0], "text": content}]
        else:
            parts = self._parts(item, "content", where, _PARTS[role])
        if parts:
            message = {"type": "message", "role": role, "content": parts}
            known = role == "assistant" and item.get("phase") in _PHASES
            self.items.append({**message, "phase": item["phase"]} if known else message)
        elif role != "assistant":
            raise bad_request(f"{where}.content is empty", param=f"{where}.content", code="invalid_value")
        # An assistant's empty message is one that was cut off before its first word.

    def _reasoning(self, item: Mapping[str, Any], where: str) -> None:
        if not item.get("encrypted_content"):
            # A store could give it back by its id. There is no other use for it.
            self.ignored.add("input.reasoning")
            return
        encrypted = text_in(item, "encrypted_content", f"{where}.")
        own_id, summary = text_or_none(item, "id", f"{where}."), list[Any]()
        if item.get("summary") is not None:
            summary = self._parts(item, "summary", where, ("summary_text",))
        # What is sealed may be sealed for this id.
        named = {"id": own_id} if own_id else {}
        self.items.append({"type": "reasoning", **named, "summary": summary, "encrypted_content": encrypted})

    def _parts(self, item: Mapping[str, Any], name: str, where: str, kinds: tuple[str, ...]) -> list[dict[str, Any]]:
        content = list_in(item, name, f"{where}.")
        if item.get(name) is None:
            message = f"{where}.{name} must be text or a list of parts"
            raise bad_request(message, param=f"{where}.{name}", code="missing_required_parameter")
        return [self._part(part, f"{where}.{name}[{number}]", kinds) for number, part in enumerate(content)]

    def _part(self, value: object, where: str, kinds: tuple[str, ...]) -> dict[str, Any]:
        part = as_object(value) or {}
        kind = part.get("type")
        if kind not in kinds:
            got = "no type" if kind is None else repr(str(kind)[:60])
            message = f"{where}.type must be {' or '.join(kinds)} here, not {got}"
            raise bad_request(message, param=f"{where}.type", code="unsupported_value")
        if kind == "input_image":
            if part.get("detail") not in (None, "auto"):
                self.ignored.add("input.input_image.detail")
            return {"type": kind, "image_url": image_in(part, "image_url", f"{where}.")}
        if kind == "refusal":
            # codex has no such part, and what the model said is what it said.
            return {"type": "output_text", "text": text_in(part, "refusal", f"{where}.")}
        return {"type": kind, "text": text_in(part, "text", f"{where}.")}


def _once(known: dict[str, str], call_id: str, where: str) -> None:
    if not call_id:
        raise bad_request(f"{where}.call_id is empty", param=f"{where}.call_id", code="invalid_value")
    if call_id in known:
        message = f"{where}.call_id is that of {known[call_id]}: a call has one id of its own, and one output"
        raise bad_request(message, param=f"{where}.call_id", code="invalid_value")
    known[call_id] = where
