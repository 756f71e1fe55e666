"""How a service ends: by a signal, by itself, and what it leaves behind."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

import pytest

from codex_oauth.testing import Hang, LoopbackChatGPT, Slow
from codex_oauth.version import __version__
from tests.gate.answers import answer
from tests.scripted import eventually
from tests.server.served import ALLOWED, HOOK, Served, ended, hook_input, processes_with


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_it_after_what_runs(served: Served, chatgpt: LoopbackChatGPT, number: signal.Signals) -> None:
    process = served.start()
    chatgpt.script(Slow(answer("allow"), 0.1))
    running = served.hook()
    chatgpt.wait_for_model_requests(1)
    process.send_signal(number)
    assert eventually(lambda: not Path(served.path).exists())
    assert running.answer()[2] == ALLOWED
    assert ended(process) == 0
    assert eventually(lambda: processes_with(f"CODEX_HOME={served.settings.home}") == [])


def test_a_second_signal_ends_it_at_once(served: Served, chatgpt: LoopbackChatGPT) -> None:
    process = served.start()
    chatgpt.script(Hang())
    running = served.hook()
    chatgpt.wait_for_model_requests(1)
    process.terminate()
    assert eventually(lambda: not Path(served.path).exists())
    process.terminate()
    assert ended(process) == 0
    assert running.answer()[0] == 0


def test_it_ends_by_itself_when_nobody_asks(served: Served, environ: dict[str, str], chatgpt: LoopbackChatGPT) -> None:
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("service_idle = 2\n")
    process = served.start("--on-demand")
    chatgpt.script(Slow(answer("allow"), 0.3))
    running = served.hook()  # takes longer than that
    assert running.answer()[2] == ALLOWED
    assert ended(process) == 0
    assert not Path(served.path).exists()
    assert eventually(lambda: processes_with(f"CODEX_HOME={served.settings.home}") == [])


def test_always_is_always(served: Served, environ: dict[str, str]) -> None:
    folder = Path(environ["XDG_CONFIG_HOME"]) / "codex-oauth"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("service_idle = 1\n")
    served.environ["CODEX_OAUTH_SERVICE"] = "always"
    always = Served(served.environ)
    process = always.start("--on-demand")
    try:
        assert always.status()["idle_timeout_s"] is None
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2.5)
    finally:
        always.close()


def test_what_it_says_of_its_life_is_in_the_log_and_holds_no_content(served: Served, chatgpt: LoopbackChatGPT) -> None:
    log = served.settings.state_dir / "service.log"
    log.unlink(missing_ok=True)
    process = served.start("--on-demand")
    assert served.ask(*HOOK, stdin=hook_input("cat my-words")).stdout == ALLOWED
    process.terminate()
    assert ended(process) == 0
    text = log.read_text()
    assert [line.split(" ", 2)[2] for line in text.splitlines()] == [
        f"codex-oauth {__version__} listens at {served.path}",
        "ended after 1 calls: SIGTERM",
    ]
    assert oct(log.stat().st_mode)[-3:] == "600"
