"""Signing in: with a browser, with a code, from Python and from a shell."""

from __future__ import annotations

from pathlib import Path

import pytest
from anyio import to_thread

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.sync_client import Codex
from codex_oauth.testing import LoopbackChatGPT
from codex_oauth.types import Account
from tests.chromium import Chromium
from tests.conftest import RunCLI
from tests.real.account.conftest import Start
from tests.real.account.people import Shown, Way, auth_of, mode_of, nothing_runs, sign_in, ways
from tests.real.samples import PROMPT

PLUS = Account(kind="chatgpt", plan="plus", email="person@example.com")


def assert_the_plan_pays(chatgpt: LoopbackChatGPT, home: Path) -> None:
    """The last model request came with the home's token, and the home holds a plan alone."""
    auth = auth_of(home)
    assert chatgpt.model_requests[-1].request.bearer == auth["tokens"]["access_token"]
    # A browser has errands of its own, which are refused. None of them is where a key would pay.
    assert set(chatgpt.connections) - set(chatgpt.refused) == {"auth.openai.com", "chatgpt.com"}
    assert "api.openai.com" not in chatgpt.connections
    assert (auth["OPENAI_API_KEY"], mode_of(home)) == (None, 0o600)


# --- as a person does it ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("login_port")
def test_a_person_at_a_browser_signs_in(chromium: Chromium, signed_out: Settings, chatgpt: LoopbackChatGPT) -> None:
    chatgpt.consent_page = True
    codex = Codex(settings=signed_out)
    with codex.login_browser() as login:
        assert login.user_code is None
        chromium.open(login.url)
        assert "Sign in to Codex as person@example.com?" in chromium.text()
        chromium.click("button[value=continue]")
        chromium.wait_for_load()
        assert "Signed in to Codex" in chromium.text()
        assert login.wait() == PLUS
    assert nothing_runs(signed_out.home)
    assert codex.complete(PROMPT).text == f"You said: {PROMPT}"
    assert_the_plan_pays(chatgpt, signed_out.home)


def test_a_person_types_a_code(chromium: Chromium, signed_out: Settings, chatgpt: LoopbackChatGPT) -> None:
    codex = Codex(settings=signed_out)
    with codex.login_device() as login:
        assert login.user_code is not None
        chromium.open(login.url)
        chromium.fill("[name=user_code]", login.user_code)
        chromium.click("button[value=approve]")
        chromium.wait_for_load()
        assert "Approved" in chromium.text()
        assert login.wait() == PLUS
    assert nothing_runs(signed_out.home)
    assert codex.complete(PROMPT).text == f"You said: {PROMPT}"
    assert_the_plan_pays(chatgpt, signed_out.home)


@ways
def test_a_person_signs_in_from_a_shell(
    chromium: Chromium,
    signed_out: Settings,
    environ: dict[str, str],
    start: Start,
    run_cli: RunCLI,
    chatgpt: LoopbackChatGPT,
    way: Way,
) -> None:
    (signed_out.home / "auth.json").unlink()
    program = start("-m", "codex_oauth", "login", f"--{way}", "--no-open")
    shown = Shown(program)
    chromium.open(shown.url)
    if shown.user_code is not None:
        chromium.fill("[name=user_code]", shown.user_code)
        chromium.click("button[value=approve]")
        chromium.wait_for_load()
    said, _ = program.communicate(timeout=20)
    assert (program.returncode, said.splitlines()[0]) == (0, "signed in  chatgpt, plan plus")
    done = run_cli("complete", PROMPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"You said: {PROMPT}\n".encode(), b"")
    assert_the_plan_pays(chatgpt, signed_out.home)


# --- without a browser -----------------------------------------------------------------------------------------------


@ways
@pytest.mark.anyio
async def test_an_async_program_signs_in(signed_out: Settings, chatgpt: LoopbackChatGPT, way: Way) -> None:
    codex = AsyncCodex(settings=signed_out)
    async with codex.login_browser() if way == "browser" else codex.login_device() as login:
        assert (login.user_code is None) == (way == "browser")
        assert login.timeout == {"browser": 300, "device": 600}[way]
        await to_thread.run_sync(sign_in, chatgpt, login)
        assert await login.wait() == PLUS
        assert await login.wait() == PLUS
    assert nothing_runs(signed_out.home)
    assert (await codex.complete(PROMPT)).account == PLUS
    assert_the_plan_pays(chatgpt, signed_out.home)


@ways
def test_a_blocking_program_signs_in(signed_out: Settings, chatgpt: LoopbackChatGPT, way: Way) -> None:
    with Codex(settings=signed_out) as codex:
        with codex.login_browser() if way == "browser" else codex.login_device() as login:
            sign_in(chatgpt, login)
            assert login.wait() == PLUS
        assert codex.complete(PROMPT).account == PLUS
    assert nothing_runs(signed_out.home)
    assert_the_plan_pays(chatgpt, signed_out.home)


