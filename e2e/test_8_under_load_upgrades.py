"""Application, node and release are replaced under load: nothing fails. At the end, all accounts agree.

The version before is the one that PENSTOCK_E2E_FORMER names, a commit or tag; else the same programs and chart under
another tag, and the table says so.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest

from e2e.conftest import IMAGE, PRODUCT
from e2e.environment import ROOT, Environment
from e2e.kubectl import CommandError, eventually
from e2e.load import objects
from e2e.load.place import SPACE, Load, seconds_until
from e2e.load.release import BUDGET, CHART, Release, Version, cordoned, drain
from e2e.test_8_under_load import nothing_failed
from e2e.test_8_under_load_rotations import still_well

FORMER_IMAGE = "localhost/penstock:e2e-former"
SELECTORS = ("app.kubernetes.io/component in (control, operator)", f"app={objects.NAME}")
THIS = Version("this version", CHART, IMAGE)


@pytest.fixture(scope="module")
def release_under_load(load: Load, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release.of(load.kubectl, tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def former(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Version:
    commit = os.environ.get("PENSTOCK_E2E_FORMER", "")
    if not commit:
        environment.image(FORMER_IMAGE, Path("Dockerfile"), PRODUCT)
        return Version("the same programs under another tag", CHART, FORMER_IMAGE)
    place = tmp_path_factory.mktemp("former")
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True, check=True).stdout
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(place, filter="data")
    parts = tuple(part for part in PRODUCT if (place / part).exists())
    environment.image(FORMER_IMAGE, Path("Dockerfile"), parts, place)
    return Version(f"commit {commit}", place / "charts" / "penstock", FORMER_IMAGE)


def test_the_application_is_rolled_over(load: Load) -> None:
    before = {pod["metadata"]["name"] for pod in load.pods(objects.NAME)}
    with load.case("rolling update of the application") as row:
        load.kubectl("-n", SPACE, "rollout", "restart", f"deploy/{objects.NAME}")
        row.effects["rolled over"] = seconds_until(
            lambda: before.isdisjoint(pod["metadata"]["name"] for pod in load.pods(objects.NAME)), 120, "other pods"
        )
    nothing_failed(row)


def test_its_node_is_drained_as_far_as_budgets_allow(load: Load) -> None:
    """There is one node, so what is evicted has no place before it is uncordoned, and one of each has to stay."""
    load.kubectl.apply(BUDGET)
    before = {pod["metadata"]["uid"]: "control" for pod in load.pods("control")}
    before |= {pod["metadata"]["uid"]: objects.NAME for pod in load.pods(objects.NAME)}
    with load.case("node drained, then uncordoned") as row:
        with cordoned(load) as node, ThreadPoolExecutor() as threads:
            for one in [threads.submit(drain, load, node, selector, 12) for selector in SELECTORS]:
                with pytest.raises(CommandError, match="would violate the pod's disruption budget"):
                    one.result()
            assert load.admits(), "one of control is there"
            kept = [before[pod["metadata"]["uid"]] for program in ("control", objects.NAME)
                    for pod in load.pods(program) if pod["metadata"]["uid"] in before]  # fmt: skip
            assert sorted(kept) == ["control", objects.NAME]
        still_well(load, row.effects)
    load.kubectl("-n", SPACE, "delete", "pdb", objects.NAME)
    nothing_failed(row)


def test_the_release_is_uninstalled_and_the_version_before_installed(
    load: Load, release_under_load: Release, former: Version
) -> None:
    with load.case(f"uninstalled, installed anew ({former.name})") as row:
        row.effects["uninstalled"] = _seconds(release_under_load.uninstall)
        eventually(lambda: len(load.pods(objects.NAME)), lambda count: count == objects.REPLICAS)
        # Not let in without a gate: what refuses it has stayed.
        assert "got none: Penstock is not installed" in load.refusal()
        row.effects["installed"] = _seconds(lambda: release_under_load.put(former))
        still_well(load, row.effects)
    nothing_failed(row)


def test_the_release_is_upgraded(load: Load, release_under_load: Release, former: Version) -> None:
    with load.case(f"upgraded from {former.name}") as row:
        assert release_under_load.images() == {former.image}
        row.effects["upgraded"] = _seconds(lambda: release_under_load.put(THIS))
        assert release_under_load.images() == {THIS.image}
        still_well(load, row.effects)
    nothing_failed(row)


def test_the_release_is_rolled_back_and_upgraded_again(
    load: Load, release_under_load: Release, former: Version
) -> None:
    with load.case(f"rolled back to {former.name}, upgraded again") as row:
        row.effects["rolled back"] = _seconds(release_under_load.roll_back)
        assert release_under_load.images() == {former.image}
        still_well(load, row.effects)
        row.effects["upgraded again"] = _seconds(lambda: release_under_load.put(THIS))
    nothing_failed(row)


def test_clients_server_table_and_trail_agree(load: Load) -> None:
    """Each statement once, wherever it is; what is missing was said to be lost."""
    load.stop()
    known, written = load.statements(), load.table()
    server, trail = load.account()
    assert len(known.answered) > 1000
    # What was acknowledged is there, once.
    assert known.written <= set(written)
    assert len(written) == len(set(written))
    assert set(known.answered) <= set(server)
    assert max(server.values()) == 1
    # The server ran nothing that is not on record, but for what was said to be lost, and what a killed gate kept to
    # itself: no answer left it, and no write stayed.
    missing = {row.name: row.missing(trail, server) for row in load.rows}
    assert set(server) - set(trail) == set().union(*missing.values())
    for row in load.rows:
        unseen = row.unseen(trail, server, written) if "sidecar" in row.name else set()
        assert len(unseen) <= len(row.statements.failed), row.name
        assert len(missing[row.name] - unseen) <= row.said_lost, row.name
    assert max(trail.values()) == 1
    # What is on record and never came to the server was cut off by a kill.
    assert set(trail) - set(server) <= set(known.failed) | known.open


def _seconds(act: Callable[[], None]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began
