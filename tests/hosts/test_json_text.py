"""JSON changed as text: the values are what they should be, and the rest is as it was typed."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.hosts.json_text import RepeatedKeyError, insert, parse, remove, replace

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.text(max_size=3), VALUES, max_size=4)
INDENTS = st.sampled_from([None, 0, 2, 4, "\t"])


def parts(value: Any) -> list[tuple[str | int, Any]]:
    """What is in an object or an array, by key."""
    if isinstance(value, dict):
        return list(cast("dict[str | int, Any]", value).items())
    return list(enumerate(cast("list[Any]", value))) if isinstance(value, list) else []


def containers(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The paths of all objects and arrays."""
    if not isinstance(value, dict | list):
        return []
    return [path, *(found for key, part in parts(value) for found in containers(part, (*path, key)))]


def at(value: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path."""
    for key in path:
        value = value[key]
    return value


@given(DOCUMENTS, INDENTS, VALUES, st.booleans(), st.data())
@settings(max_examples=300, deadline=None)
def test_what_is_put_in_is_there_and_nothing_else_has_changed(
    document: dict[str, Any], indent: int | str | None, value: Any, windows: bool, data: st.DataObject
) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    text = text.replace("\n", "\r\n") if windows else text
    path = data.draw(st.sampled_from(containers(document)))
    expected = deepcopy(document)
    target = at(expected, path)
    if isinstance(target, dict):
        target["new key"] = value
        changed = insert(text, path, "new key", value)
    else:
        target.append(value)
        changed = insert(text, path, None, value)
    assert json.loads(changed) == expected
    assert "\r\n" not in changed.replace("\r\n", "") or windows
    # Taken out again, the text is what it was, but for white space in what was empty.
    last: str | int = "new key" if isinstance(target, dict) else len(target) - 1
    back = remove(changed, (*path, last))
    assert back == text or (json.loads(back) == document and not at(document, path))


@given(DOCUMENTS, INDENTS, VALUES, st.data())
@settings(max_examples=200, deadline=None)
def test_what_is_taken_out_or_replaced_is_gone_and_nothing_else_has_changed(
    document: dict[str, Any], indent: int | str | None, value: Any, data: st.DataObject
) -> None:
    text = json.dumps(document, indent=indent)
    filled = [path for path in containers(document) if at(document, path)]
    if not filled:
        return
    path = data.draw(st.sampled_from(filled))
    holder = at(document, path)
    key = data.draw(st.sampled_from([key for key, _ in parts(holder)]))
    without, other = deepcopy(document), deepcopy(document)
    del at(without, path)[key]
    at(other, path)[key] = value
    assert json.loads(remove(text, (*path, key))) == without
    assert json.loads(replace(text, (*path, key), value)) == other


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "new": [\n        2\n    ]\n}\n'),
        ('{\n\t"a": 1\n}', '{\n\t"a": 1,\n\t"new": [\n\t\t2\n\t]\n}'),
        ('{"a":1}', '{"a":1, "new": [2]}'),
        ("{}", '{\n  "new": [\n    2\n  ]\n}'),
        ('{\r\n  "a": 1\r\n}', '{\r\n  "a": 1,\r\n  "new": [\r\n    2\r\n  ]\r\n}'),
        ('{ "a": 1,\n  "b": 2 }', '{ "a": 1,\n  "b": 2,\n  "new": [\n    2\n  ] }'),
    ],
    ids=["four spaces", "tabs", "one line", "empty", "Windows", "braces on the lines of members"],
)
def test_what_is_put_in_looks_like_what_is_there(text: str, expected: str) -> None:
    assert insert(text, (), "new", [2]) == expected


def test_numbers_and_escapes_stay_as_they_were_typed() -> None:
    text = '{"big": 12345678901234567890.50, "e": 1E5, "u": "\\u00e9\\/", "x" : [1,2 ,3]}'
    assert insert(text, (), "n", 1) == text[:-1] + ', "n": 1}'


def test_a_brace_within_a_text_is_no_brace() -> None:
    text = '{"a": "}],{\\"", "b": {"c": "\\\\"}}'
    assert json.loads(remove(text, ("b", "c"))) == {"a": '}],{"', "b": {}}


def test_a_key_that_stands_twice_is_told_with_its_place() -> None:
    text = '{\n "a": 1,\n "a": 2\n}'
    with pytest.raises(RepeatedKeyError) as caught:
        parse(text).at(("a",))
    assert (caught.value.key, text[caught.value.start :][:3]) == ("a", '"a"')
