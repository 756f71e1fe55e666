"""What a result says: one JSON object for an answer, or for a failure."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from codex_oauth.batch.items import Item
from codex_oauth.errors import CodexOAuthError

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("answer_record", "failure_record")


def answer_record(item: Item, reply: Reply[Any]) -> dict[str, Any]:
    """The result of an item that was answered: `output` if it has a schema, else `text`, and what the call took."""
    return {
        **_head(item),
        **({"text": reply.text} if item.schema is None else {"output": reply.output}),
        "model": reply.model,
        "effort": reply.effort,
        "usage": asdict(reply.usage),
        "latency_ms": round(reply.timing.total or 0.0, 1),
        "repaired": reply.repaired,
        "error": None,
    }


def failure_record(item: Item, error: CodexOAuthError, attempts: int = 1) -> dict[str, Any]:
    """The result of an item that failed, after so many attempts. Without content, as the error's message is."""
    described = {"code": error.code, "message": error.message, "retryable": error.retryable, "attempts": attempts}
    return {**_head(item), "error": described}


def _head(item: Item) -> dict[str, Any]:
    return {"id": item.id, "line": item.line, "digest": item.digest}
