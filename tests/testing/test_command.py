"""`python -m codex_oauth.testing`, as a process."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from tests.conftest import clean_environment

from .web import read_auth

pytestmark = pytest.mark.timeout(60)

VERDICT = '{"reason":"r","rule":"outward","behavior":"ask","deny_message":""}'
STAND_IN = (sys.executable, "-m", "codex_oauth.testing")
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent a signal there")


def run(*arguments: str | Path, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STAND_IN, *arguments],
        capture_output=True,
        text=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        env=environ,
        check=False,
    )


def start(arguments: Sequence[str | Path] = ()) -> subprocess.Popen[str]:
    return subprocess.Popen([*STAND_IN, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def variables_of(process: subprocess.Popen[str]) -> dict[str, str]:
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(12)]
    words = [shlex.split(line) for line in lines]
    assert all(word[0] == "export" for word in words)
    return dict(word[1].split("=", 1) for word in words)


@on_posix
def test_it_signs_a_home_in_prints_its_variables_and_cleans_up(tmp_path: Path) -> None:
    home = tmp_path / "a home"
    with start(["--home", home, "--json", "[1]"]) as process:
        variables = variables_of(process)
        authority = Path(variables["CODEX_CA_CERTIFICATE"])
        assert authority.exists()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0

    assert variables["CODEX_OAUTH_HOME"] == str(home)
    assert variables["CODEX_OAUTH_METRICS"] == "off"
    assert "CODEX_HOME" not in variables
    assert read_auth(home)["auth_mode"] == "chatgpt"
    assert not authority.parent.exists()


@on_posix
@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGTERM)])
def test_many_quick_signals_end_it_once_and_cleanly(numbers: tuple[signal.Signals, ...]) -> None:
    with start() as process:
        home = Path(variables_of(process)["CODEX_OAUTH_HOME"])
        assert home.exists()
        while process.poll() is None:
            for number in numbers:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)
        printed = process.communicate(timeout=10)

    assert (process.returncode, printed) == (0, ("", ""))
    assert not home.exists()


def test_the_example_of_its_help_gives_the_verdict_that_was_asked_for(tmp_path: Path) -> None:
    environ = {**clean_environment(), "XDG_STATE_HOME": str(tmp_path)}
    classify = [sys.executable, "-m", "codex_oauth", "classify", "--command", "git push", "--json"]

    done = run("--json", VERDICT, "--", *classify, environ=environ)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["behavior"] == "ask"
    assert VERDICT in run("--help").stdout


def test_a_command_sees_a_temporary_home_that_is_removed_afterwards() -> None:
    program = "import os; print(os.environ['CODEX_OAUTH_HOME']); print(os.listdir(os.environ['CODEX_OAUTH_HOME']))"

    done = run("--", sys.executable, "-c", program)

    home, files = done.stdout.splitlines()
    assert "auth.json" in files
    assert not Path(home).exists()


def test_the_command_s_arguments_and_status_are_its_own() -> None:
    done = run("--", sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "--", "--help")

    assert (done.returncode, done.stdout) == (7, "['--', '--help']\n")


def test_a_command_that_does_not_exist_is_told_as_a_shell_does() -> None:
    done = run("--", "no-such-command")

    assert (done.returncode, done.stderr) == (127, "no-such-command: No such file or directory\n")


def test_nothing_after_the_dashes_is_a_usage_error() -> None:
    done = run("--")

    assert done.returncode == 2
    assert "a command is expected" in done.stderr


@on_posix
def test_a_sigterm_is_passed_on_to_the_command() -> None:
    program = "import signal; print('ready', flush=True); signal.pause()"
    with start(["--", sys.executable, "-c", program]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGTERM


def test_a_home_of_its_own_may_be_used_again(tmp_path: Path) -> None:
    nothing = ("--", sys.executable, "-c", "")

    assert run("--home", tmp_path / "home", *nothing).returncode == 0
    assert run("--home", tmp_path / "home", *nothing).returncode == 0


def test_a_home_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.toml").touch()

    done = run("--home", tmp_path, "--", sys.executable, "-c", "")

    assert done.returncode == 2
    assert "was not made by this command" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]


def test_codex_s_own_home_is_left_alone_even_if_there_is_none(tmp_path: Path) -> None:
    environ = {**os.environ, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}

    done = run("--home", tmp_path / ".codex", "--", sys.executable, "-c", "", environ=environ)

    assert done.returncode == 2
    assert "codex's own" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_json_is_refused() -> None:
    failed = run("--json", "{")

    assert failed.returncode == 2
    assert "not JSON" in failed.stderr
