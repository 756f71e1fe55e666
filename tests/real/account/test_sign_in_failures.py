"""A sign-in that does not come about: why, what to do, and what is left as it was."""

from __future__ import annotations

import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from anyio import to_thread

from codex_oauth.account import Login
from codex_oauth.errors import LoginError, LoginFailure, ServerCrashedError
from codex_oauth.sync_client import Codex
from codex_oauth.testing import LoopbackChatGPT
from tests.chromium import Chromium
from tests.real.account.crowd import app_server_on
from tests.real.account.people import AGAIN, PORTS, Kept, Way, begin, cannot_start, nothing_runs, sign_in, ways
from tests.real.samples import PROMPT

pytestmark = pytest.mark.anyio
at_the_port = pytest.mark.usefixtures("login_port")


async def comes_to_nothing(login: Login, reason: LoginFailure, message: str) -> None:
    """The sign-in fails, in the same way however often one asks."""
    for _ in range(2):
        with pytest.raises(LoginError) as caught, anyio.fail_after(10):
            await login.wait()
        error = caught.value
        assert (error.reason, error.message) == (reason, message)
        assert (error.code, error.retryable, error.exit_status) == ("login", False, 3)
    assert login.account is None


# --- the ports -------------------------------------------------------------------------------------------------------


@contextmanager
def listening(port: int) -> Generator[Callable[[], bool]]:
    """Another program that has a port, and hangs up on whoever calls; tells whether it still answers."""
    with socket.create_server(("127.0.0.1", port)) as server:

        def hang_up() -> None:
            with suppress(OSError):
                while True:
                    server.accept()[0].close()

        def answers() -> bool:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return True
            return False

        thread = threading.Thread(target=hang_up)
        thread.start()
        yield answers
        # A socket that is waited for is not woken by its being closed.
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def port_of(login: Login) -> int | None:
    return urlsplit(parse_qs(urlsplit(login.url).query)["redirect_uri"][0]).port


@at_the_port
async def test_where_the_port_is_taken_the_other_one_is_used(kept: Kept, chatgpt: LoopbackChatGPT) -> None:
    with listening(PORTS[0]) as theirs:
        async with kept.codex.login_browser() as login:
            assert port_of(login) == PORTS[1]
            await to_thread.run_sync(sign_in, chatgpt, login)
            assert (await login.wait()).plan == "plus"
        assert theirs()
    assert nothing_runs(kept.codex.settings.home)
    assert (await kept.codex.complete(PROMPT)).account.plan == "plus"


@at_the_port
async def test_where_both_ports_are_taken_another_way_is_named(kept: Kept) -> None:
    with listening(PORTS[0]) as first, listening(PORTS[1]) as second:
        message = await cannot_start(kept.codex.login_browser(), "port_in_use")
        assert first()
        assert second()
    assert message.startswith("the ports that codex listens on for the browser (1455, 1457) are taken")
    assert message.endswith("; end that, or use a device code: codex-oauth login --device")
    await kept.still_is()


# --- the person, or somebody else ------------------------------------------------------------------------------------


