"""Programs that are killed, or away, while an application queries: nothing fails but what a killed sidecar held.

The same load goes on in the tests of rotations and of upgrades; their last one holds all accounts against each other.
"""

from __future__ import annotations

from itertools import combinations

import pytest

from e2e.load import objects
from e2e.load.accounting import Row
from e2e.load.place import SPACE, Load, seconds_until

PAIRS = list(combinations(["operator", "control", "collector", "sidecar"], 2))
# From the end of a sidecar to the first answer by the next one. The kubelet waits 10 s before it starts one again that
# has been started again before, and 20 the next time.
RECONNECTED_SECONDS = 40.0
PATIENCE_SECONDS = 60.0


def nothing_failed(row: Row) -> None:
    known = row.statements
    assert not known.failed, list(known.failed.values())[:5]
    assert not known.open
    assert not known.refused_connections, known.refused_connections[:5]
    assert len(known.answered) > 20


@pytest.mark.parametrize("pair", PAIRS, ids=" and ".join)
def test_two_programs_are_killed_at_once(load: Load, pair: tuple[str, str]) -> None:
    with load.case(f"{' and '.join(pair)} killed") as row:
        sidecar_runs = load.kill_sidecar() if "sidecar" in pair else None
        load.lose(*(one for one in pair if one != "sidecar"))
        row.effects["pods admitted"] = seconds_until(load.admits, PATIENCE_SECONDS, "a pod is admitted")
        mark = load.latest()
        row.effects["found in the trail"] = seconds_until(lambda: load.recorded(mark), PATIENCE_SECONDS, mark)
        if sidecar_runs is not None:
            seconds_until(sidecar_runs, PATIENCE_SECONDS, "the sidecar runs again")
    if "sidecar" in pair:
        only_that_pod_noticed(row)
    else:
        nothing_failed(row)


def only_that_pod_noticed(row: Row) -> None:
    """What a killed sidecar had open fails, once each client; all else goes on."""
    known = row.statements
    noticed = {one["pod"] for one in [*known.failed.values(), *known.refused_connections]}
    assert len(noticed) <= 1, noticed
    assert all(one["lost"] for one in known.failed.values()), list(known.failed.values())
    assert len(known.failed) <= 4, list(known.failed.values())
    assert not known.open
    assert max(known.silences().values()) < RECONNECTED_SECONDS


def test_a_sidecar_starts_again_while_control_is_away(load: Load) -> None:
    with load.case("a sidecar killed while control is away") as row, load.away("control"):
        row.effects["sidecar ready"] = seconds_until(load.kill_sidecar(), PATIENCE_SECONDS, "the sidecar runs again")
    only_that_pod_noticed(row)


def test_a_pod_ends_while_the_collector_is_away(load: Load) -> None:
    """What its gate could not ship is lost, and the pod's last word says how much."""
    victim = load.pods(objects.NAME)[0]["metadata"]
    with load.case("a pod ends while the collector is away") as row:
        with load.away("collector"):
            load.kubectl("-n", SPACE, "delete", "pod", victim["name"], "--wait=true")
            row.said_lost = load.said_lost(victim["uid"])
        mark = load.latest()
        row.effects["found in the trail"] = seconds_until(lambda: load.recorded(mark), PATIENCE_SECONDS, mark)
    nothing_failed(row)
    assert row.said_lost > 0
