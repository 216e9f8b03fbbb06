"""Signing in and out in a real Chromium with a real provider: by the keyboard, on a phone, and without scripts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.collector.web.conftest import Window
from tests.oidc_provider.provider import OidcProvider

READY = "addEventListener('securitypolicyviolation', (e) => console.error('CSP', e.violatedDirective, e.blockedURI))"


@pytest.fixture
async def window(browser: Browser, desk: Any, oidc: OidcProvider) -> AsyncIterator[Window]:
    """Of a phone's width; the provider is the one place elsewhere that it goes to."""
    context = await browser.new_context(ignore_https_errors=True, viewport={"width": 360, "height": 700})
    await context.add_init_script(READY)
    window = Window(await context.new_page(), desk.running.url)
    yield window
    await context.close()
    assert window.complaints == []
    assert [url for url in window.foreign if not url.startswith((oidc.issuer, "data:"))] == []


async def at_the_provider(window: Window, user: str) -> None:
    await window.page.get_by_label("User").fill(user)
    await window.page.get_by_role("button", name="Sign in").click()


async def test_somebody_signs_in_reads_and_signs_out(window: Window, desk: Any, sender: Any) -> None:
    await desk.send(sender.seal({"kind": "open", "database": "shop", "version": "0.1.0"}) + sender.statement(1))
    page = window.page
    await page.goto(window.url + "/streams")
    await expect(page.locator("h1")).to_have_text("Sign in")
    await page.get_by_role("link", name="Sign in with Example").click()
    await at_the_provider(window, "ada")
    await expect(page.locator("h1")).to_have_text("Streams")
    assert page.url == window.url + "/streams"
    await expect(page.locator(".who")).to_contain_text("ada@shop.example auditor, viewer")
    await page.goto(window.url)
    await window.live()
    await desk.send(sender.statement(2))
    await expect(window.rows()).to_have_count(2)
    await page.get_by_role("link", name="Readings").click()
    await expect(page.locator("tbody")).to_contain_text("ada@shop.example")
    await expect(page.locator("tbody")).to_contain_text("followed")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("button", name="Sign out").click()  # the provider's own
    await expect(page.get_by_role("link", name="Sign in with Example")).to_be_visible()
    assert page.url.startswith(window.url + "/login")
    await page.go_back()
    assert "SELECT 1" not in await page.content()


async def test_the_keyboard_is_enough(window: Window) -> None:
    page = window.page
    await page.goto(window.url + "/login?next=%2Fstreams")
    await expect(page.get_by_role("link", name="Sign in with Example")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("User")).to_be_focused()
    await page.keyboard.type("ada")
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("Streams")


async def test_who_is_refused_is_told_and_may_try_again(window: Window) -> None:
    page = window.page
    await page.goto(window.url)
    await page.get_by_role("link", name="Sign in with Example").click()
    await at_the_provider(window, "cem")
    await expect(page.get_by_role("alert")).to_contain_text("None of your groups has a role here.")
    await expect(page.get_by_role("link", name="Sign in with Example")).to_be_visible()
    (told,) = window.complaints
    assert "403" in told, "the browser reports the status, and nothing else"
    window.complaints.clear()


async def test_a_live_page_ends_when_an_administrator_ends_the_sign_in(window: Window, desk: Any) -> None:
    page = window.page
    await page.goto(window.url)
    await page.get_by_role("link", name="Sign in with Example").click()
    await at_the_provider(window, "ada")
    await window.live()
    (session,) = desk.running.collector.viewers.sessions.listed()
    desk.running.collector.viewers.sessions.end_by_id(session.id)
    await page.wait_for_url("**/login")


async def test_it_needs_no_script(browser: Browser, desk: Any) -> None:
    context = await browser.new_context(ignore_https_errors=True, java_script_enabled=False)
    window = Window(await context.new_page(), desk.running.url)
    await window.page.goto(window.url)
    await window.page.get_by_role("link", name="Sign in with Example").click()
    await at_the_provider(window, "ada")
    await expect(window.page.locator("h1")).to_have_text("Statements")
    await context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1600])
async def test_nothing_is_wider_than_its_window(window: Window, desk: Any, oidc: OidcProvider, width: int) -> None:
    long = "x" * 60 + "@" + "y" * 60 + ".example"
    oidc.user("ada", groups=["platform"], email=long, email_verified=True)
    page = window.page
    await page.set_viewport_size({"width": width, "height": 700})
    await page.goto(window.url + "/login")
    wide = """[...document.querySelectorAll('body, body *')]
        .filter((one) => one.checkVisibility() && !one.closest('.unseen, .skip'))
        .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
        .map((one) => `${one.tagName}.${one.className}`)"""
    assert await page.evaluate(wide) == []
    await page.get_by_role("link", name="Sign in with Example").click()
    await at_the_provider(window, "ada")
    await desk.get("/v1/events?q=" + "z" * 300)
    for path in ("/", "/readings", "/sign-ins", "/streams"):
        await page.goto(window.url + path)
        assert await page.evaluate(wide) == [], path
