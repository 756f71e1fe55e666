"""The paths of the service that the tests let it answer otherwise, or not at all."""

from __future__ import annotations

from typing import Final

ACCOUNT: Final = "/backend-api/wham/accounts/check"
RESPONSES: Final = "/backend-api/codex/responses"
SETTINGS: Final = "/backend-api/wham/settings/user"
