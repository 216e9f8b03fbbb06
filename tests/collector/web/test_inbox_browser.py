"""The inbox in a real Chromium: live, by the keyboard, on a phone, without scripts, and with nothing to complain of."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.collector.conftest import ASKING, BEA, CEM, READER, asking_about
from tests.collector.web.conftest import Window

EVIL = 'SELECT \'<script>document.title = "owned"</script><img src=x onerror="document.title = 1">\u202e\''


async def at_the_inbox(window: Window, token: str = BEA) -> None:
    await window.log_in("/requests", token, "Requests")
    await window.live()


async def test_a_request_shows_while_it_is_made_and_moves_when_it_is_decided(window: Window, client: Any) -> None:
    await at_the_inbox(window)
    page = window.page
    await expect(page.locator("#waiting-empty")).to_be_visible()
    name = await client.asked(asking_about(EVIL))
    row = page.locator(f"#waiting #{name}")
    await expect(row).to_contain_text("<script>")
    await expect(row).to_contain_text("\\u202e")
    await expect(row).to_contain_text("59 min left")
    await expect(page.locator("#waiting-empty")).to_be_hidden()
    await client.decide(name, "denied", "not like this", token=CEM)
    await expect(page.locator(f"#ended #{name}")).to_contain_text("by cem")
    await expect(page.locator("#waiting tr")).to_have_count(0)
    assert await page.title() == "Requests · Penstock"


async def test_the_keyboard_decides_in_two_steps(window: Window, client: Any) -> None:
    older, newer = await client.asked(), await client.asked(asking_about("DROP TABLE carts"))
    await at_the_inbox(window)
    page = window.page
    await page.keyboard.press("a")
    assert page.url == window.url + "/requests", "nothing is chosen yet"
    for key, focused in [("j", newer), ("j", older), ("j", older), ("k", newer)]:
        await page.keyboard.press(key)
        await expect(page.locator(f"#{focused} .when a")).to_be_focused()
    await page.keyboard.press("a")
    await expect(page.locator("#confirm h2")).to_have_text(f"Approve {newer}?")
    assert (await client.look(newer)).json()["standing"] == "waiting", "the first step decides nothing"
    await page.keyboard.press("Escape")
    await expect(page.locator("#approve")).to_be_visible()
    await page.keyboard.press("d")
    await page.locator("#confirm").wait_for()
    await page.keyboard.type("still needed, adjust the job")
    await page.keyboard.press("Enter")
    await expect(page.locator(".notice.bad")).to_contain_text("Denied by bea")
    told = (await client.look(newer)).json()
    assert (told["standing"], told["comment"]) == ("denied", "still needed, adjust the job")
    assert (await client.look(older)).json()["standing"] == "waiting"


async def test_enter_opens_what_is_chosen(window: Window, client: Any) -> None:
    name = await client.asked()
    await at_the_inbox(window)
    await window.page.keyboard.press("j")
    await window.page.keyboard.press("Enter")
    await expect(window.page.locator("h1")).to_have_text(f"Request {name}")
    await expect(window.page.locator("pre.sql")).to_have_text(ASKING["statement"]["sql"])
    await window.page.keyboard.press("a")
    await window.page.get_by_role("button", name="Approve it").click()
    await expect(window.page.locator(".notice.good")).to_contain_text("Approved by bea")
    assert (await client.ask()).json()["standing"] == "granted"
    await window.page.reload()
    await expect(window.page.locator(".notice.good")).to_contain_text("Used 20")


async def test_who_may_not_decide_has_no_way_to(window: Window, client: Any) -> None:
    name = await client.asked()
    await at_the_inbox(window, READER)
    page = window.page
    await expect(page.locator(f"#{name}")).not_to_contain_text("eva@shop.example")
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await expect(page.locator(".card .notice").last).to_contain_text("ada may not decide")
    assert await page.locator("form.decide, #approve, #deny").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_phone_is_wide_enough(scheme: Any, browser: Browser, client: Any) -> None:
    long = "x" * 200
    requester = {"principal": {"kind": "agent", "subject": long, "issuer": long}}
    effect = {"verbs": ["delete"], "tables": [long], "estimatedRows": 1234567.0}
    name = await client.asked({**ASKING, "requester": requester, "effect": effect})
    used = await client.asked()
    await client.decide(used)
    await client.ask()
    context = await browser.new_context(viewport={"width": 360, "height": 700}, color_scheme=scheme)
    window = Window(await context.new_page(), client.running.url)
    await at_the_inbox(window)
    for path in ("/requests", f"/requests/{name}", f"/requests/{name}?decide=denied"):
        await window.page.goto(window.url + path)
        width = await window.page.evaluate("document.documentElement.scrollWidth")
        assert width <= 360, path
        # What the sheet's rounded corners cut off does not scroll.
        beyond = "[...document.querySelectorAll('main *')].filter((e) => e.getBoundingClientRect().right > 360).length"
        assert await window.page.evaluate(beyond) == 0, path
    await context.close()
    assert window.complaints == []


async def test_deciding_needs_no_script(browser: Browser, client: Any) -> None:
    name = await client.asked()
    context = await browser.new_context(java_script_enabled=False)
    window = Window(await context.new_page(), client.running.url)
    await window.log_in("/requests", BEA, "Requests")
    page = window.page
    await page.locator(f"#{name} .when a").click()
    await page.get_by_role("link", name="Approve…").click()
    await page.get_by_label("Comment").fill("by hand")
    await page.get_by_role("button", name="Approve it").click()
    await expect(page.locator(".notice.good")).to_contain_text("by hand")
    await context.close()
    assert (await client.look(name)).json()["standing"] == "granted"


async def test_two_people_at_one_request(window: Window, client: Any) -> None:
    name = await client.asked()
    await window.log_in(f"/requests/{name}?decide=approved", BEA, "Request")
    await client.decide(name, "denied", "no", token=CEM)
    await window.page.get_by_role("button", name="Approve it").click()
    await expect(window.page.locator("[role=alert]")).to_contain_text(f"the request {name} was denied by cem")
    assert await window.page.locator("form.decide").count() == 0
    (told,) = window.complaints
    assert "409" in told, "the browser reports the status, and nothing else"
    window.complaints.clear()


async def test_a_session_that_ends_stops_the_inbox(window: Window, client: Any) -> None:
    await at_the_inbox(window)
    cookies = await window.page.context.cookies()
    client.running.collector.viewers.log_out(cookies[0]["value"])
    await client.asked()
    await window.page.wait_for_url("**/login?next=%2Frequests")
