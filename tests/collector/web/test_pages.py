"""Pages and logins, without a browser: what is escaped, what is shown to whom, and the headers of each answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.collector.conftest import Sender

from penstock_collector.web.login import own_path

OPEN = {"kind": "open", "database": "shop", "version": "0.1.0"}
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}"
DATA = [
    "/",
    "/tail",
    "/streams",
    "/logins",
    "/logins/tail",
    "/statements/gw1/boot1/2",
    "/v1/events",
    "/v1/logins",
    "/v1/streams",
    "/v1/export",
    "/v1/requests",
    "/requests",
    "/requests/tail",
]


@pytest.mark.parametrize("path", DATA)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nonsense"}, {"cookie": "penstock=nonsense"}])
async def test_no_data_without_login(path: str, headers: dict[str, str], client: Any, sender: Any) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1, sql="SELECT precious"))
    response = await client.http.get(path, headers=headers)
    assert response.status_code in (303, 401)
    assert "precious" not in response.text
    if response.status_code == 303:
        assert response.headers["location"].startswith("/login")


@pytest.mark.parametrize("path", [*DATA, "/login", "/healthz", "/metrics", "/static/style.css", "/none", "/v1/none"])
async def test_headers_of_every_answer(path: str, client: Any) -> None:
    for token in (None, "read-ada"):
        if path.endswith("/tail") and token:
            continue
        headers = (await client.get(path, token=token)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == ("public, max-age=31536000, immutable" if "static" in path else "no-store")
        assert "server" not in headers


async def test_whatever_an_event_says_is_only_text(client: Any, sender: Any) -> None:
    await client.send(
        sender.seal({"kind": "open", "database": EVIL, "version": EVIL}, {"kind": "session", "session": EVIL})
        + sender.statement(
            1,
            sql=EVIL,
            session=EVIL,
            identity={"name": EVIL},
            decision=EVIL,
            observed=EVIL,
            database=EVIL,
            verbs=[EVIL],
            relations=[EVIL],
            masked=[EVIL],
            policy=EVIL,
            rule=EVIL,
            reason=EVIL,
        )
        + sender.seal(
            {
                "kind": "login", "outcome": "refused", "session": EVIL, "reason": EVIL, "sqlstate": EVIL,
                "policy": EVIL,
                "client": dict.fromkeys(("addr", "application", "user", "database"), EVIL),
                "asserted": {"subject": EVIL, "issuer": EVIL},
            }
        )
    )  # fmt: skip
    for path in ("/", "/statements/gw1/boot1/3", "/streams", "/statements/gw1/boot1/1", "/logins"):
        text = (await client.get(path)).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    page = (await client.get("/")).text
    assert "&lt;script&gt;alert(1)" in page
    async with client.http.stream(
        "GET", "/tail?format=html&after=0", headers={"authorization": "Bearer read-ada"}
    ) as tail:
        async with asyncio.timeout(30):
            async for line in tail.aiter_lines():
                if line.startswith("data: "):
                    assert "<script>alert" not in line
                    break


async def test_filters_in_the_url_are_only_text(client: Any) -> None:
    from urllib.parse import urlencode

    for name in ("identity", "q", "verb", "relation", "stream", "session", "decision", "since", "before"):
        for path in ("/", "/logins"):
            text = (await client.get(f"{path}?" + urlencode({name: EVIL}))).text
            assert "<script>alert" not in text
            assert "onerror=alert(2)>" not in text


async def test_the_page_of_a_statement(client: Any, sender: Any) -> None:
    await client.send(
        sender.seal(OPEN, {"kind": "session", "session": "s1", "event": "start", "client": {"addr": "10.0.0.7"}})
        + sender.statement(1)
        + sender.statement(2, sql="SELECT two")
        + sender.statement(3)
    )
    text = (await client.get("/statements/gw1/boot1/5")).text
    for expected in (
        "SELECT two",
        "10.0.0.7",
        "/statements/gw1/boot1/3",
        "/statements/gw1/boot1/7",
        "2<span",
        "1.5 ms",
    ):
        assert expected in text
    # Both events of the statement, and its outcome's own page shows them too.
    assert text.count("&#34;hash&#34;") == 3
    assert "SELECT two" in (await client.get("/statements/gw1/boot1/6")).text
    for missing in ("/statements/gw1/boot1/99", "/statements/gw9/boot1/1", "/statements/gw1/boot1/x", "/nowhere"):
        response = await client.get(missing)
        assert response.status_code == 404
        assert "Traceback" not in response.text


async def test_for_whom_an_agent_acts(client: Any, sender: Any) -> None:
    identity = {
        "name": "agent:bot for person:ada",
        "actsFor": [
            {"kind": "agent", "subject": "planner", "assurance": "asserted"},
            {"kind": "person", "subject": "ada", "assurance": "verified"},
        ],
    }
    await client.send(sender.seal(OPEN) + sender.statement(1, identity=identity) + sender.statement(2))
    assert "agent:bot for person:ada" in (await client.get("/")).text
    # Whom an agent acts for is not what is cut off where the column is narrow.
    text = (await client.get("/")).text
    assert '<span class="chain">agent:bot</span> <span class="chain">for person:ada</span>' in text
    assert [one["identity"] for one in await client.search("identity=person:ada")] == ["agent:bot for person:ada"]
    text = (await client.get("/statements/gw1/boot1/2")).text
    assert "<dd>agent:planner (asserted), for person:ada (verified)</dd>" in text
    assert "Acts for" not in (await client.get("/statements/gw1/boot1/4")).text


@pytest.mark.parametrize("chain", [5, "ada", {"a": 1}, [], [1, None, {}], [{"subject": [EVIL]}, {"kind": {EVIL: 1}}]])
async def test_a_chain_that_is_none_is_only_text(client: Any, sender: Any, chain: object) -> None:
    await client.send(sender.seal(OPEN) + sender.statement(1, identity={"name": "agent:bot", "actsFor": chain}))
    response = await client.get("/statements/gw1/boot1/2")
    assert response.status_code == 200
    assert "<script>alert" not in response.text


async def log_in(client: Any, token: str = "read-ada", **headers: str) -> Any:
    return await client.http.post("/login", content=f"token={token}&next=%2Fstreams".encode(), headers=headers)


async def test_logging_in_and_out(client: Any) -> None:
    response = await log_in(client)
    assert (response.status_code, response.headers["location"]) == (303, "/streams")
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    page = await client.http.get("/")
    assert page.status_code == 200
    assert "ada" in page.text
    assert (await client.http.get("/login?next=/streams")).headers["location"] == "/streams"
    assert (await client.http.post("/logout")).status_code == 303
    assert (await client.http.get("/")).headers["location"] == "/login"
    # The secret itself is worth nothing any more.
    client.http.cookies.clear()
    old = response.headers["set-cookie"].partition(";")[0]
    assert (await client.http.get("/", headers={"cookie": old})).status_code == 303


async def test_a_wrong_token_and_guessing(client: Any) -> None:
    for _ in range(10):
        response = await log_in(client, token="guess")
        assert (response.status_code, "That token is not known here." in response.text) == (403, True)
        assert "set-cookie" not in response.headers
    response = await log_in(client)
    assert (response.status_code, "Too many failed attempts" in response.text) == (429, True)
    assert (await client.get("/v1/events")).status_code == 401


async def test_forms_of_other_sites_do_nothing(client: Any, sender: Any) -> None:
    assert (await log_in(client, **{"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await log_in(client, origin="https://evil.example")).status_code == 403
    assert (await log_in(client, origin="null")).status_code == 403
    assert (await log_in(client, **{"sec-fetch-site": "same-origin"})).status_code == 303
    for path in ("/logout", "/alarms"):
        refused = await client.http.post(path, content=b"kind=gap&until=1", headers={"sec-fetch-site": "same-site"})
        assert refused.status_code == 403
    assert (await client.http.get("/")).status_code == 200


async def test_an_oversized_or_broken_form(client: Any) -> None:
    for body in (b"token=" + b"x" * 100_000, b"\xff\xfe", b"&".join(b"a=1" for _ in range(100)), b""):
        assert (await client.http.post("/login", content=body)).status_code == 403


@pytest.mark.parametrize(
    ("given", "target"),
    [
        ("/streams", "/streams"),
        ("/?q=a b", "/?q=a b"),
        ("", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("/a\r\nset-cookie: x", "/"),
        ("/\tevil", "/"),
        ("/logins?outcome=refused", "/logins?outcome=refused"),
        ("/login", "/"),
        ("/login?next=/login", "/"),
        ("/logout", "/"),
    ],
)
def test_where_a_login_leads(given: str, target: str) -> None:
    assert own_path(given) == target


async def test_the_link_that_logs_in_once(client: Any) -> None:
    ticket = client.running.collector.viewers.issue_ticket()
    for _ in range(2):
        # As whatever looks at links on their way does.
        looked = await client.http.get(f"/login?ticket={ticket}&next=/streams")
        assert (looked.status_code, "Sign in with this link" in looked.text) == (200, True)
        assert (await client.http.get("/")).status_code == 303
    form = f"ticket={ticket}&next=/streams"
    foreign = await client.http.post("/login", content=form, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    answer = await client.http.post("/login", content=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/streams")
    assert (await client.http.get("/")).status_code == 200
    client.http.cookies.clear()
    again = await client.http.post("/login", content=form)
    assert (again.status_code, "was used already" in again.text) == (403, True)


async def test_a_link_shows_what_it_says_as_text_alone(client: Any) -> None:
    page = (await client.http.get("/login", params={"ticket": EVIL, "next": "//elsewhere.example"})).text
    assert EVIL not in page
    assert "elsewhere" not in page


async def test_a_place_that_no_stream_can_have_is_unknown(client: Any, sender: Any) -> None:
    await client.send(sender.seal({"kind": "open"}))
    assert (await client.get("/statements/gw1/boot1/99999999999999999999999")).status_code == 404


@pytest.mark.parametrize("seq", ["9" * 5_000, "-1", "1e3", "٣", "1.5", "x"])
async def test_what_is_no_seq_is_no_page(seq: str, client: Any) -> None:
    answer = await client.get(f"/statements/gw1/boot1/{seq}")
    assert answer.status_code == 404
    assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize("path", ["/", "/v1/events"])
async def test_a_fault_of_ours_has_the_headers_too(path: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr("penstock_collector.lookup.LookedFor.parse", classmethod(fault))
    answer = await client.get(path)
    assert (answer.status_code, "ZeroDivision" in answer.text) == (500, False)
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert (answer.headers["x-content-type-options"], answer.headers["cache-control"]) == ("nosniff", "no-store")
    assert answer.headers["content-type"].startswith("text/html" if path == "/" else "application/json")


@pytest.mark.parametrize("path", ["/streams/", "/v1/events/", "/static", "/login/", "/%2f%2fevil.example", "/tail/"])
async def test_nothing_leads_where_the_host_header_says(path: str, client: Any) -> None:
    answer = await client.http.get(path, headers={"host": "evil.example", "authorization": "Bearer read-ada"})
    assert answer.status_code == 404
    assert "location" not in answer.headers


async def test_more_streams_than_a_page_are_told_and_given_page_by_page(
    client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock_collector.web.api.MOST_STREAMS", 3)
    names = [f"gw1/boot{number}" for number in range(7)]
    for name in names:
        await client.send(Sender(name).seal(OPEN), stream=name)
    latest = (await client.get("/v1/streams")).json()
    assert ([one["name"] for one in latest["streams"]], latest["total"], latest["next"]) == (names[:3:-1], 7, None)
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = (await client.get(f"/v1/streams?after={after}")).json()
        assert page["total"] == 7
        found += [one["name"] for one in page["streams"]]
        after = page["next"]
    assert found == names
    assert "that were heard of last" not in (await client.get("/streams")).text
    monkeypatch.setattr("penstock_collector.web.pages._MOST_STREAMS_SHOWN", 3)
    assert "These are the 3 that were heard of last, of 7." in (await client.get("/streams")).text
