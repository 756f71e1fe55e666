"""Tokens whose refresh somebody else owns: from the environment, and from a command."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from codex_oauth.account import ExternalTokens
from codex_oauth.config import ExternalSource, load_settings
from codex_oauth.errors import ConfigurationError, ExternalTokenError, ReauthenticationRequired
from tests.account.tokens import ABOUT, jwt

SECRET = "s3cr3t"
LATER = time.time() + 3600
GOOD = jwt({"jti": SECRET, "exp": LATER, ABOUT: {"chatgpt_account_id": "acc_1", "chatgpt_plan_type": "plus"}})
EXPIRED = jwt({"jti": SECRET, "exp": 1, ABOUT: {"chatgpt_account_id": "acc_1"}})
CREDENTIAL = {"accessToken": GOOD, "chatgptAccountId": "acc_1", "chatgptPlanType": "plus"}

WriteCommand = Callable[[str], tuple[str, ...]]

pytestmark = pytest.mark.anyio


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., ExternalSource]:
    """What is read from an environment with these variables, and a configuration with this `token_command`."""

    def make(*command: str, **variables: str) -> ExternalSource:
        path = tmp_path / "config.toml"
        path.write_text(f"token_command = {json.dumps(command)}\n" if command else "", encoding="utf-8")
        settings = load_settings(environ={"CODEX_OAUTH_CONFIG": str(path), **variables})
        assert settings.external is not None
        return settings.external

    return make


@pytest.fixture
def python(tmp_path: Path) -> Callable[[str], ExternalSource]:
    """A `token_command` that is a Python program."""

    def make(program: str) -> ExternalSource:
        path = tmp_path / "token-command"
        path.write_text(f"#!{sys.executable} -IS\nimport os, sys, time\n{program}\n", encoding="utf-8")
        path.chmod(0o755)
        return ExternalSource(command=(str(path), "--json"))

    return make


async def refusal(ask: Callable[[], Coroutine[Any, Any, Any]], kind: type[Exception]) -> str:
    """What is said where there is no token, which quotes none."""
    with pytest.raises(kind) as caught:
        await ask()
    assert type(caught.value) is kind
    printed = "".join(traceback.format_exception(caught.value))
    assert SECRET not in printed
    assert GOOD.split(".")[1] not in printed
    assert EXPIRED.split(".")[1] not in printed
    return str(caught.value)


# --- the environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"CODEX_OAUTH_CREDENTIAL": json.dumps({"tokens": {"access_token": GOOD, "account_id": "acc_1"}})},
        {"CODEX_OAUTH_TOKEN": GOOD},
        {"CODEX_OAUTH_TOKEN": GOOD, "CODEX_ACCOUNT_ID": "acc_1"},
        {"CODEX_OAUTH_TOKEN": GOOD, "CHATGPT_ACCOUNT_ID": "acc_1"},
        {"CODEX_OAUTH_TOKEN": GOOD, "CODEX_ACCOUNT_ID": "acc_1", "CHATGPT_ACCOUNT_ID": "acc_2"},
        {"CODEX_OAUTH_TOKEN": GOOD, "CODEX_ACCOUNT_ID": "", "CHATGPT_ACCOUNT_ID": "acc_1"},
        {"CODEX_OAUTH_CREDENTIAL": json.dumps({"access_token": GOOD}), "CODEX_OAUTH_TOKEN": EXPIRED},
        {"CODEX_OAUTH_CREDENTIAL": "", "CODEX_OAUTH_TOKEN": GOOD},
    ],
)
async def test_a_token_of_the_environment_is_given_as_it_is(
    source: Callable[..., ExternalSource], variables: dict[str, str]
) -> None:
    tokens = ExternalTokens(source(**variables))
    await tokens.check()
    assert await tokens.current() == CREDENTIAL


async def test_a_token_without_an_account_is_told_the_variable(source: Callable[..., ExternalSource]) -> None:
    tokens = ExternalTokens(source(CODEX_OAUTH_TOKEN=jwt({"exp": LATER})))
    for ask in (tokens.check, tokens.current):
        assert await refusal(ask, ConfigurationError) == (
            "CODEX_OAUTH_TOKEN: the token does not say which account it is for; "
            "set CODEX_ACCOUNT_ID to the ChatGPT account's id"
        )


@pytest.mark.parametrize("value", [f"sk-{SECRET}", f"Bearer {GOOD}", f"{GOOD} ", SECRET])
async def test_a_token_that_is_none_is_refused_before_anything_is_started(
    source: Callable[..., ExternalSource], value: str
) -> None:
    said = await refusal(ExternalTokens(source(CODEX_OAUTH_TOKEN=value)).check, ConfigurationError)
    assert said.startswith("CODEX_OAUTH_TOKEN: the access token ")


@pytest.mark.parametrize(
    ("variable", "value"),
    [("CODEX_OAUTH_TOKEN", EXPIRED), ("CODEX_OAUTH_CREDENTIAL", json.dumps({"access_token": EXPIRED}))],
)
async def test_a_token_that_has_expired_is_told_before_anything_is_started(
    source: Callable[..., ExternalSource], variable: str, value: str
) -> None:
    tokens = ExternalTokens(source(**{variable: value}))
    assert await refusal(tokens.check, ReauthenticationRequired) == (
        f"the token in {variable} has expired; set a fresh one, or a token_command in the configuration"
    )
    with pytest.raises(ReauthenticationRequired) as caught:
        await tokens.current()
    assert (caught.value.reason, caught.value.refused) == ("expired", False)


@pytest.mark.parametrize(
    "expires", ["soon", None, float("nan"), 10**400, LATER], ids=["word", "null", "nan", "huge", "later"]
)
async def test_a_token_that_says_nothing_of_the_past_is_given(
    source: Callable[..., ExternalSource], expires: Any
) -> None:
    token = jwt({"exp": expires, ABOUT: {"chatgpt_account_id": "acc_1"}})
    given = await ExternalTokens(source(CODEX_OAUTH_TOKEN=token)).current()
    assert given["accessToken"] == token


async def test_a_token_that_the_service_refuses_has_no_other_without_a_command(
    source: Callable[..., ExternalSource],
) -> None:
    tokens = ExternalTokens(source(CODEX_OAUTH_TOKEN=GOOD))
    assert await refusal(tokens.renewed, ExternalTokenError) == (
        "the service refuses the token in CODEX_OAUTH_TOKEN; set a fresh one, or a token_command in the configuration"
    )


def test_no_token_is_in_a_repr(source: Callable[..., ExternalSource]) -> None:
    found = source(
        "vault", CODEX_OAUTH_TOKEN=GOOD, CODEX_OAUTH_CREDENTIAL=f'"{SECRET}"', CODEX_ACCOUNT_ID=f"acc_{SECRET}"
    )
    assert repr(found) == "ExternalSource(command=('vault',))"
    assert SECRET not in repr(ExternalTokens(found))


# --- the command -----------------------------------------------------------------------------------------------------


async def test_a_command_gives_the_first_token_and_every_other_one(
    python: Callable[[str], ExternalSource], tmp_path: Path
) -> None:
    program = (
        f"open('asked', 'a').write(sys.argv[1]); print({json.dumps(json.dumps({'tokens': {'access_token': GOOD}}))})"
    )
    command = python(f"os.chdir({str(tmp_path)!r})\n{program}")
    tokens = ExternalTokens(command)
    await tokens.check()
    assert not (tmp_path / "asked").exists()
    assert await tokens.current() == CREDENTIAL
    assert await tokens.renewed() == CREDENTIAL
    assert (tmp_path / "asked").read_text(encoding="utf-8") == "--json" * 2


@pytest.mark.parametrize("given", [GOOD, EXPIRED], ids=["good", "expired"])
async def test_a_token_of_the_environment_is_used_until_it_has_expired(
    source: Callable[..., ExternalSource], python: Callable[[str], ExternalSource], given: str
) -> None:
    other = jwt({"exp": LATER + 1, ABOUT: {"chatgpt_account_id": "acc_1"}})
    command = python(f"print({json.dumps(json.dumps({'access_token': other}))})").command
    tokens = ExternalTokens(source(*command, CODEX_OAUTH_TOKEN=given))
    await tokens.check()
    assert (await tokens.current())["accessToken"] == (GOOD if given is GOOD else other)
    assert (await tokens.renewed())["accessToken"] == other


async def test_a_command_that_turns_to_another_account_is_refused(
    source: Callable[..., ExternalSource], python: Callable[[str], ExternalSource]
) -> None:
    other = jwt({"exp": LATER, ABOUT: {"chatgpt_account_id": "acc_2"}})
    command = python(f"print({json.dumps(json.dumps({'access_token': other}))})").command
    tokens = ExternalTokens(source(*command, CODEX_OAUTH_TOKEN=GOOD))
    assert (await tokens.current())["chatgptAccountId"] == "acc_1"
    with pytest.raises(ExternalTokenError, match="another account"):
        await tokens.renewed()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("sys.exit(3)", "ended with status 3"),
        (f"print({SECRET!r}); sys.exit({SECRET!r})", "ended with status 1"),
        ("os.kill(os.getpid(), 9)", "ended with status -9"),
        (f"raise ValueError({SECRET!r})", "ended with status 1"),
    ],
    ids=["a status", "a status and words", "a signal", "a traceback"],
)
async def test_a_command_that_fails_is_named_with_its_status_alone(
    python: Callable[[str], ExternalSource], capfd: pytest.CaptureFixture[str], program: str, said: str
) -> None:
    command = python(program)
    tokens = ExternalTokens(command)
    for ask in (tokens.current, tokens.renewed):
        assert await refusal(ask, ExternalTokenError) == f"token_command: {command.command[0]} {said}"
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("", "token_command: not valid JSON (line 1, column 1); expected "),
        (f"print({GOOD!r})", "token_command: not valid JSON (line 1, column 1); expected "),
        (f"""print('{{"access_token": "{GOOD}"')""", "token_command: not valid JSON (line 2, column 1); expected "),
        ("""print('{"token": "x"}')""", "token_command: no 'access_token'; expected "),
        (f"""print('{{"access_token": "sk-{SECRET}"}}')""", "token_command: the access token is not a JWT, "),
        (f"sys.stdout.buffer.write(b'{SECRET}\\xff')", "token_command: what it printed is not UTF-8"),
    ],
    ids=["nothing", "a bare token", "half", "no token", "a key", "bytes"],
)
async def test_junk_of_a_command_is_told_without_a_word_of_it(
    python: Callable[[str], ExternalSource], program: str, said: str
) -> None:
    assert (await refusal(ExternalTokens(python(program)).current, ExternalTokenError)).startswith(said)


async def test_a_command_that_prints_without_end_is_stopped(python: Callable[[str], ExternalSource]) -> None:
    command = python(f"while True: print({SECRET!r} * 1000)")
    said = await refusal(ExternalTokens(command).current, ExternalTokenError)
    assert said == f"token_command: {command.command[0]} printed more than 64 KiB"


def wait_for_the_end_of(pipe: int) -> None:
    """Read a named pipe until nobody holds its other end."""
    os.set_blocking(pipe, True)
    while os.read(pipe, 99):
        pass
    os.close(pipe)


async def test_whatever_a_command_leaves_running_ends_with_it(
    python: Callable[[str], ExternalSource], tmp_path: Path
) -> None:
    alive, end = tmp_path / "alive", tmp_path / "end"
    os.mkfifo(alive)
    os.mkfifo(end)
    pipe = os.open(alive, os.O_RDONLY | os.O_NONBLOCK)
    left = f"{{ echo; exec cat < {end}; }} > {alive} &"
    command = python(f"os.system({left!r}); print({json.dumps(json.dumps({'access_token': GOOD}))})")
    assert await ExternalTokens(command).current() == CREDENTIAL
    wait_for_the_end_of(pipe)


@pytest.mark.parametrize(
    ("command", "why"),
    [("no-such-program-anywhere", "no such program or folder"), ("/etc/passwd", "not executable")],
)
async def test_a_command_that_cannot_be_started_says_why(command: str, why: str) -> None:
    tokens = ExternalTokens(ExternalSource(command=(command,)))
    assert await refusal(tokens.current, ExternalTokenError) == f"token_command: {command}: {why}"


@pytest.fixture
def hook_input() -> Iterator[None]:
    """A standard input with something in it, as a hook has, which is not the command's to read."""
    kept, (read, write) = os.dup(0), os.pipe()
    os.write(write, b"the hook's own")
    os.dup2(read, 0)
    yield
    os.dup2(kept, 0)
    for descriptor in (kept, read, write):
        os.close(descriptor)


