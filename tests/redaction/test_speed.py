"""How long it takes: in proportion to the text, whatever that is made of, and nothing for an import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

import codex_oauth
from codex_oauth.redaction import redact, redact_value

LENGTH = 5_000_000
MANY = 1_000_000
BOUND = 15.0
"""Seconds. It takes half a second to two; a pattern that tries again at each place would take hours."""

RUNS = (
    *(
        "a",
        "-",
        "=",
        " ",
        "\n",
        "_",
        ".",
        "\\",
        '"',
        "'",
        "$",
        "eyJ",
        "eyJ-",
        "eyJaaaaaaaa.",
        "://",
        "://a:",
        "sk-",
        "aA1+/",
    ),
    *("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\n", "password", "\u00e9", "\u0130"),
)
PLACES = (
    *("password=", "password: ", 'password="', "password='", 'password=\\"', "PASSWORD=abc123\n", "_key=", "--token "),
    *("--token x ", "${PASSWORD:-", "Authorization: ", "Authorization: Digest signature=a ", "Cookie: a=b; ", "?sig="),
    *(
        "curl ",
        "curl -u a:b ",
        "curl -u a:b;",
        "echo a| sudo -S ",
        "://a:b@",
        "<password>",
        "set -x token ",
        "token=$token ",
    ),
)
BEGINNINGS = ("password=", 'password="', "Authorization: Bearer ", "curl -u a:", "x_key=", "://u:", "eyJ")


@pytest.mark.parametrize("unit", RUNS)
def test_a_long_run_takes_no_longer_than_its_length_asks(unit: str) -> None:
    began = monotonic()
    redact(unit * (LENGTH // len(unit)))
    assert monotonic() - began < BOUND


@pytest.mark.parametrize("unit", PLACES)
def test_a_text_that_is_made_to_take_time_is_given_up_and_hidden(unit: str) -> None:
    began = monotonic()
    shown = redact(unit * (MANY // len(unit)))
    assert monotonic() - began < BOUND
    assert shown.hid_syntax
    assert len(shown.text) < MANY


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("filling", ["a", "aA1", "=", "-", ".", "\\", ":"])
def test_a_long_value_takes_no_longer_than_its_length_asks(beginning: str, filling: str) -> None:
    began = monotonic()
    redact(beginning + filling * (MANY // len(filling)))
    assert monotonic() - began < BOUND


def test_programs_of_five_megabytes_are_read_to_their_end() -> None:
    folder = Path(codex_oauth.__file__).parent
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py")))
    text = (source * (LENGTH // len(source) + 1))[:LENGTH] + "\nend --password hunter2 of it"
    began = monotonic()
    shown = redact(text)
    assert monotonic() - began < BOUND
    assert shown.text.endswith("\nend --password [secret: password] of it")


def test_json_of_many_values_is_read_to_its_end() -> None:
    value = {str(place): [{"file": f"src/{place}.py", "line": place}] for place in range(20_000)} | {
        "password": "hunter2"
    }
    began = monotonic()
    shown, count, _ = redact_value(value)
    assert monotonic() - began < BOUND
    assert (shown["password"], count) == ("[secret: password]", 1)


def test_an_import_brings_nothing_with_it_and_compiles_nothing() -> None:
    program = """if True:
        import json, re, sys, typing
        import codex_oauth
        before = set(sys.modules)
        compile_ = re._compiler.compile
        compiled = []
        re._compiler.compile = lambda *given: compiled.append(given[0]) or compile_(*given)
        import codex_oauth.redaction
        print(json.dumps([sorted(set(sys.modules) - before), compiled]))
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    modules, compiled = json.loads(done.stdout)
    assert compiled == []
    assert [name for name in modules if not name.startswith("codex_oauth.redaction")] == []
