"""The pages in a real Chromium: live, filtered, paused, without scripts, and with nothing to complain of."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect
from tests.collector.web.conftest import Window

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
EVIL = 'SELECT \'<script>document.title = "owned"</script><img src=x onerror="document.title = 1">\''


async def test_a_statement_shows_while_it_happens(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1, sql="SELECT before"))
    await window.page.goto(window.url)
    assert window.page.url == window.url + "/login", "no data without login"
    assert "SELECT before" not in await window.page.content()
    await window.log_in()
    await window.live()
    await expect(window.rows()).to_have_count(1)

    intent, outcome = sender.statement(2, sql=EVIL, identity={"name": "agent:support-bot"})
    await client.send([intent])
    await expect(window.rows()).to_have_count(2)
    newest = window.rows().first
    await expect(newest).to_contain_text("<script>")
    await expect(newest).to_contain_text("agent:support-bot")
    await expect(newest.locator(".result")).to_have_text("running")
    await client.send([outcome])
    await expect(newest.locator(".result")).to_have_text("2 rows")
    await expect(newest.locator(".took")).to_have_text("1.5 ms")
    await expect(window.rows()).to_have_count(2)
    assert await window.page.title() == "Statements · Penstock"
    await expect(window.page.locator("#arrived")).to_have_text("1 new")

    await newest.locator(".when a").click()
    await expect(window.page.locator("h1")).to_have_text("Statement 4")
    await expect(window.page.locator("pre.sql")).to_contain_text("<script>")


async def test_a_login_shows_while_it_happens_and_how_its_session_ends(
    window: Window, client: Any, sender: Any
) -> None:
    said = {"addr": "10.0.0.7:4711", "application": EVIL, "user": "app", "database": "shop"}
    login = {"kind": "login", "session": "s1", "client": said, "outcome": "accepted"}
    refused = {**login, "session": "s2", "outcome": "refused", "reason": EVIL, "asserted": {"subject": EVIL}}
    await client.send(sender.seal(OPEN, refused))
    await window.log_in("/logins?outcome=accepted", heading="Logins")
    await window.live()
    await expect(window.rows()).to_have_count(0)
    who = {"name": "agent:bot for person:ada"}
    await client.send(sender.seal({**login, "identity": who}, {**refused, "session": "s3"}))
    await expect(window.rows()).to_have_count(1)
    newest = window.rows().first
    await expect(newest.locator(".identity")).to_have_text("agent:bot for person:ada")
    await expect(newest.locator(".result")).to_have_text("running")
    end = {"kind": "session", "event": "end", "session": "s1", "reason": "it is over", "statements": 3}
    await client.send(sender.seal({**end, "durationUs": 1500}))
    await expect(newest.locator(".result")).to_have_text("3")
    await expect(newest).to_contain_text("it is over")
    await window.page.get_by_role("link", name="Clear").click()
    await expect(window.rows()).to_have_count(3)
    await expect(window.rows().first).to_contain_text("claims to be")
    assert await window.page.title() == "Logins · Penstock"


async def test_filters_hold_for_history_and_for_what_happens(window: Window, client: Any, sender: Any) -> None:
    agent = {"name": "agent:support-bot"}
    await client.send(sender.seal(OPEN) + sender.statement(1) + sender.statement(2, decision="deny", identity=agent))
    await window.log_in()
    await window.page.get_by_label("Identity").fill("support")
    await window.page.get_by_label("Decision").select_option("denied")
    await window.page.get_by_label("Text").fill("orders")
    await window.page.get_by_role("button", name="Apply").click()
    await window.page.wait_for_url("**/?identity=support&decision=deny&q=orders")
    await window.live()
    await expect(window.rows()).to_have_count(1)
    await client.send(sender.statement(3) + sender.statement(4, decision="deny", identity=agent))
    await expect(window.rows()).to_have_count(2)
    await expect(window.page.get_by_label("Identity")).to_have_value("support")
    await window.page.get_by_role("link", name="Clear").click()
    await expect(window.rows()).to_have_count(4)


async def test_pause_holds_still_and_resume_misses_nothing(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await window.log_in()
    await window.live()
    await window.page.get_by_role("button", name="Pause").click()
    await expect(window.page.locator("#live-state")).to_have_text("Paused")
    await client.send(sender.statement(1) + sender.statement(2))
    await window.page.wait_for_timeout(400)
    await expect(window.rows()).to_have_count(0)
    await window.page.get_by_role("button", name="Resume").click()
    await expect(window.rows()).to_have_count(2)
    await expect(window.page.locator("#empty")).to_be_hidden()


async def test_it_goes_on_after_the_connection_was_lost(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await window.log_in()
    await window.live()
    tail = client.running.collector.tail
    tail.stop()
    await client.send(sender.statement(1))
    await window.page.wait_for_selector("#live[data-state=lost]")
    tail._stopping = False
    await client.send(sender.statement(2))
    await expect(window.rows()).to_have_count(2)
    await window.live()


async def test_a_flood_is_told_of(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await window.log_in()
    await window.live()
    await window.page.get_by_role("button", name="Pause").click()
    await client.send([event for number in range(300) for event in sender.statement(number)])
    await window.page.get_by_role("button", name="Resume").click()
    await expect(window.page.locator("#gap")).to_contain_text("100 statements came faster than this page shows them")
    await expect(window.rows()).to_have_count(200)


async def test_history_needs_no_script(browser: Browser, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + [event for number in range(150) for event in sender.statement(number)])
    context = await browser.new_context(java_script_enabled=False)
    window = Window(await context.new_page(), client.running.url)
    await window.log_in()
    await expect(window.rows()).to_have_count(100)
    await expect(window.page.get_by_role("button", name="Pause")).to_be_hidden()
    await window.page.get_by_role("link", name="Older statements").click()
    await expect(window.rows()).to_have_count(50)
    await window.page.get_by_role("link", name="Back to what happens now").click()
    await expect(window.rows()).to_have_count(100)
    await context.close()
    assert window.complaints == []


async def test_the_link_logs_in(window: Window, client: Any) -> None:
    ticket = client.running.collector.viewers.issue_ticket()
    await window.page.goto(f"{window.url}/login?ticket={ticket}&next=/streams")
    await window.page.get_by_role("button", name="Sign in with this link").click()
    await window.page.wait_for_url(window.url + "/streams")
    await window.page.get_by_role("button", name="Sign out").click()
    await expect(window.page.locator("h1")).to_have_text("Sign in")


async def test_streams_and_alarms(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN))
    await client.send(b"?\n")
    await window.log_in()
    await window.page.get_by_role("link", name="Streams 1 alarms").click()
    await expect(window.page.locator(".alarm")).to_contain_text("line at seq 2: not JSON")
    await window.page.get_by_role("button", name="I have looked at it").click()
    await expect(window.page.locator(".alarm")).to_have_count(0)
    await window.page.get_by_role("link", name="gw1/boot1").click()
    await expect(window.page.locator(".chips")).to_contain_text("stream: gw1/boot1")


async def test_nothing_is_wider_than_its_window(browser: Browser, client: Any, sender: Any) -> None:
    long = {"relations": ["public." + "x" * 60] * 4, "sql": "SELECT " + "y" * 300, "policy": "p" * 60, "rule": "a.b[0]"}
    await client.send(
        sender.seal(OPEN) + sender.statement(1, identity={"name": "agent:" + "z" * 80}, reason="r" * 120, **long)
    )
    await client.send(b"?\n", stream="gw1/" + "b" * 100)
    context = await browser.new_context()
    window = Window(await context.new_page(), client.running.url)
    await window.log_in()
    for path in ("/", "/streams", "/statements/gw1/boot1/2", "/?relation=" + "x" * 200):
        await window.page.goto(window.url + path)
        for width in (320, 390, 768, 1024, 1025, 1600):
            await window.page.set_viewport_size({"width": width, "height": 800})
            wide = await window.page.evaluate(
                """[...document.querySelectorAll('body, body *')]
                   .filter((one) => one.checkVisibility() && !one.closest('.unseen, .skip'))
                   .filter((one) => one.getBoundingClientRect().right > innerWidth + 1)
                   .map((one) => `${one.tagName}.${one.className}`)"""
            )
            assert wide == [], (path, width)
    await context.close()
    assert window.complaints == []


# Relative luminance and contrast as in WCAG 2; the badges and the soft text are what gets too pale first.
CONTRAST = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((one) => one / 255)
      .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && one.parentElement ? behind(one.parentElement) : colour;
  };
  return [...document.querySelectorAll("body *")]
    .filter((one) => one.checkVisibility() && [...one.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
    .map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
      return [(a + 0.05) / (b + 0.05), `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 30)}`];
    })
    .filter(([ratio]) => ratio < 4.5);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_all_text_can_be_read(scheme: Any, browser: Browser, client: Any, sender: Any) -> None:
    await client.send(
        sender.seal(OPEN)
        + sender.statement(1)
        + sender.statement(2, decision="rewrite", observed="deny", masked=["a.b.c"], policy="p", rule="masks[0]")
        + sender.statement(3, decision="deny", reason="DELETE without WHERE")
        + sender.statement(4)[:1]
    )
    await client.send(b"?\n", stream="gw1/boot2")
    context = await browser.new_context(color_scheme=scheme, reduced_motion="reduce")
    window = Window(await context.new_page(), client.running.url)
    await window.log_in()
    for path in ("/", "/streams", "/statements/gw1/boot1/4", "/readings", "/sign-ins", "/none"):
        await window.page.goto(window.url + path)
        assert await window.page.evaluate(CONTRAST) == [], path
    await context.close()


async def test_the_keyboard_is_enough(window: Window, client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1))
    await window.log_in()
    await window.page.goto(window.url)
    await window.page.keyboard.press("Tab")
    assert await window.page.evaluate("document.activeElement.textContent") == "Skip to the content"
    reached = set()
    for _ in range(30):
        await window.page.keyboard.press("Tab")
        if await window.page.evaluate("document.activeElement === document.body"):
            break
        reached.add(
            await window.page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()")
        )
        outline = await window.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none"
    assert {"identity", "decision", "q", "Apply", "Pause", "Sign out"} <= reached
