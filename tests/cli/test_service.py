"""`codex-oauth service` and `serve`: started, looked at, stopped."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.conftest import RunCLI
from tests.gate.answers import answer
from tests.scripted import ended
from tests.server.served import ALLOWED, hook_input


@pytest.fixture
def environ(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """A user with a runtime directory, whose service is stopped in the end."""
    folder = tempfile.mkdtemp(prefix="service-", dir="/tmp")
    yield {**environ, "XDG_RUNTIME_DIR": folder, "CODEX_OAUTH_SERVICE": "on-demand"}
    shutil.rmtree(folder)


@pytest.fixture
def cli(run_cli: RunCLI) -> Iterator[RunCLI]:
    """The command line, after which no service is left."""
    yield run_cli
    run_cli("service", "stop")


def started(cli: RunCLI, *options: str) -> int:
    """The process of a service that was started."""
    done = cli("service", "start", *options)
    assert done.returncode == 0, done.stderr
    words = done.stdout.decode().split()
    assert words[:2] == ["started:", "process"]
    return int(words[2].rstrip(","))


def test_it_is_started_looked_at_and_stopped(cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = answer("allow")
    nothing = cli("service", "status")
    assert (nothing.returncode, nothing.stdout) == (
        1,
        b"no service runs; it is started by the first hook that would use it\n",
    )
    pid = started(cli)
    assert cli("hook", "claude", stdin=hook_input()).stdout == ALLOWED
    shown = cli("service", "status")
    assert shown.returncode == 0
    assert f"process   {pid}, version " in shown.stdout.decode()
    assert "calls     1 done, 0 running, 0 waiting\n" in shown.stdout.decode()
    assert "ends      after 900 s without a call\n" in shown.stdout.decode()
    said = json.loads(cli("service", "status", "--json").stdout)
    assert (said["running_service"], said["pid"], said["calls"], said["setting"]) == (True, pid, 1, "on-demand")
    assert cli("service", "stop").stdout == b"ended\n"
    assert ended(pid)
    assert cli("service", "stop").stdout == b"no service runs\n"


def test_one_that_runs_is_not_started_again(cli: RunCLI) -> None:
    pid = started(cli)
    again = cli("service", "start")
    assert again.returncode == 0
    assert again.stdout.decode().startswith(f"runs already: process {pid}, ")


def test_it_outlives_the_terminal_that_it_was_started_in(cli: RunCLI) -> None:
    pid = started(cli)
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert {os.readlink(f"/proc/{pid}/fd/{number}") for number in (0, 1)} == {"/dev/null"}
    assert os.readlink(f"/proc/{pid}/fd/2").endswith("/service.log")


@pytest.mark.slow  # ten seconds of patience
def test_one_that_does_not_answer_is_ended_all_the_same(cli: RunCLI) -> None:
    pid = started(cli)
    os.kill(pid, signal.SIGSTOP)
    shown = cli("service", "status")
    assert shown.returncode == 1
    assert (
        shown.stdout == f"process {pid} has the socket and does not answer: codex-oauth service stop ends it\n".encode()
    )
    assert cli("service", "stop").stdout == b"ended\n"
    assert ended(pid)


def test_each_home_has_a_service_of_its_own(cli: RunCLI, tmp_path: Path) -> None:
    one = started(cli)
    home = str(tmp_path / "another-home")
    try:
        another = started(cli, "--home", home)
        assert one != another
        assert json.loads(cli("service", "status", "--json", "--home", home).stdout)["home"] == home
    finally:
        cli("service", "stop", "--home", home)
    assert json.loads(cli("service", "status", "--json").stdout)["pid"] == one


def test_an_empty_variable_is_no_secret(run_cli: RunCLI, environ: dict[str, str]) -> None:
    environ["CODEX_OAUTH_TOKEN"] = ""
    done = run_cli("service", "unit", "--systemd")
    assert done.returncode == 0
    assert b"Environment=CODEX_OAUTH_TOKEN=\n" in done.stdout


@pytest.mark.parametrize("how", ["variable", "file"])
def test_off_is_off(run_cli: RunCLI, environ: dict[str, str], how: str) -> None:
    del environ["CODEX_OAUTH_SERVICE"]
    if how == "variable":
        environ["CODEX_OAUTH_SERVICE"] = "off"
    else:
        folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
        folder.mkdir(parents=True)
        (folder / "config.toml").write_text('service = "off"\n')
    for words in (("serve",), ("serve", "--on-demand"), ("service", "start"), ("service", "unit")):
        done = run_cli(*words)
        assert done.returncode == 2
        assert b"the warm service is off" in done.stderr or words[-1] == "--on-demand"
    assert run_cli("service", "status").stdout == b"no service runs; it is turned off\n"
    assert list(Path(environ["XDG_RUNTIME_DIR"]).iterdir()) == []


def test_a_place_that_is_not_this_users_own_is_said_by_name(run_cli: RunCLI, environ: dict[str, str]) -> None:
    folder = Path(environ["XDG_RUNTIME_DIR"]) / "codex-oauth"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    done = run_cli("serve")
    assert done.returncode == 2
    assert f"{folder} is open to others: chmod 700 {folder}" in done.stderr.decode()


@pytest.mark.parametrize("name", ["CODEX_OAUTH_HOME", "CODEX_OAUTH_METRICS", "CLAUDE_CONFIG_DIR", "CODEX_HOME"])
def test_a_variable_that_leads_elsewhere_from_each_folder_has_no_service(
    run_cli: RunCLI, environ: dict[str, str], name: str
) -> None:
    environ[name] = "here/or/there"
    done = run_cli("serve")
    assert done.returncode == 2
    assert f"{name} must be an absolute path" in done.stderr.decode()


# --- units -----------------------------------------------------------------------------------------------------------


def test_a_unit_has_what_makes_the_service_the_hooks_one(run_cli: RunCLI, environ: dict[str, str]) -> None:
    printed = run_cli("service", "unit", "--launchd", "--home", "/somewhere")
    agent = plistlib.loads(printed.stdout)
    assert agent["ProgramArguments"][-4:] == ["codex_oauth", "serve", "--home", "/somewhere"]
    wanted = {
        name: environ[name] for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "HTTPS_PROXY", "CODEX_OAUTH_METRICS")
    }
    assert wanted.items() <= agent["EnvironmentVariables"].items()
    assert "PATH" not in agent["EnvironmentVariables"]
    assert b"ExecStart=" in run_cli("service", "unit", "--systemd").stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [("CODEX_OAUTH_TOKEN", "secret-word"), ("HTTPS_PROXY", "http://person:secret-word@proxy.example:3128")],
)
def test_a_unit_with_a_secret_in_it_is_not_printed(
    run_cli: RunCLI, environ: dict[str, str], name: str, value: str
) -> None:
    environ[name] = value
    done = run_cli("service", "unit")
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{name} holds a secret".encode() in done.stderr
    assert b"secret-word" not in done.stderr
