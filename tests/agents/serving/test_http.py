"""Agents over HTTP: who gets in with which token, what it becomes at the gate, and whose sessions are whose."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from mcp import Client as McpClient
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from tests.agents.conftest import Agent
from tests.agents.serving.conftest import INITIALIZE, Served
from tests.oidc_provider.provider import Instead

MODES = ["auto", "legacy"]


@pytest.mark.parametrize("mode", MODES)
async def test_at_the_gate_the_person_is_known_and_the_agent_that_acts_for_them(served: Served, mode: str) -> None:
    async with served.agent(mode=mode) as agent:
        told = await agent.call("query", sql="SELECT email FROM customers ORDER BY id LIMIT 1")
        assert told["rows"] == [["e***@shop.example"]]
        held = await agent.call("execute", sql="DELETE FROM orders WHERE id = 1")
        name = held["request"]["name"]
        waiting = asyncio.create_task(agent.call("wait_for_approval", request=name, seconds=20))
        assert (await served.place.collector.decide(name)).status_code == 200
        assert (await waiting)["request"]["standing"] == "approved"
        assert (await agent.call("execute", sql="DELETE FROM orders WHERE id = 1"))["rows_affected"] == 1
    intent = await served.place.recorded("public.customers")
    assert intent["identity"]["name"] == "agent:penstock-mcp for person:ada"
    request = (await served.place.collector.get(f"/v1/requests/{name}")).json()
    assert "person:ada" in str(request["requester"])
    assert served.place.psql("SELECT count(*) FROM orders") == "4"


async def test_a_client_finds_by_itself_where_to_sign_in(served: Served) -> None:
    """The SDK's own client: metadata of the resource, of the issuer, a code with PKCE, and a token for this server."""
    back = "https://127.0.0.1:9/callback"
    served.oidc.client("editor", redirect_uris=[back])
    came_back: dict[str, str] = {}

    class Storage:
        tokens: OAuthToken | None = None

        async def get_tokens(self) -> OAuthToken | None:
            return self.tokens

        async def set_tokens(self, tokens: OAuthToken) -> None:
            self.tokens = tokens

        async def get_client_info(self) -> OAuthClientInformationFull:
            return OAuthClientInformationFull(
                client_id="editor", redirect_uris=[back], token_endpoint_auth_method="none", issuer=served.oidc.issuer
            )

        async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
            raise AssertionError("it is registered")

    async def redirect(url: str) -> None:
        wanted = await asyncio.to_thread(served.oidc.visitor().sign_in, url, "ada")
        came_back.update({name: values[0] for name, values in parse_qs(urlsplit(wanted).query).items()})

    async def callback() -> AuthorizationCodeResult:
        return AuthorizationCodeResult(**came_back)

    metadata = OAuthClientMetadata(
        redirect_uris=[back], token_endpoint_auth_method="none", grant_types=["authorization_code"]
    )
    signing_in = OAuthClientProvider(served.url, metadata, Storage(), redirect, callback)
    async with (
        served.http(None, auth=signing_in) as client,
        McpClient(streamable_http_client(served.url, http_client=client)) as one,
    ):
        assert (await Agent(one).call("query", sql="SELECT 1 AS one"))["rows"] == [[1]]


async def test_without_a_token_one_is_told_where_to_get_it(served: Served) -> None:
    answer = await served.post(None)
    assert answer.status_code == 401
    place = served.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    assert f'resource_metadata="{place}"' in answer.headers["WWW-Authenticate"]
    async with served.http(None) as client:
        document = (await client.get(place)).json()
    assert document["resource"] == served.url
    assert document["authorization_servers"] == [served.oidc.issuer]


CHAIN: dict[str, Any] = {"sub": "a0"}
for number in range(1, 9):
    CHAIN = {"sub": f"a{number}", "act": CHAIN}
