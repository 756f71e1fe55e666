"""What a record holds of a request and its answer: their items without secrets, images and what is opaque."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from codex_oauth.redaction import redact, redact_value

__all__ = ("ACCOUNT", "Content")

ACCOUNT: Final = "[account]"
"""What stands for the account's e-mail address."""

_LEFT_OUT: Final = frozenset({"encrypted_content", "internal_chat_message_metadata_passthrough"})
"""Members of items: what only the service can read, which may be a hundred times as long as the answer, and what codex
notes for itself."""

_NO_TEXT: Final = frozenset({"call_id", "detail", "id", "name", "phase", "role", "status", "type"})
"""Members of items that hold words of the protocol and identifiers. A call and its output are told by the same one."""

_URLS: Final = frozenset({"file_data", "file_url", "image_url", "url"})
"""Members that may hold an image or a file in a data URL. A text may begin like one."""

_DATA_URL: Final = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[^;,]*)*);base64,", re.ASCII)


class Content:
    """Makes the content of one record.

    Args:
        redact: Whether secrets in texts are replaced.
        images: Whether images are kept.
        email: The account's address, which is replaced in any case; None where it is not known.

    Attributes:
        replaced: How many secrets were replaced so far.
    """

    def __init__(self, *, redact: bool, images: bool, email: str | None) -> None:
        self.replaced = 0
        self._redact = redact
        self._images = images
        self._email = re.compile(re.escape(email), re.IGNORECASE) if email else None

    def item(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """An item of the Responses API."""
        return self._members(item)

    def declaration(self, value: Mapping[str, Any]) -> dict[str, Any]:
        """A tool or a JSON Schema. Its words are no values: a property that is called `password` holds none."""
        return cast("dict[str, Any]", self._value("", value))

    def text(self, text: str) -> str:
        """A text without secrets. One that is JSON stays JSON, in its own layout where that can be."""
        if self._email is not None:
            text = self._email.sub(ACCOUNT, text)
        if not self._redact:
            return text
        found = redact(text)
        value = _container(text)
        if value is None:
            self.replaced += found.count
            return found.text
        shown, count, _ = redact_value(value)
        if not count and not found.count:
            return text
        self.replaced += max(count, found.count)
        again = _container(found.text)
        if again is not None and not redact_value(again)[1]:
            return found.text
        return json.dumps(shown, ensure_ascii=False)

    def _members(self, members: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._value(name, value) for name, value in members.items() if name not in _LEFT_OUT}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, str):
            if name in _NO_TEXT:
                return value
            url = _DATA_URL.match(value) if name in _URLS else None
            if url is not None:
                return value if self._images else _reference(url, value)
            return self.text(value)
        if isinstance(value, Mapping):
            return self._members(cast("Mapping[str, Any]", value))
        if isinstance(value, list | tuple):
            return [self._value(name, item) for item in cast("Sequence[Any]", value)]
        return value


def _container(text: str) -> Any:
    """An object or a list that the text is in JSON; None for any other text."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        value: object = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value


def _reference(url: re.Match[str], value: str) -> str:
    """What stands for an image: a data URL without data, of the same type, with the size and the digest."""
    try:
        data = base64.b64decode(value[url.end() :], validate=True)
    except ValueError:
        data = value[url.end() :].encode("utf-8", "surrogatepass")
    digest = hashlib.sha256(data).hexdigest()
    return f"data:{url[1] or 'application/octet-stream'};bytes={len(data)};sha256={digest},"
