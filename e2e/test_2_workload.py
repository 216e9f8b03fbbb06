"""An annotated workload: masked rows, refused and passed writes, by every driver; no credential, no lost connection."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

import pytest

from e2e.conftest import SHOP_IMAGE, Workload
from e2e.kubectl import CommandError, eventually
from e2e.shop import manifests

DRIVERS = ["psycopg-simple", "psycopg-extended", "asyncpg"]
every_driver = pytest.mark.parametrize("driver", DRIVERS)


def placeholder(driver: str, cast: str) -> str:
    return f"$1::{cast}" if driver == "asyncpg" else f"%s::{cast}"


@every_driver
def test_governed_columns_come_masked(web: Workload, driver: str) -> None:
    seen = web.run(
        driver,
        "SELECT c.name, c.email, p.card_number FROM customers c JOIN payments p ON p.customer_id = c.id ORDER BY p.id",
    )
    assert seen["rows"] == [
        ["Ada Example", "a***@example.com", "************1111"],
        ["Bruno Muster", "b***@example.org", "************4444"],
    ]


@every_driver
def test_a_guess_through_where_finds_nothing(web: Workload, driver: str) -> None:
    argument = placeholder(driver, "text")
    guess = web.run(driver, f"SELECT count(*) FROM customers WHERE email = {argument}", "ada@example.com")
    assert guess["rows"] == [["0"]]


@every_driver
def test_a_delete_without_where_is_refused(web: Workload, driver: str) -> None:
    refused = web.run(driver, "DELETE FROM orders")
    assert refused["sqlstate"] == "42501"
    assert "WHERE" in refused["error"]
    assert "guardrails.requireWhere" in refused["error"]
    assert web.run(driver, "SELECT count(*) > 1 FROM orders")["rows"] == [["True"]]


@every_driver
def test_an_insert_passes(web: Workload, driver: str) -> None:
    item = f"a gauge by {driver}"
    inserted = web.run(driver, f"INSERT INTO orders (item) VALUES ({placeholder(driver, 'text')}) RETURNING item", item)
    assert inserted["rows"] == [[item]]
    assert inserted["status"] == "INSERT 0 1"


def test_the_application_holds_no_credential(web: Workload) -> None:
    pod = web.pod()
    (app,) = pod["spec"]["containers"]
    assert "gate-password" not in json.dumps(app)
    names = {volume["name"] for volume in pod["spec"]["volumes"] if "shop-db" in json.dumps(volume)}
    assert names
    assert names.isdisjoint(mount["name"] for mount in app.get("volumeMounts", []))
    inside = json.loads(web.exec("python3", "/shop/client.py", "environment"))
    assert inside["PGHOST"] == "127.0.0.1"
    assert "PGPASSWORD" not in inside
    assert "gate-password" not in json.dumps(inside)
    searched = web.exec("sh", "-c", "grep -rls gate-password /var/run /run /etc /tmp /proc/self/mounts || true")
    assert searched == ""


def test_nobody_enters_the_sidecar_nor_looks_into_it(web: Workload) -> None:
    password = "/var/run/penstock/credentials/password"
    with pytest.raises(CommandError, match="nobody may enter it"):
        web.kubectl("-n", manifests.NAMESPACE, "exec", "deploy/web", "-c", "penstock-proxy", "--", "cat", password)
    name = web.pod()["metadata"]["name"]
    with pytest.raises(CommandError, match="would share the processes of penstock-proxy"):
        # Restricted, as the namespace demands, so that it is not pod security that refuses it.
        web.kubectl("-n", manifests.NAMESPACE, "debug", name, f"--image={SHOP_IMAGE}", "--target=penstock-proxy",
                    "--profile=restricted", "--", "true")  # fmt: skip


@contextmanager
def watching(web: Workload, sql: str) -> Iterator[IO[str]]:
    """The lines of one connection of the workload that runs the statement again and again."""
    command = [
        "kubectl",
        "-n",
        manifests.NAMESPACE,
        "exec",
        "deploy/web",
        "-c",
        "app",
        "--",
        "python3",
        "/shop/client.py",
    ]
    process = subprocess.Popen(
        [*command, "watch", sql], env=web.kubectl.environment(), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_changed_policy_takes_effect_in_seconds_on_the_open_connection(web: Workload) -> None:
    sql = "SELECT email, pg_backend_pid() FROM customers ORDER BY id LIMIT 1"
    with watching(web, sql) as lines:
        first = json.loads(lines.readline())
        assert first["rows"][0][0] == "a***@example.com"
        stricter = manifests.policy(masks=[{"tags": ["pii.email"], "with": {"redact": {}}},
                                           {"tags": ["pci.pan"], "with": {"redact": {}}}])  # fmt: skip
        web.kubectl.apply(stricter)
        applied = json.loads(lines.readline())["time"]
        changed = next(line for line in map(json.loads, lines) if line["rows"][0][0] != "a***@example.com")
        web.kubectl.apply(manifests.policy())
        back = next(line for line in map(json.loads, lines) if line["rows"][0][0] == "a***@example.com")
    assert "ada@" not in changed["rows"][0][0]
    assert changed["time"] - applied <= 5
    assert first["rows"][0][1] == changed["rows"][0][1] == back["rows"][0][1], "one server process: no connection lost"


def test_a_job_with_the_sidecar_completes(web: Workload) -> None:
    web.kubectl.apply(manifests.job(SHOP_IMAGE, "report", "SELECT email FROM customers ORDER BY id", manifests.INJECT))
    web.kubectl.wait("-n", manifests.NAMESPACE, "--for=condition=Complete", "job/report", seconds=90)
    printed = web.kubectl("-n", manifests.NAMESPACE, "logs", "job/report", "-c", "app")
    assert json.loads(printed)["rows"] == [["a***@example.com"], ["b***@example.org"]]
    # What watches for failed containers, as workflow engines do, finds none.
    (pod,) = web.kubectl.get("-n", manifests.NAMESPACE, "pods", "-l", "job-name=report")["items"]
    assert pod["status"]["phase"] == "Succeeded"
    (gate,) = pod["status"]["initContainerStatuses"]
    assert (gate["name"], gate["state"]["terminated"]["exitCode"]) == ("penstock-proxy", 0)


def test_a_workload_that_no_policy_covers_may_do_nothing(web: Workload) -> None:
    """Its pod starts (somebody may write the policy later), its statements are refused with the reason."""
    kubectl = web.kubectl
    stranger = manifests.pod(SHOP_IMAGE, "stranger", manifests.INJECT)
    stranger["spec"]["serviceAccountName"] = "stranger"
    kubectl.apply(manifests.service_account("stranger"), stranger)
    kubectl.wait("-n", manifests.NAMESPACE, "--for=condition=Ready", "pod/stranger")

    def attempt() -> str:
        return kubectl("-n", manifests.NAMESPACE, "exec", "stranger", "-c", "app", "--",
                       "python3", "/shop/client.py", "run", "asyncpg", "SELECT 1")  # fmt: skip

    answer = json.loads(eventually(attempt, lambda text: "sqlstate" in text, 20))
    assert "DatabaseAccessPolicy" in answer["error"]
    kubectl("-n", manifests.NAMESPACE, "delete", "pod", "stranger", "--grace-period=1")
