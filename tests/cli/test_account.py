"""`codex-oauth status`, `models`, `doctor` and `demo`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI, clean_environment

WriteCodex = Callable[[str], Path]


@pytest.fixture
def write_codex(tmp_path: Path) -> WriteCodex:
    """Writes a shell script in the place of codex."""

    def write(script: str) -> Path:
        path = tmp_path / "fake/codex"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)
        return path

    return write


def checks(stdout: bytes) -> dict[str, Any]:
    """The doctor's findings by name."""
    return {check["name"]: check for check in json.loads(stdout)["checks"]}


# --- status ----------------------------------------------------------------------------------------------------------


def test_status_says_who_pays_and_from_where(run_cli: RunCLI, settings: Settings) -> None:
    done = run_cli("status")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode().splitlines() == [f"home      {settings.home}", "account   chatgpt", "plan      plus"]


def test_status_as_json_is_one_value(run_cli: RunCLI, settings: Settings) -> None:
    done = run_cli("status", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout) == {
        "home": str(settings.home),
        "managed": True,
        "signed_in": True,
        "account": "chatgpt",
        "plan": "plus",
        "withheld_variables": [],
        "error": None,
    }


def test_the_address_is_for_a_terminal_only(
    run_cli: RunCLI, environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    assert "person@example.com" in run_in_terminal(environ, tmp_path, "status").text
    assert b"person@example.com" not in run_cli("status").stdout
    assert "person@example.com" not in run_in_terminal(environ, tmp_path, "status", "--json").text


@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_status_of_nobody_exits_with_3(run_cli: RunCLI, settings: Settings, extra: tuple[str, ...]) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli("status", *extra)
    assert done.returncode == 3
    if extra:
        said = json.loads(done.stdout)
        assert (said["signed_in"], said["error"]["code"], done.stderr) == (False, "not_logged_in", b"")
    else:
        assert done.stderr.decode().rstrip().endswith(" login")


def test_status_names_what_is_withheld_and_not_its_value(
    environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "status"],
        env={**environ, "OPENAI_API_KEY": "sk-secret-value", "CODEX_ACCESS_TOKEN": "secret-token"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert b"withheld  CODEX_ACCESS_TOKEN, OPENAI_API_KEY " in done.stdout
    assert b"secret" not in done.stdout + done.stderr


def test_status_makes_no_model_request(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    assert run_cli("status").returncode == 0
    assert chatgpt.model_requests == ()


# --- models ----------------------------------------------------------------------------------------------------------


def test_models_marks_the_one_that_would_be_used(run_cli: RunCLI) -> None:
    done = run_cli("models", "--json")
    assert (done.returncode, done.stderr) == (0, b"")
    models = json.loads(done.stdout)
    assert [model["hidden"] for model in models] == [False] * len(models)
    assert [model["chosen"] for model in models].count(True) == 1
    assert [model["default"] for model in models].count(True) == 1
    chosen = next(model for model in models if model["chosen"])
    words = run_cli("models").stdout.decode()
    assert f"→  {chosen['id']} " in words
    assert f"at effort {chosen['efforts'][0]}" in words


def test_models_shows_hidden_ones_when_asked(run_cli: RunCLI) -> None:
    visible, everything = (json.loads(run_cli("models", "--json", *extra).stdout) for extra in ((), ("--all",)))
    assert {model["id"] for model in visible} < {model["id"] for model in everything}
    assert any(model["hidden"] for model in everything)


def test_models_needs_no_sign_in(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    (settings.home / "auth.json").unlink()
    assert run_cli("models").returncode == 0
    assert chatgpt.requests == ()


def test_the_table_of_models_fits_a_terminal_of_80_columns(
    environ: dict[str, str], settings: Settings, tmp_path: Path
) -> None:
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "models").text
    table = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown[shown.index("model ") :])
    assert max(map(len, table.splitlines())) <= 80


# --- doctor ----------------------------------------------------------------------------------------------------------


def test_a_healthy_doctor_has_nothing_to_mend(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    done = run_cli("doctor", "--json")
    assert (done.returncode, done.stderr, json.loads(done.stdout)["ok"]) == (0, b"", True)
    found = checks(done.stdout)
    assert list(found) == ["package", "codex", "home", "account", "environment", "metrics"]
    assert {(check["state"], check["mend"]) for check in found.values()} == {("ok", None)}
    assert chatgpt.model_requests == ()


def test_the_doctor_in_words_is_a_line_for_each_check(run_cli: RunCLI) -> None:
    done = run_cli("doctor")
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.decode().splitlines()] == [
        ["✓", name] for name in ("package", "codex", "home", "account", "environment", "metrics")
    ]


def test_the_doctor_of_nobody_exits_with_3_and_gives_the_command(run_cli: RunCLI, settings: Settings) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli("doctor", "--json")
    account = checks(done.stdout)["account"]
    assert (done.returncode, account["state"]) == (3, "fail")
    assert account["mend"].startswith(f"CODEX_HOME={settings.home} ")
    assert account["mend"].endswith(" login")


def test_the_doctor_without_a_binary_exits_with_6(run_cli: RunCLI) -> None:
    done = run_cli("doctor", "--json", "--codex-bin", "/no/such/codex")
    codex = checks(done.stdout)["codex"]
    assert (done.returncode, codex["state"]) == (6, "fail")
    assert codex["mend"] == "leave --codex-bin and CODEX_OAUTH_CODEX_BIN out"


@pytest.mark.parametrize(
    ("script", "finding"),
    [
        ("echo codex-cli 0.100.0", "codex 0.100.0 is too old; 0.159.0 or later is needed"),
        ("echo hello", "does not answer like codex"),
        ("exit 1", "failed with status 1"),
    ],
)
def test_the_doctor_of_a_binary_that_cannot_serve_exits_with_6(
    run_cli: RunCLI, write_codex: WriteCodex, script: str, finding: str
) -> None:
    done = run_cli("doctor", "--json", "--codex-bin", str(write_codex(script)))
    assert done.returncode == 6
    assert finding in checks(done.stdout)["codex"]["finding"]


def test_the_doctor_offline_names_the_network(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in(settings.home, expires_in=-60)
    chatgpt.offline = True
    done = run_cli("doctor", "--json", timeout=60)
    assert done.returncode in (1, 5)
    assert checks(done.stdout)["network"]["state"] == "fail"
    assert b"Traceback" not in done.stderr


def test_the_doctor_warns_of_a_home_of_ones_own(run_cli: RunCLI, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    chatgpt.sign_in(own)
    done = run_cli("doctor", "--json", "--codex-home", str(own))
    assert (done.returncode, checks(done.stdout)["home"]["state"]) == (0, "warn")
    assert checks(done.stdout)["home"]["details"][0].startswith("project_doc_max_bytes is not 0")


def test_the_doctor_finds_instructions_in_the_home(run_cli: RunCLI, settings: Settings) -> None:
    path = settings.home / "AGENTS.md"
    path.write_text("Speak like a pirate.", encoding="utf-8")
    try:
        done = run_cli("doctor", "--json")
    finally:
        path.unlink()
    assert (done.returncode, checks(done.stdout)["home"]["mend"]) == (2, f"mv '{path}' .")


def test_the_doctor_of_a_wrong_configuration_exits_with_2(run_cli: RunCLI, environ: dict[str, str]) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text("timeout = 0", encoding="utf-8")
    done = run_cli("doctor", "--json")
    assert (done.returncode, checks(done.stdout)["configuration"]["state"]) == (2, "fail")


# --- demo ------------------------------------------------------------------------------------------------------------


def test_the_demo_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    temporary, folder = tmp_path / "tmp", tmp_path / "folder"
    temporary.mkdir()
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "demo"],
        env={"TMPDIR": str(temporary), "HOME": str(folder), "PYTHONIOENCODING": "utf-8"},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].startswith("This is a demonstration on a stand-in")
    assert [word for word in ("allow", "deny", "ask") if f" {word} " not in done.stdout] == []
    assert "0 tools" in done.stdout
    assert list(temporary.iterdir()) == []
    assert list(folder.iterdir()) == []


def test_the_demo_works_behind_anything_that_is_set(tmp_path: Path) -> None:
    hostile = {
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
        "ALL_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "*",
        "no_proxy": "*",
        "OPENAI_API_KEY": "sk-none",
        "CODEX_HOME": "/nowhere",
        "CODEX_OAUTH_HOME": "/nowhere",
        "CODEX_OAUTH_METRICS": str(tmp_path / "metrics.jsonl"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "demo"],
        env={**clean_environment(), **hostile},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


def test_the_demo_without_a_binary_exits_with_6(run_cli: RunCLI) -> None:
    assert run_cli("demo", "--codex-bin", "/no/such/codex").returncode == 6


@pytest.mark.parametrize("columns", [80, 120])
def test_the_demo_fits_a_terminal(environ: dict[str, str], tmp_path: Path, columns: int) -> None:
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "demo", columns=columns)
    assert shown.returncode == 0
    assert max(len(line) for line in shown.text.splitlines() if "\x1b" not in line) <= columns
