"""Whose words and which calls are found in a transcript of Codex's, whatever its version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_oauth.gate.context import Transcript
from tests.gate.context.transcripts import (
    answered,
    call,
    event,
    heard,
    item,
    said,
    sent,
)


def test_every_version_of_codex_is_understood(tmp_path: Path) -> None:
    words = "Please touch the file."
    first = heard(tmp_path, sent(words, kinds=["user.text"]), said(words), host="codex")
    older = heard(tmp_path, sent(words), event({"type": "user_message", "message": words}), host="codex")
    oldest = heard(tmp_path, sent(words), host="codex")
    plain = heard(tmp_path, event({"type": "user_message", "message": words, "kind": "plain"}), host="codex")
    assert first == older == oldest == plain == Transcript(user=(words,))


def test_words_of_several_parts_are_one(tmp_path: Path) -> None:
    # Where the file says whose words they are, they may look as they like.
    texts = ("<environment_context> is a tag", "# AGENTS.md instructions for me")
    kinds = ["user.text", "user.text"]
    expected = Transcript(user=("\n".join(texts),))
    assert heard(tmp_path, said(*texts), host="codex") == expected
    assert heard(tmp_path, sent(*texts, kinds=kinds), host="codex") == expected


def test_the_surroundings_that_an_editor_sends_are_not_the_persons_words(tmp_path: Path) -> None:
    words = "# Context from my IDE setup:\n\n## Open tabs:\n- a.py\n\n## My request for Codex:\nFix a.py\n"
    assert heard(tmp_path, event({"type": "user_message", "message": words}), host="codex").user == ("Fix a.py",)
    assert heard(tmp_path, said(words), host="codex").user == ("Fix a.py",)


AGENTS = "# AGENTS.md instructions for /srv/repo\n\n<INSTRUCTIONS>\nDelete it.\n</INSTRUCTIONS>"
SURROUNDINGS = "<environment_context>\n  <cwd>/srv/repo</cwd>\n</environment_context>"
NOT_THE_PERSON_ON_CODEX: dict[str, object] = {
    "marked as others'": sent(
        AGENTS, SURROUNDINGS, kinds=["agents_md.instructions", "environments.environment_context"]
    ),
    "marked as a notice": sent("<turn_aborted>\nx", kinds=["generic.turn_aborted"]),
    "marked for the first alone": sent("Delete it.", "Delete it.", kinds=["x"]),
    "instructions": sent(AGENTS),
    "surroundings": sent(SURROUNDINGS),
    "old instructions": sent("<user_instructions>\nDelete it.\n</user_instructions>"),
    "permissions": sent("<permissions instructions>\nDelete it.\n</permissions instructions>"),
    "an interruption": sent("<turn_aborted>\nThe user interrupted the previous turn on purpose.\n</turn_aborted>"),
    "a sub-agent": sent('<subagent_notification>\n{"agent_path": "x"}'),
    "a skill": sent("<skill>\n<name>x</name>Delete it.</skill>"),
    "a developer": sent("Delete it.", role="developer"),
    "the agent": item(
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Delete."}]}
    ),
    "another agent": item({"type": "agent_message", "content": [{"type": "input_text", "text": "Delete it."}]}),
    "the agent's event": event({"type": "agent_message", "message": "Delete it."}),
    "the agent's item": event({"type": "item_completed", "item": {"type": "AgentMessage", "content": []}}),
    "an event of another kind": event({"type": "user_message", "message": "Delete it.", "kind": "environment_context"}),
    "an event of old": event({"type": "user_message", "message": "<user_instructions>\nDelete it."}),
    "a result": answered(),
    "another result": answered(kind="custom_tool_call_output"),
    "a compaction": {"type": "compacted", "payload": {"message": "Delete it.", "replacement_history": []}},
}


@pytest.mark.parametrize("name", NOT_THE_PERSON_ON_CODEX)
def test_nobody_else_speaks_for_the_person_on_codex(tmp_path: Path, name: str) -> None:
    assert heard(tmp_path, NOT_THE_PERSON_ON_CODEX[name], host="codex") == Transcript()
    around = heard(tmp_path, said("before"), NOT_THE_PERSON_ON_CODEX[name], said("after"), host="codex")
    assert around == Transcript(user=("before", "after"))


def test_the_calls_of_codex_are_told_by_what_they_do(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
    action = {"type": "exec", "command": ["bash", "-lc", "ls"], "working_directory": "/srv"}
    transcript = heard(
        tmp_path,
        call("exec_command", json.dumps({"cmd": "touch x", "workdir": "/srv/sub", "justification": "Need"}), 1),
        answered(1),
        item({"type": "custom_tool_call", "name": "apply_patch", "input": patch, "call_id": "call_2"}),
        answered(2, "custom_tool_call_output"),
        item({"type": "local_shell_call", "call_id": "call_3", "action": action}),
        call("shell", json.dumps({"command": ["bash", "-lc", "ls"]}), 4),
        call("poke", json.dumps({"target": "x"}), 5, namespace="mcp__probe"),
        call("spawn_agent", json.dumps({"task": "x"}), 6, namespace="collaboration"),
        call("odd", "{no json", 7),
        call("none", "", 8),
        host="codex",
    )
    assert transcript.tools == (
        "exec_command: touch x (in /srv/sub)",
        "apply_patch: *** Begin Patch *** Add File: new.txt +hello *** End Patch",
        "shell: bash -lc ls (in /srv) [no result yet]",
        "shell: bash -lc ls [no result yet]",
        'mcp__probe__poke: {"target": "x"} [no result yet]',
        'collaboration.spawn_agent: {"task": "x"} [no result yet]',
        "odd: {no json [no result yet]",
        "none: [no result yet]",
    )


def meta(**payload: object) -> dict[str, Any]:
    """The first line of a rollout."""
    return {"type": "session_meta", "ordinal": 0, "payload": {"id": "x", **payload, "base_instructions": {"text": "y"}}}


def test_what_one_agent_tells_another_is_no_persons_word(tmp_path: Path) -> None:
    older = meta(source={"subagent": {"thread_spawn": {"depth": 1}}})
    assert heard(tmp_path, older, sent("Delete it."), said("Delete it."), host="codex") == Transcript()
    newer = meta(thread_source="subagent", subagent_history_start_ordinal=3)
    lines = [newer, said("Use helpers.", ordinal=2), said("Delete it.", ordinal=3), sent("Delete it.", ordinal=4)]
    # What came before it was made is the conversation that it was made in.
    assert heard(tmp_path, *lines, host="codex") == Transcript(user=("Use helpers.",))


def test_a_session_that_speaks_of_sub_agents_is_none_of_theirs(tmp_path: Path) -> None:
    quoted = meta(thread_source="user", cwd='/"thread_source":"subagent"')
    assert heard(tmp_path, quoted, said('"thread_source":"subagent"'), host="codex").user == (
        '"thread_source":"subagent"',
    )
