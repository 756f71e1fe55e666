"""A stand-in that answers as a recording says: for tests of a program that was recorded once."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from .loopback import LoopbackChatGPT
from .matching import Said, asked, common, difference, recorded
from .messages import ModelRequest, error_body
from .replies import HttpError, Items, Reply, Usage

__all__ = ["Replay", "ReplayMismatchError"]

_VERSION = 1


class ReplayMismatchError(AssertionError):
    """A program asked for something that is not in the recording."""


class Replay(LoopbackChatGPT):
    """Plays back a recording: each request is answered with the response that was recorded for the same request.

    A request is the same if the model is told the same: the instructions, every message, call and output, in their
    order. Ids, the model, its effort, the tools and the schema may differ, and so may images and what was taken out of
    the recording as a secret. Each response is played once; of several for the same request, the first comes first.

        with Replay("recorded.jsonl") as chatgpt:
            chatgpt.sign_in(codex_home)
            subprocess.run([...], env={**os.environ, **chatgpt.environment, "CODEX_HOME": str(codex_home)})

    A request that was not recorded is refused with status 400, and leaving the block raises `ReplayMismatchError`,
    which names the first difference; an exception that leaves it has that as a note. Replies that are queued with
    `script` come before the recording.

    Args:
        path: The file. The one that was set aside before it, `path` + `.1`, is read too, where it is there.
        strict: Whether a request must have been recorded. False answers another one with the response that is next.
        options: What `LoopbackChatGPT` takes.

    Raises:
        ValueError: The file holds no recorded response, or those of a later version of this package.
        OSError: It cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str], *, strict: bool = True, **options: Any) -> None:
        super().__init__(**options)
        self._records = _read(Path(path))
        self._path = Path(path)
        self._strict = strict
        self._said = [recorded(record) for record in self._records]
        self._left = list(range(len(self._records)))
        self._taking = threading.Lock()
        self.default = self._play

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            # Most likely the program's own, about the refusal.
            for mismatch in self.errors:
                error.add_note(str(mismatch))
        super().__exit__(kind, error, traceback)

    @property
    def remaining(self) -> int:
        """How many recorded responses were not asked for yet."""
        return len(self._left)

    @property
    def played(self) -> int:
        """How many were."""
        return len(self._records) - len(self._left)

    def rewind(self) -> None:
        """Begin again: every recorded response can be asked for once more."""
        with self._taking:
            self._left = list(range(len(self._records)))

    def _play(self, request: ModelRequest) -> Reply:
        said = asked(request)
        with self._taking:
            found = next((at for at in self._left if _same(self._said[at], said)), None)
            if found is None and not self._strict and self._left:
                found = self._left[0]
            if found is not None:
                self._left.remove(found)
                return self._reply(found)
            error = ReplayMismatchError(self._why(said))
        self._recording.error(error)
        words = "This request was not recorded. What the replaying stand-in raises at its end says how it differs."
        return HttpError(400, error_body("not_recorded", words))

    def _reply(self, at: int) -> Reply:
        record = self._records[at]
        usage = record["usage"]
        return Items(
            [_played(item) for item in record["output"]],
            Usage(usage["input"], usage["cached"], usage["output"], usage["reasoning"]),
            end_turn=False if self._goes_on(record) else None,
        )

    def _goes_on(self, record: Mapping[str, Any]) -> bool:
        """Whether the turn went on by the service's own word: with another response, though no tool was called."""
        if any(item.get("type") in ("function_call", "custom_tool_call") for item in record["output"]):
            return False
        place = record["turn_id"], record["number"] + 1
        return any((other["turn_id"], other["number"]) == place for other in self._records)

    def _why(self, said: Said) -> str:
        if any(_same(expected, said) for expected in self._said):
            return f"{self._path}: this was asked for more often than it was recorded"
        if not self._left:
            return f"{self._path}: all {len(self._records)} recorded responses were played already"
        nearest = max(self._left, key=lambda at: common(self._said[at], said))
        where = f"the nearest, response {nearest + 1} of {len(self._records)} ({self._records[nearest]['request_id']})"
        return f"{self._path}: no recorded response is for this request. Compared with {where}: " + difference(
            self._said[nearest], said
        )


def _same(expected: Said, said: Said) -> bool:
    return len(expected) == len(said) == common(expected, said)


def _played(item: Mapping[str, Any]) -> dict[str, Any]:
    if item.get("type") == "reasoning":
        # What the service had encrypted for itself is in no recording; something has to be sent back in later turns.
        return {**item, "summary": item.get("summary") or [], "encrypted_content": "replayed"}
    return dict(item)


def _read(path: Path) -> list[Mapping[str, Any]]:
    files = [file for file in (path.with_name(path.name + ".1"), path) if file == path or file.exists()]
    lines = [line for file in files for line in file.read_bytes().split(b"\n") if line.strip()]
    values = [value for value in map(_object, lines) if value is not None]
    # A line that was cut off, as by a full disk, is no reason not to play the others.
    records = [value for value in values if value.get("version") == _VERSION and _is_whole(value)]
    if any(isinstance(value.get("version"), int) and value["version"] > _VERSION for value in values):
        raise ValueError(f"{path}: recorded by a later version of codex_oauth than this one")
    if not records:
        raise ValueError(f"{path}: holds no recorded response")
    return records


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _is_whole(value: Mapping[str, Any]) -> bool:
    lists: list[Any] = [value.get("input"), value.get("output")]
    if not all(isinstance(items, list) for items in lists) or not isinstance(value.get("usage"), dict):
        return False
    items = [item for items in cast("Sequence[Sequence[object]]", lists) for item in items]
    return (
        all(isinstance(item, dict) and _has_parts(cast("Mapping[str, Any]", item)) for item in items)
        and {"instructions", "request_id", "turn_id", "number"} <= set(value)
        and all(type(value["usage"].get(name)) is int for name in ("input", "cached", "output", "reasoning"))
    )


def _has_parts(item: Mapping[str, Any]) -> bool:
    for name in ("content", "output", "summary"):
        parts: object = item.get(name)
        if isinstance(parts, list) and not all(isinstance(part, dict) for part in cast("list[object]", parts)):
            return False
    return True
