"""A Chromium that looks at a page as different people do: on a phone, in the dark, on paper."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from tests.chromium import Chromium


class Viewer(Chromium):
    """A browser whose window and preferences can be set."""

    def look(self, path: Path, *, width: int = 1200, dark: bool = False, print_out: bool = False) -> None:
        """Open a file's page in a window of that width, in pixels."""
        phone = width < 600
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", media="print" if print_out else "screen", features=[scheme])
        self.open(path.as_uri())

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        return self._evaluate(expression)

    def screenshot(self, path: Path, *, top: int = 0, height: int | None = None) -> None:
        """Draw the page into a PNG file, or a part of it, from that many pixels down."""
        # Drawn as a whole, a page has no scroll bar.
        whole, width = self._evaluate("[document.documentElement.scrollHeight, innerWidth]")
        clip = {"x": 0, "y": top, "width": width, "height": height or whole - top, "scale": 1}
        drawn = self._call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(drawn["data"]))
