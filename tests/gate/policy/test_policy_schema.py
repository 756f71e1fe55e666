"""The JSON Schema of policy files, and the reader: they take and refuse the same documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.gate.policy import FAILURE_CLASSES
from codex_oauth.gate.policy.file import MODES, parse_policy
from codex_oauth.gate.policy.reader import FILE_KEYS, RULE_KEYS, SECTION_KEYS
from tests.gate.policy.policies import toml
from tests.gate.policy.test_policy_file import FULL

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/gate.schema.json").read_text(encoding="utf-8"))
VALIDATOR = cast("Any", jsonschema).Draft202012Validator(SCHEMA)

Values = st.SearchStrategy[Any]

TEXTS: Values = st.one_of(
    st.sampled_from(
        ["Pushes.", "Sagt „nein“ 🙂", " two \n lines\t", "", " ", "\n", "a\x00b", "\x1b[2J", "\x7f", "\x85"]
    ),
    st.sampled_from(["\u00a0", "\u2028", "a\u200bb", "a\u202eb", "a\ufeffb", "a\U000e0041b", "\u200d", "\u2060"]),
    st.text(max_size=4),
)
NAMES: Values = st.sampled_from(["a", "c/d.e_f-g", "x" * 64, "x" * 65, "-a", "", "a b", "a\n", "ä", "a\u00a0b"])
ANYTHING: Values = st.one_of(
    *(
        st.booleans(),
        st.integers(-3, 3),
        st.floats(-3, 3),
        TEXTS,
        NAMES,
        st.just(list[str]()),
        st.just(dict[str, str]()),
        st.just(["a"]),
    ),
    st.sampled_from(["ask", "allow", "deny", "session", "trusted", 86_400, 86_400.5, 10**400, {"id": "x", "ask": "y"}]),
    st.sampled_from(["10m", "25h", "1h ", "1h\n", "10000s"]),
)

SENTENCES: Values = st.sampled_from(["Pushes.", "Sagt „nein“ 🙂", " two \n lines\t", "\u200d"])
IDS: Values = st.sampled_from(["a", "b", "c/d.e_f-g", "x" * 64])
BEHAVIORS: Values = st.sampled_from(["ask", "allow", "deny"])
# That ids are unique is the reader's alone to say.
RULES: Values = st.lists(
    st.one_of(
        st.fixed_dictionaries({"id": IDS, "ask": SENTENCES}),
        st.fixed_dictionaries({"id": IDS, "deny": SENTENCES}, optional={"deny_message": SENTENCES}),
        st.fixed_dictionaries(
            {"id": IDS, "allow": SENTENCES}, optional={"remember": st.sampled_from(["session", "local"])}
        ),
    ),
    max_size=2,
    unique_by=lambda rule: rule["id"],
)
SECTION: dict[str, Values] = {
    "on_uncertain": BEHAVIORS,
    "when_nobody": BEHAVIORS,
    "model": st.sampled_from(["gpt-6-luna", "ä"]),
    "effort": st.just("low"),
    "timeout": st.one_of(st.integers(1, 86_400), st.floats(0, 86_400, exclude_min=True)),
    "cache": st.one_of(st.integers(0, 86_400), st.floats(0, 86_400), st.sampled_from(["0s", "9999s", "10m", "24h"])),
    "transcript": st.booleans(),
    "host_permissions": st.booleans(),
    "environment": st.lists(SENTENCES, max_size=2),
    "append_environment": st.lists(SENTENCES, max_size=2),
    "disable": st.lists(IDS, max_size=2),
    "rules": RULES,
    "append_rules": RULES,
    "on_failure": st.fixed_dictionaries(
        {}, optional=dict.fromkeys((*FAILURE_CLASSES, "default"), st.sampled_from(["ask", "deny"]))
    ),
}
SECTIONS: Values = st.fixed_dictionaries({}, optional=SECTION)
DOCUMENTS: Values = st.fixed_dictionaries(
    {},
    optional={
        **SECTION,
        "project_policies": st.sampled_from(["untracked", "trusted", "required", "off"]),
        "host": st.fixed_dictionaries({}, optional=dict.fromkeys(("claude", "codex"), SECTIONS)),
        "mode": st.fixed_dictionaries({}, optional=dict.fromkeys(MODES, SECTIONS)),
    },
)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every member of every table and list in it: what it is in, and its key."""
    if isinstance(value, dict):
        table = cast("dict[str, Any]", value)
        return [place for key in table for place in ((table, key), *_places(table[key]))]
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [place for number in range(len(items)) for place in ((items, number), *_places(items[number]))]
    return []


@st.composite
def _changed(draw: st.DrawFn) -> dict[str, Any]:
    """A document with one thing in it made another, or added: by most such changes it is one to be refused."""
    document: dict[str, Any] = draw(DOCUMENTS)
    places = _places(document)
    tables: list[dict[str, Any]] = [document, *(inside[key] for inside, key in places if isinstance(inside[key], dict))]
    if places and draw(st.booleans()):
        inside, key = draw(st.sampled_from(places))
        inside[key] = draw(ANYTHING)
    else:
        keys = st.sampled_from([*FILE_KEYS, *RULE_KEYS, "default", "claude", "plan", "foo"])
        draw(st.sampled_from(tables))[draw(keys)] = draw(ANYTHING)
    return document


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_both_take_every_document_that_is_right(document: dict[str, Any]) -> None:
    VALIDATOR.validate(document)
    assert parse_policy(toml(document).encode())[1] == ()


@settings(max_examples=500, deadline=None)
@given(_changed())
def test_both_refuse_the_same_documents(document: dict[str, Any]) -> None:
    problems = [told for _, told in _told(document) if "is used twice" not in told]
    assert VALIDATOR.is_valid(document) == (not problems), problems


@pytest.mark.parametrize("kind", ["allow", "deny", "ask"])
@settings(max_examples=200, deadline=None)
@given(text=TEXTS, name=NAMES)
def test_both_take_the_same_words(kind: str, text: str, name: str) -> None:
    rule = {"id": name, kind: text}
    for document in ({"rules": [rule]}, {"environment": [text]}, {"model": text}, {"disable": [name]}):
        assert VALIDATOR.is_valid(document) == (not _told(document)), document


def _told(document: dict[str, Any]) -> list[tuple[int | None, str]]:
    return [(problem.line, problem.message) for problem in parse_policy(toml(document).encode())[1]]


def test_a_full_file_fits() -> None:
    import tomllib

    VALIDATOR.validate(tomllib.loads(FULL))


def test_the_schema_has_every_key_and_says_what_each_is_for() -> None:
    definitions = SCHEMA["$defs"]
    assert set(SCHEMA["properties"]) == set(FILE_KEYS)
    assert set(definitions["section"]["properties"]) == set(SECTION_KEYS)
    assert set(SCHEMA["properties"]["mode"]["properties"]) == set(MODES)
    assert set(definitions["on_failure"]["properties"]) == {*FAILURE_CLASSES, "default"}
    assert {key for kind in definitions["rule"]["oneOf"] for key in kind["properties"]} == set(RULE_KEYS)
    assert [name for name in SECTION_KEYS if "description" not in definitions[name]] == []


def test_the_schema_words_the_classes_of_failure_as_the_package_does() -> None:
    classes = SCHEMA["$defs"]["on_failure"]["properties"]
    same: Callable[[str], str] = lambda words: words.rstrip(".").lower()  # noqa: E731
    assert {name: same(classes[name]["description"]) for name in FAILURE_CLASSES} == {
        name: same(words) for name, words in FAILURE_CLASSES.items()
    }