NOT_FOR_US = "the token is not for this server (its audience is not {url})"
NOT_HERE = "the token says that an agent acts for somebody (claim act), and its issuer may not vouch for that here"
NO_GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "the gate's audience": ({"aud": "penstock"}, NOT_FOR_US),
    "another audience": ({"aud": "https://elsewhere.example/mcp"}, NOT_FOR_US),
    "no audience": ({"aud": None}, "the token lacks the claim aud"),
    "another issuer": ({"iss": "https://issuer.example"}, "the token's issuer is not one that is accepted here"),
    "expired": ({"exp": 1}, "the token has expired"),
    "no end": ({"exp": None}, "the token lacks the claim exp"),
    "not yet": ({"nbf": 4102444800}, "the token is not valid yet"),
    "nobody": ({"sub": None}, "the token lacks the claim sub"),
    "an agent that nobody vouches for": ({"act": {"sub": "penstock-mcp"}}, NOT_HERE),
    "a forged chain": ({"act": "penstock-mcp"}, NOT_HERE),
    "a chain of nine": ({"act": CHAIN}, NOT_HERE),
    "bound to a key": (
        {"cnf": {"jkt": "x"}},
        "the token is bound to a key that the client would have to prove (claim cnf), which this server can't check",
    ),
}


async def unauthorized(served: Served, token: str) -> list[str]:
    """That it is not let in, which it reads in one line, and what the log says of why."""
    with structlog.testing.capture_logs() as logged:
        answer = await served.post(token)
    assert (answer.status_code, list(answer.json())) == (401, ["error", "error_description"])
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert token not in str(logged)
    return [one["why"] for one in logged if one["event"] == "a token is not accepted"]


@pytest.mark.parametrize(("claims", "why"), NO_GOOD.values(), ids=NO_GOOD)
async def test_a_token_that_is_no_good_opens_nothing(served: Served, claims: dict[str, Any], why: str) -> None:
    assert (await served.post(served.token())).status_code == 200
    assert await unauthorized(served, served.token(**claims)) == [why.replace("{url}", served.url)]
    assert served.oidc.asked("/token") == 0


async def test_a_token_without_the_scope_is_told_which(served: Served) -> None:
    answer = await served.post(served.token(scope="openid"))
    assert (answer.status_code, "query" in answer.headers["WWW-Authenticate"]) == (403, True)


async def test_a_token_that_is_not_signed_as_it_should_be(served: Served) -> None:
    head, body, _ = served.token().split(".")
    other = served.token(sub="bea").split(".")[2]
    shared = served.oidc.sign({"aud": served.url, "sub": "ada"}, "k" * 40, alg="HS256")
    of_unknown_key = served.oidc.sign({"aud": served.url, "sub": "ada"}, kid="unknown")
    bad = {
        "eyJhbGciOiJub25lIn0." + body + ".": "the token is not signed (alg none)",
        shared: "the token is signed with a shared secret (alg HS)",
        of_unknown_key: f"the token is signed with a key that {served.oidc.issuer} does not have",
        f"{head}.{body}.": "the token's signature or claims are not valid",
        f"{head}.{body}.{other}": "the token's signature or claims are not valid",
        "a.b.c": "what was sent is not an OIDC token (JWT)",
        "x": "what was sent is not an OIDC token (JWT)",
    }
    assert {token: await unauthorized(served, token) for token in bad} == {token: [why] for token, why in bad.items()}


async def test_a_token_of_64_kilobytes_is_not_read(served: Served) -> None:
    for token in ("x" * 32_769, served.token() + "x" * 65_536):
        assert await unauthorized(served, token) == ["the token is longer than 32768 bytes"]


async def test_the_tokens_of_this_server_open_nothing_at_the_gate(served: Served) -> None:
    with pytest.raises(Exception, match="audience is not penstock"):
        await served.place.gate.psycopg(password=served.token(), sslmode="require")


async def test_a_session_is_only_for_whom_began_it(served: Served) -> None:
    begun = await served.post(served.token())
    session = begun.headers["mcp-session-id"]
    asked = {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}}
    assert (await served.post(served.token(), asked, **{"mcp-session-id": session})).status_code == 200
    others = [{"sub": "bea"}, {"groups": ["dba"]}, {"client_id": "another"}]
    for claims in others:
        answer = await served.post(served.token(**claims), asked, **{"mcp-session-id": session})
        assert answer.status_code == 404
    assert (await served.post(None, asked, **{"mcp-session-id": session})).status_code == 401


