"""The lines of a batch's input: read one after the other, checked, and known by a key and a digest."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import stat
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from codex_oauth.errors import ConfigurationError
from codex_oauth.images import data_url
from codex_oauth.schema import output_spec
from codex_oauth.types import as_object

__all__ = ("MAX_LINE", "MAX_PROMPT", "Defaults", "Item", "lines_of", "parse")

MAX_LINE: Final = 64 * 1024 * 1024
"""Bytes of one line of the input. A prompt of the largest size with an image of the largest size fits twice."""

MAX_PROMPT: Final = 1_048_576
"""Characters of one prompt: codex refuses more (-32602 input_too_large)."""

_MEMBERS: Final = ("effort", "id", "images", "instructions", "model", "prompt", "schema")
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds for the items that do not say it themselves; None for what `AsyncCodex.complete` does without it.

    Attributes:
        instructions: What the model is told before the prompt.
        schema: A JSON Schema for the reply.
        model: A model's id.
        effort: A reasoning effort.
    """

    instructions: str | None = field(default=None, repr=False)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    model: str | None = None
    effort: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question, with the defaults filled in.

    Attributes:
        line: The number of its line, from 1.
        id: The input's own name for it; None where it has none, and its line stands for it.
        prompt: The input.
        instructions: What the model is told before it.
        schema: A JSON Schema for the reply; None for text.
        model: A model's id.
        effort: A reasoning effort.
        images: Data URLs and paths, as they are written.
        chooses_model: Whether the line itself names the model or the effort.
    """

    line: int
    id: str | int | None
    prompt: str = field(repr=False)
    instructions: str | None = field(repr=False)
    schema: Mapping[str, Any] | None = field(repr=False)
    model: str | None
    effort: str | None
    images: tuple[str, ...] = field(repr=False)
    chooses_model: bool

    @property
    def key(self) -> str:
        """What tells it from the others: its id as JSON, or `#` and its line, which no JSON begins with."""
        return f"#{self.line}" if self.id is None else json.dumps(self.id)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits that stand for everything that is asked. An image counts by its path."""
        asked = (self.prompt, self.instructions, self.schema, self.model, self.effort, self.images)
        return hashlib.blake2b(json.dumps(asked).encode("ascii"), digest_size=16).hexdigest()


def lines_of(path: Path, longest: int = MAX_LINE) -> Generator[tuple[int, bytes | None]]:
    """The lines of a file with their numbers, without the blank ones; None for one that is longer than `longest`.

    Raises:
        ConfigurationError: The file cannot be read, or is none that could be read twice.
    """
    if str(path) == "-":
        raise ConfigurationError("a batch is read from a file, not from stdin: it is read again when it goes on")
    try:
        # A pipe in its place would be waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError(f"{path}: not a regular file; a batch is read again when it goes on")
            number = 0
            while line := file.readline(longest + 1):
                number += 1
                whole = len(line) <= longest
                while len(line) > longest and not line.endswith(b"\n"):
                    line = file.readline(longest + 1)
                if number == 1:
                    line = line.removeprefix(_BOM)
                if not whole:
                    yield number, None
                elif not line.isspace() and line:
                    yield number, line
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error


def parse(line: bytes | None, number: int, defaults: Defaults, folder: Path | None) -> Item:
    """The item of a line.

    Args:
        line: A JSON object with a `prompt`, or a JSON string that is the prompt; None for one that was too long.
        number: The line's.
        defaults: What holds where the line does not say it.
        folder: Where the paths of images begin; None to leave the files unlooked at.

    Raises:
        ConfigurationError: It is none. The message says why, without the content and without the line's number.
    """
    members = _members(line)
    chosen = {name: _text(members, name) for name in ("instructions", "model", "effort")}
    schema = members.get("schema")
    if schema is not None and as_object(schema) is None:
        raise ConfigurationError("'schema' must be a JSON Schema as an object")
    item = Item(
        line=number,
        id=_id(members.get("id")),
        prompt=_prompt(members),
        instructions=chosen["instructions"] or defaults.instructions,
        schema=defaults.schema if schema is None else cast("Mapping[str, Any]", schema),
        model=chosen["model"] or defaults.model,
        effort=chosen["effort"] or defaults.effort,
        images=_images(members.get("images"), folder),
        chooses_model=bool(chosen["model"] or chosen["effort"]),
    )
    if schema is not None:
        output_spec(cast("Mapping[str, Any]", schema))
    return item


def _members(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise ConfigurationError(f"longer than {MAX_LINE // (1024 * 1024)} MiB")
    try:
        value: object = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"not UTF-8 (byte {error.start + 1})") from None
    except (ValueError, RecursionError) as error:
        where = f" (column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ConfigurationError(f"not JSON{where}") from None
    if isinstance(value, str):
        return {"prompt": value}
    members = as_object(value)
    if members is None:
        raise ConfigurationError("neither an object with a 'prompt' nor a string that is one")
    for name in members:
        if name not in _MEMBERS:
            # Passed over, a misspelt one would be a question that was not meant.
            near = difflib.get_close_matches(name, _MEMBERS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(_MEMBERS)}"
            # What is no name may be content in the wrong place.
            shown = repr(name) if name.isidentifier() and len(name) <= 20 else "of an odd name"
            raise ConfigurationError(f"unknown member {shown}; {hint}")
    return members


def _prompt(members: Mapping[str, Any]) -> str:
    if members.get("prompt") is None:
        raise ConfigurationError("no 'prompt'")
    prompt = _text(members, "prompt", instead="")
    if not prompt or not prompt.strip():
        raise ConfigurationError("'prompt' must be text, and not empty")
    if len(prompt) > MAX_PROMPT:
        raise ConfigurationError(f"'prompt' has {len(prompt):,} characters; codex takes at most {MAX_PROMPT:,}")
    return prompt


def _text(members: Mapping[str, Any], name: str, *, instead: str = "; leave it out for the default") -> str | None:
    value: object = members.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name!r} must be text, and not empty{instead}")
    if not value.isprintable() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ConfigurationError(f"{name!r} holds half a surrogate pair, which is no text")
    return value


def _id(value: object) -> str | int | None:
    if value is None or isinstance(value, str) or type(value) is int:
        return value
    raise ConfigurationError("'id' must be text or a whole number")


def _images(value: object, folder: Path | None) -> tuple[str, ...]:
    if value is None:
        return ()
    images = cast("list[object]", value) if isinstance(value, list) else [None]
    found: list[str] = []
    for image in images:
        if not isinstance(image, str):
            raise ConfigurationError("'images' must be a list of paths and data URLs")
        if image.startswith(("data:", "http://", "https://")):
            data_url(image)
        elif folder is not None and ("\0" in image or not (folder / image).is_file()):
            raise ConfigurationError("an image of 'images' is no file; paths begin at the input's folder")
        found.append(image)
    return tuple(found)
