"""The items of a turn: which of them is the reply, and that the others neither run nor land on disk."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.config import Settings
from codex_oauth.errors import ForbiddenItemError
from codex_oauth.testing import Items, LoopbackChatGPT, Text, function_call, message, reasoning
from tests.conftest import RunCLI
from tests.real.samples import PNG


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([message("Let me see.", "commentary"), message("No.", "final_answer")], "No."),
        ([reasoning("7 x 13"), message("Let me see.", "commentary"), message("No.")], "No."),
        ([message("No.", "final_answer"), message("That was easy.", "commentary")], "No."),
        ([message("One."), message("Two.")], "Two."),
    ],
    ids=["commentary", "reasoning-and-commentary", "commentary-after", "several"],
)
async def test_the_last_message_that_is_an_answer_is_the_reply(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, items: list[dict[str, Any]], text: str
) -> None:
    chatgpt.script(Items(items))
    assert (await codex.complete("Is 91 prime?")).text == text


@pytest.mark.parametrize("arguments", [(), ("--stream",)], ids=["whole", "streamed"])
def test_the_command_line_prints_the_answer_without_commentary(
    run_cli: RunCLI, chatgpt: LoopbackChatGPT, arguments: tuple[str, ...]
) -> None:
    chatgpt.script(Items([message("Let me see.", "commentary"), message("No.", "final_answer")]))
    done = run_cli("complete", *arguments, "Is 91 prime?")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"No.\n", b"")


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["exec_command", "shell", "local_shell", "apply_patch", "update_plan", "unheard_of"])
async def test_a_model_that_calls_a_tool_is_told_that_there_is_none(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path, name: str
) -> None:
    target = tmp_path / "ran"
    call = {"cmd": f"touch {target}", "command": ["touch", str(target)], "plan": []}
    chatgpt.script(Items([function_call(name, call, "call_1")]), Text("It was refused."))
    assert (await codex.complete("Is 91 prime?")).text == "It was refused."
    told = [item for item in chatgpt.model_requests[1].context if item["type"] == "function_call_output"]
    assert [item["output"] for item in told] == [f"unsupported call: {name}"]
    assert not target.exists()


@pytest.mark.anyio
async def test_a_turn_that_does_something_else_than_answer_is_stopped(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT
) -> None:
    search = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "91"}}
    chatgpt.script(Items([search, message("No.")]))
    with pytest.raises(ForbiddenItemError) as caught:
        await codex.complete("Is 91 prime?")
    assert (caught.value.code, caught.value.item_type) == ("forbidden_item", "webSearch")


@pytest.mark.anyio
async def test_what_a_model_sends_of_itself_neither_runs_nor_lands_on_disk(
    codex: AsyncCodex, settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    target = tmp_path / "ran"
    shell = {"type": "exec", "command": ["touch", str(target)]}
    picture = base64.b64encode(PNG).decode()
    chatgpt.script(
        Items(
            [
                {"type": "local_shell_call", "call_id": "call_1", "status": "completed", "action": shell},
                {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": picture},
                message("No."),
            ]
        )
    )
    assert (await codex.complete("Is 91 prime?")).text == "No."
    assert not target.exists()
    assert [path for path in settings.state_dir.rglob("*") if path.suffix == ".png"] == []
