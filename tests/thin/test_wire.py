"""What a client and the service say to each other."""

from __future__ import annotations

import os

import pytest

from codex_oauth.thin.wire import decode_call, encode_call, head_of, received

BODY = b"stdout\r\n\r\nstderr"
WHOLE = b"HTTP/1.1 200 OK\r\nX-Exit-Status:  0 \r\nx-stdout-length: 6\r\n\r\n" + BODY


@pytest.mark.parametrize(
    ("cwd", "path", "words"),
    [
        ("/", "/usr/bin:/bin", ["hook", "codex"]),
        ("", "", []),
        ("", "", [""]),
        ("/ü", "/\udcff", ["classify", "--command", "\udcff\udcfe\n\r\n\t =\x01"]),
        ("/a b", "", ["classify", "", "", "--json"]),
        ("/\U0001f600", "x" * 100_000, ["w" * 100_000]),
    ],
)
def test_a_call_comes_out_as_it_went_in(cwd: str, path: str, words: list[str]) -> None:
    assert decode_call(encode_call(cwd=cwd, path=path, project=cwd, words=words)) == (cwd, path, cwd, words)


def test_every_byte_of_a_word_comes_out_as_it_went_in() -> None:
    word = os.fsdecode(bytes(range(1, 256)))
    assert decode_call(encode_call(cwd=word, path=word, project=word, words=[word])) == (word, word, word, [word])


@pytest.mark.parametrize("data", [b"", b"alone", b"\xff", b"two\0words"])
def test_what_is_no_call_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="unpack"):
        decode_call(data)


def test_a_head_is_http_with_the_lengths_in_it() -> None:
    head = head_of("POST", "/v1/run", "1.2", "k" * 32, 3, 10)
    assert head.startswith(b"POST /v1/run HTTP/1.1\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert head.count(b"\r\n\r\n") == 1
    for line in (b"x-meta-length: 3", b"content-length: 10", b"x-codex-oauth-key: " + b"k" * 32, b"connection: close"):
        assert b"\r\n" + line + b"\r\n" in head


def test_a_response_is_read_once_its_head_is_there() -> None:
    for length in range(len(WHOLE) + 1):
        found = received(WHOLE[:length])
        if length < len(WHOLE) - len(BODY):
            assert found is None
        else:
            assert found == (
                200,
                {"x-exit-status": "0", "x-stdout-length": "6"},
                WHOLE[len(WHOLE) - len(BODY) : length],
            )


def test_one_response_may_follow_another() -> None:
    first = received(b"HTTP/1.1 102 Processing\r\nx-deadline: 30.0\r\n\r\n" + WHOLE)
    assert first == (102, {"x-deadline": "30.0"}, WHOLE)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"junk",
        b"\0\xff",
        b"HTTP/2 200 OK",
        b"HTTP/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1 OK 200",
        b"HTTP/1.1 -20 OK",
        b"HTTP/1.1 2_0 OK",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"SSH-2.0-OpenSSH 200",
        b" HTTP/1.1 200 OK",
    ],
)
def test_what_is_no_response_is_refused(head: bytes) -> None:
    with pytest.raises(ValueError, match="not HTTP"):
        received(head + b"\r\n\r\n")


@pytest.mark.parametrize("line", [b"", b"no colon", b": value", b"\xff: \xfe", b"a:b:c"])
def test_an_odd_header_is_nobodys_trouble(line: bytes) -> None:
    found = received(b"HTTP/1.1 200 OK\r\n" + line + b"\r\n\r\n")
    assert found is not None
    assert found[0] == 200
