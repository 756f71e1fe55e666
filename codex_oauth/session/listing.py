"""What the app-server lists, page by page."""

from __future__ import annotations

from codex_oauth.jsonrpc import Dispatcher
from codex_oauth.protocol import MODEL_LIST
from codex_oauth.types import Model

__all__ = ("list_models",)


async def list_models(dispatcher: Dispatcher) -> tuple[Model, ...]:
    """Every model of `model/list`, hidden ones included."""
    found: list[Model] = []
    cursor: str | None = None
    while True:
        page = await dispatcher.request(MODEL_LIST, {"includeHidden": True, "cursor": cursor})
        found += [
            Model(
                id=model["id"],
                name=model["displayName"],
                description=model["description"],
                efforts=tuple(option["reasoningEffort"] for option in model["supportedReasoningEfforts"]),
                default_effort=model["defaultReasoningEffort"],
                default=model["isDefault"],
                hidden=model["hidden"],
            )
            for model in page["data"]
        ]
        cursor = page.get("nextCursor")
        if not cursor:
            return tuple(found)
