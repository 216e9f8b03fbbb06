"""A gate that follows a real `control` tells it how it stands with each of its Databases, soon after that changes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs
from tests.operator.control.test_app import AUTHORITY, Running, served
from tests.operator.doubles import GOOD_TOKEN, SECRET
from tests.sidecar.proxy.harbour import Harbour
from tests.sidecar.proxy.test_served_database_control import SHAPE, Port

from penstock_cli.demo.postgres import EmbeddedPostgres
from penstock_core.gate_report import GateReport
from penstock_operator.control.policies import MASK_KEY, Policies
from penstock_operator.objects import DATABASES as DATABASE_KIND
from penstock_operator.objects import POLICIES

# From the cause until control has heard of it; what the status promises is ten, of which the operator takes three.
PROMISED = 7.0


class Quay(Port):
    """The gate with one Database, and what control has heard of it."""

    def heard(self) -> GateReport | None:
        gates = self.running.control.reports.told("", 0)["gates"]
        found = [one["report"] for one in gates if one["database"] == "front"]
        return GateReport.model_validate(found[0]) if found and found[0] is not None else None

    async def hears(self, of: Callable[[GateReport], bool], seconds: float = PROMISED) -> GateReport:
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            if (report := self.heard()) is not None and of(report):
                return report
            await asyncio.sleep(0.05)
        raise AssertionError(f"control has heard {self.heard()}")


@pytest.fixture
async def quay(tmp_path: Path, postgres: EmbeddedPostgres) -> AsyncIterator[Quay]:
    harbour = Harbour.made(tmp_path, {"front": postgres})
    policies = Policies()
    database, policy = harbour.documents("front")
    policies.follower(DATABASE_KIND).replace({("shop", "front"): database}, 100)
    policies.follower(POLICIES).replace({("shop", "front-users"): policy}, 101)
    policies.follower(MASK_KEY).replace({("penstock-system", "k"): SECRET}, 99)
    running = Running(policies, SHAPE)
    running.reviewer.databases = ["front"]
    async with served(running):
        yield Quay(harbour, running)
        await harbour.proxy.stop()


def spec(quay: Quay, **changes: Any) -> dict[str, Any]:
    return quay.harbour.documents("front", **changes)[0]


async def test_that_all_is_well_is_said_once_and_by_what_policies(quay: Quay) -> None:
    await quay.begin()
    report = await quay.hears(lambda one: one.reached is True)
    bundle = quay.running.policies.bundle("shop", "front")
    assert bundle is not None
    assert report.digest == bundle.digest
    assert (report.trouble, report.reason, report.misfits) == ("", "", ())
    await asyncio.sleep(2.5)
    assert quay.heard() == report, "nothing changed, so nothing is sent"


async def test_a_wrong_password_is_told_and_so_is_the_right_one(quay: Quay) -> None:
    password = quay.harbour.directory / "front" / "password"
    right = password.read_text()
    await quay.begin()
    await quay.hears(lambda one: one.reached is True)
    password.write_text("wrong")
    report = await quay.hears(lambda one: one.reached is False)
    assert (report.reason, report.trouble) == (
        "CredentialsRefused",
        "the database refused Penstock's own credentials (28P01)",
    )
    assert "wrong" not in report.model_dump_json()
    password.write_text(right)
    await quay.hears(lambda one: one.reached is True)


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"dbname": "elsewhere"}, "NoSuchDatabase", 'database "elsewhere" does not exist'),
        ({"host": "nowhere.invalid"}, "Unreachable", "its name does not resolve"),
        ({"port": 1}, "Unreachable", "connection refused"),
        ({"tls": {"mode": "require"}}, "Unreachable", "does not speak TLS"),
    ],
)
async def test_what_keeps_it_from_the_database_is_told_in_words(
    quay: Quay, changes: dict[str, Any], reason: str, words: str
) -> None:
    await quay.begin()
    await quay.hears(lambda one: one.reached is True)
    quay.has(DATABASE_KIND, "front", spec(quay, **changes))
    report = await quay.hears(lambda one: one.reached is False)
    assert report.reason == reason
    assert words in report.trouble


async def test_a_mask_without_a_column_is_told_by_its_policy(quay: Quay) -> None:
    await quay.begin()
    _, policy = quay.harbour.documents("front")
    policy["spec"]["masks"] = [{"columns": ["public.people.emial"], "with": {"redact": {}}}]
    quay.has(POLICIES, "front-users", policy)
    report = await quay.hears(lambda one: bool(one.misfits))
    assert report.misfits[0].policy == "front-users"
    assert report.misfits[0].missing.count == 1
    assert report.sensitive.first == ("public.people.email",)


async def test_since_when_there_is_no_session_is_told_and_one_after_a_long_time_at_once(
    quay: Quay, monkeypatch: pytest.MonkeyPatch
) -> None:
    await quay.begin()
    await quay.hears(lambda one: one.reached is True and one.idle_seconds is not None and not one.had_session)
    # Two seconds are the ten minutes after which a gate tells it again, and after which a session is news.
    monkeypatch.setattr("penstock_core.gate_report.AGAIN_SECONDS", 2.0)
    monkeypatch.setattr("penstock_sidecar.proxy.gate_reports.AGAIN_SECONDS", 2.0)
    report = await quay.hears(lambda one: (one.idle_seconds or 0) >= 2)
    assert not report.had_session, "none ever was"
    async with await quay.harbour.open("front"):
        await quay.hears(lambda one: one.had_session and one.idle_seconds == 0)
        await asyncio.sleep(3.5)
        report = await quay.hears(lambda one: True)
        assert report.idle_seconds == 0, "one that is open and at rest is a session"
    await quay.hears(lambda one: (one.idle_seconds or 0) >= 2)
    monkeypatch.setattr("penstock_sidecar.proxy.gate_reports.AGAIN_SECONDS", 600.0)
    async with await quay.harbour.open("front"):
        await quay.hears(lambda one: one.idle_seconds == 0)


async def test_a_client_that_gets_no_further_than_the_gate_is_no_session(quay: Quay) -> None:
    await quay.begin()
    await quay.hears(lambda one: one.reached is True)
    quay.has(DATABASE_KIND, "front", spec(quay, port=1))
    await quay.hears(lambda one: one.reached is False)
    with pytest.raises(psycopg.OperationalError):
        await quay.harbour.open("front")
    (database,) = quay.harbour.proxy.gateway.databases.values()
    assert not database.had_session
    assert database.idle_seconds > 0


async def test_it_tells_again_whom_it_reaches_anew(quay: Quay) -> None:
    """Who had heard of it may be another process by now."""
    await quay.begin()
    first = await quay.hears(lambda one: one.reached is True)
    control = quay.running.control
    control.reports.__init__()  # type: ignore[misc]  # as if it had started anew
    control.stopping.set()
    await asyncio.sleep(0.2)
    control.stopping.clear()
    again = await quay.hears(lambda one: one.reached is True, 20)
    assert again.number > first.number


async def test_how_many_events_go_with_a_gate_that_ends_in_time(quay: Quay) -> None:
    """The collector is away, and the spool's volume goes with the pod."""
    harbour = quay.harbour
    (harbour.directory / "token").write_text(GOOD_TOKEN)
    (harbour.directory / "ca.crt").write_bytes(AUTHORITY.certificate_pem)
    await harbour.start(
        resources=None,
        control={"url": f"https://localhost:{quay.running.port}", "tokenFile": "token", "caFile": "ca.crt"},
        collector={"url": "http://127.0.0.1:1"},
        spool={"path": "spool", "lasts": False},
        endSeconds=8,
    )
    await quay.hears(lambda one: one.reached is True, 20)
    began = time.monotonic()
    with capture_logs() as logged:
        await harbour.proxy.stop()
    assert 3 < time.monotonic() - began < 9
    events = harbour.proxy.spool.depth
    report = quay.heard()
    assert report is not None
    assert report.lost == events > 0
    (said,) = [line["event"] for line in logged if line["log_level"] == "error"]
    assert said.startswith(f"{events} audit events are lost with this pod")
