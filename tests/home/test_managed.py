"""The managed home on the real binary: written once, left alone, and written again when anything has changed."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import CodexOAuthError, ConfigurationError, UnsupportedCodexError
from codex_oauth.home import Home, prepare_home, ready_home, work_dir
from codex_oauth.process import app_server_command, find_binary
from codex_oauth.session import Server, open_session
from codex_oauth.testing import LoopbackChatGPT, Text

WRITTEN = ("config.toml", "models.json", "codex-oauth.json")


@pytest.fixture
def prepared(signed_out: Settings, tmp_path: Path) -> Settings:
    """Settings on a copy of the prepared home, made ready there."""
    settings = replace(signed_out, state_dir=tmp_path / "state", home=tmp_path / "state/codex-home")
    prepare_home(settings, find_binary(settings))
    return settings


def is_ready(settings: Settings) -> bool:
    return ready_home(settings, find_binary(settings)) is not None


def written(settings: Settings) -> dict[str, tuple[int, bytes]]:
    return {name: ((settings.home / name).stat().st_mtime_ns, (settings.home / name).read_bytes()) for name in WRITTEN}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_not_ready_before_it_is_prepared(fresh_settings: Settings) -> None:
    assert not is_ready(fresh_settings)


def test_a_prepared_home_is_ready_and_looking_is_the_same_as_preparing(prepared: Settings) -> None:
    binary = find_binary(prepared)
    home = ready_home(prepared, binary)
    assert home == prepare_home(prepared, binary)
    assert home is not None
    assert (home.path, home.managed) == (prepared.home, True)
    assert home.models


def test_preparing_again_writes_nothing(prepared: Settings) -> None:
    before = written(prepared)
    prepare_home(prepared, find_binary(prepared))
    assert written(prepared) == before


def test_a_first_start_leaves_no_scaffolding(prepared: Settings) -> None:
    names = {path.name for path in prepared.home.iterdir()}
    assert ".probe" not in names
    assert [name for name in names if name.endswith(".new")] == []
    assert list(work_dir(prepared).iterdir()) == []


def test_only_the_user_can_look_into_what_is_written(prepared: Settings) -> None:
    assert {mode(path) for path in (prepared.state_dir, prepared.home, work_dir(prepared))} == {0o700}
    assert {name: oct(mode(prepared.home / name)) for name in WRITTEN} == dict.fromkeys(WRITTEN, "0o600")


def test_a_home_that_was_open_to_others_is_closed(fresh_settings: Settings) -> None:
    fresh_settings.home.chmod(0o755)
    prepare_home(fresh_settings, find_binary(fresh_settings))
    assert mode(fresh_settings.home) == 0o700


def test_the_modes_do_not_depend_on_the_umask(fresh_settings: Settings) -> None:
    before = os.umask(0)
    try:
        prepare_home(fresh_settings, find_binary(fresh_settings))
    finally:
        os.umask(before)
    assert mode(fresh_settings.home) == 0o700
    assert {mode(fresh_settings.home / name) for name in WRITTEN} == {0o600}


def test_a_sign_in_outlives_the_first_start(fresh_settings: Settings) -> None:
    before = (fresh_settings.home / "auth.json").read_bytes()
    prepare_home(fresh_settings, find_binary(fresh_settings))
    assert (fresh_settings.home / "auth.json").read_bytes() == before


# --- when it is no longer ready --------------------------------------------------------------------------------------


def _edit(name: str) -> Callable[[Settings], object]:
    return lambda settings: (settings.home / name).write_text("# edited", encoding="utf-8")


def _stamp(**changes: Any) -> Callable[[Settings], object]:
    def change(settings: Settings) -> None:
        path = settings.home / "codex-oauth.json"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), **changes}), encoding="utf-8")

    return change


def _raw_stamp(content: bytes) -> Callable[[Settings], object]:
    return lambda settings: (settings.home / "codex-oauth.json").write_bytes(content)


def _half_a_stamp(settings: Settings) -> None:
    path = settings.home / "codex-oauth.json"
    path.write_bytes(path.read_bytes()[:200])


CHANGES: dict[str, Callable[[Settings], object]] = {
    "config.toml was edited": _edit("config.toml"),
    "models.json was edited": _edit("models.json"),
    "config.toml is gone": lambda settings: (settings.home / "config.toml").unlink(),
    "models.json is gone": lambda settings: (settings.home / "models.json").unlink(),
    "the work folder is gone": lambda settings: work_dir(settings).rmdir(),
    "the stamp is gone": lambda settings: (settings.home / "codex-oauth.json").unlink(),
    "the stamp is half written": _half_a_stamp,
    "the stamp is empty": _raw_stamp(b""),
    "the stamp is garbage": _raw_stamp(b"\xff\xfe\x00"),
    "the stamp is a list": _raw_stamp(b"[]"),
    "the stamp is null": _raw_stamp(b"null"),
    "the stamp is nested beyond reading": _raw_stamp(b"[" * 100_000),
    "the stamp is of an older profile": _stamp(profile=0),
    "the stamp is of a newer profile": _stamp(profile=10_000),
    "the stamp has no models": _stamp(models=None),
    "the stamp's models are odd": _stamp(models=[{"id": "m"}]),
    "the stamp has no files": _stamp(files=None),
    "the stamp's files are none": _stamp(files={}),
    "the stamp is of another binary": _stamp(binary={"path": "/other", "size": 1, "mtime_ns": 1}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_home_is_not_ready_when(what: str, prepared: Settings) -> None:
    CHANGES[what](prepared)
    assert not is_ready(prepared)


@pytest.mark.parametrize("what", ["config.toml was edited", "the stamp is half written", "models.json is gone"])
def test_what_was_changed_is_written_again(what: str, prepared: Settings) -> None:
    before = {name: content for name, (_, content) in written(prepared).items() if name != "codex-oauth.json"}
    CHANGES[what](prepared)
    prepare_home(prepared, find_binary(prepared))
    assert is_ready(prepared)
    after = {name: content for name, (_, content) in written(prepared).items() if name != "codex-oauth.json"}
    assert after == before


def test_another_binary_in_the_same_place_makes_the_home_not_ready(prepared: Settings, tmp_path: Path) -> None:
    path = tmp_path / "codex"
    path.symlink_to(find_binary(prepared).path)
    settings = replace(prepared, codex_bin=path)
    assert is_ready(settings)  # a link is what it points at

    path.unlink()
    path.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    path.chmod(0o755)
    assert not is_ready(settings)


def test_a_file_that_a_crash_left_is_in_nobodys_way(fresh_settings: Settings) -> None:
    (fresh_settings.home / ".probe").mkdir()
    (fresh_settings.home / ".probe/config.toml").write_text("not toml at all [", encoding="utf-8")
    (fresh_settings.home / ".config.toml.new").write_text("half", encoding="utf-8")
    prepare_home(fresh_settings, find_binary(fresh_settings))
    assert is_ready(fresh_settings)
    assert not (fresh_settings.home / ".probe").exists()


def test_a_broken_configuration_of_a_version_before_is_written_over(fresh_settings: Settings) -> None:
    (fresh_settings.home / "config.toml").write_text("broken [", encoding="utf-8")
    prepare_home(fresh_settings, find_binary(fresh_settings))
    assert is_ready(fresh_settings)


# --- where it lies ---------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["with spaces", 'with "quotes"', "it's", "größe-家-🙂", "back\\slash", "a'b\"c d"])
async def test_a_call_works_wherever_the_home_lies(
    name: str, fresh_settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    settings = replace(fresh_settings, state_dir=tmp_path / name, home=tmp_path / name / "codex-home")
    chatgpt.sign_in(settings.home)
    chatgpt.script(Text("hello"))
    assert (await AsyncCodex(settings=settings).complete("hi", timeout=60)).text == "hello"


@pytest.mark.skipif(os.sep != "/", reason="names are bytes there only")
def test_a_name_that_is_not_utf8_is_an_error_with_a_next_step(fresh_settings: Settings, tmp_path: Path) -> None:
    settings = replace(fresh_settings, home=tmp_path / os.fsdecode(b"caf\xe9"))
    with pytest.raises(ConfigurationError, match=r"name is not UTF-8.*CODEX_OAUTH_HOME can name another place"):
        prepare_home(settings, find_binary(settings))


@pytest.mark.parametrize("place", ["home", "state_dir", "parent"])
def test_a_file_in_the_way_is_an_error_with_a_next_step(place: str, fresh_settings: Settings, tmp_path: Path) -> None:
    in_the_way = tmp_path / "in-the-way"
    in_the_way.write_text("", encoding="utf-8")
    settings = {
        "home": replace(fresh_settings, home=in_the_way),
        "state_dir": replace(fresh_settings, state_dir=in_the_way, home=in_the_way / "codex-home"),
        "parent": replace(fresh_settings, home=in_the_way / "deep/codex-home"),
    }[place]
    with pytest.raises(ConfigurationError, match=r"cannot be written: .*CODEX_OAUTH_HOME can name another place"):
        prepare_home(settings, find_binary(settings))
    assert in_the_way.read_text(encoding="utf-8") == ""


def test_a_folder_in_the_place_of_a_file_is_an_error_with_a_next_step(fresh_settings: Settings) -> None:
    (fresh_settings.home / "config.toml").mkdir()
    with pytest.raises(ConfigurationError, match="CODEX_OAUTH_HOME can name another place"):
        prepare_home(fresh_settings, find_binary(fresh_settings))
    assert not is_ready(fresh_settings)


# --- binaries that cannot serve --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "complaint"),
    [
        ("echo codex-cli 0.100.0", "codex 0.100.0 is too old; 0.159.0 or later is needed"),
        ("echo hello", "does not answer like codex"),
        ("exit 3", "`codex --version` failed with status 3"),
        ('test "$1" = --version && echo codex-cli 9.9.9', "`codex features list` failed with status 1"),
        ("echo codex-cli 9.9.9", "`codex features list` printed nothing"),
        (
            'case "$1" in features) echo "a stable true";; *) echo codex-cli 9.9.9;; esac',
            "printed a catalogue that this version of codex-oauth cannot read",
        ),
    ],
)
def test_a_binary_that_cannot_serve_leaves_the_home_not_ready(
    script: str, complaint: str, fresh_settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "codex"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    settings = replace(fresh_settings, codex_bin=path)
    with pytest.raises(UnsupportedCodexError, match=complaint):
        prepare_home(settings, find_binary(settings))
    assert not is_ready(settings)
    assert {entry.name for entry in settings.home.iterdir()} <= {"auth.json", ".codex-oauth.lock"}


def test_an_app_server_that_does_not_start_is_quoted(fresh_settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "codex"
    path.write_text(
        "#!/bin/sh\n"
        'case "$1" in\n'
        "  --version) echo codex-cli 9.9.9;;\n"
        '  features) echo "a stable true";;\n'
        """  debug) echo '{"models": [{"slug": "m", "supported_reasoning_levels": []}]}';;\n"""
        "  app-server) echo first >&2; echo 'the database is locked' >&2; exit 1;;\n"
        "esac\n",
        encoding="utf-8",
    )
    path.chmod(0o755)
    settings = replace(fresh_settings, codex_bin=path)
    with pytest.raises(UnsupportedCodexError, match="does not start there: the database is locked") as caught:
        prepare_home(settings, find_binary(settings))
    assert caught.value.exit_code == 1
    assert not is_ready(settings)


# --- what the real binary makes of it --------------------------------------------------------------------------------


def app_server_says(settings: Settings) -> list[dict[str, Any]]:
    """Everything that an app-server on this home has said when it has listed its models."""
    requests = [
        {"id": 1, "method": "initialize", "params": {"clientInfo": {"name": "t", "version": "0"}}},
        {"method": "initialized"},
        {"id": 2, "method": "model/list", "params": {"includeHidden": True, "limit": 1000}},
    ]
    with subprocess.Popen(
        [str(find_binary(settings).path), "app-server"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**settings.inherited, "CODEX_HOME": str(settings.home)},
        cwd=work_dir(settings),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        process.stdin.flush()
        said: list[dict[str, Any]] = []
        for line in process.stdout:
            said.append(json.loads(line))
            if said[-1].get("id") == 2:
                break
        process.stdin.close()
        said += [json.loads(line) for line in process.stdout]
    return said


def test_the_binary_has_nothing_to_complain_about(settings: Settings) -> None:
    said = app_server_says(settings)
    warnings = [
        message["params"] for message in said if message.get("method") in ("configWarning", "deprecationNotice")
    ]
    # Without bubblewrap on the machine it says so; nothing is ever sandboxed here.
    assert [warning for warning in warnings if "bubblewrap" not in json.dumps(warning)] == []


def test_the_models_of_the_stamp_are_what_the_binary_lists(settings: Settings) -> None:
    home = ready_home(settings, find_binary(settings))
    assert home is not None
    [listed] = [message["result"]["data"] for message in app_server_says(settings) if message.get("id") == 2]
    assert [(model["id"], model["isDefault"], model["hidden"]) for model in listed] == [
        (model.id, model.default, model.hidden) for model in home.models
    ]


@pytest.mark.anyio
async def test_a_session_lists_the_same_models(settings: Settings) -> None:
    binary = find_binary(settings)
    home = ready_home(settings, binary)
    assert home is not None
    command = app_server_command(
        codex=binary.path, home=settings.home, inherited=settings.inherited, cwd=work_dir(settings)
    )
    with anyio.fail_after(30):
        async with open_session(Server(command=command, sign_in="", signed_in=True, first=None)) as session:
            assert await session.models() == home.models


def test_every_feature_that_is_switched_off_is_one_that_the_binary_knows(settings: Settings) -> None:
    config = tomllib.loads((settings.home / "config.toml").read_text(encoding="utf-8"))
    listed = subprocess.run(
        [str(find_binary(settings).path), "features", "list"],
        env={**settings.inherited, "CODEX_HOME": str(settings.home)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    states = {line.split()[0]: line.split()[-1] for line in listed.splitlines() if line.strip()}
    assert set(config["features"]) <= set(states)
    # It lists this one as on whatever the configuration says; without `shell_tool` it brings no tool.
    assert {name for name in config["features"] if states[name] == "true"} <= {"unified_exec"}


@pytest.mark.anyio
async def test_starts_at_the_same_moment_prepare_the_home_once(fresh_settings: Settings) -> None:
    homes: list[Home | CodexOAuthError] = []

    async def start() -> None:
        homes.append(await anyio.to_thread.run_sync(prepare_home, fresh_settings, find_binary(fresh_settings)))

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(start)
    assert homes == [homes[0]] * 6


def test_a_home_that_was_moved_is_prepared_anew(prepared: Settings, tmp_path: Path) -> None:
    moved = replace(prepared, state_dir=tmp_path / "moved", home=tmp_path / "moved/codex-home")
    shutil.copytree(prepared.state_dir, moved.state_dir)
    prepare_home(moved, find_binary(moved))
    config = tomllib.loads((moved.home / "config.toml").read_text(encoding="utf-8"))
    assert config["model_catalog_json"] == str(moved.home / "models.json")
