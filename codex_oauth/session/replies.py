"""What the app-server is answered when it asks: no, in the form that each question wants.

A caller that accepted by default would let a model run commands. Nothing here can.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

__all__ = ("decline", "refusal_of")

_REFUSALS: Final[Mapping[str, Mapping[str, Any]]] = {
    "item/commandExecution/requestApproval": {"decision": "decline"},
    "item/fileChange/requestApproval": {"decision": "decline"},
    "item/permissions/requestApproval": {"permissions": {}},
    "item/tool/requestUserInput": {"answers": {}},
    "item/tool/call": {"success": False, "contentItems": [{"type": "inputText", "text": "this tool is not available"}]},
    "mcpServer/elicitation/request": {"action": "decline"},
    "applyPatchApproval": {"decision": "abort"},
    "execCommandApproval": {"decision": "abort"},
}


def refusal_of(method: str) -> Mapping[str, Any] | None:
    """The form of refusal that a server request has; None for one that has none, or is not known."""
    return _REFUSALS.get(method)


async def decline(method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:  # noqa: ARG001
    """Refuse a server request.

    Raises:
        RpcError: The request has no form of refusal, or is not known; it is answered with an error.
    """
    refusal = refusal_of(method)
    if refusal is None:
        from codex_oauth.jsonrpc import unknown_method

        raise unknown_method(method)
    return refusal
