"""The OpenAI-compatible endpoint: `/v1/chat/completions`, `/v1/responses` and `/v1/models` on 127.0.0.1.

It translates. A request becomes one `AsyncCodex.respond`, and its reply goes back in the form of the request's API:

    asked        what a request asks for, whichever API it came by
    answering    asks it, and keeps what `tool_choice` and `json_object` promise; live cleans the stream
    catalogue    the models, and what `model` and the effort come down to
    chat         chat completions, both ways; chat_stream for its stream
    responses    responses, both ways; responses_stream for its stream
    refusals     every failure as a status that has clients do the right thing
    parameters   what is passed on, refused or ignored
    app          the routes, around which `guard` lets in nobody but this user's own programs
"""

from __future__ import annotations

__all__ = ()
