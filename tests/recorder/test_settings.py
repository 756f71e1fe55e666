"""What is recorded by which setting: an argument, a variable, the file, and nothing without any of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import ConfigurationError

TABLE = '[record]\nfile = "/file/recorded.jsonl"\nredact = false\nimages = true\ntapes = "http://127.0.0.1:8082"\n'


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path / "config")}


def configure(environ: dict[str, str], text: str) -> None:
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.toml").write_text(text, encoding="utf-8")


def recording(settings: Settings) -> tuple[str | None, str | None]:
    return (str(settings.record) if settings.record else None), settings.record_tapes


def test_nothing_is_recorded_without_a_setting(environ: dict[str, str]) -> None:
    settings = load_settings(environ=environ)
    assert recording(settings) == (None, None)
    assert (settings.record_redact, settings.record_images) == (True, False)
    configure(environ, "[record]\nredact = true\n")
    assert recording(load_settings(environ=environ)) == (None, None)


def test_an_argument_wins_over_a_variable_and_that_over_the_file(environ: dict[str, str]) -> None:
    usual = f"{environ['XDG_STATE_HOME']}/codex-oauth/recorded.jsonl"
    tapes = "http://127.0.0.1:8082"
    configure(environ, TABLE)
    variable = {**environ, "CODEX_OAUTH_RECORD": "/variable/recorded.jsonl"}
    assert recording(load_settings(environ=environ)) == ("/file/recorded.jsonl", tapes)
    assert recording(load_settings(environ=variable)) == ("/variable/recorded.jsonl", tapes)
    assert recording(load_settings(environ=variable, record="/argument.jsonl")) == ("/argument.jsonl", tapes)
    assert recording(load_settings(environ=variable, record=True)) == (usual, tapes)
    assert recording(load_settings(environ={**environ, "CODEX_OAUTH_RECORD": "on"})) == (usual, tapes)
    assert recording(load_settings(environ={**environ, "CODEX_OAUTH_RECORD": ""})) == ("/file/recorded.jsonl", tapes)
    settings = load_settings(environ=environ)
    assert (settings.record_redact, settings.record_images) == (False, True)


@pytest.mark.parametrize("word", ["on", "off"])
def test_the_file_may_say_on_or_off(environ: dict[str, str], word: str) -> None:
    configure(environ, f'[record]\nfile = "{word}"\n')
    settings = load_settings(environ=environ)
    assert settings.record == (settings.state_dir / "recorded.jsonl" if word == "on" else None)


def test_off_turns_the_tapes_server_off_too_but_a_file_that_is_off_does_not(environ: dict[str, str]) -> None:
    configure(environ, TABLE)
    assert recording(load_settings(environ={**environ, "CODEX_OAUTH_RECORD": "off"})) == (None, None)
    assert recording(load_settings(environ=environ, record=False)) == (None, None)
    configure(environ, '[record]\nfile = "off"\ntapes = "http://127.0.0.1:8082"\n')
    assert recording(load_settings(environ=environ)) == (None, "http://127.0.0.1:8082")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('record = "on"\n', "'record' has the wrong type, str"),
        ('[record]\npath = "x"\n', "unknown key 'record.path'"),
        ("[record]\nredakt = true\n", "did you mean 'redact'"),
        ("[record]\nfile = true\n", "'record.file' must be text"),
        ('[record]\nfile = ""\n', "'record.file' must be text, and not empty"),
        ('[record]\nredact = "no"\n', "'record.redact' must be true or false"),
        ("[record]\ntapes = 8082\n", "'record.tapes' must be text"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(environ: dict[str, str], text: str, words: str) -> None:
    configure(environ, text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ=environ)
    assert words in str(caught.value)


@pytest.mark.parametrize("wrong", ["", 5, b""])
def test_an_argument_that_is_no_path_is_refused(environ: dict[str, str], wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="record= must be a path"):
        load_settings(environ=environ, record=wrong)  # type: ignore[arg-type]
