"""A home of the user's own: used as it is, never written by this package, and told what it lacks."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError, ForeignInstructionsError
from codex_oauth.home import foreign_home
from codex_oauth.testing import LoopbackChatGPT, Text

OWN_CONFIG = '# my own\nmodel_reasoning_effort = "high"\n[history]\npersistence = "none"\n'


@pytest.fixture
def own(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Settings:
    """Settings on a CODEX_HOME of the user's own, signed in."""
    home = tmp_path / "own codex"
    home.mkdir()
    (home / "config.toml").write_text(OWN_CONFIG, encoding="utf-8")
    chatgpt.sign_in(home)
    return replace(settings, home=home, managed=False)


def test_an_empty_home_lacks_every_isolation(tmp_path: Path) -> None:
    home, lacks = foreign_home(tmp_path)
    assert (home.path, home.managed, home.version, home.models) == (tmp_path, False, None, ())
    assert len(lacks) == 10
    assert "project_doc_max_bytes is not 0: the AGENTS.md of the current project may reach the prompt" in lacks
    assert 'web_search is not "disabled": a turn carries the web search tool' in lacks
    assert any(line.startswith("features.shell_tool is not false: ") for line in lacks)


def test_a_managed_home_named_as_ones_own_lacks_nothing(settings: Settings) -> None:
    _, lacks = foreign_home(settings.home)
    assert lacks == ()


def test_what_is_set_is_not_missed(own: Settings) -> None:
    _, lacks = foreign_home(own.home)
    assert [line for line in lacks if line.startswith("history")] == []
    assert len(lacks) == 9


@pytest.mark.parametrize("text", ["history = 3", "history = []", "features = true", "project_doc_max_bytes = false"])
def test_a_setting_of_an_odd_kind_counts_as_missing(text: str, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(text, encoding="utf-8")
    assert len(foreign_home(tmp_path)[1]) == 10


def test_instructions_in_the_home_are_named(own: Settings) -> None:
    (own.home / "AGENTS.md").write_text("Speak like a pirate.", encoding="utf-8")
    assert [line for line in foreign_home(own.home)[1] if line.startswith("AGENTS.md in this home")]


@pytest.mark.parametrize("content", [b"broken [", b"\xff\xfe"])
def test_a_configuration_that_cannot_be_read_is_an_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"config.toml: cannot be read: "):
        foreign_home(tmp_path)


def test_a_folder_in_the_place_of_the_configuration_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.toml").mkdir()
    with pytest.raises(ConfigurationError, match=r"config.toml: cannot be read: Is a directory$"):
        foreign_home(tmp_path)


@pytest.mark.parametrize("is_file", [False, True])
def test_a_home_has_to_be_a_folder_that_exists(is_file: bool, tmp_path: Path) -> None:
    path = tmp_path / "none"
    if is_file:
        path.touch()
    with pytest.raises(ConfigurationError, match="no such folder; codex_home= names a CODEX_HOME that exists"):
        foreign_home(path)


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:.*own codex:UserWarning")
async def test_a_call_on_it_writes_nothing_of_ours(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    before = {path.name: path.read_bytes() for path in own.home.iterdir()}
    chatgpt.script(Text("hello"))
    assert (await AsyncCodex(settings=own).complete("hi", timeout=60)).text == "hello"
    assert {name: (own.home / name).read_bytes() for name in before} == before
    ours = ("codex-oauth.json", ".codex-oauth.lock", "models.json", ".probe")
    assert [name for name in ours if (own.home / name).exists()] == []


@pytest.mark.anyio
async def test_it_is_warned_about_once(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.script(Text("one"), Text("two"))
    codex = AsyncCodex(settings=own)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await codex.complete("1", timeout=60)
        await codex.complete("2", timeout=60)
    (told,) = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert told.startswith(f"{own.home} isolates less than a managed home: ")
    assert len(told.split("; ")) == 9


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:.*own codex:UserWarning")
async def test_instructions_in_it_stop_the_call(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    (own.home / "AGENTS.md").write_text("Speak like a pirate.", encoding="utf-8")
    with pytest.raises(ForeignInstructionsError):
        await AsyncCodex(settings=own).complete("hi", timeout=60)
    assert chatgpt.model_requests == ()


@pytest.mark.anyio
async def test_one_that_is_gone_is_an_error_before_anything_starts(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        await AsyncCodex(settings=replace(own, home=own.home / "gone")).complete("hi")
    assert chatgpt.requests == ()


@pytest.mark.anyio
@pytest.mark.filterwarnings("ignore:.*own codex:UserWarning")
async def test_an_api_key_in_it_does_not_pay(own: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.sign_in_with_api_key(own.home)
    before = json.loads((own.home / "auth.json").read_bytes())
    with pytest.raises(CodexOAuthError) as caught:
        await AsyncCodex(settings=own).complete("hi", timeout=60)
    assert (caught.value.code, caught.value.exit_status) == ("wrong_account", 3)
    assert chatgpt.model_requests == ()
    assert json.loads((own.home / "auth.json").read_bytes()) == before
