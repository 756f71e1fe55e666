"""The members of a request's JSON, each as what it has to be, or refused by its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from codex_oauth.endpoint.refusals import bad_request
from codex_oauth.errors import ConfigurationError
from codex_oauth.images import data_url
from codex_oauth.types import as_object

__all__ = ("flag_in", "image_in", "list_in", "mentions_json", "object_in", "text_in", "text_or_none", "whole_number_in")


def text_in(one: Mapping[str, Any], name: str, where: str = "") -> str:
    """A member that has to be text.

    Args:
        one: The object.
        name: The member.
        where: The object's own place, such as `tools[0].`, with a point at its end.

    Raises:
        ApiError: It is missing, or something else.
    """
    found = text_or_none(one, name, where)
    if found is None:
        raise bad_request(f"{where}{name} is missing", param=where + name, code="missing_required_parameter")
    return found


def text_or_none(one: Mapping[str, Any], name: str, where: str = "") -> str | None:
    """A member that is text, null or missing.

    Raises:
        ApiError: It is something else.
    """
    value = one.get(name)
    if value is not None and not isinstance(value, str):
        raise bad_request(f"{where}{name} must be text", param=where + name, code="invalid_type")
    return value


def flag_in(one: Mapping[str, Any], name: str, where: str = "", *, default: bool = False) -> bool:
    """A member that is true or false; null or missing is the default.

    Raises:
        ApiError: It is something else.
    """
    value = one.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise bad_request(f"{where}{name} must be true or false", param=where + name, code="invalid_type")
    return value


def whole_number_in(one: Mapping[str, Any], name: str, *, least: int) -> int | None:
    """A member that is a whole number, null or missing.

    Raises:
        ApiError: It is something else, or less than the least.
    """
    value = one.get(name)
    if value is None:
        return None
    # True is not 1 here.
    if type(value) is not int or value < least:
        message = f"{name} must be a whole number of at least {least}"
        raise bad_request(message, param=name, code="invalid_value")
    return value


def object_in(one: Mapping[str, Any], name: str, where: str = "") -> Mapping[str, Any]:
    """A member that is an object; an empty one where it is null or missing.

    Raises:
        ApiError: It is something else.
    """
    value = one.get(name)
    found = {} if value is None else as_object(value)
    if found is None:
        raise bad_request(f"{where}{name} must be an object", param=where + name, code="invalid_type")
    return found


def list_in(one: Mapping[str, Any], name: str, where: str = "") -> list[object]:
    """A member that is a list; an empty one where it is null or missing.

    Raises:
        ApiError: It is something else.
    """
    value = one.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise bad_request(f"{where}{name} must be a list", param=where + name, code="invalid_type")
    return cast("list[object]", value)


def image_in(one: Mapping[str, Any], name: str, where: str) -> str:
    """A member that is an image in a data URL.

    Raises:
        ApiError: It is missing, a URL of another kind, or no image that can be sent.
    """
    url = one.get(name)
    if not isinstance(url, str) or not url.startswith("data:"):
        message = (
            f"{where}{name} must be a data URL: codex takes no remote images and no files, and nothing is fetched "
            "here; send the image itself, as data:image/png;base64,…"
        )
        raise bad_request(message, param=where + name, code="invalid_image_url")
    try:
        return data_url(url)
    except ConfigurationError as error:
        message = f"{where}{name} cannot be sent: {error.message}"
        raise bad_request(message, param=where + name, code="invalid_image_url") from None


def mentions_json(instructions: str | None, items: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the word JSON is in what the model is told: without it, it does not know of `json_object`."""
    parts = (part for item in items if item["type"] == "message" for part in item["content"])
    texts = [instructions or "", *(part.get("text", "") for part in parts)]
    return any("json" in text.lower() for text in texts)
