"""A pod writes its own streams, as the API server vouches; here one of our own answers TokenReviews over real TLS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trustme
from starlette.responses import JSONResponse, Response
from tests.collector.auth.conftest import UID, Api, token

from penstock_collector.auth.kubernetes import ApiServer, ReviewUnavailable, TokenReviewer
from penstock_collector.auth.streams import Forbidden, StreamAuthority, Unauthenticated
from penstock_collector.auth.token_file import TokenFile
from penstock_core.token_review import Pod


async def uid_of(reviewer: TokenReviewer, given: str) -> str | None:
    pod = await reviewer.pod(given)
    return pod and pod.uid


async def test_a_pod_writes_its_own_streams_only(api: tuple[Api, ApiServer], reviewer: TokenReviewer) -> None:
    given = token()
    api[0].knows(given)
    authority = StreamAuthority(None, reviewer)
    assert await authority.check(given, UID) == Pod("shop", "web", "web-1", UID)
    with pytest.raises(Forbidden):
        await authority.check(given, "another-pod")
    with pytest.raises(Unauthenticated):
        await authority.check(token(name="stranger"), UID)
    assert api[0].asked[0] == {
        "authorization": "Bearer own-token",
        "token": given,
        "audiences": ["penstock-collector"],
    }


async def test_a_pod_ships_nothing_that_the_pod_before_it_left(
    api: tuple[Api, ApiServer], reviewer: TokenReviewer
) -> None:
    """That one had the same name and service account, as in a StatefulSet: no volume hands its streams on."""
    before, after = token(name="before"), token(name="after")
    api[0].knows(before)
    api[0].knows(after, uids=("another-uid",))
    authority = StreamAuthority(None, reviewer)
    assert await authority.check(before, UID) == Pod("shop", "web", "web-1", UID)
    assert await authority.check(after, "another-uid") == Pod("shop", "web", "web-1", "another-uid")
    with pytest.raises(Forbidden):
        await authority.check(after, UID)


async def test_the_api_server_is_asked_once_for_a_while(api: tuple[Api, ApiServer], reviewer: TokenReviewer) -> None:
    good, bad = token(), token(name="stranger")
    api[0].knows(good)
    for _ in range(3):
        assert await uid_of(reviewer, good) == UID
        assert await reviewer.pod(bad) is None
    assert len(api[0].asked) == 2


@pytest.mark.parametrize(
    "given",
    [
        "",
        "x",
        "a.b.c",
        "a.b.c.d",
        "x" * 20_000,
        token("another"),
        token(expires_in=-3601),
        token(["a", "b"]),
        "a.bnVsbA.c",
    ],
    # The tokens' own texts have the time in them.
    ids=["empty", "word", "three parts", "four parts", "long", "another", "expired", "two audiences", "null"],
)
async def test_what_is_no_token_of_ours_is_not_asked_about(
    given: str, api: tuple[Api, ApiServer], reviewer: TokenReviewer
) -> None:
    assert await reviewer.pod(given) is None
    assert api[0].asked == []


@pytest.mark.parametrize(
    "review",
    [
        {"audiences": ["another"]},
        {"audiences": []},
        {"uids": None},
        {"uids": []},
        {"uids": [""]},
        {"uids": ["one", "two"]},
        {"authenticated": False},
        {"authenticated": "true"},
    ],
)
async def test_reviews_that_prove_no_pod(
    review: dict[str, Any], api: tuple[Api, ApiServer], reviewer: TokenReviewer
) -> None:
    given = token()
    api[0].knows(given, **review)
    assert await reviewer.pod(given) is None


@pytest.mark.parametrize(
    "answer",
    [
        Response(status_code=500),
        Response(status_code=403),
        Response(b"{"),
        JSONResponse([]),
        JSONResponse({"status": 7}),
    ],
)
async def test_an_api_server_that_cannot_tell(
    answer: Response, api: tuple[Api, ApiServer], reviewer: TokenReviewer
) -> None:
    api[0].answer = answer
    given = token()
    with pytest.raises(ReviewUnavailable):
        await reviewer.pod(given)
    # And it is asked again, as soon as it can.
    api[0].answer = None
    api[0].knows(given)
    assert await uid_of(reviewer, given) == UID


async def test_an_api_server_that_is_not_ours(api: tuple[Api, ApiServer], tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other-ca.crt"))
    reviewer = TokenReviewer(ApiServer(api[1].url, tmp_path / "token", tmp_path / "other-ca.crt"), "penstock-collector")
    with pytest.raises(ReviewUnavailable, match="certificate verify failed"):
        await reviewer.pod(token())
    await reviewer.close()
    assert api[0].asked == []


def test_outside_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ReviewUnavailable, match="not in a Kubernetes pod"):
        ApiServer.of_this_pod(tmp_path)


@pytest.mark.parametrize(
    ("host", "url"), [("10.0.0.1", "https://10.0.0.1:6443"), ("fd00::1", "https://[fd00::1]:6443")]
)
def test_inside_a_pod(host: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").touch()
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "6443")
    assert ApiServer.of_this_pod(tmp_path).url == url


async def test_a_token_file_names_owners_or_prefixes(tmp_path: Path) -> None:
    import hashlib

    def line(given: str, name: str) -> str:
        return f"{hashlib.sha256(given.encode()).hexdigest()} {name}\n"

    path = tmp_path / "tokens"
    path.write_text(line("one", "gw1") + line("many", "team-*") + line("two", "gw2") + line("two", "gw3"))
    authority = StreamAuthority(TokenFile(path), None)
    for given, owner in [("one", "gw1"), ("many", "team-a"), ("two", "gw2"), ("two", "gw3")]:
        await authority.check(given, owner)
    for given, owner in [("one", "gw10"), ("many", "tea"), ("two", "gw1"), ("one", "gw*")]:
        with pytest.raises(Forbidden):
            await authority.check(given, owner)
    for given in ("", "gw1", "none"):
        with pytest.raises(Unauthenticated):
            await authority.check(given, "gw1")
