"""`codex-oauth serve --http`, as a process."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.config import Settings
from codex_oauth.testing import Hang, LoopbackChatGPT, Text
from tests.conftest import RunCLI
from tests.endpoint.served import chat
from tests.scripted import eventually

PAGE = (Path(__file__).parents[2] / "docs" / "endpoint.md").read_text(encoding="utf-8")


class Process:
    """An endpoint in a process of its own."""

    def __init__(self, environ: dict[str, str], log: Path, token_file: Path, *options: str) -> None:
        self.log = log
        self.token_file = token_file
        with log.open("wb") as stderr:
            words = ["serve", "--http", "--port", "0", "--token-file", str(token_file), *options]
            self.popen = subprocess.Popen(
                [sys.executable, "-m", "codex_oauth", *words],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
            )
        assert eventually(lambda: "OPENAI_API_KEY" in self.said or self.popen.poll() is not None, timeout=20)
        found = re.search(r"http://127\.0\.0\.1:(\d+)/v1", self.said)
        assert found, self.said
        self.base_url, self.port = found[0], int(found[1])

    @property
    def said(self) -> str:
        """What it has said."""
        return self.log.read_text()

    @property
    def token(self) -> str:
        """The token."""
        return self.token_file.read_text().strip()

    def ask(self, connection: http.client.HTTPConnection, **parameters: Any) -> None:
        """Send a chat completion's request."""
        headers = {"authorization": f"Bearer {self.token}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(chat("hi", **parameters)), headers)

    def connection(self) -> http.client.HTTPConnection:
        """A client's."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)


@pytest.fixture
def start(environ: dict[str, str], settings: Settings, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts an endpoint, of a signed-in user unless the test has signed it out."""
    started: list[Process] = []

    def begin(*options: str) -> Process:
        started.append(Process(environ, tmp_path / "stderr", tmp_path / "token", *options))
        return started[-1]

    yield begin
    for process in started:
        process.popen.kill()
        process.popen.wait(10)


def test_it_serves_as_the_page_says_and_ends_with_status_0(
    start: Callable[..., Process], chatgpt: LoopbackChatGPT, environ: dict[str, str], tmp_path: Path
) -> None:
    chatgpt.default = Text("No: 7 x 13.")
    process = start("--log-file", str(tmp_path / "access.jsonl"))
    # The token is shown when it is made, and in no other line.
    assert process.said.count(process.token) == 1
    variables = {"OPENAI_BASE_URL": process.base_url, "OPENAI_API_KEY": process.token}
    (snippet,) = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
    pytest.importorskip("openai")
    done = subprocess.run(
        [sys.executable, "-c", snippet], env={**environ, **variables}, capture_output=True, timeout=60, check=False
    )
    assert done.stdout.decode() == "No: 7 x 13. gpt-6-luna\n", done.stderr.decode()
    process.popen.terminate()
    assert process.popen.wait(20) == 0
    (line,) = [json.loads(line) for line in (tmp_path / "access.jsonl").read_bytes().splitlines()]
    assert (line["route"], line["status"]) == ("/v1/chat/completions", 200)
    again = start("--no-access-log")
    assert again.token not in again.said


def test_told_to_end_it_lets_calls_finish_and_a_second_signal_cuts_them_off(
    start: Callable[..., Process], chatgpt: LoopbackChatGPT
) -> None:
    process = start()
    chatgpt.script(Hang("some words"))
    with contextlib.closing(process.connection()) as connection, contextlib.closing(process.connection()) as idle:
        idle.request("GET", "/healthz")
        assert idle.getresponse().read() == b'{"status":"ok"}'
        process.ask(connection, stream=True)
        response = connection.getresponse()
        assert response.readline().startswith(b"data: ")
        process.popen.send_signal(signal.SIGINT)
        # No more connections, and the idle one is closed; the call goes on.
        assert eventually(lambda: not _listens(process.port))
        assert not _answers(idle)
        assert process.popen.poll() is None
        assert chatgpt.answering == 1
        process.popen.send_signal(signal.SIGINT)
        last = [line for line in response.read().split(b"\n\n") if line][-1]
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "stopping"
    assert process.popen.wait(20) == 0
    chatgpt.wait_until(lambda: chatgpt.answering == 0)


def test_who_starts_it_twice_is_told_that_it_runs(
    start: Callable[..., Process], run_cli: RunCLI, tmp_path: Path
) -> None:
    process = start()
    words = ("serve", "--http", "--port", str(process.port), "--token-file", str(process.token_file))
    done = run_cli(*words)
    assert (done.returncode, b"an endpoint of codex-oauth listens there already" in done.stderr) == (2, True)
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = run_cli("serve", "--http", "--port", str(other.getsockname()[1]), *words[4:])
    assert (done.returncode, b"Address already in use; --port" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [(("--profile", "foo"), 2, b"no profile 'foo'"), (("--codex-bin", "/nope/codex"), 6, b"/nope/codex")],
)
def test_where_no_call_could_ever_be_made_it_ends(
    run_cli: RunCLI, tmp_path: Path, options: tuple[str, ...], status: int, words: bytes
) -> None:
    done = run_cli("serve", "--http", "--port", "0", "--token-file", str(tmp_path / "token"), *options)
    assert (done.returncode, words in done.stderr) == (status, True)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(connection: http.client.HTTPConnection) -> bool:
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (http.client.HTTPException, OSError):
        return False


def test_without_a_sign_in_it_says_so_and_goes_on(
    start: Callable[..., Process], settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    (settings.home / "auth.json").unlink()
    process = start()
    assert eventually(lambda: "codex-oauth login" in process.said, timeout=20)
    with contextlib.closing(process.connection()) as connection:
        process.ask(connection)
        response = connection.getresponse()
        error = json.loads(response.read())["error"]
        assert (response.status, error["code"]) == (403, "not_logged_in")
        assert "codex-oauth login" in error["message"]
        chatgpt.sign_in(settings.home)
        process.ask(connection)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (200, True)


def test_what_is_wrong_with_the_command_line_is_said_before_anything_is_started(
    run_cli: RunCLI, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_cli("serve", "--http", "--port", str(port), "--token-file", str(tmp_path / "token"))
    assert done.returncode == 2
    assert f"port {port} of 127.0.0.1" in done.stderr.decode()
    for words, said in (
        (("--port", "1"), "--port is for --http"),
        (("--http", "--on-demand"), "--on-demand is for the warm service"),
        (("--http", "--no-access-log", "--log-file", "x"), "give one of --log-file and --no-access-log"),
        (("--http", "--port", "70000"), "70000"),
        (("--http", "--timeout", "nan"), "--timeout must be a number"),
    ):
        done = run_cli("serve", *words)
        assert done.returncode == 2
        assert said in done.stderr.decode()


def test_without_a_codex_it_ends_with_the_status_for_that(run_cli: RunCLI, tmp_path: Path) -> None:
    words = ("serve", "--http", "--port", "0", "--token-file", str(tmp_path / "token"))
    done = run_cli(*words, "--codex-bin", str(tmp_path / "none"))
    assert done.returncode == 6, done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()


def test_the_token_is_printed_for_a_shell(run_cli: RunCLI, tmp_path: Path) -> None:
    path = tmp_path / "token"
    done = run_cli("serve", "--http", "--print-token", "--token-file", str(path))
    assert done.stdout.decode() == path.read_text()
    path.chmod(0o644)
    done = run_cli("serve", "--http", "--print-token", "--token-file", str(path))
    assert (done.returncode, done.stdout) == (2, b"")
    assert "others may read" in done.stderr.decode()


def test_without_the_extra_it_says_how_to_get_it(environ: dict[str, str], tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None\n"
        "from codex_oauth.cli import main\n"
        f"sys.argv = ['codex-oauth', 'serve', '--http', '--token-file', {str(tmp_path / 'token')!r}]\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, timeout=30, check=False, cwd=tmp_path
    )
    assert done.returncode == 2
    assert 'pip install "codex-oauth[server]"' in done.stderr.decode()
