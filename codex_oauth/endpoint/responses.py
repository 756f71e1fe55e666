"""`/v1/responses`: a reply as a response object, and what there is of responses that were not kept: nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from codex_oauth.endpoint.api import About, Api
from codex_oauth.endpoint.asked import Asked
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.endpoint.responses_object import frame, output_items, whole
from codex_oauth.endpoint.responses_request import read_request
from codex_oauth.endpoint.responses_stream import ResponseStream

if TYPE_CHECKING:
    from codex_oauth.types import Reply

__all__ = ("API", "not_stored", "response")


def response(asked: Asked, reply: Reply[Any], about: About) -> dict[str, Any]:
    """The response object of a reply."""
    return whole(frame(asked, about), reply, output_items(asked, reply, about), completed_at=int(time.time()))


def not_stored(response_id: str) -> ApiError:
    """What `/v1/responses/{id}` and everything below it is answered with."""
    del response_id
    message = (
        "no response is stored here, so none can be retrieved, deleted or cancelled: keep the items of the answer, and "
        "send them in `input`; closing the connection cancels a response"
    )
    return ApiError(404, message, param="response_id", code="response_not_stored")


API = Api(path="/v1/responses", label="responses", read=read_request, written=response, stream=ResponseStream)
