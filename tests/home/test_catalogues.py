"""A catalogue for each model: what is in it, when it is used, and that codex reads it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.home import Home, HomeWatch, prepare_home, ready_home
from codex_oauth.home.catalogues import single_catalogues
from codex_oauth.process import find_binary
from codex_oauth.testing import LoopbackChatGPT


@pytest.fixture
def prepared(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> Settings:
    """Settings on a home of this test's own."""
    own = replace(settings, state_dir=tmp_path / "state", home=tmp_path / "state/codex-home")
    prepare_home(own, find_binary(own))
    chatgpt.sign_in(own.home)
    return own


@pytest.fixture
def home(prepared: Settings) -> Home:
    """That home."""
    found = ready_home(prepared, find_binary(prepared))
    assert found is not None
    return found


def test_each_visible_model_has_one_with_nothing_else_in_it(home: Home) -> None:
    whole = json.loads((home.path / "models.json").read_bytes())
    entries = {entry["slug"]: entry for entry in whole["models"]}
    visible = [model.id for model in home.models if not model.hidden]
    assert visible
    for model in visible:
        path = home.catalogue_of(model)
        assert path is not None
        assert json.loads(path.read_bytes()) == {**whole, "models": [entries[model]]}
        assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("model", [None, "", "no-such-model", "../models"])
def test_what_is_no_model_has_none(home: Home, model: str | None) -> None:
    assert home.catalogue_of(model) is None


def test_one_that_was_edited_is_not_used_and_the_home_is_made_anew(prepared: Settings, home: Home) -> None:
    model = home.models[0].id
    path = home.catalogue_of(model)
    assert path is not None
    path.write_text('{"models": []}')
    assert home.catalogue_of(model) is None
    assert ready_home(prepared, find_binary(prepared)) is None
    again = prepare_home(prepared, find_binary(prepared))
    assert again.catalogue_of(model) == path
    assert json.loads(path.read_bytes())["models"]


def test_one_of_a_model_that_is_gone_is_removed(prepared: Settings, home: Home) -> None:
    (home.path / "models" / "old-model.json").write_text("{}")
    (home.path / "codex-oauth.json").unlink()
    prepare_home(prepared, find_binary(prepared))
    assert not (home.path / "models" / "old-model.json").exists()


def test_a_model_whose_name_is_none_for_a_file_is_left_out() -> None:
    slugs = ["good-1.5", "Good-1.5", "../up", "a/b", "", ".hidden", "end.", "x" * 90, "ok_2", "nul\0"]
    models = [{"slug": slug, "visibility": "list"} for slug in slugs] + [{"slug": "unseen", "visibility": "hide"}]
    found = [(slug, name.as_posix()) for slug, name, _ in single_catalogues({"models": models})]
    assert found == [("good-1.5", "models/good-1.5.json"), ("ok_2", "models/ok_2.json")]


@pytest.mark.anyio
async def test_a_call_of_its_own_sends_the_same_with_either_catalogue(
    prepared: Settings, chatgpt: LoopbackChatGPT
) -> None:
    codex = AsyncCodex(settings=prepared)
    await codex.complete("hello", instructions="Be brief.")
    async with codex:  # a shared app-server has the whole catalogue
        await codex.complete("hello", instructions="Be brief.")
    alone, shared = (request.body for request in chatgpt.model_requests)
    varying = {"client_metadata", "prompt_cache_key", "previous_response_id", "input"}
    assert {key: value for key, value in alone.items() if key not in varying} == {
        key: value for key, value in shared.items() if key not in varying
    }
    assert [request.text for request in chatgpt.model_requests] == ["hello", "hello"]


# --- a home that is looked at again and again ------------------------------------------------------------------------


def test_a_home_that_is_as_it_was_is_not_read_again(prepared: Settings) -> None:
    watch, binary = HomeWatch(prepared), find_binary(prepared)
    first = watch.ready(binary)
    assert first is not None
    assert watch.ready(binary) is first


@pytest.mark.parametrize("name", ["config.toml", "models.json", "codex-oauth.json"])
def test_a_home_that_was_edited_is_seen_to_be(prepared: Settings, name: str) -> None:
    watch, binary = HomeWatch(prepared), find_binary(prepared)
    assert watch.ready(binary) is not None
    (prepared.home / name).write_text("# edited")
    assert watch.ready(binary) is None
    prepare_home(prepared, binary)
    assert watch.ready(binary) is not None


def test_a_home_is_not_ready_for_another_binary(prepared: Settings) -> None:
    watch, binary = HomeWatch(prepared), find_binary(prepared)
    assert watch.ready(binary) is not None
    assert watch.ready(replace(binary, size=binary.size + 1)) is None
    assert watch.ready(binary) is not None


def test_a_home_without_its_empty_folder_is_not_ready(prepared: Settings) -> None:
    watch, binary = HomeWatch(prepared), find_binary(prepared)
    assert watch.ready(binary) is not None
    (prepared.state_dir / "empty").rmdir()
    assert watch.ready(binary) is None