@pytest.mark.parametrize("mode", MODES)
async def test_what_one_was_told_of_is_nobody_elses(served: Served, mode: str) -> None:
    async with served.agent(mode=mode) as ada, served.agent(served.token(sub="bea"), mode=mode) as bea:
        name = (await ada.call("execute", sql="DELETE FROM orders WHERE id = 1"))["request"]["name"]
        assert (await ada.call("request_status", request=name))["status"] == "done"
        assert (await bea.call("request_status", request=name))["status"] == "failed"
        assert (await served.place.collector.decide(name)).status_code == 200
        assert (await bea.call("execute", sql="DELETE FROM orders WHERE id = 1"))["status"] == "held"
    assert served.place.psql("SELECT count(*) FROM orders") == "5"


async def test_a_page_elsewhere_leads_no_browser_here(served: Served) -> None:
    for headers in ({"Host": "evil.example"}, {"Host": "localhost"}, {"Host": "localhost:1"}):
        assert (await served.post(served.token(), **headers)).status_code == 421
    for origin in ("https://evil.example", "null", served.url.removesuffix("/mcp")):
        assert (await served.post(served.token(), Origin=origin)).status_code == 403


async def test_what_is_too_large_is_not_read(served: Served) -> None:
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {**INITIALIZE, "_meta": {"x": "x" * 2_000_000}},
    }
    assert (await served.post(served.token(), body)).status_code == 413
    assert (await served.post(None, body)).status_code == 401


async def test_no_token_is_in_any_answer_or_log(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    token = served.token()
    seen: list[str] = []
    async with served.agent(token) as agent:
        for tool, sql in (
            ("query", "SELECT 1"),
            ("query", "SELEC"),
            ("execute", "DELETE FROM orders"),
            ("explain", "x"),
        ):
            seen.append((await agent.call(tool, sql=sql)).text)
    text = "\n".join([*seen, caplog.text])
    exchanged = served.oidc.asked("/token")
    assert exchanged == 1
    for secret in (token, token.rpartition(".")[2], (served.place.directory / "client.secret").read_text()):
        assert secret not in text


async def test_a_client_that_goes_away_leaves_nothing_running(served: Served) -> None:
    await served.place.policy(masks=[])
    running = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60%' AND state = 'active'"

    async def asleep(count: str) -> None:
        for _ in range(300):
            if served.place.psql(running) == count:
                return
            await asyncio.sleep(0.1)
        raise AssertionError("it did not come about")

    async with served.agent() as agent:
        asked = asyncio.create_task(agent.call("query", sql="SELECT pg_sleep(60)"))
        await asleep("1")
        asked.cancel()
        await asyncio.wait([asked])
        await asleep("0")
        assert (await agent.call("query", sql="SELECT 1"))["rows"] == [[1]]


async def test_many_at_once_each_as_themselves(served: Served) -> None:
    people = [f"p{number}" for number in range(12)]

    async def ask(who: str) -> None:
        async with served.agent(served.token(sub=who)) as agent:
            told = await asyncio.gather(*(agent.call("query", sql=f"SELECT '{who}', {number}") for number in range(8)))
            assert [one["rows"] for one in told] == [[[who, number]] for number in range(8)]

    await asyncio.gather(*(ask(who) for who in people))
    assert served.oidc.asked("/token") == len(people)
    names = {one["identity"]["name"] for one in await served.place.trail() if "identity" in one}
    assert names == {f"agent:penstock-mcp for person:{who}" for who in people}


async def test_a_token_that_ends_ends_what_it_was_exchanged_for(served: Served) -> None:
    served.oidc.resource("urn:penstock:gate", audience="penstock", seconds=13)
    async with served.agent() as agent:
        assert (await agent.call("query", sql="SELECT 1"))["status"] == "done"
        assert (await agent.call("query", sql="SELECT 1"))["status"] == "done"
        assert served.oidc.asked("/token") == 1
        await asyncio.sleep(20)
        assert (await agent.call("query", sql="SELECT 1"))["status"] == "done"
        assert served.oidc.asked("/token") == 2
    assert (await served.post(served.token(exp=1))).status_code == 401


async def test_an_issuer_that_does_not_exchange_leaves_nobody_with_more(served: Served) -> None:
    served.oidc.instead("/token", Instead('{"error": "access_denied"}', 400))
    async with served.agent() as agent:
        told = await agent.call("query", sql="SELECT 1")
        assert (told["status"], told["failure"]["message"]) == (
            "failed", "the issuer does not exchange the token: access_denied",
        )  # fmt: skip
        assert (await agent.call("list_tables"))["status"] == "failed"
    assert [one for one in await served.place.trail() if one["kind"] == "session"] == []
