"""What is started: no content and no secret in it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from codex_oauth.process import CommandSpec, app_server_command

SECRET = {"HTTPS_PROXY": "http://user:secret-content@proxy", "PATH": "/bin", "CODEX_HOME": "/of/somebody/else"}


@pytest.fixture
def command() -> CommandSpec:
    """A command in an ordinary place."""
    return app_server_command(
        codex=Path("/opt/co dex/codex"), home=Path("/home of/codex"), inherited=SECRET, cwd=Path("/empty")
    )


def test_it_ends_in_the_binary_and_its_one_argument(command: CommandSpec) -> None:
    assert command.argv[-2:] == ("/opt/co dex/codex", "app-server")
    assert command.cwd == Path("/empty")


def test_it_is_all_that_the_arguments_say(command: CommandSpec) -> None:
    assert command.argv == ("/opt/co dex/codex", "app-server")


def test_its_home_is_the_given_one_whatever_is_inherited(command: CommandSpec) -> None:
    assert command.env["CODEX_HOME"] == "/home of/codex"
    assert {name: value for name, value in command.env.items() if name in ("PATH", "HTTPS_PROXY")} == {
        name: SECRET[name] for name in ("PATH", "HTTPS_PROXY")
    }


def test_no_environment_is_in_its_arguments_or_its_repr(command: CommandSpec) -> None:
    assert "secret-content" not in " ".join(command.argv)
    assert "secret-content" not in repr(command)


def test_what_is_inherited_is_not_changed(command: CommandSpec) -> None:
    assert SECRET["CODEX_HOME"] == "/of/somebody/else"


def test_another_catalogue_is_named_by_its_path_alone(tmp_path: Path) -> None:
    catalogue = tmp_path / 'a "quoted" name.json'
    command = app_server_command(
        codex=Path("/codex"), home=Path("/home"), inherited={}, cwd=Path("/empty"), catalogue=catalogue
    )
    name, flag, override, last = command.argv
    assert (name, flag, last) == ("/codex", "-c", "app-server")
    assert tomllib.loads(override) == {"model_catalog_json": str(catalogue)}


def test_a_path_that_toml_cannot_hold_is_left_to_the_configuration() -> None:
    command = app_server_command(
        codex=Path("/codex"), home=Path("/home"), inherited={}, cwd=Path("/empty"), catalogue=Path("/a\x7fb.json")
    )
    assert command.argv == ("/codex", "app-server")
