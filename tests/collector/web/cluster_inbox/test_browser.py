"""A cluster's request in a real Chromium: by the keyboard, on a phone, without scripts."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.collector.store.test_cluster_requests import OPEN, WAITS
from tests.collector.web.api_server import NAME, FakeApi
from tests.collector.web.cluster_inbox.conftest import BEAS, COMMAND, EVES, PAGE, SQL
from tests.collector.web.conftest import Window


async def test_the_keyboard_leads_from_the_list_to_the_decision(
    window: Window, client: Any, cluster: FakeApi, sender: Any
) -> None:
    await client.send(sender.seal(OPEN, WAITS))
    await window.log_in("/requests", BEAS, "Requests")
    await window.live()
    page = window.page
    await page.keyboard.press("j")
    await expect(page.locator("#on-cluster .when a")).to_be_focused()
    await page.keyboard.press("a")
    await expect(page.locator("#confirm h2")).to_have_text(f"Approve {NAME}?")
    assert cluster.writes() == [], "the first step decides nothing"
    await page.keyboard.press("Escape")
    await expect(page.locator("#approve")).to_be_visible()
    await page.keyboard.press("d")
    await page.locator("#confirm").wait_for()
    await page.keyboard.type("still needed")
    await page.keyboard.press("Enter")
    await expect(page.locator(".notice.bad")).to_contain_text("Denied by bea")
    assert (cluster.status["decision"], cluster.status["comment"]) == ("denied", "still needed")
    await page.goto(f"{window.url}/requests")
    assert await page.locator("#on-cluster").count() == 0


async def test_who_may_not_reads_why_and_has_no_way_to(window: Window, client: Any) -> None:
    await window.log_in(PAGE, EVES, "Request")
    await expect(window.page.locator(".card .notice").last).to_contain_text("eve may not decide")
    assert await window.page.locator("form.decide, #approve, #deny").count() == 0


async def test_it_needs_no_script(browser: Browser, client: Any, cluster: FakeApi) -> None:
    context = await browser.new_context(java_script_enabled=False)
    window = Window(await context.new_page(), client.running.url)
    await window.log_in(PAGE, BEAS, "Request")
    page = window.page
    await expect(page.locator("pre.sql")).to_have_text(SQL)
    await page.get_by_role("link", name="Approve…").click()
    await page.get_by_label("Comment").fill("by hand")
    await page.get_by_role("button", name="Approve it").click()
    await expect(page.locator(".notice.good")).to_contain_text("by hand")
    await context.close()
    assert cluster.status["decidedBy"] == "bea"


@pytest.mark.parametrize("known", [True, False])
async def test_a_phone_is_wide_enough(
    browser: Browser, client: Any, cluster: FakeApi, sender: Any, known: bool
) -> None:
    long = "x" * 200
    assert cluster.object is not None
    cluster.object["spec"]["effect"] = {"verbs": ["delete"], "tables": [long]}
    cluster.knows(BEAS, long, "dba")
    if not known:
        cluster.object = None
    await client.send(sender.seal(OPEN, {**WAITS, "relations": [long], "policy": long}))
    context = await browser.new_context(viewport={"width": 360, "height": 700})
    window = Window(await context.new_page(), client.running.url)
    await window.log_in("/requests", BEAS, "Requests")
    for path in ("/requests", PAGE, f"{PAGE}?decide=denied"):
        await window.page.goto(window.url + path)
        assert COMMAND in await window.page.content()
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
        beyond = "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 360).length"
        assert await window.page.evaluate(beyond) == 0, path
    await context.close()
    assert [one for one in window.complaints if "404" not in one] == []
