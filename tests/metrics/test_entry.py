"""What an entry holds, and what it can not."""

from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from codex_oauth.metrics import MetricsEntry, Phases, Tokens

ROOT = Path(__file__).parent.parent.parent
SCHEMA: dict[str, Any] = json.loads((ROOT / "schemas/metrics-entry.schema.json").read_text(encoding="utf-8"))

BARE = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok")
FULL = MetricsEntry(
    command="classify",
    package_version="0.1.0",
    outcome="error",
    error="usage_limit_reached",
    model_requested="org/model:tag",
    model="gpt-6.1-luna",
    effort="low",
    phases=Phases(
        read=0.1, policy=0.2, asked=0.3, queued=0.4, spawn=1.25,
        initialize=2, account=3, thread=4, first_event=5, first_text=6, completed=7, total=8,
    ),
    tokens=Tokens(input=1, cached=0, output=2, reasoning=0),
    account="chatgpt",
    plan="self_serve_business_usage_based",
    codex_version="0.163.0",
    repaired=True,
    warm=True,
    retries=1,
    served="service",
    cached=True,
    shared=True,
)  # fmt: skip


def validate(line: str) -> None:
    jsonschema.validate(json.loads(line), SCHEMA)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("entry", [BARE, FULL])
def test_an_entry_is_one_line_that_fits_the_schema(entry: MetricsEntry) -> None:
    line = entry.to_json()
    assert "\n" not in line
    validate(line)


@pytest.mark.parametrize(
    ("schema", "kind"),
    [(SCHEMA, MetricsEntry), (SCHEMA["properties"]["phases"], Phases), (SCHEMA["properties"]["tokens"], Tokens)],
)
def test_the_schema_is_closed_and_names_what_the_entry_has(schema: dict[str, Any], kind: type[Any]) -> None:
    names = {field.name for field in dataclasses.fields(kind)}
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(schema["required"]) == names
    assert all("description" in entry for entry in schema["properties"].values())


def test_every_value_is_written_as_it_was_given() -> None:
    written = json.loads(FULL.to_json())
    given = dataclasses.asdict(FULL)
    del written["time"], given["time"]
    assert written.pop("phases") == {**given.pop("phases"), "spawn": 1.2}
    assert written == given


def test_the_time_is_in_utc_and_in_milliseconds() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=timezone(timedelta(hours=2)))
    entry = MetricsEntry(command="complete", package_version="0.1.0", outcome="ok", time=moment)
    assert json.loads(entry.to_json())["time"] == "2026-01-02T01:04:05.678Z"


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_a_time_that_cannot_be_is_none(value: float) -> None:
    entry = dataclasses.replace(BARE, phases=Phases(total=value))
    assert json.loads(entry.to_json())["phases"]["total"] is None


NOT_IDENTIFIERS = [
    "somebody@example.org",
    "/home/somebody/notes.txt",
    "notes/of/somebody",
    "~/notes",
    "../notes",
    "C:/notes",
    "C:\\notes",
    "please delete everything",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "sk-proj-AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
    "line\nbreak",
    "m\u00fcller",
    "x" * 65,
    "a-" * 33,
    "",
    "\udcff",
]


@pytest.mark.parametrize("text", NOT_IDENTIFIERS)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(MetricsEntry) if "str" in str(field.type)])
def test_a_string_that_is_no_identifier_is_not_written(name: str, text: str) -> None:
    line = dataclasses.replace(FULL, **{name: text}).to_json()
    assert json.loads(line)[name] == "other"
    validate(line)


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = "import sys, codex_oauth.metrics; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", program], text=True, cwd=ROOT).split())
    assert not loaded & {"pydantic", "jsonschema", "anyio", "platformdirs", "asyncio", "importlib.metadata", "logging"}
