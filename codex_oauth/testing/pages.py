"""The pages a person sees in a sign-in: plain HTML that needs no script."""

from __future__ import annotations

from html import escape
from typing import Final

from .messages import HttpResponse

__all__ = ["consent", "device", "notice"]

_STYLE: Final = """\
:root { color-scheme: light dark }
body { font: 1.1rem/1.5 system-ui, sans-serif; max-width: 32rem; margin: 10vh auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
label, input { display: block }
input, button { font: inherit; padding: .5rem 1rem; margin: .5rem .5rem .5rem 0 }
footer { font-size: .9rem; margin-top: 3rem }"""


def consent(email: str) -> HttpResponse:
    """Asks whether to sign in; the decision is posted to the address the page itself came from."""
    # A form without an action keeps the address with its query, which says where the answer goes.
    form = """\
<form method="post">
<button name="decision" value="continue">Continue</button>
<button name="decision" value="cancel">Cancel</button>
</form>"""
    return _page(f"Sign in to Codex as {email}?", form)


def device(*, unknown: str | None = None) -> HttpResponse:
    """Asks for a device code; once more, and with a 400, when the `unknown` one was typed."""
    problem, described = "", ""
    if unknown is not None:
        problem = f'<p id="problem" role="alert">No sign-in waits for the code “{escape(unknown)}”.</p>\n'
        described = ' aria-invalid="true" aria-describedby="problem"'
    form = f"""\
{problem}<form method="post">
<label for="user-code">The code that Codex shows</label>
<input id="user-code" name="user_code" value="{escape(unknown or "")}" required autofocus autocomplete="off"{described}>
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>"""
    return _page("Sign in to Codex on a device", form, 200 if unknown is None else 400)


def notice(title: str, text: str) -> HttpResponse:
    """Says something, and asks nothing."""
    return _page(title, f"<p>{escape(text)}</p>")


def _page(title: str, body: str, status: int = 200) -> HttpResponse:
    """The title is text, the body is HTML."""
    # With an icon of its own, a browser asks the stand-in for none, and no such request is recorded.
    page = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
<style>
{_STYLE}
</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
<footer>A stand-in for ChatGPT on this machine: no account here is a real one.</footer>
</body>
</html>
"""
    headers = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    return HttpResponse(status, page.encode(), headers)
