"""A real Chromium, and what it complains of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright
from tests.collector.auth.conftest import api, reviewer
from tests.collector.web.signing_in import desk, people, person, sign_in_settings

__all__ = ["api", "desk", "people", "person", "reviewer", "sign_in_settings"]
CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture
def chromium() -> Path:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing: install Debian's package `chromium`", pytrace=False)
    return CHROMIUM


@pytest.fixture
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
            ],
        )
        yield browser
        await browser.close()


class Window:
    """A page, and everything the browser complained of in it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.on("console", lambda message: self._console(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", self._failed)
        # Not all violations of the content security policy reach the console.
        self.foreign: list[str] = []
        page.on("request", lambda request: None if request.url.startswith(url) else self.foreign.append(request.url))

    def _console(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _failed(self, request: Any) -> None:
        # What is still loading when the page is left is aborted by the browser itself, the live tail always; what is
        # when a network of the machine's comes or goes, of containers say, is asked for again.
        if request.failure not in ("net::ERR_ABORTED", "net::ERR_NETWORK_CHANGED"):
            self.complaints.append(f"{request.url}: {request.failure}")

    async def log_in(self, path: str = "/", token: str = "read-ada", heading: str = "Statements") -> None:
        await self.page.goto(self.url + path)
        await self.page.get_by_label("Viewer token").fill(token)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_selector(f"h1:has-text('{heading}')")

    async def live(self) -> None:
        await self.page.wait_for_selector("#live[data-state=live]")

    def rows(self) -> Any:
        return self.page.locator("#rows tr")


@pytest.fixture
async def window(browser: Browser, client: Any) -> AsyncIterator[Window]:
    context = await browser.new_context()
    await context.add_init_script(
        "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"
    )
    window = Window(await context.new_page(), client.running.url)
    yield window
    await context.close()
    assert window.complaints == []
    assert window.foreign == []
