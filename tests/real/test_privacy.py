"""What was said, and the tokens, stay in none of the files and show in none of the processes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

import anyio
import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings, load_settings
from codex_oauth.errors import CodexOAuthError
from codex_oauth.events import TextDelta
from codex_oauth.testing import Failed, Hang, LoopbackChatGPT, Text
from tests.conftest import RunCLI
from tests.real.samples import INSTRUCTIONS, PROMPT, REPLY, SCHEMA

CREDENTIALS: Final = ("access_token", "id_token")


def holders(folder: Path, *secrets: str) -> dict[str, Counter[str]]:
    """The files below a folder that hold any of these texts."""
    found: dict[str, Counter[str]] = {}
    # An app-server that has just ended may still be cleaning up: what is gone holds nothing.
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                content = Path(place, name).read_bytes()
                for secret in secrets:
                    if secret.encode() in content:
                        found.setdefault(secret, Counter())[name] += 1
    return found


@pytest.mark.anyio
@pytest.mark.usefixtures("transport")
async def test_no_file_holds_what_was_said(settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    own = replace(settings, inherited={**settings.inherited, "TMPDIR": str(temporary), "HOME": str(tmp_path / "home")})
    codex = AsyncCodex(settings=own)
    chatgpt.script(Text(REPLY), Failed("cyber_policy", "No."), Text(REPLY))
    ask = partial(codex.complete, PROMPT, instructions=INSTRUCTIONS)
    await ask()
    with pytest.raises(CodexOAuthError):
        await ask()
    async with codex:
        await ask()
        chatgpt.script(Hang(REPLY))
        async with codex.stream(PROMPT, instructions=INSTRUCTIONS) as events:
            async for event in events:
                if isinstance(event, TextDelta):
                    break
    said = (INSTRUCTIONS, PROMPT, REPLY)
    assert holders(settings.state_dir, *said) == {}
    assert holders(tmp_path, *said) == {}
    assert settings.metrics is not None
    assert settings.metrics.read_bytes().count(b"\n") == 4


@pytest.mark.anyio
async def test_tokens_are_in_auth_json_alone(
    codex: AsyncCodex,
    settings: Settings,
    chatgpt: LoopbackChatGPT,
    tokens: Callable[[], dict[str, str]],
    tmp_path: Path,
) -> None:
    secrets = {tokens()[kind] for kind in CREDENTIALS}
    await codex.complete(PROMPT)
    chatgpt.revoke_access_tokens()
    chatgpt.websocket = False
    await codex.complete(PROMPT)
    secrets |= {tokens()[kind] for kind in CREDENTIALS}
    assert len(secrets) == 4  # the second call had to refresh
    found = holders(settings.state_dir, *secrets, "person@example.com")
    assert {name for names in found.values() for name in names} == {"auth.json"}
    assert holders(tmp_path, *secrets, "person@example.com") == {}


def command_and_variables(pid: int) -> tuple[bytes, bytes]:
    return Path(f"/proc/{pid}/cmdline").read_bytes(), Path(f"/proc/{pid}/environ").read_bytes()


@pytest.mark.anyio
async def test_no_process_shows_content_or_a_wrong_wallet(
    environ: dict[str, str],
    chatgpt: LoopbackChatGPT,
    tokens: Callable[[], dict[str, str]],
    processes_of: Callable[[], list[int]],
) -> None:
    planted = {"OPENAI_API_KEY": "sk-planted", "CODEX_API_KEY": "sk-planted", "CODEX_ACCESS_TOKEN": "planted"}
    codex = AsyncCodex(settings=load_settings(environ={**environ, **planted}))
    chatgpt.script(Hang(REPLY))
    async with codex.stream(PROMPT, instructions=INSTRUCTIONS, output=SCHEMA):
        await anyio.to_thread.run_sync(chatgpt.wait_for_model_requests, 1)
        shown = [command_and_variables(pid) for pid in processes_of()]
    assert any(command.endswith(b"app-server\0") for command, _ in shown)
    for command, variables in shown:
        for secret in (INSTRUCTIONS, PROMPT, REPLY, "potoroo", *(tokens()[kind] for kind in CREDENTIALS)):
            assert secret.encode() not in command
            assert secret.encode() not in variables
        assert b"planted" not in variables


def test_the_command_line_leaves_no_trace_either(
    run_cli: RunCLI, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    chatgpt.script(Text(REPLY))
    done = run_cli("complete", "--instructions", INSTRUCTIONS, stdin=PROMPT)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{REPLY}\n".encode(), b"")
    assert holders(settings.state_dir, INSTRUCTIONS, PROMPT, REPLY) == {}
    assert holders(tmp_path, INSTRUCTIONS, PROMPT, REPLY) == {}
