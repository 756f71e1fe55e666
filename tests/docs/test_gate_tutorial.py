"""The tutorial of the gate, followed: every command of it, and what it says they print."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from codex_oauth.testing import LoopbackChatGPT
from tests.docs.machine import Machine, shown_in
from tests.docs.test_documents import ROOT
from tests.gate.answers import answer

PAGE: Final = (ROOT / "docs" / "gate" / "tutorial.md").read_text(encoding="utf-8")
INSTALL, *COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
SHOWN: Final = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
ANSWERS: Final = {
    "gate explain": answer("deny", "Overwrites the history of a shared branch.", "Push without force.", rule="destroy"),
    "classify": answer("deny", "Pushes to main.", "", rule="push"),
}


@pytest.fixture
def machine(chatgpt: LoopbackChatGPT, tmp_path: Path) -> Machine:
    """Somebody's machine with the package installed and active."""
    machine = Machine(chatgpt, tmp_path / "somebody")
    machine.environ["PATH"] = f"{Path(sys.executable).parent}:{machine.environ['PATH']}"
    machine.called(Path(sys.executable).parent, "…/.venv/bin")
    return machine


def test_it_installs_as_the_readme_does() -> None:
    """That line is run by the gate of this project, in a fresh environment."""
    assert INSTALL in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_command_does_what_the_page_says(machine: Machine, chatgpt: LoopbackChatGPT) -> None:
    printed: list[str] = []
    for block in COMMANDS:
        for part, reply in ANSWERS.items():
            if part in block:
                chatgpt.script(reply)
        if "login" in block:
            printed.append(machine.run(*block.split()[1:], person=chatgpt.approve_device))
            continue
        done = subprocess.run(
            ["bash", "-ec", block],
            capture_output=True,
            env=machine.environ,
            cwd=machine.folder,
            timeout=60,
            check=False,
        )
        text = machine.named((done.stdout + done.stderr).decode())
        assert done.returncode == 0, f"{block}\n{text}"
        printed.append(text)
    assert chatgpt.pending == 0
    unseen = [block for block in SHOWN if not shown_in(block, printed)]
    assert unseen == [], "\n---\n".join(printed)
