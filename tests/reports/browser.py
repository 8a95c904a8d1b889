"""A page in the machine's own headless Chromium, driven by Playwright."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENCE_S = 90.0


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, for the tabs of a module."""
    with sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])


class Tab:
    """A page in a window ``width`` px wide: what it asked for, and all that its console told."""

    def __init__(self, browser: Browser, address: str, width: int, *, dark: bool = False) -> None:
        for before in browser.contexts:
            before.close()
        scheme = "dark" if dark else "light"
        window = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page = window.new_page()
        self.page.set_default_timeout(1000 * PATIENCE_S)
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(address)
        self("Promise.allSettled([...document.images].map(image => image.decode())).then(() => 0)")

    def __call__(self, expression: str) -> Any:
        """The value of a JavaScript expression, awaited where it is a promise."""
        return self.page.evaluate(expression)

    def until(self, expression: str) -> None:
        """Wait until an expression is true; Playwright's own wait needs `eval`, which the page forbids."""
        deadline = time.monotonic() + PATIENCE_S
        while not self(expression):
            assert time.monotonic() < deadline, (expression, self("document.body.innerText"))
            self.page.wait_for_timeout(50)

    def fits(self) -> bool:
        """Whether nothing has to be scrolled sideways."""
        return bool(self("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))

    def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        self.page.screenshot(path=path, full_page=True)
