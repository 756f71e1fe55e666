"""What an entry keeps of a permission request: names cleaned, inputs with an end, one short line."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_oauth.metrics import GateFields, MetricsEntry
from codex_oauth.metrics.entry import MAX_LINE

ROOT = Path(__file__).parents[2]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/metrics-entry.schema.json").read_text(encoding="utf-8"))
VALIDATOR: Any = jsonschema.Draft202012Validator(SCHEMA)

FULL = GateFields(
    session="6f1c…",
    tool="mcp__server__tool",
    host="codex",
    mode="acceptEdits",
    verdict="deny",
    source="model",
    forced=False,
    rule="team/no pushes",
    policy="0123456789ab",
    input={"command": "git push", "n": [1, 2.5, None, True]},
    cwd="/home/me/work",
)


def line_of(gate: GateFields) -> str:
    line = MetricsEntry(command="hook", package_version="0.1.0", outcome="ok", gate=gate).to_json()
    assert line.isascii()
    assert "\n" not in line
    assert len(line) + 1 <= MAX_LINE
    VALIDATOR.validate(json.loads(line))
    return line


def written(**fields: Any) -> dict[str, Any]:
    return json.loads(line_of(dataclasses.replace(FULL, **fields)))["gate"]


def test_every_field_is_written_as_it_was_given() -> None:
    assert written() == dataclasses.asdict(FULL)


def test_the_schema_names_what_the_fields_are() -> None:
    schema = SCHEMA["$defs"]["gate"]
    assert (
        set(schema["properties"]) == set(schema["required"]) == {spec.name for spec in dataclasses.fields(GateFields)}
    )
    assert schema["additionalProperties"] is False
    assert all("description" in entry for entry in schema["properties"].values())


def test_another_call_has_no_such_fields() -> None:
    line = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok").to_json()
    assert json.loads(line)["gate"] is None


@pytest.mark.parametrize("name", ["session", "tool", "mode", "rule"])
def test_a_name_has_an_end_and_no_control_characters(name: str) -> None:
    assert written(**{name: "a\x00b\nc\x1b[31m\u202e\x85d\ud800"})[name] == "abc[31md"
    assert written(**{name: "naïve tool 家"})[name] == "naïve tool 家"
    long = written(**{name: "x" * 1_000_000})[name]
    assert (len(long), long[-1]) == (128, "…")
    assert written(**{name: "\n\n"})[name] == ("unknown" if name == "tool" else None)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("policy", "0123456789AB", None),
        ("policy", "0123", None),
        ("policy", "0123456789ab\n", None),
        ("policy", None, None),
        ("host", "cursor", None),
        ("verdict", "perhaps", "error"),
        ("source", "a sentence of somebody's", "other"),
    ],
)
def test_what_is_none_of_the_known_words_is_not_written(name: str, value: str | None, kept: str | None) -> None:
    assert written(**{name: value})[name] == kept


def test_a_long_string_of_the_input_keeps_its_head_and_its_tail() -> None:
    text = written(input={"command": "head" + "x" * 5_000_000 + "tail"})["input"]["command"]
    assert len(text) <= 2_000
    assert (text[:4], text[-4:]) == ("head", "tail")
    assert "characters left out" in text
    exactly = "y" * 2_000
    assert written(input={"command": exactly})["input"]["command"] == exactly


def test_a_folder_keeps_its_head_and_its_tail() -> None:
    folder = written(cwd="/home/" + "x" * 10_000 + "/project")["cwd"]
    assert len(folder) <= 500
    assert (folder[:6], folder[-8:]) == ("/home/", "/project")


def test_members_beyond_fifty_are_counted_and_left_out() -> None:
    kept = written(input={f"k{number}": number for number in range(60)})["input"]
    assert len(kept) == 50
    assert (kept["k48"], kept["…"]) == (48, "[…11 more left out…]")
    listed = written(input=list(range(60)))["input"]
    assert (len(listed), listed[-1]) == (50, "[…11 more left out…]")
    assert written(input=list(range(50)))["input"] == list(range(50))


def test_what_is_nested_more_than_eight_times_is_left_out() -> None:
    def nested(depth: int) -> Any:
        value: Any = "end"
        for _ in range(depth):
            value = [value]
        return value

    assert written(input=nested(8))["input"] == nested(8)
    assert json.dumps(written(input=nested(9))["input"]).count("[") == 8 + 1  # the note's own
    assert "nested too deeply" in line_of(dataclasses.replace(FULL, input=nested(100_000)))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (float("nan"), None),
        (float("inf"), None),
        (10**5000, "[…a large number…]"),
        (-(2**63), -(2**63)),
        (b"bytes", "[…left out: no JSON…]"),
        (object(), "[…left out: no JSON…]"),
        ((1, "two"), [1, "two"]),
        ({1: "one"}, {"1": "one"}),
        ("\ud800", "\ud800"),
        (None, None),
    ],
    ids=["nan", "infinity", "huge", "64 bits", "bytes", "object", "tuple", "number as a key", "surrogate", "none"],
)
def test_what_json_cannot_hold_is_left_out(value: object, kept: object) -> None:
    assert written(input=value)["input"] == kept


def test_an_input_whose_characters_take_twelve_bytes_each_is_cut_further() -> None:
    emoji = "\U0001f600"
    text = written(input={"command": emoji * 3_000})["input"]["command"]
    assert text.startswith(emoji)
    assert text.endswith(emoji)
    assert len(text) <= 500


def test_where_nothing_else_helps_the_input_is_left_out() -> None:
    emoji = "\U0001f600" * 1_000
    kept = written(
        session=emoji, tool=emoji, mode=emoji, rule=emoji, cwd=emoji, input=[[[emoji] * 50] * 50] * 50
    )  # fmt: skip
    assert kept["input"] == "[…left out: too long…]"
    assert kept["cwd"].startswith("\U0001f600")


def test_an_input_of_many_containers_is_bounded_quickly() -> None:
    wide: Any = "x"
    for _ in range(8):
        wide = [wide] * 50  # 50 to the power of 8, as it would be written
    began = time.perf_counter()
    line_of(dataclasses.replace(FULL, input=wide))
    assert time.perf_counter() - began < 5


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@settings(deadline=None)
@given(tool_input=ANYTHING, name=st.text(), folder=st.none() | st.text(max_size=2_000))
def test_any_input_is_one_short_line_that_fits_the_schema(tool_input: object, name: str, folder: str | None) -> None:
    line_of(dataclasses.replace(FULL, tool=name, session=name, mode=name, rule=name, input=tool_input, cwd=folder))


def test_what_the_hook_imports_has_no_part_of_the_report() -> None:
    program = "import sys, codex_oauth.metrics; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT).split())
    ours = {name for name in loaded if name.startswith("codex_oauth.")}
    own = {f"codex_oauth.metrics{part}" for part in ("", ".bounds", ".entry", ".writer")}
    assert ours == {*own, "codex_oauth.records"}


def test_neither_a_request_nor_its_folder_is_in_the_words_of_an_exception() -> None:
    assert "git push" not in repr(FULL)
    assert "/home/me" not in repr(FULL)
