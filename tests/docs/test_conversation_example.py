"""The example of a conversation with tools, run on a folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from codex_oauth.config import Settings
from codex_oauth.testing import Items, LoopbackChatGPT, Text, function_call, message

EXAMPLE = Path(__file__).parents[2] / "examples/conversation.py"


def told(chatgpt: LoopbackChatGPT) -> dict[str, Any]:
    """What the model was told of each call, by the call's id."""
    context = chatgpt.model_requests[-1].context
    return {item["call_id"]: item["output"] for item in context if item["type"] == "function_call_output"}


def test_it_finds_reads_and_summarises_and_stays_in_the_folder(
    environ: dict[str, str], settings: Settings, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    (notes / "more").mkdir(parents=True)
    (notes / "one.txt").write_text("91 is 7 times 13.", encoding="utf-8")
    (notes / "more" / "two.txt").write_text("97 is prime.", encoding="utf-8")
    (tmp_path / "secret.txt").write_text("not in the folder", encoding="utf-8")
    (notes / "link.txt").symlink_to(tmp_path / "secret.txt")
    chatgpt.script(
        Items([message("I look.", "commentary"), function_call("glob", {"pattern": "**/*.txt"}, "c1")]),
        Items(
            [
                message("I read.", "commentary"),
                function_call("read", {"path": "one.txt"}, "c2"),
                function_call("read", {"path": "more/two.txt"}, "c3"),
                function_call("read", {"path": "../secret.txt"}, "c4"),
                function_call("read", {"path": "link.txt"}, "c5"),
                function_call("glob", {"pattern": "../*"}, "c6"),
            ]
        ),
        Items(
            [
                function_call("summarise", {"path": "one.txt", "summary": "A product."}, "c7"),
                function_call("summarise", {"path": "more/two.txt", "summary": "A prime."}, "c8"),
            ]
        ),
        Text("Two numbers."),
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLE), str(notes)],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "more/two.txt: A prime.\none.txt: A product.\nTwo numbers.\n"), (
        done.stderr
    )
    assert sorted(done.stderr.split()) == sorted(["[glob]"] * 2 + ["[read]"] * 4 + ["[summarise]"] * 2)
    outputs = json.dumps(told(chatgpt))
    assert set(told(chatgpt)) == {f"c{number}" for number in range(1, 9)}
    assert json.loads(told(chatgpt)["c1"]) == ["more/two.txt", "one.txt"]
    assert "91 is 7 times 13." in outputs
    assert "97 is prime." in outputs
    assert "not in the folder" not in outputs
    assert str(tmp_path) not in outputs
    assert len(chatgpt.model_requests) == 4
