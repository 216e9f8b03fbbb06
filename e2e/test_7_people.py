"""People and an agent at the gateway: what waits for approval, access for a time, and a switch that ends sessions.

Nothing is in between: the agent is a client of the Model Context Protocol, people have psql, drivers and kubectl.
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from e2e.collector import penstock as command
from e2e.conftest import IMAGE, SHOP_IMAGE
from e2e.kubectl import eventually
from e2e.people import pods
from e2e.people.gateway import HOST, SPACE, Gateway, refusal, superuser
from e2e.people.issuer import AGENT
from e2e.people.place import GATE, POLICIES, SIDECAR, STOP, Json, Place, Session, agent
from e2e.test_3_audit import collector, viewer
from e2e.test_5_approvals import NAME, Person, kubeconfig, page, penstock, said, tokens

__all__ = ["collector", "page", "tokens", "viewer"]

# What docs/identities.md and docs/approvals.md promise.
SECONDS = 2.0


@pytest.fixture(scope="module")
def place(gateway: Gateway, viewer: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    kubectl, directory = gateway.kubectl, tmp_path_factory.mktemp("people")
    kubectl.apply(*POLICIES, *pods.objects(IMAGE, SHOP_IMAGE))
    bindings = {"e2e-approvers": ("penstock-approver", "dba"), "e2e-requesters": ("penstock-requester", "keepers")}
    for name, (role, group) in bindings.items():
        kubectl("-n", SPACE, "create", "rolebinding", name, f"--clusterrole={role}", f"--group={group}")
    bea, ada = (kubeconfig(kubectl, directory, *who) for who in (("bea", "dba"), ("ada", "keepers")))
    made = [f"databaseaccesspolicy/{one['metadata']['name']}" for one in POLICIES]
    kubectl.wait("-n", SPACE, "--for=condition=Accepted", *made, seconds=60)
    kubectl.wait("-n", SPACE, "--for=condition=Ready", *pods.NAMES, seconds=60)
    yield Place(gateway, bea, ada, viewer)
    kubectl("-n", SPACE, "delete", "--wait=false", *made, *pods.NAMES, *(f"rolebinding/{name}" for name in bindings))


async def test_what_an_agent_does_waits_for_a_person_and_runs_once(place: Place, tmp_path: Path) -> None:
    delete = "DELETE FROM ledger WHERE entry = 'struck off'"
    fill = "INSERT INTO ledger (entry) SELECT 'struck off' FROM generate_series(1, 3)"
    superuser(place.kubectl, fill, "shop")
    token = place.gateway.issuer.token("dan", "clerks", act={"sub": AGENT, "groups": ["bots"]})
    async with agent(place, GATE, token, tmp_path / "server.log") as one:
        assert (await one.execute("INSERT INTO ledger (entry) VALUES ('kept')"))["status"] == "done"
        began = time.monotonic()
        held = await one.execute(delete)
        assert (held["status"], time.monotonic() - began < 5) == ("held", True), held
        name = held["request"]["name"]
        asked = place.request(name)["spec"]
        assert (asked["requester"]["principal"]["subject"], asked["requester"]["actsFor"][0]["subject"]) == (
            AGENT, "dan",
        )  # fmt: skip
        assert asked["statement"]["sql"] == delete
        # By kubectl alone.
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        decision = {"decision": "approved", "decidedBy": "bea", "decidedAt": at, "comment": "they are"}
        patch = ("patch", "accessrequest", name, "--subresource=status", "--type=merge")
        place.kubectl(f"--kubeconfig={place.bea}", "-n", SPACE, *patch, "-p", json.dumps({"status": decision}))
        done = await one.execute(delete)
        assert (done["status"], done["rows_affected"]) == ("done", 3), done
        superuser(place.kubectl, fill, "shop")
        again = await one.execute(delete)
        assert again["status"] == "held"
        other = again["request"]["name"]
        assert other != name
        # And by its plugin.
        assert (
            f"{other}  waiting  agent:{AGENT} for person:dan" in penstock(place.kubectl, place.bea, "requests").stdout
        )
        place.approve(other)
        assert (await one.execute(delete))["rows_affected"] == 3
        assert (await one.execute(delete))["status"] == "held"
    assert bool(place.request(name)["status"]["consumedAt"])
    _on_record(place, name)


async def test_what_an_agent_does_is_approved_on_the_page(
    place: Place, tokens: dict[str, str], page: tuple[str, ssl.SSLContext], tmp_path: Path
) -> None:
    delete = "DELETE FROM ledger WHERE entry = 'struck off on the page'"
    superuser(place.kubectl, "INSERT INTO ledger (entry) VALUES ('struck off on the page')", "shop")
    acting = place.gateway.issuer.token("dan", "clerks", act={"sub": AGENT, "groups": ["bots"]})
    async with agent(place, GATE, acting, tmp_path / "server.log") as one:
        name = (await one.execute(delete))["request"]["name"]
        bea = Person(page)
        with closing(bea.http) as http:
            assert bea.send("/login", token=tokens["bea"]).status_code == 303
            eventually(lambda: http.get("/requests").text, lambda text: f"/{name}" in text, what="the list")
            shown = http.get(f"/requests/{name}", follow_redirects=True).text
            assert AGENT in shown
            assert "dan" in shown
            assert "struck off on the page" in shown
            answer = bea.decide(name)
            assert answer.status_code == 303, said(answer)
        done = await one.execute(delete)
        assert (done["status"], done["rows_affected"]) == ("done", 1), done
        assert (await one.execute(delete))["status"] == "held"
    found = eventually(
        lambda: [one for one in place.intents(name) if one["outcome"]],
        lambda known: len(known) == 2,
        what="both statements in the trail, with their outcomes",
    )
    _, ran = sorted(found, key=lambda one: int(one["statement"]))
    assert (ran["approvals"][0]["decidedBy"], ran["outcome"]["rows"]) == ("bea", 1)
    assert [one["subject"] for one in ran["identity"]["actsFor"]] == ["dan"]


async def test_an_agent_in_a_pod_is_known_with_its_pod(place: Place, tmp_path: Path) -> None:
    token = place.gateway.issuer.token("dan", "clerks", act={"sub": AGENT, "groups": ["bots"]})
    async with agent(place, SIDECAR, token, tmp_path / "server.log") as one:
        held = await one.execute("DELETE FROM ledger WHERE entry = 'in the pod'")
    assert held["status"] == "held", held
    requester = place.request(held["request"]["name"])["spec"]["requester"]
    assert (requester["workload"]["serviceAccount"], requester["principal"]["subject"]) == ("web", AGENT)
    assert [one["subject"] for one in requester["actsFor"]] == ["dan"]


def _on_record(place: Place, name: str) -> None:
    """The first DELETE: it waited, and ran once."""
    found = eventually(
        lambda: [one for one in place.intents(name) if one["outcome"]],
        lambda known: len(known) == 2,
        what="both statements in the trail, with their outcomes",
    )
    waited, ran = sorted(found, key=lambda one: int(one["statement"]))
    (approval,) = ran["approvals"]
    assert waited["approvals"][0]["standing"] == "waiting"
    assert (waited["decision"], waited["outcome"]["result"]) == ("deny", "denied")
    assert (approval["standing"], approval["decidedBy"]) == ("granted", "bea")
    assert approval["decidedAt"]
    assert ran["identity"]["name"] == f"agent:{AGENT} for person:dan"
    assert [one["subject"] for one in ran["identity"]["actsFor"]] == ["dan"]
    assert (ran["verbs"], ran["relations"]) == (["delete"], ["public.ledger"])
    assert ran["sql"] == "DELETE FROM ledger WHERE entry = $1"
    assert (ran["outcome"]["result"], ran["outcome"]["rows"]) == ("ok", 3)


def test_a_persons_alter_table_waits_in_psql_and_goes_on(place: Place) -> None:
    token = place.gateway.issuer.token("mia", "keepers")
    where = f"host={HOST} dbname=shop user=me sslmode=verify-full sslrootcert={pods.AUTHORITY}"
    psql = ("psql", "-X", where, "-c", "ALTER TABLE ledger ADD COLUMN checked boolean", "-c", "SELECT 'and on'")
    with subprocess.Popen(
        ["kubectl", "-n", SPACE, "exec", "desk", "-c", "app", "--", *pods.with_token(token), *psql],
        env=place.kubectl.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            told = [process.stdout.readline() for _ in range(3)]
            assert "held by approvals[schema] of policy keepers and waits for approval, for 120 s more" in told[0]
            assert "have a member of dba approve it; cancel to stop waiting" in told[2]
            (name,) = NAME.findall(told[1])
            # Nothing is open at the server meanwhile, and nothing has happened.
            with place.open("mia") as other:
                other.execute("INSERT INTO ledger (entry) VALUES ('meanwhile')")
            assert process.poll() is None
            place.approve(name, "--comment", "go on")
            said, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert said.splitlines()[0] == "ALTER TABLE", said
    assert (process.returncode, "and on" in said) == (0, True)
    (ran,) = eventually(lambda: place.intents(name), bool, what="the statement in the trail")
    assert (ran["verbs"], ran["approvals"][0]["decidedBy"]) == (["alter"], "bea")
    assert 0 < ran["approvals"][0]["waitedMs"] < 60_000


@dataclass(frozen=True)
class End:
    """How a session ended, and when."""

    at: float
    sqlstate: str | None
    words: str


def until_the_end(session: Session, sql: str) -> End:
    while True:
        try:
            session.execute(sql.encode())
        except psycopg.Error as error:
            return End(time.time(), error.sqlstate, str(error))
        time.sleep(0.02)


UPDATE = "UPDATE ledger SET entry = 'corrected' WHERE entry = 'meanwhile'"


def permitted(session: Session) -> str:
    """What a session reads of the UPDATE; empty where it runs."""
    try:
        session.execute(UPDATE)
    except psycopg.errors.InsufficientPrivilege as error:
        return str(error)
    return ""


def within(place: Place, session: Session, what: str) -> None:
    """The UPDATE runs in a moment, in a session that is open."""
    began = time.monotonic()
    eventually(lambda: permitted(session), lambda said: not said, seconds=10, what=what)
    assert time.monotonic() - began < SECONDS


def ended(place: Place, name: str, who: Path, session: Session) -> None:
    """Who ends the access ends the session that used it."""
    done = penstock(place.kubectl, who, "end", name)
    assert done.returncode == 0, done.stderr
    accepted = time.time()
    end = until_the_end(session, "SELECT 1")
    assert (end.sqlstate, f"policy incident (request {name}) has ended" in end.words) == ("57P01", True), end
    assert end.at - accepted < SECONDS


def test_access_for_a_time_is_asked_for_by_kubectl(place: Place) -> None:
    with place.open("ada") as session, place.open("bob") as bob, place.open("ada") as bystander:
        assert f"kubectl penstock request incident -n {SPACE} --for 1h" in permitted(session)
        asked = penstock(place.kubectl, place.ada, "request", "incident", "--for", "1h", "--reason", "a slip")
        assert "waiting  person:ada  access by policy incident for 1h" in asked.stdout, asked.stderr
        name = asked.stdout.split()[0]
        own = penstock(place.kubectl, place.ada, "approve", name)
        assert own.returncode != 0
        assert permitted(session)
        place.approve(name, "--for", "20m")
        within(place, session, "access in a session that is open")
        assert permitted(bob), "it is for nobody else"
        ended(place, name, place.ada, session)
        assert permitted(bystander), "a session that used none of it goes on, without it"
        with place.open("ada") as anew:
            assert permitted(anew)
    ran = [one for one in eventually(lambda: place.intents(name), bool) if one["verbs"] == ["update"]]
    (access,) = ran[0]["access"]
    assert (access["policy"], access["request"], access["decidedBy"]) == ("incident", name, "bea")
    left = datetime.fromisoformat(access["until"]) - datetime.now(UTC)
    assert 15 * 60 < left.total_seconds() <= 20 * 60
    (end,) = eventually(lambda: place.ends(ran[0]["session"]), bool, what="the end of the session in the trail")
    assert (end["identity"]["name"], end["policy"]) == ("person:ada", "incident")


def test_or_in_the_session_that_needs_it(place: Place) -> None:
    notices: list[str] = []
    with place.open("bob") as session:
        session.add_notice_handler(lambda told: notices.append(f"{told.message_primary} {told.message_detail}"))
        session.execute("SET penstock.access = 'incident for 10m: a slip'")
        (told,) = notices
        assert "access by policy incident waits for approval" in told
        (name,) = re.findall(r"Request (r-[-0-9a-z]+)", told)
        assert permitted(session)
        place.approve(name)
        within(place, session, "access that was asked for in SQL")
        ended(place, name, place.bea, session)


def test_in_an_emergency_it_begins_at_once_and_somebody_else_looks_at_it(place: Place) -> None:
    wish = ("request", "incident", "--break-glass", "--for", "5m", "--reason", "orders hang")
    with place.open("ada") as session:
        assert permitted(session)
        asked = penstock(place.kubectl, place.ada, *wish)
        assert asked.returncode == 0, asked.stderr
        name = asked.stdout.split()[0]
        within(place, session, "what was taken")
        ended(place, name, place.ada, session)
    reviewed = penstock(place.kubectl, place.bea, "review", name, "--comment", "only what was said")
    assert "reviewed by bea" in reviewed.stdout, reviewed.stderr
    ran = [one for one in eventually(lambda: place.intents(name), bool) if one["verbs"] == ["update"]]
    assert ran[0]["access"][0]["breakGlass"] is True


def between_statements(session: Session) -> End:
    """One statement after the other, with nothing in between."""
    return until_the_end(session, "SELECT 1")


def within_a_transaction(session: Session) -> End:
    session.autocommit = False
    session.execute("INSERT INTO ledger (entry) VALUES ('never committed')")
    return until_the_end(session, "SELECT 1")


def within_a_statement(session: Session) -> End:
    return until_the_end(session, "SELECT pg_sleep(60)")


def in_a_pod(process: subprocess.Popen[str]) -> End:
    """Of the application that `pods.watch` started."""
    assert process.stdout is not None
    for line in process.stdout:
        told = json.loads(line)
        if "error" in told:
            return End(told["time"], told["sqlstate"], told["error"])
    raise AssertionError("it ended by itself")


def test_a_switch_ends_a_persons_sessions_everywhere_at_once(place: Place) -> None:
    token = place.gateway.issuer.token("mia", "keepers")
    ways = (between_statements, within_a_transaction, within_a_statement)
    replicas = place.gateway.replicas()
    assert len(replicas) == 2
    with ExitStack() as stack:
        threads = stack.enter_context(ThreadPoolExecutor(4 * len(replicas) + 2))
        ending: list[Future[End]] = []
        for address in replicas.values():
            # Whoever acts for her, too.
            acting = place.gateway.issuer.token("mia", "keepers", act={"sub": AGENT})
            sessions = [place.open("mia", replica=address) for _ in range(3)]
            sessions.append(place.gateway.connect("shop", acting, address))
            for session, way in zip(sessions, (*ways, between_statements), strict=True):
                stack.callback(session.close)
                ending.append(threads.submit(way, session))
        processes = [stack.enter_context(pods.watch(place.kubectl, token)) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            assert "error" not in json.loads(process.stdout.readline())
        ending += [threads.submit(in_a_pod, process) for process in processes]
        bob = stack.enter_context(place.open("bob"))
        time.sleep(1)
        assert not [one.result() for one in ending if one.done()]
        place.kubectl.apply(STOP)
        changed = time.time()
        try:
            ends = [one.result(timeout=30) for one in ending]
            slowest = max(one.at for one in ends) - changed
            print(f"the last of {len(ends)} sessions ended {slowest:.3f} s after kubectl")
            assert slowest < SECONDS, ends
            assert {one.sqlstate for one in ends} == {"28000"}, ends
            assert all("access is revoked (policy stop-mia)" in one.words for one in ends)
            with pytest.raises(psycopg.OperationalError, match=r"access is revoked \(policy stop-mia\)"):
                place.open("mia")
            assert "access is revoked (policy stop-mia)" in pods.run(place.kubectl, token)["error"]
            # Whoever else there is goes on, in that pod, too.
            assert refusal(bob) == ""
            assert pods.run(place.kubectl)["rows"] == [["1"]]
            _told_by_the_trail(place, len(ends))
        finally:
            place.kubectl("-n", SPACE, "delete", "databaseaccesspolicy", "stop-mia")
    with eventually(lambda: _opened(place), bool, what="mia, who may come again") as session:  # type: ignore[union-attr]
        assert session.execute("SELECT count(*) FROM ledger WHERE entry = 'never committed'").fetchone() == (0,)


def _opened(place: Place) -> Session | None:
    try:
        return place.open("mia")
    except psycopg.OperationalError:
        return None


def _told_by_the_trail(place: Place, count: int) -> None:
    def looked() -> list[Json]:
        return [one for one in place.recorded() if one.get("kind") == "session" and one.get("policy") == "stop-mia"]

    found = eventually(looked, lambda ends: len(ends) == count, what="the end of each session in the trail")
    assert {(one["event"], one["reason"]) for one in found} == {("end", "the identity is revoked")}
    assert all("person:mia" in one["identity"]["name"] for one in found)
    assert len({one["stream"] for one in found}) == 3, "two replicas and a pod"
    # Logins that are refused are counted together for a moment.
    asked = ("audit", "logins", "--outcome", "refused", "--identity", "person:mia", "--json")
    eventually(lambda: command(place.viewer, *asked).stdout, lambda told: "stop-mia" in told, what="the refused logins")
