"""`codex-oauth models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import LoopbackChatGPT
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI


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
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, "models").plain
    assert max(map(len, shown[shown.index("model ") :].splitlines())) <= 80


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ("", "the first visible one that the preference list matches"),
        ('models = ["no-such-*", "*-sol"]', "the first visible one that the preference list matches"),
        ('models = ["no-such-*"]', "no visible one matches the preference list, so it is the account's default"),
        ('model = "gpt-5.5"\neffort = "high"', "named in the configuration"),
    ],
    ids=["by default", "another preference", "no match", "named"],
)
def test_models_says_why_it_is_that_one(run_cli: RunCLI, environ: dict[str, str], config: str, why: str) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text(config, encoding="utf-8")
    as_json, words = run_cli("models", "--json"), run_cli("models")
    assert (as_json.returncode, words.returncode) == (0, 0)
    models = json.loads(as_json.stdout)
    chosen = next(model for model in models if model["chosen"])
    assert [model["why"] for model in models if not model["chosen"]] == [None] * (len(models) - 1)
    assert chosen["why"] == why
    effort = "high" if "effort" in config else chosen["efforts"][0]
    last = words.stdout.decode().splitlines()[-1]
    assert last == f"→ used by default, at effort {effort}: {why}.  * the account's default"
    if "no-such-*" in config and "sol" not in config:
        assert chosen["default"] is True
