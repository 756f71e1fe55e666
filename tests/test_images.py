"""Images: checked here, since codex gives no error for one that it cannot read."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from codex_oauth.client import AsyncCodex
from codex_oauth.errors import ConfigurationError
from codex_oauth.images import MAX_IMAGE, data_url
from codex_oauth.testing import LoopbackChatGPT

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
HEADS = {
    "png": PNG,
    "jpeg": b"\xff\xd8\xff\xe0\x00\x10JFIF",
    "gif": b"GIF89a\x01\x00\x01\x00",
    "webp": b"RIFF\x24\x00\x00\x00WEBPVP8 ",
}


@pytest.mark.parametrize("kind", HEADS)
def test_the_kind_is_read_from_the_content(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "image.txt"
    path.write_bytes(HEADS[kind])
    expected = f"data:image/{kind};base64,{base64.b64encode(HEADS[kind]).decode()}"
    assert data_url(path) == data_url(str(path)) == data_url(HEADS[kind]) == expected


def test_an_old_gif_is_one_too() -> None:
    assert data_url(b"GIF87a...").startswith("data:image/gif;base64,")


def test_a_data_url_is_given_back_with_the_kind_that_it_really_is() -> None:
    url = f"data:image/jpeg;base64,{base64.b64encode(PNG).decode()}"
    assert data_url(url) == data_url(PNG)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x89PN", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"BM\x00", b"RIFF\0\0\0\0WAVE", b"%PDF-1.7"],
)
def test_what_is_no_such_image_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"{path}: not a PNG, JPEG, GIF or WebP image"):
        data_url(path)


@pytest.mark.parametrize("size", [MAX_IMAGE + 1, 10 * MAX_IMAGE])
def test_a_large_file_is_refused_unread(size: int, tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    with path.open("wb") as file:
        file.write(PNG)
        file.truncate(size)
    with pytest.raises(ConfigurationError, match=r"large.png: larger than 20 MiB"):
        data_url(path)


def test_the_largest_image_is_taken() -> None:
    assert len(data_url(PNG.ljust(MAX_IMAGE, b"\0"))) > MAX_IMAGE


def test_large_bytes_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="the image: larger than 20 MiB"):
        data_url(PNG.ljust(MAX_IMAGE + 1, b"\0"))


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("data:image/png;base64,!!!!", "not valid base64"),
        ("data:image/png;base64,\u00e4", "not valid base64"),
        (f"data:image/png,{base64.b64encode(PNG).decode()}", "does not begin with data:image/…;base64,"),
        (f"data:text/plain;base64,{base64.b64encode(PNG).decode()}", "does not begin with data:image/…;base64,"),
        ("data:", "does not begin with data:image/…;base64,"),
        ("data:image/png;base64,", "not a PNG, JPEG, GIF or WebP image"),
        ("https://example.com/a.png", "codex takes no remote ones"),
        ("http://example.com/a.png", "codex takes no remote ones"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        data_url(url)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"missing.png: cannot be read: No such file or directory"):
        data_url(tmp_path / "missing.png")


def test_a_folder_is_no_image(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        data_url(tmp_path)


@pytest.mark.parametrize("name", ["no\0name.png", "x" * 5000 + ".png"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        data_url(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="pipe: not a file"):
        data_url(tmp_path / "pipe")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a device without an end")
def test_a_device_is_refused_unread() -> None:
    with pytest.raises(ConfigurationError, match="/dev/zero: not a file"):
        data_url("/dev/zero")


@pytest.mark.anyio
async def test_the_model_gets_the_image_and_not_its_path(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    path = tmp_path / "private-name.png"
    path.write_bytes(PNG)
    await codex.complete("What is it?", images=[path])
    sent = str(chatgpt.model_requests[-1].body)
    assert data_url(PNG) in sent
    assert "private-name" not in sent


@pytest.mark.anyio
async def test_an_image_that_cannot_be_read_stops_the_call_before_anything_starts(
    codex: AsyncCodex, chatgpt: LoopbackChatGPT, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError):
        await codex.complete("What is it?", images=[b"no image", tmp_path / "none.png"])
    assert chatgpt.requests == ()