def answer_of(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@at_the_port
@pytest.mark.parametrize(
    "query",
    ["code=ac-1&state=another", "code=ac-1", "error=access_denied&state=another"],
    ids=["other-state", "no-state", "declined-by-another"],
)
async def test_a_callback_of_another_sign_in_is_refused_and_the_right_one_still_works(
    kept: Kept, chatgpt: LoopbackChatGPT, query: str
) -> None:
    async with kept.codex.login_browser() as login:
        stray = f"http://127.0.0.1:{port_of(login)}/auth/callback?{query}"
        assert await to_thread.run_sync(answer_of, stray) == 400
        assert (kept.codex.settings.home / "auth.json").read_bytes() == kept.home_file
        await to_thread.run_sync(sign_in, chatgpt, login)
        assert (await login.wait()).plan == "plus"


@ways
async def test_a_declined_sign_in_says_so(kept: Kept, chatgpt: LoopbackChatGPT, way: Way) -> None:
    async with begin(kept.codex, way) as login:
        if login.user_code is None:
            await to_thread.run_sync(lambda: chatgpt.complete_browser_login(login.url, error="access_denied"))
        else:
            chatgpt.deny_device(login.user_code)
        await comes_to_nothing(login, "declined", f"the sign-in was declined{AGAIN}")
    await kept.still_is()


@at_the_port
async def test_a_person_at_a_browser_declines(kept: Kept, chatgpt: LoopbackChatGPT, chromium: Chromium) -> None:
    chatgpt.consent_page = True
    async with kept.codex.login_browser() as login:
        await to_thread.run_sync(chromium.open, login.url)
        await to_thread.run_sync(chromium.click, "button[value=cancel]")
        await comes_to_nothing(login, "declined", f"the sign-in was declined{AGAIN}")
    await kept.still_is()


# --- the program -----------------------------------------------------------------------------------------------------


@ways
async def test_a_cancelled_sign_in_ends_the_wait(kept: Kept, way: Way) -> None:
    async with begin(kept.codex, way) as login:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(comes_to_nothing, login, "cancelled", f"the sign-in was cancelled{AGAIN}")
            await anyio.wait_all_tasks_blocked()
            await login.cancel()
        await login.cancel()
        await comes_to_nothing(login, "cancelled", f"the sign-in was cancelled{AGAIN}")
    await login.cancel()
    await kept.still_is()


@ways
async def test_a_cancelled_task_leaves_nothing_behind(kept: Kept, way: Way) -> None:
    ended: list[str] = []

    async def sign_in_some_time() -> None:
        try:
            async with begin(kept.codex, way) as login:
                begun.set()
                await login.wait()
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise

    begun = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sign_in_some_time)
        await begun.wait()
        tasks.cancel_scope.cancel()
    assert ended == ["cancelled"]
    await kept.still_is()


@ways
async def test_time_that_is_up_is_said_and_the_sign_in_is_worth_nothing_more(
    kept: Kept, chatgpt: LoopbackChatGPT, way: Way
) -> None:
    async with begin(kept.codex, way, timeout=0.2) as login:
        assert (login.timeout, 0 <= login.remaining <= 0.2) == (0.2, True)
        await comes_to_nothing(login, "timed_out", f"nobody signed in within 0.2 s{AGAIN}")
        if login.user_code is None:
            with pytest.raises(OSError, match="refused"):
                await to_thread.run_sync(sign_in, chatgpt, login)
        else:
            sign_in(chatgpt, login)
        await comes_to_nothing(login, "timed_out", f"nobody signed in within 0.2 s{AGAIN}")
    await kept.still_is()


@ways
async def test_a_block_that_is_left_early_gives_the_sign_in_up(kept: Kept, way: Way) -> None:
    async with begin(kept.codex, way):
        pass
    assert nothing_runs(kept.codex.settings.home)
    mine = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with begin(kept.codex, way):
            raise mine
    assert caught.value is mine
    await kept.still_is()


@ways
async def test_an_app_server_that_dies_ends_the_wait(kept: Kept, way: Way) -> None:
    async with begin(kept.codex, way) as login, anyio.create_task_group() as tasks:

        async def wait() -> None:
            with pytest.raises(ServerCrashedError, match="ended with status -9"):
                await login.wait()

        tasks.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        os.kill(app_server_on(kept.codex.settings.home), signal.SIGKILL)
    await kept.still_is()


@ways
async def test_a_blocking_program_may_give_up_too(kept: Kept, way: Way) -> None:
    def give_up() -> None:
        with Codex(settings=kept.codex.settings) as codex:
            with codex.login_browser() if way == "browser" else codex.login_device() as login:
                login.cancel()
                with pytest.raises(LoginError, match="cancelled"):
                    login.wait()
            with codex.login_browser() if way == "browser" else codex.login_device():
                pass

    await to_thread.run_sync(give_up)
    await kept.still_is()


@at_the_port
async def test_a_second_sign_in_takes_the_place_of_the_first(kept: Kept, chatgpt: LoopbackChatGPT) -> None:
    taken = "another sign-in on this machine took this one's place; finish that one, or start again: codex-oauth login"
    async with kept.codex.login_browser() as first, kept.codex.login_browser() as second:
        assert port_of(first) == port_of(second) == PORTS[0]
        await comes_to_nothing(first, "superseded", taken)
        await to_thread.run_sync(sign_in, chatgpt, second)
        assert (await second.wait()).plan == "plus"
    assert nothing_runs(kept.codex.settings.home)
    assert (await kept.codex.complete(PROMPT)).account.plan == "plus"
