"""What all commands have in common: help, errors, exit statuses, and a screen that nobody else writes on."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, HttpError, Json, LoopbackChatGPT, RateLimits, Text, usage_limit_reached
from tests.cli.terminal import run_in_terminal
from tests.conftest import RunCLI

COMMANDS = (
    *("batch", "classify", "complete", "completion", "demo", "doctor", "gate", "hook", "install", "limits"),
    *("login", "logout"),
    *("metrics", "models", "profiles", "record", "serve", "service", "status", "uninstall"),
)
CALLS = (("complete", "hi"), ("classify", "--command", "ls"))
ALLOW = {"reason": "Only looks.", "rule": "read-only", "behavior": "allow", "deny_message": ""}
ESCAPE = re.compile(rb"\x1b")


def test_the_help_lists_every_command_with_a_line_each(run_cli: RunCLI) -> None:
    done = run_cli("--help")
    assert (done.returncode, done.stderr) == (0, b"")
    shown = re.findall(r"^  (\w+)  +\S.*\.$", done.stdout.decode(), re.MULTILINE)
    assert tuple(shown) == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_a_command_explains_itself(run_cli: RunCLI, command: str, option: str) -> None:
    done = run_cli(command, option)
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    assert lines[0].startswith(f"Usage: codex-oauth {command}")
    assert lines[2].strip().endswith((".", ",", "the", "is", "for")) or len(lines[2]) > 20
    assert max(map(len, lines)) <= 80


def test_help_for_every_option_is_written(run_cli: RunCLI) -> None:
    for command in COMMANDS:
        options = run_cli(command, "--help").stdout.decode().partition("Options:\n")[2]
        for line in options.splitlines():
            if line.startswith("  -"):
                assert re.search(r"\S  +\S", line.strip()) or len(line.strip()) > 24, f"{command}: {line}"


def test_without_a_command_it_is_the_help(run_cli: RunCLI) -> None:
    done = run_cli()
    assert b"Commands:" in done.stdout + done.stderr
    assert done.returncode in (0, 2)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_one_line(run_cli: RunCLI, option: str) -> None:
    assert re.fullmatch(rb"codex-oauth \d+\.\d+\.\d+\S*\n", run_cli(option).stdout)


@pytest.mark.parametrize(("typed", "meant"), [("clasify", "classify"), ("stats", "status"), ("modles", "models")])
def test_a_command_that_is_nearly_right_is_told_the_right_one(run_cli: RunCLI, typed: str, meant: str) -> None:
    done = run_cli(typed)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"there is no command '{typed}'. Did you mean '{meant}'?" in done.stderr.decode()


def test_a_command_that_is_like_no_other_is_sent_to_the_help(run_cli: RunCLI) -> None:
    done = run_cli("xyzzy")
    assert done.returncode == 2
    assert "there is no command 'xyzzy'. See --help." in done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", "--host", "cursor", "--command", "ls"),
        ("complete", "--timeout", "0", "hi"),
        ("complete", "--timeout", "soon", "hi"),
        ("complete", "--no-such-option"),
        ("complete", "one", "two"),
        ("completion", "powershell"),
        ("status", "extra"),
        ("profiles", "--profile", "other"),
        ("limits", "--profile", "-"),
        ("--no-such-option",),
        ("complete", "hi", "--home", "/a", "--codex-home", "/b"),
        ("complete", "hi", "--codex-home", "/no/such/folder"),
        ("complete", "hi", "--model", "no-such-model"),
        ("complete", "hi", "--effort", "no-such-effort"),
    ],
)
def test_a_wrong_use_exits_with_2_and_says_why(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]
) -> None:
    done = run_cli(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert len(done.stderr) > 20
    assert b"Traceback" not in done.stderr
    assert chatgpt.model_requests == ()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_nobody_signed_in_exits_with_3_and_the_command_that_signs_in(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, call: tuple[str, ...]
) -> None:
    (settings.home / "auth.json").unlink()
    done = run_cli(*call)
    assert (done.returncode, done.stdout) == (3, b"")
    assert done.stderr.decode() == "codex-oauth: not signed in; sign in with your ChatGPT plan: codex-oauth login\n"
    assert chatgpt.model_requests == ()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_an_api_key_exits_with_3(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, call: tuple[str, ...]
) -> None:
    chatgpt.sign_in_with_api_key(settings.home, "sk-loopback-secret")
    done = run_cli(*call)
    assert (done.returncode, done.stdout) == (3, b"")
    assert b"sk-loopback-secret" not in done.stderr
    assert chatgpt.model_requests == ()


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
@pytest.mark.parametrize("extra", [(), ("--json",)], ids=["words", "json"])
def test_a_usage_limit_exits_with_4_and_says_when_it_lifts(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, call: tuple[str, ...], extra: tuple[str, ...]
) -> None:
    chatgpt.default = usage_limit_reached(resets_at=1_900_000_000)
    done = run_cli(*call, *extra)
    assert (done.returncode, done.stdout) == (4, b"")
    assert "the limit lifts at 2030-03-1" in done.stderr.decode()
    assert len(chatgpt.model_requests) == 1


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_a_deadline_exits_with_5(run_cli: RunCLI, chatgpt: LoopbackChatGPT, call: tuple[str, ...]) -> None:
    chatgpt.default = Hang()
    done = run_cli(*call, "--timeout", "1.5")
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"1.5" in done.stderr


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_a_missing_binary_exits_with_6(run_cli: RunCLI, call: tuple[str, ...]) -> None:
    done = run_cli(*call, "--codex-bin", "/no/such/codex")
    assert (done.returncode, done.stdout) == (6, b"")
    assert "/no/such/codex: No such file or directory; no codex binary there" in done.stderr.decode()


def test_a_reply_that_does_not_fit_exits_with_7(run_cli: RunCLI, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = Text("secret-reply")
    done = run_cli("classify", "--command", "ls", "--exit-code", "--json")
    assert (done.returncode, done.stdout) == (7, b"")
    assert b"secret-reply" not in done.stderr


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_any_other_failure_exits_with_1(run_cli: RunCLI, chatgpt: LoopbackChatGPT, call: tuple[str, ...]) -> None:
    chatgpt.default = HttpError(400, {"error": {"message": "no such thing", "type": "invalid_request_error"}})
    done = run_cli(*call)
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.startswith(b"codex-oauth: ")


def test_a_wrong_configuration_file_is_told_by_every_command_that_reads_it(
    run_cli: RunCLI, environ: dict[str, str]
) -> None:
    path = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth/config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('modle = "x"', encoding="utf-8")
    for command in (
        ("complete", "hi"),
        ("status",),
        ("models",),
        ("classify", "--command", "ls"),
        *(("login",), ("logout",), ("limits",), ("profiles",)),
    ):
        done = run_cli(*command)
        assert (done.returncode, done.stdout) == (2, b"")
        assert f"{path}: unknown key 'modle'; did you mean 'model'?" in done.stderr.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("complete", "hi"),
        ("classify", "--command", "ls"),
        ("models",),
        ("status",),
        ("doctor",),
        ("limits",),
        ("profiles",),
        ("logout",),
        ("login", "--timeout", "0.3"),
        ("login", "--help"),
        ("--help",),
        ("nope",),
    ],
    ids=" ".join,
)
def test_a_pipe_gets_no_escape_sequences(run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]) -> None:
    chatgpt.default = Json(ALLOW)
    chatgpt.rate_limits = RateLimits(used_percent=80)
    done = run_cli(*arguments)
    assert not ESCAPE.search(done.stdout + done.stderr)


@pytest.mark.parametrize(
    "arguments",
    [("models",), ("status",), ("doctor",), ("limits",), ("profiles",), ("classify", "--command", "ls")],
    ids=lambda each: each[0],
)
@pytest.mark.usefixtures("settings")
def test_a_terminal_gets_no_colours_where_they_are_not_wanted(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    chatgpt.default = Json(ALLOW)
    chatgpt.rate_limits = RateLimits(used_percent=80)
    shown = run_in_terminal({**environ, "NO_COLOR": "1"}, tmp_path, *arguments)
    assert shown.returncode == 0
    assert not re.search(r"\x1b\[(\d+;)*[349]\d(;\d+)*m", shown.text)


@pytest.mark.parametrize("arguments", [("doctor",), ("classify", "--command", "ls")], ids=lambda each: each[0])
@pytest.mark.usefixtures("settings")
def test_a_terminal_gets_colours(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    chatgpt.default = Json(ALLOW)
    assert "\x1b[32m" in run_in_terminal(environ, tmp_path, *arguments).text


@pytest.mark.usefixtures("settings")
def test_no_secret_is_printed_by_any_command(run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.default = Json(ALLOW)
    tokens: dict[str, str] = json.loads((settings.home / "auth.json").read_bytes())["tokens"]
    secrets = [*(value for value in tokens.values() if len(value) > 20), "person@example.com"]
    for arguments in (
        ("status", "--json"),
        ("status",),
        ("doctor",),
        ("doctor", "--json"),
        ("models", "--json"),
        ("limits", "--json"),
        ("profiles",),
        ("profiles", "--json"),
        *CALLS,
        ("logout",),
    ):
        done = run_cli(*arguments)
        printed = (done.stdout + done.stderr).decode()
        assert [secret for secret in secrets if secret in printed] == []


@pytest.mark.usefixtures("settings")
def test_a_reader_that_goes_away_is_no_traceback(environ: dict[str, str], tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "codex_oauth", "models", "--json"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=30) == 1


@pytest.mark.usefixtures("settings")
def test_words_that_a_terminals_encoding_lacks_do_not_fail_a_verdict(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Json({**ALLOW, "reason": "Größe 家 🙂"}))
    done = subprocess.run(
        [sys.executable, "-m", "codex_oauth", "classify", "--command", "ls", "--json"],
        env={**environ, "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0
    assert b'"behavior": "allow"' in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_name_the_command(run_cli: RunCLI, shell: str) -> None:
    done = run_cli("completion", shell)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"_CODEX_OAUTH_COMPLETE" in done.stdout
    assert b"codex-oauth" in done.stdout


def test_bash_accepts_its_completion_script(run_cli: RunCLI) -> None:
    script = run_cli("completion", "bash").stdout
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_completion_completes_commands_and_options(environ: dict[str, str], tmp_path: Path) -> None:
    def complete(words: str, position: int) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "codex_oauth"],
            env={
                **environ,
                "_CODEX_OAUTH_COMPLETE": "bash_complete",
                "COMP_WORDS": words,
                "COMP_CWORD": str(position),
            },
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        return done.stdout

    assert complete("codex-oauth cla", 1) == "plain,classify\n"
    assert "plain,--exit-code" in complete("codex-oauth classify --e", 2)
