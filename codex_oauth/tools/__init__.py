"""A caller's tools: typed functions, or a JSON Schema and a handler, as the model may call them."""

from codex_oauth.tools.given import tools_of
from codex_oauth.tools.tool import Tool, ToolArgumentsError, ToolOutput

__all__ = ("Tool", "ToolArgumentsError", "ToolOutput", "tools_of")