@ways
def test_a_shell_signs_in(
    signed_out: Settings, start: Start, run_cli: RunCLI, chatgpt: LoopbackChatGPT, way: Way
) -> None:
    (signed_out.home / "auth.json").unlink()
    # Without a terminal to ask on, it is a code.
    program = start("-m", "codex_oauth", "login", *(["--browser"] if way == "browser" else []))
    shown = Shown(program)
    assert (shown.user_code is None) == (way == "browser")
    sign_in(chatgpt, shown)
    said, _ = program.communicate(timeout=20)
    assert program.returncode == 0
    assert said.splitlines() == [
        "signed in  chatgpt, plan plus",
        f"home       {signed_out.home}",
        "next       codex-oauth complete 'Is 91 prime?'",
    ]
    assert run_cli("complete", PROMPT).stdout == f"You said: {PROMPT}\n".encode()
    assert_the_plan_pays(chatgpt, signed_out.home)


@pytest.mark.anyio
async def test_a_sign_in_may_be_the_first_thing_that_a_home_sees(
    environ: dict[str, str], chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    settings = load_settings(environ={**environ, "XDG_STATE_HOME": str(tmp_path / "state")})
    codex = AsyncCodex(settings=settings)
    async with codex.login_device() as login:
        sign_in(chatgpt, login)
        await login.wait()
    assert (await codex.complete(PROMPT)).account == PLUS
    assert_the_plan_pays(chatgpt, settings.home)


@pytest.mark.usefixtures("login_port")
@pytest.mark.anyio
async def test_whoever_was_signed_in_is_replaced_from_the_next_call_on(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT
) -> None:
    chatgpt.sign_in(settings.home, account_id="acc_old", plan="pro")
    async with codex:
        await codex.complete(PROMPT)
        async with codex.login_browser() as login:
            await to_thread.run_sync(sign_in, chatgpt, login)
            assert await login.wait() == PLUS
        assert (await codex.complete(PROMPT)).account == PLUS
    paid = [request.request.headers["chatgpt-account-id"] for request in chatgpt.model_requests]
    assert paid == ["acc_old", "acc_1"]
    assert_the_plan_pays(chatgpt, settings.home)


@pytest.mark.anyio
async def test_a_profiles_sign_in_is_its_own(
    environ: dict[str, str], codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    before = auth_of(settings.home)
    other = AsyncCodex(settings=load_settings(profile="other", environ=environ))
    async with other.login_device() as login:
        assert login.user_code is not None
        chatgpt.approve_device(login.user_code, plan="pro")
        assert (await login.wait()).plan == "pro"
    assert auth_of(settings.home) == before
    assert (await other.complete(PROMPT)).account.plan == "pro"
    assert_the_plan_pays(chatgpt, other.settings.home)
    assert (await codex.complete(PROMPT)).account.plan == "plus"
    assert_the_plan_pays(chatgpt, settings.home)


# --- the API key that a browser's sign-in brings along ---------------------------------------------------------------


@pytest.mark.usefixtures("login_port")
@pytest.mark.parametrize("shell", [False, True], ids=["python", "shell"])
@pytest.mark.anyio
async def test_no_api_key_is_left_in_a_plans_home(
    signed_out: Settings, start: Start, chatgpt: LoopbackChatGPT, shell: bool
) -> None:
    (signed_out.home / "auth.json").unlink(missing_ok=True)
    chatgpt.exchanged_api_key = "sk-given-unasked"
    codex = AsyncCodex(settings=signed_out)
    if shell:
        program = start("-m", "codex_oauth", "login", "--browser")
        await to_thread.run_sync(sign_in, chatgpt, Shown(program))
        program.communicate(timeout=20)
    else:
        async with codex.login_browser() as login:
            await to_thread.run_sync(sign_in, chatgpt, login)
            assert await login.wait() == PLUS
    asked = [request.fields.get("grant_type") for request in chatgpt.requests if request.path == "/oauth/token"]
    assert asked == ["authorization_code", "urn:ietf:params:oauth:grant-type:token-exchange"]
    assert [path for path in signed_out.home.rglob("*") if path.is_file() and b"sk-given" in path.read_bytes()] == []
    assert (await codex.complete(PROMPT)).account == PLUS
    assert_the_plan_pays(chatgpt, signed_out.home)
    # And the sign-in is whole: its next refresh is taken, and still leaves no key.
    before = auth_of(signed_out.home)["tokens"]
    chatgpt.revoke_access_tokens()
    assert (await codex.complete(PROMPT)).account == PLUS
    assert auth_of(signed_out.home)["tokens"]["refresh_token"] != before["refresh_token"]
    assert_the_plan_pays(chatgpt, signed_out.home)
