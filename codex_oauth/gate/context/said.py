"""What is picked out of a transcript, from its end backwards."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from codex_oauth.gate.context.excerpt import excerpt, line_of, sendable

__all__ = ("Said", "mapping", "texts")

_WORDS: Final = 5
_CALLS: Final = 8
_WORDS_LENGTH: Final = 500
_CALL_LENGTH: Final = 200
_NAME_LENGTH: Final = 80

_FAILED: Final = " [failed or refused]"
_OPEN: Final = " [no result yet]"
# The request itself is often the last call there, and must not look like one that was let through.

_TELLING: Final = ("command", "cmd", "file_path", "notebook_path", "url", "query", "pattern", "path", "prompt", "input")


class Said:
    """The last words and calls; the newest are given first.

    Attributes:
        results: By a call's id, whether it went wrong. A call's result comes after it, so it is met before it.
    """

    def __init__(self) -> None:
        self.results: dict[object, bool] = {}
        self._words: list[str] = []
        self._calls: list[str] = []

    @property
    def is_full(self) -> bool:
        """Whether nothing older is of use."""
        return self.has_words and self.has_calls

    @property
    def has_words(self) -> bool:
        """Whether no more words are of use."""
        return len(self._words) >= _WORDS

    @property
    def has_calls(self) -> bool:
        """Whether no more calls are of use."""
        return len(self._calls) >= _CALLS

    def add_words(self, words: str) -> None:
        """Something that the person said."""
        words = words.strip()
        if words and not self.has_words:
            self._words.append(excerpt(sendable(words), _WORDS_LENGTH))

    def add_call(self, name: object, given: object, call_id: object, *, where: object = None) -> None:
        """Something that the agent called, with what it was given, an object or text, and the folder that it named."""
        if not isinstance(name, str) or not name or self.has_calls:
            return
        failed = self.results.get(call_id) if isinstance(call_id, str) else False
        mark = _OPEN if failed is None else _FAILED if failed else ""
        line = f"{line_of(name, _NAME_LENGTH)}: {_telling(given)}"
        if isinstance(where, str) and where:
            line = f"{line} (in {where})"
        self._calls.append(line_of(sendable(line), _CALL_LENGTH - len(mark)) + mark)

    def add_result(self, call_id: object, *, failed: bool = False) -> None:
        """That a call was answered."""
        if isinstance(call_id, str):
            self.results[call_id] = failed

    def in_order(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Words and calls, the oldest first."""
        return tuple(reversed(self._words)), tuple(reversed(self._calls))


def mapping(value: object) -> dict[str, Any]:
    """The value if it is an object, else an empty one: a transcript may hold anything anywhere."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def texts(content: object, *kinds: str) -> list[str]:
    """The texts of a message's content, which is one text or a list of blocks of several kinds."""
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    blocks = [mapping(block) for block in cast("list[object]", content)]
    return [block["text"] for block in blocks if block.get("type") in kinds and isinstance(block.get("text"), str)]


def _telling(given: object) -> str:
    """The part of a call's input that tells the most about it."""
    if isinstance(given, str):
        return given
    members = mapping(given)
    for name in _TELLING:
        value = members.get(name)
        if isinstance(value, str) and value:
            return value
        if isinstance(value, list) and value:
            return " ".join(str(word) for word in cast("list[object]", value))
    return json.dumps(given, ensure_ascii=False, separators=(", ", ": ")) if members else ""