@pytest.mark.usefixtures("hook_input")
async def test_a_command_has_this_programs_environment_and_nothing_to_read(
    python: Callable[[str], ExternalSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAULT_ADDR", "acc_vault")
    program = f"""if os.read(0, 99) == b"":
        import json
        print(json.dumps({{"access_token": {GOOD!r}, "account_id": os.environ["VAULT_ADDR"]}}))
    """
    assert (await ExternalTokens(python(program)).current())["chatgptAccountId"] == "acc_vault"


async def test_what_a_command_writes_to_stderr_goes_nowhere(
    python: Callable[[str], ExternalSource], capfd: pytest.CaptureFixture[str]
) -> None:
    credential = json.dumps(json.dumps({"access_token": GOOD}))
    assert await ExternalTokens(python(f"print({SECRET!r}, file=sys.stderr); print({credential})")).current()
    assert capfd.readouterr() == ("", "")


async def test_a_service_that_refuses_every_token_is_not_given_them_for_ever(
    python: Callable[[str], ExternalSource],
) -> None:
    command = python(f"print({json.dumps(json.dumps({'access_token': GOOD}))})")
    tokens = ExternalTokens(command)
    assert [await tokens.renewed() for _ in range(4)] == [CREDENTIAL] * 4
    said = await refusal(tokens.renewed, ExternalTokenError)
    assert said == f"the service refuses every token that {command.command[0]} prints"


@pytest.mark.parametrize(
    "program",
    [
        "os.system('echo > started'); time.sleep(1000)",
        f"print({SECRET!r}, flush=True); os.system('echo > started'); time.sleep(1000)",
        "os.system('{ echo; exec cat < end; } > started; true')",
    ],
    ids=["silent", "after half", "in a child of its own"],
)
def test_a_command_that_takes_too_long_is_ended(
    python: Callable[[str], ExternalSource], program: str, tmp_path: Path
) -> None:
    started, end = tmp_path / "started", tmp_path / "end"
    os.mkfifo(started)
    os.mkfifo(end)
    command = python(f"os.chdir({str(tmp_path)!r})\n{program}")
    clock = trio.testing.MockClock()
    begun = os.open(started, os.O_RDONLY | os.O_NONBLOCK)

    async def main() -> None:
        async def jump() -> None:
            await trio.lowlevel.wait_readable(begun)
            clock.jump(19.9)
            await trio.testing.wait_all_tasks_blocked()
            clock.jump(0.2)

        async with trio.open_nursery() as tasks:
            tasks.start_soon(jump)
            said = await refusal(ExternalTokens(command).current, ExternalTokenError)
            assert clock.current_time() - began > 20
            assert said == f"token_command: {command.command[0]} took longer than 20 s"

    began = clock.current_time()
    trio.run(main, clock=clock)  # pyright: ignore[reportArgumentType]
    wait_for_the_end_of(begun)
