"""Who is let in, and who is not."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from codex_oauth.endpoint.access import agent_of
from codex_oauth.endpoint.guard import Guard
from codex_oauth.endpoint.refusals import ApiError
from tests.endpoint.served import TOKEN, Served

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:8787", None, None),
        ("localhost:8787", None, None),
        ("LOCALHOST:8787", "http://127.0.0.1:8787", None),
        ("localhost:8787", "http://localhost:8787", None),
        ("127.0.0.1", None, 421),
        ("127.0.0.1:80", None, 421),
        ("evil.example:8787", None, 421),
        ("127.0.0.1.evil.example:8787", None, 421),
        ("[::1]:8787", None, 421),
        ("", None, 421),
        ("127.0.0.1:8787", "https://evil.example", 403),
        ("127.0.0.1:8787", "http://127.0.0.1:8788", 403),
        ("127.0.0.1:8787", "https://127.0.0.1:8787", 403),
        ("127.0.0.1:8787", "http://evil.example:8787", 403),
        ("127.0.0.1:8787", "null", 403),
        ("127.0.0.1:8787", "", 403),
    ],
)
def test_only_its_own_host_and_origin_are_answered(host: str, origin: str | None, status: int | None) -> None:
    headers = {b"host": host.encode(), **({} if origin is None else {b"origin": origin.encode()})}
    guard = Guard(TOKEN, 8787, "cat token")
    if status is None:
        guard.check_place(headers)
        return
    with pytest.raises(ApiError) as caught:
        guard.check_place(headers)
    assert caught.value.status == status


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        TOKEN,
        f"Basic {TOKEN}",
        "Bearer",
        "Bearer ",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN} x",
        "Bearer sk-0123456789",
        "Bearer \xe9\xff",
    ],
)
def test_without_the_token_there_is_no_answer(served: Served, given: str | None) -> None:
    headers = {} if given is None else {"authorization": given}
    for answer in (
        served.ask("POST", "/v1/chat/completions", {}, headers, token=False),
        served.ask("GET", "/v1/models", None, headers, token=False),
        served.ask("GET", "/metrics", None, headers, token=False),
        served.ask("GET", "/nowhere", None, headers, token=False),
    ):
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert (answer.error["type"], answer.error["code"]) == ("invalid_request_error", "invalid_api_key")
        assert TOKEN not in answer.body.decode()


def test_the_scheme_may_be_written_in_any_case(served: Served) -> None:
    assert served.get("/v1/models", {"authorization": f"bearer  {TOKEN}"}).status == 200


@pytest.mark.parametrize("path", ["/", "/healthz", "/v1/models", "/v1/chat/completions", "/metrics"])
def test_no_other_site_is_answered_wherever_it_asks_and_no_answer_may_be_read_by_one(served: Served, path: str) -> None:
    assert served.get(path, {"host": "evil.example"}).status == 421
    answer = served.ask("OPTIONS", path, None, {"origin": "https://evil.example"})
    assert answer.status == 403
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_health_needs_no_token_and_says_nothing_else(served: Served) -> None:
    answer = served.get("/healthz", token=False)
    assert (answer.status, answer.json) == (200, {"status": "ok"})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
        ("POST", "/v1/embeddings", 404, "unknown_url"),
        ("GET", "/v1/chat/completions/", 404, "unknown_url"),
        ("GET", "/../etc/passwd", 404, "unknown_url"),
        ("GET", "/v1/responses/resp_1", 404, "response_not_stored"),
    ],
)
def test_what_is_not_there_says_so_in_the_apis_form(
    served: Served, method: str, path: str, status: int, code: str
) -> None:
    answer = served.ask(method, path)
    assert (answer.status, answer.error["code"]) == (status, code)


def test_a_browser_gets_to_the_page_with_the_token_and_then_with_a_cookie(served: Served) -> None:
    asked = served.get("/", token=False)
    assert asked.status == 401
    assert b"<form" in asked.body
    wrong = served.ask("POST", "/", urlencode({"token": "x"}).encode(), {"content-type": FORM}, token=False)
    assert wrong.status == 401
    assert "set-cookie" not in wrong.headers
    right = served.ask("POST", "/", urlencode({"token": TOKEN}).encode(), {"content-type": FORM}, token=False)
    assert (right.status, right.headers["location"]) == (303, "/")
    cookie, *rules = right.headers["set-cookie"].split("; ")
    assert set(rules) >= {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert TOKEN not in cookie
    page = served.get("/", {"cookie": f"other=1; {cookie}"}, token=False)
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert TOKEN not in page.body.decode()
    # It opens nothing else.
    assert served.get("/v1/models", {"cookie": cookie}, token=False).status == 401
    assert served.get("/", {"cookie": f"{cookie}0"}, token=False).status == 401
    assert served.get("/").status == 200


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"OpenAI/Python 3.54.0", "OpenAI/Python"),
        (b"curl/8.5.0", "curl"),
        (b"Go-http-client/1.1", "Go-http-client"),
        (b"litellm", "litellm"),
        (b"", None),
        (b"person@example.com", None),
        (b"Mozilla/5.0 (X11; person@example.com)", "Mozilla"),
        (b"x" * 500, None),
        (b'"><script>', None),
    ],
)
def test_of_a_client_its_products_name_is_kept(header: bytes, name: str | None) -> None:
    assert agent_of(header) == name
