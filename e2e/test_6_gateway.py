"""A gateway of two replicas for people: tokens, two databases by dbname, a replica that goes while sessions run."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from e2e.collector import search
from e2e.kubectl import CommandError, eventually
from e2e.people.gateway import NAME, SPACE, Gateway, policy, refusal, token
from e2e.test_3_audit import collector, viewer

__all__ = ["collector", "viewer"]


def test_each_database_has_its_own_masks_and_login(gateway: Gateway) -> None:
    with gateway.open("shop") as client:
        rows = client.execute("SELECT session_user, email FROM customers ORDER BY id").fetchall()
    assert rows == [("gate", "a***@example.com"), ("gate", "b***@example.org")]
    with gateway.open("stock") as client:
        rows = client.execute("SELECT session_user, supplier FROM parts").fetchall()
    assert rows == [("stock_gate", "supplier@example.com")]


def test_who_has_no_policy_or_no_token_gets_nowhere(gateway: Gateway) -> None:
    with pytest.raises(psycopg.OperationalError, match=r"any policy opens to you\s+HINT:  ask who"):
        gateway.open("shop", groups=["visitors"])
    with pytest.raises(psycopg.OperationalError, match="set dbname to one of shop, stock"):
        gateway.open("postgres")
    with pytest.raises(psycopg.OperationalError, match="expired"):
        gateway.open("shop", exp=int(time.time()) - 100)
    with pytest.raises(psycopg.OperationalError, match="requires an encrypted connection"):
        psycopg.connect(host=gateway.address, dbname="shop", user="me", password=token(), sslmode="disable")


def test_nobody_enters_a_gateway(gateway: Gateway) -> None:
    with pytest.raises(CommandError, match="nobody may enter it"):
        gateway.kubectl(
            "-n", SPACE, "exec", f"deploy/{NAME}", "--", "cat", "/var/run/penstock/credentials/shop/password"
        )


def test_a_revocation_ends_sessions_with_its_database_alone(gateway: Gateway) -> None:
    with gateway.open("shop", sub="eve") as shop, gateway.open("stock", sub="eve") as stock:
        stop = policy("people-stop", "shop", mode="revoke", subjects=[{"identity": {"subject": "eve"}}])
        gateway.kubectl.apply(stop)
        try:
            words = eventually(lambda: refusal(shop), bool, what="the end of the session")
            assert "access is revoked (policy people-stop)" in words
            assert stock.execute("SELECT 1").fetchone() == (1,)
            with pytest.raises(psycopg.OperationalError, match="access is revoked"):
                gateway.open("shop", sub="eve")
        finally:
            gateway.kubectl("-n", SPACE, "delete", "databaseaccesspolicy", "people-stop")


def test_a_replica_goes_while_statements_run_and_nobody_loses_one(gateway: Gateway) -> None:
    sessions = [gateway.open("shop" if number % 2 else "stock") for number in range(12)]
    victim, other = sorted(gateway.replicas(), key=gateway.sessions, reverse=True)
    # Twelve of one and none of the other happen once in two thousand runs.
    assert gateway.sessions(other) > 0
    with ThreadPoolExecutor(len(sessions)) as threads:
        running = [threads.submit(lambda one: one.execute("SELECT pg_sleep(8), 1").fetchone(), one) for one in sessions]
        time.sleep(1)
        gateway.kubectl("-n", SPACE, "delete", "pod", victim, "--wait=false")
        # What runs is finished; new sessions begin all the while.
        for _ in range(10):
            with gateway.open("shop") as client:
                assert client.execute("SELECT count(*) FROM orders").fetchone() is not None
            time.sleep(0.5)
        assert [one.result()[1] for one in running] == [1] * len(sessions)  # type: ignore[index]
    eventually(lambda: victim not in _all_pods(gateway), bool, seconds=90, what="the end of the replica")
    # Those of the other replica never noticed. How a driver words the end of the others, over TLS, is its own matter.
    assert 0 < sum(bool(refusal(one)) for one in sessions) < len(sessions)
    for one in sessions:
        one.close()
    gateway.kubectl.rollout(SPACE, f"deploy/{NAME}")
    with gateway.open("stock") as client:
        assert client.execute("SELECT 1").fetchone() == (1,)


def test_the_trail_has_the_person_and_the_database(gateway: Gateway, viewer: dict[str, str]) -> None:
    with gateway.open("stock") as client:
        client.execute("SELECT supplier AS a_part_of_the_trail FROM parts")
    found = eventually(lambda: search(viewer, "a_part_of_the_trail"), bool, what="the statement")
    assert "person:ada" in found[0]["identity"]
    assert (found[0]["database"], found[0]["decision"]) == ("stock", "allow")


def _all_pods(gateway: Gateway) -> list[str]:
    found = gateway.kubectl.get("-n", SPACE, "pods", "-l", "penstock.dev/gateway=people")["items"]
    return [one["metadata"]["name"] for one in found]
