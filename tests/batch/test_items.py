"""A batch's input, line by line."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.batch.items import MAX_PROMPT, Defaults, Item, lines_of, parse
from codex_oauth.errors import ConfigurationError
from tests.test_images import PNG

SCHEMA = {"type": "object", "properties": {"prime": {"type": "boolean"}}}
OTHER = {"type": "object", "properties": {"even": {"type": "boolean"}}}


def item(value: Any, defaults: Defaults | None = None, *, number: int = 1, folder: Path | None = None) -> Item:
    return parse(json.dumps(value).encode(), number, defaults or Defaults(), folder or Path())


def test_a_string_is_a_prompt() -> None:
    assert item("Is 91 prime?") == item({"prompt": "Is 91 prime?"})
    assert item("größe 🦘").prompt == "größe 🦘"


def test_what_a_line_says_goes_before_the_defaults() -> None:
    defaults = Defaults(instructions="all", schema=SCHEMA, model="one", effort="low")
    own = item({"prompt": "?", "instructions": "mine", "schema": OTHER, "model": "two", "effort": "high"}, defaults)
    assert (own.instructions, own.schema, own.model, own.effort) == ("mine", OTHER, "two", "high")
    bare = item({"prompt": "?", "instructions": None, "schema": None, "model": None, "effort": None}, defaults)
    assert (bare.instructions, bare.schema, bare.model, bare.effort) == ("all", SCHEMA, "one", "low")
    assert (own.chooses_model, bare.chooses_model) == (True, False)


def test_an_id_tells_items_apart_and_a_line_where_there_is_none() -> None:
    keys = [
        item({"prompt": "?", "id": "a"}).key,
        item({"prompt": "?", "id": 3}).key,
        item({"prompt": "?", "id": "3"}).key,
        item({"prompt": "?", "id": "#3"}).key,
        item({"prompt": "?", "id": ""}).key,
        item("?", number=3).key,
        item("?", number=4).key,
    ]
    assert len(set(keys)) == len(keys)


def test_the_digest_stands_for_all_that_is_asked_and_for_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    variants: list[dict[str, Any]] = [
        {"prompt": "one"},
        {"prompt": "two"},
        {"prompt": "one", "instructions": "i"},
        {"prompt": "one", "schema": SCHEMA},
        {"prompt": "one", "model": "m"},
        {"prompt": "one", "effort": "e"},
        {"prompt": "one", "images": ["a.png"]},
    ]
    digests = [item(one, folder=tmp_path).digest for one in variants]
    assert len(set(digests)) == len(digests)
    assert item({"prompt": "one", "id": "x"}, number=9).digest == digests[0]
    assert item({"prompt": "one"}, Defaults(model="m")).digest == digests[4]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "not JSON (column 2)"),
        (b"\xff", "not UTF-8 (byte 1)"),
        (b"[" * 100_000, "not JSON"),
        (b"1" * 10_000, "not JSON"),
        (b"[]", "neither an object with a 'prompt' nor a string"),
        (b"null", "neither an object with a 'prompt' nor a string"),
        (b"{}", "no 'prompt'"),
        (b'{"prompt": null}', "no 'prompt'"),
        (b'{"prompt": 3}', "'prompt' must be text, and not empty"),
        (b'{"prompt": " "}', "'prompt' must be text, and not empty"),
        (b'""', "'prompt' must be text, and not empty"),
        (b'"a\\ud800b"', "'prompt' holds half a surrogate pair"),
        (json.dumps("x" * (MAX_PROMPT + 1)).encode(), "'prompt' has 1,048,577 characters"),
        (b'{"prompt": "?", "model": ""}', "'model' must be text, and not empty"),
        (b'{"prompt": "?", "instructions": ["a"]}', "'instructions' must be text, and not empty"),
        (b'{"prompt": "?", "id": 1.5}', "'id' must be text or a whole number"),
        (b'{"prompt": "?", "id": true}', "'id' must be text or a whole number"),
        (b'{"prompt": "?", "schema": "s.json"}', "'schema' must be a JSON Schema as an object"),
        (b'{"prompt": "?", "schema": {"type": "objekt"}}', "#/type"),
        (b'{"prompt": "?", "instuctions": "a"}', "unknown member 'instuctions'; did you mean 'instructions'?"),
        (b'{"prompt": "?", "zzz": "a"}', "unknown member 'zzz'; known are effort, id, images, "),
        (b'{"prompt": "?", "images": "a.png"}', "'images' must be a list of paths and data URLs"),
        (b'{"prompt": "?", "images": [1]}', "'images' must be a list of paths and data URLs"),
        (b'{"prompt": "?", "images": ["none.png"]}', "an image of 'images' is no file"),
        (b'{"prompt": "?", "images": ["a\\u0000b"]}', "an image of 'images' is no file"),
        (b'{"prompt": "?", "images": ["https://example.com/a.png"]}', "codex takes no remote ones"),
        (b'{"prompt": "?", "images": ["data:image/png;base64,AAAA"]}', "not a PNG, JPEG, GIF or WebP image"),
        (None, "longer than 64 MiB"),
    ],
)
def test_a_line_that_is_no_item_says_why(line: bytes | None, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(line, 1, Defaults(), tmp_path)
    assert complaint in caught.value.message


def test_images_begin_at_the_inputs_folder_or_are_data_urls(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    url = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
    found = item({"prompt": "?", "images": ["a.png", str(tmp_path / "a.png"), url]}, folder=tmp_path)
    assert found.images == ("a.png", str(tmp_path / "a.png"), url)


def test_blank_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'\xef\xbb\xbf"a"\r\n\r\n  \n"b"\n\n"c"')
    assert [(number, line and line.strip()) for number, line in lines_of(path)] == [
        (1, b'"a"'),
        (4, b'"b"'),
        (6, b'"c"'),
    ]


def test_a_line_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b'"' + b"x" * 100 + b'"\n"b"\n"12345678"\n"123456789"')
    assert list(lines_of(path, 10)) == [(1, None), (2, b'"b"\n'), (3, None), (4, None)]


def test_what_cannot_be_read_twice_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, complaint in (
        (tmp_path / "pipe", "not a regular file"),
        (tmp_path, "not a regular file|Is a directory"),
        (tmp_path / "none", "cannot be read: No such file or directory"),
        (Path("-"), "from a file, not from stdin"),
    ):
        with pytest.raises(ConfigurationError, match=complaint):
            next(lines_of(path))
