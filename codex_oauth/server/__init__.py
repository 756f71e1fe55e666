"""The warm service: one process that keeps an app-server ready and runs what hooks and scripts ask for.

    codex-oauth hook …  ──HTTP/1.1──▶  <runtime directory>/codex-oauth/<key>.sock  ──▶  one app-server

A client sends its command line and its input, and gets the bytes that it would have written itself. Where there is no
service, or one that does not answer, it does the work by itself: nothing rests on this process.
"""

from __future__ import annotations

from codex_oauth.server.address import Address, address_of, deciding_variables
from codex_oauth.server.asking import Found, find_service, stop_service
from codex_oauth.server.listening import Listening, Taken, check_platform
from codex_oauth.server.log import Log
from codex_oauth.server.running import commands
from codex_oauth.server.service import Ended, Service
from codex_oauth.server.units import launchd_plist, systemd_unit

__all__ = (
    "Address",
    "Ended",
    "Found",
    "Listening",
    "Log",
    "Service",
    "Taken",
    "address_of",
    "check_platform",
    "commands",
    "deciding_variables",
    "find_service",
    "launchd_plist",
    "stop_service",
    "systemd_unit",
)
