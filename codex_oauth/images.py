"""Images as data URLs, checked before they are sent.

codex gives no error for an image that it cannot read: the model is told so in words, and answers anyway. And an image
given by its path tells the service that path.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path
from typing import Final

from codex_oauth.errors import ConfigurationError

__all__ = ("MAX_IMAGE", "data_url")

MAX_IMAGE: Final = 20 * 1024 * 1024
"""Bytes of one image. As base64 in one line of JSON it stays well below the 64 MiB that a line may have."""

_PREFIX: Final = "data:image/"


def data_url(image: str | os.PathLike[str] | bytes) -> str:
    """The data URL of a PNG, JPEG, GIF or WebP image.

    Args:
        image: A path, the bytes, or a `data:image/…;base64,` URL.

    Raises:
        ConfigurationError: It cannot be read, is too large, or is not such an image.
    """
    if isinstance(image, bytes):
        return _encode(image, "the image")
    if isinstance(image, str) and image.startswith("data:"):
        head, _, body = image.partition(",")
        try:
            content = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ConfigurationError("the image's data URL is not valid base64") from error
        if not head.startswith(_PREFIX) or not head.endswith(";base64"):
            raise ConfigurationError("the image's data URL does not begin with data:image/…;base64,")
        return _encode(content, "the image")
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        raise ConfigurationError("images are given as a path, as bytes or as a data URL; codex takes no remote ones")
    path = Path(image)
    try:
        found = path.stat()
        if stat.S_ISFIFO(found.st_mode) or stat.S_ISCHR(found.st_mode):
            # A pipe or a device may keep a reader waiting, or never end.
            raise ConfigurationError(f"{path}: not a file")
        if found.st_size > MAX_IMAGE:
            raise ConfigurationError(f"{path}: larger than {MAX_IMAGE // (1024 * 1024)} MiB")
        return _encode(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(f"{str(path)!r}: cannot be read: no file can have this name") from error


def _encode(content: bytes, name: str) -> str:
    if len(content) > MAX_IMAGE:
        raise ConfigurationError(f"{name}: larger than {MAX_IMAGE // (1024 * 1024)} MiB")
    kind = _kind(content)
    if kind is None:
        raise ConfigurationError(f"{name}: not a PNG, JPEG, GIF or WebP image")
    return f"{_PREFIX}{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _kind(content: bytes) -> str | None:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if content.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    return None
