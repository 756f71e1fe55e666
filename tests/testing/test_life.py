"""Starting, waiting and closing; no codex takes part."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
import trio

from codex_oauth import testing
from codex_oauth.testing import LoopbackChatGPT, Text

from .web import Web

pytestmark = pytest.mark.timeout(60)


def test_closing_removes_everything_and_may_be_repeated() -> None:
    chatgpt = LoopbackChatGPT().start()
    authority = chatgpt.ca_file
    assert authority.read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")

    chatgpt.close()
    chatgpt.close()

    assert not authority.parent.exists()
    assert "loopback-chatgpt" not in {thread.name for thread in threading.enumerate()}


def test_closing_one_that_was_never_started_does_nothing() -> None:
    LoopbackChatGPT().close()


def test_it_is_started_once() -> None:
    with LoopbackChatGPT() as chatgpt, pytest.raises(RuntimeError, match="once"):
        chatgpt.start()


def test_its_address_is_unknown_until_it_is_started() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = LoopbackChatGPT().environment


def test_the_environment_leads_to_it_and_past_a_machine_s_own_exceptions(chatgpt: LoopbackChatGPT) -> None:
    environment = chatgpt.environment

    assert environment["HTTPS_PROXY"] == environment["https_proxy"] == chatgpt.proxy_url
    assert environment["CODEX_CA_CERTIFICATE"] == str(chatgpt.ca_file)
    assert environment["NO_PROXY"] == ""
    assert chatgpt.proxy_url.startswith("http://127.0.0.1:")


def test_several_run_side_by_side() -> None:
    with LoopbackChatGPT() as one, LoopbackChatGPT() as two, Web(one) as web:
        web.request("GET", "/")

        assert (len(one.requests), len(two.requests)) == (1, 0)


def test_resetting_forgets_what_happened_and_what_was_queued(chatgpt: LoopbackChatGPT, web: Web) -> None:
    chatgpt.script(Text("a"))
    web.request("GET", "/")

    chatgpt.reset()

    assert (chatgpt.requests, chatgpt.connections, chatgpt.pending) == ((), {}, 0)


def test_waiting_in_vain_says_what_was_seen_instead(chatgpt: LoopbackChatGPT, web: Web) -> None:
    web.request("GET", "/elsewhere")

    with pytest.raises(TimeoutError, match=r"GET chatgpt\.com/elsewhere"):
        chatgpt.wait_for_requests(1, path="/here", timeout=0.01)
    with pytest.raises(TimeoutError):
        chatgpt.wait_for_model_requests(1, timeout=0.01)
    assert [request.path for request in chatgpt.wait_for_requests(1)] == ["/elsewhere"]


def test_it_serves_asyncio_and_trio_alike(chatgpt: LoopbackChatGPT, web: Web) -> None:
    async def in_asyncio() -> None:
        await asyncio.to_thread(web.request, "GET", "/asyncio")

    async def in_trio() -> None:
        await trio.to_thread.run_sync(web.request, "GET", "/trio")

    asyncio.run(in_asyncio())
    trio.run(in_trio)

    assert [request.path for request in chatgpt.requests] == ["/asyncio", "/trio"]


def test_the_public_names_are_all_there() -> None:
    assert all(hasattr(testing, name) for name in testing.__all__)


def test_a_missing_library_names_the_extra() -> None:
    code = "import sys; sys.modules['trustme'] = None; import codex_oauth.testing"

    failed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert 'pip install "codex-oauth[testing]"' in failed.stderr.splitlines()[-1]


def test_nothing_but_the_plugin_imports_pytest() -> None:
    code = "import sys, codex_oauth.testing, codex_oauth.testing.__main__; sys.exit('pytest' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)
