"""What a tool call comes to, whatever the host calls the tool and its fields."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

__all__ = ("canonical",)

_ACTIONS: Final[Mapping[str, str]] = {
    "Bash": "run a shell command",
    "PowerShell": "run a shell command",
    "apply_patch": "apply a patch",
    "Read": "read a file",
    "Write": "write a file",
    "Edit": "edit a file",
    "MultiEdit": "edit a file",
    "NotebookEdit": "edit a file",
    "Glob": "look for files",
    "Grep": "search in files",
    "LS": "list a folder",
    "WebFetch": "fetch an address",
    "WebSearch": "search the web",
    "Task": "start a sub-agent",
    "Agent": "start a sub-agent",
}
_TARGETS: Final = ("command", "file_path", "notebook_path", "path", "pattern", "glob", "url", "query", "subagent_type")
_MCP: Final = re.compile(r"mcp__(?P<server>.+?)__(?P<tool>.+)", re.DOTALL)
_PATCH_LINE: Final = re.compile(
    r"^\*\*\* (?P<action>Add File|Update File|Delete File|Move to): (?P<path>.+)$", re.MULTILINE
)


def canonical(tool: str, tool_input: Mapping[str, Any]) -> dict[str, Any]:
    """The action in words, and what it acts on; not the content that it would write.

    Args:
        tool: The tool's name.
        tool_input: What it would be called with.
    """
    if found := _MCP.fullmatch(tool):
        return {"action": "call a tool of an MCP server", "server": found["server"], "tool": found["tool"]}
    view: dict[str, Any] = {"action": _ACTIONS.get(tool, "call a tool that is not known here")}
    command = tool_input.get("command")
    if tool == "apply_patch" and isinstance(command, str):
        view["files"] = [f"{line['action']}: {line['path'].strip()}" for line in _PATCH_LINE.finditer(command)]
        return view
    for name in _TARGETS:
        value = tool_input.get(name)
        if isinstance(value, str) and value:
            view[name] = value
    edits = tool_input.get("edits")
    if isinstance(edits, list):
        view["edits"] = len(cast("list[Any]", edits))
    return view
