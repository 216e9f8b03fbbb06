"""Pods that read: by the API server's word, with the roles of their service accounts, and no longer than it holds."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from starlette.responses import JSONResponse
from tests.collector.auth.conftest import Api, token

from penstock_collector.auth.kubernetes import ApiServer, ReviewUnavailable, TokenReviewer
from penstock_collector.auth.pods import FRESH_SECONDS, PodReaders
from penstock_collector.auth.roles import Role
from penstock_collector.auth.token_file import TokenFile
from penstock_collector.auth.viewers import Viewers


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    # The reviewer's own memory is no part of this.
    monkeypatch.setattr("penstock_core.token_review.KEPT_SECONDS", 0.0)
    monkeypatch.setattr("penstock_core.token_review.REFUSAL_KEPT_SECONDS", 0.0)
    return Clock()


@pytest.fixture
def pods(reviewer: TokenReviewer, clock: Clock) -> PodReaders:
    return PodReaders(reviewer, {"auditor": ["shop/web"], "viewer": ["shop/web", "other/web"]}, clock)


async def test_a_pod_has_the_roles_of_its_service_account(api: tuple[Api, ApiServer], pods: PodReaders) -> None:
    given = token()
    api[0].knows(given)
    assert pods.known(given) is None, "it was not asked about"
    await pods.ask(given)
    found = pods.known(given)
    assert found is not None
    assert (found.name, found.kind, found.how) == ("system:serviceaccount:shop:web", "service", "pod")
    assert (found.roles, found.subject) == ({Role.AUDITOR, Role.VIEWER}, "web-1")
    assert given not in repr(pods._kept)


async def test_other_pods_and_strangers_have_none(api: tuple[Api, ApiServer], reviewer: TokenReviewer) -> None:
    pods = PodReaders(reviewer, {"admin": ["shop/admin", "/", "web", "shop/"], "viewer": []})
    pod, stranger = token(), token(name="stranger")
    api[0].knows(pod)
    for given in (pod, stranger, "", "no token"):
        await pods.ask(given)
        assert pods.known(given) is None


async def test_what_is_no_longer_fresh_is_asked_about_meanwhile(
    api: tuple[Api, ApiServer], pods: PodReaders, clock: Clock
) -> None:
    given = token()
    api[0].knows(given)
    await pods.ask(given)
    for _ in range(5):
        clock.now += FRESH_SECONDS
        assert pods.known(given) is not None
        await asyncio.gather(*(kept.asking for kept in pods._kept.values() if kept.asking))
    assert len(api[0].asked) == 6
    # The pod is gone.
    del api[0].pods[given]
    clock.now += FRESH_SECONDS
    pods.known(given)
    await asyncio.gather(*(kept.asking for kept in pods._kept.values() if kept.asking))
    assert pods.known(given) is None


async def test_while_the_api_server_can_not_be_asked_it_ends_soon(
    api: tuple[Api, ApiServer], pods: PodReaders, clock: Clock
) -> None:
    given = token()
    api[0].knows(given)
    await pods.ask(given)
    api[0].answer = JSONResponse({}, 500)
    clock.now += FRESH_SECONDS
    assert pods.known(given) is not None
    await asyncio.gather(*(kept.asking for kept in pods._kept.values() if kept.asking))
    with pytest.raises(ReviewUnavailable):
        await pods.ask(given)
    clock.now += 80
    assert pods.known(given) is None


async def test_a_file_that_knows_a_token_is_believed_first(
    api: tuple[Api, ApiServer], pods: PodReaders, tmp_path: Path
) -> None:
    (tmp_path / "viewers").write_text("0" * 64 + " nobody\n")
    viewers = Viewers(TokenFile(tmp_path / "viewers", names_only=False), pods=pods)
    given = token()
    api[0].knows(given)
    assert viewers.of_token(given, "10.0.0.1") is None
    await viewers.ask_about(given)
    found = viewers.of_token(given, "10.0.0.1")
    assert found is not None
    assert found.how == "pod"
    assert viewers.log_in(given, "10.0.0.1") is None, "a pod has no browser"
