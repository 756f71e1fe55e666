"""What the endpoint says about itself: the page, `/metrics`, and the form through which a browser gets to the page."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from codex_oauth.endpoint import page as pages
from codex_oauth.endpoint.bodies import read_body
from codex_oauth.endpoint.exchange import Exchange
from codex_oauth.endpoint.prometheus import CONTENT_TYPE, exposition
from codex_oauth.endpoint.refusals import ApiError
from codex_oauth.errors import CodexOAuthError
from codex_oauth.version import __version__

if TYPE_CHECKING:
    from codex_oauth.endpoint.calls import Calls
    from codex_oauth.endpoint.guard import Guard
    from codex_oauth.endpoint.watch import Watch

__all__ = ("Site",)

_LARGEST_FORM: Final = 16 * 1024

_FORM_HEADERS: Final = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    # With no-referrer, a browser says that the form comes from nowhere (`Origin: null`).
    "referrer-policy": "same-origin",
    "www-authenticate": "Bearer",
    "x-frame-options": "DENY",
}

_FORM: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>codex-oauth endpoint</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 4rem auto; padding: 0 1rem }}
input {{ font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; margin: .3rem 0 1rem }}
button {{ font: inherit; padding: .4rem 1rem }}
code {{ overflow-wrap: anywhere }}
</style>
</head>
<body>
<h1>codex-oauth endpoint</h1>
{said}<p>The page needs the endpoint's token. <code>{command}</code> prints it.</p>
<form method="post" action="/" autocomplete="off">
<label>Token <input type="password" name="token" required autofocus></label>
<button>Show the page</button>
</form>
</body>
</html>
"""


class Site:
    """The pages.

    Args:
        guard: Who is let in.
        calls: What was counted, and the models.
        watch: What is known of the account.
        base_url: What a client is given.
        token_command: The shell command that prints the token.
    """

    def __init__(self, guard: Guard, calls: Calls, watch: Watch, *, base_url: str, token_command: str) -> None:
        self._guard = guard
        self._calls = calls
        self._watch = watch
        self._base_url = base_url
        self._token_command = token_command

    async def page(self, exchange: Exchange) -> None:
        """`GET /`: with the token or the cookie, the page; without either, a form that asks for the token."""
        headers = exchange.headers
        if b"authorization" in headers:
            self._guard.check_token(headers)
        elif not self._guard.shown_to(headers):
            await self._form(exchange)
            return
        await self._watch.look()
        standing = self._watch.standing(
            base_url=self._base_url,
            token_command=self._token_command,
            model=await self._model(),
            stopping=self._calls.stopping,
        )
        text = pages.page(
            self._calls.tally, standing, now=datetime.now().astimezone(), refresh=_refresh(exchange.query)
        )
        await exchange.answer(200, text.encode(), pages.headers())

    async def sign_in(self, exchange: Exchange) -> None:
        """`POST /`: the form's token for the page's cookie."""
        kind = exchange.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
        if kind != b"application/x-www-form-urlencoded":
            raise ApiError(415, "the form's own content is taken here, and nothing else", code="unsupported_media_type")
        body = await read_body(exchange.receive, exchange.headers, most=_LARGEST_FORM)
        if not self._guard.knows(_field(body, "token").strip().encode()):
            await self._form(exchange, "That is not the token of this endpoint.")
            return
        await exchange.answer(303, b"", {"location": "/", "set-cookie": self._guard.cookie()})

    async def metrics(self, exchange: Exchange) -> None:
        """`GET /metrics`."""
        await self._watch.look()
        text = exposition(
            self._calls.tally,
            version=__version__,
            codex_version=self._watch.codex_version,
            limits=self._watch.limits,
        )
        await exchange.answer(200, text.encode(), {"content-type": CONTENT_TYPE})

    async def _form(self, exchange: Exchange, said: str = "") -> None:
        exchange.error = "invalid_api_key" if said else "no_cookie"
        said = f'<p role="alert"><strong>{escape(said)}</strong></p>\n' if said else ""
        text = _FORM.format(said=said, command=escape(self._token_command))
        await exchange.answer(401, text.encode(), _FORM_HEADERS)

    async def _model(self) -> str | None:
        try:
            return await self._calls.catalogue.default()
        except (ApiError, CodexOAuthError):
            return None


def _refresh(query: bytes) -> int | None:
    given = _field(query, "refresh")
    return min(int(given), 86_400) if given.isascii() and given.isdigit() and len(given) < 6 else None


def _field(form: bytes, name: str) -> str:
    try:
        return parse_qs(form.decode("latin-1"), max_num_fields=8).get(name, [""])[0]
    except ValueError:
        return ""  # there are more than anybody needs
