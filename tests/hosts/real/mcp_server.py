"""An MCP server with one tool, `poke`, as a program. Its argument is a file that gets a line for each call."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

__all__ = ("MCP_SERVER",)

MCP_SERVER: Final = Path(__file__)

_TOOL: Final = {
    "name": "poke",
    "description": "Pokes a target.",
    "inputSchema": {"type": "object", "properties": {"target": {"type": "string"}}, "required": ["target"]},
}


def _result(method: str, parameters: dict[str, Any], log: Path) -> dict[str, Any]:
    match method:
        case "initialize":
            return {
                "protocolVersion": parameters["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "probe", "version": "1"},
            }
        case "tools/list":
            return {"tools": [_TOOL]}
        case "tools/call":
            target = parameters["arguments"]["target"]
            with log.open("a", encoding="utf-8") as stream:
                print(target, file=stream)
            return {"content": [{"type": "text", "text": f"poked {target}"}]}
        case _:
            return {}


def _main(log: Path) -> None:
    for line in sys.stdin:
        message = json.loads(line)
        if "id" in message and "method" in message:
            result = _result(message["method"], message.get("params") or {}, log)
            print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
