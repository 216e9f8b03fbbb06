"""The smallest run of the benchmark gives figures that can be read, and goals are judged by them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from bench.figures import Figure, medians, read, write
from bench.goals import Goal, goals, verdicts
from bench.load import Sync
from bench.report import chart, table
from bench.stage import Endpoint

ROOT = Path(__file__).resolve().parents[2]


def told(directory: Path, *options: str) -> tuple[list[Figure], str]:
    """The figures of a run of the command with these options, and what it prints."""
    out = directory / "figures.json"
    command = [sys.executable, "-m", "bench", *options, "--out", out]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=160, check=False)
    assert done.returncode == 0, done.stderr
    return read(out), done.stdout


def ran(directory: Path, *options: str) -> list[Figure]:
    """The same, but for what it prints."""
    return told(directory, *options)[0]


def smallest(directory: Path, *options: str) -> tuple[list[Figure], str]:
    """A second of each."""
    return told(directory, *options, "--mode", "prepared", "--seconds", "1", "--rounds", "1", "--rows", "1")


@pytest.mark.timeout(170)
def test_the_smallest_run_compares_the_gate_with_both_others(tmp_path: Path) -> None:
    figures, said = smallest(tmp_path, "--only", "select", "--clients", "1")
    assert {(one.scenario, one.target) for one in figures} == {
        (scenario, target) for scenario in ("select", "select, block") for target in ("direct", "pgbouncer", "penstock")
    } | {("fdatasync", "direct")}
    for figure in figures:
        assert (figure.mode, figure.clients) == ("prepared", 1)
        assert figure.tps is not None
        assert figure.tps > 10
        assert figure.p50_us is not None
        assert figure.p99_us is not None
        assert 0 < figure.p50_us <= figure.p99_us
        if figure.target == "direct":
            assert figure.cpu_us is None
        else:
            assert figure.cpu_us is not None
            assert figure.cpu_us > 1
            assert figure.rss_kb is not None
            assert figure.rss_kb > 1000
    assert "throughput against pgbouncer: ≥ 0.9" in said
    assert "beyond pgbouncer (fdatasyncs): ≤ 1.3" in said


@pytest.mark.timeout(170)
def test_the_smallest_run_of_transactions_that_write_and_of_two_processes(tmp_path: Path) -> None:
    measured, said = smallest(tmp_path, "--only", "tpcb", "--only", "processes")
    figures = {(one.scenario, one.clients, one.target): one for one in measured}
    assert set(figures) == {
        (f"{name}, {which}" if which else name, clients, target)
        for name, ways, clients in (("tpcb", ("", "block"), 4), ("processes", ("1", "2"), 16))
        for which in ways
        for target in ("direct", "pgbouncer", "penstock")
    }
    assert all(one.tps and one.tps > 1 for one in figures.values())
    one, two = (figures[f"processes, {count}", 16, "penstock"].rss_kb or 0 for count in "12")
    assert one > 30_000
    assert two > 1.3 * one, "what all its processes have counts"
    assert "TPC-B, durable before released, against pgbouncer: ≥ 0.5" in said


def test_what_the_disk_takes_is_timed(tmp_path: Path) -> None:
    speed = Sync(tmp_path, repeats=20).run(Endpoint("direct", 0, ""), tmp_path)
    assert speed.count == 20
    assert 0 < speed.p50_us <= speed.p99_us
    assert speed.tps * speed.p50_us < 2e6, "half of them take the median or longer"
    assert list(tmp_path.iterdir()) == []


def test_an_endpoint_that_fails_ends_the_run_with_one_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "nothing"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def figure(target: str, scenario: str = "select", **measures: float) -> Figure:
    return Figure(scenario, "simple", 1, target, **measures)  # type: ignore[arg-type]  # made of words


def test_the_median_of_each_measure_counts() -> None:
    rounds = [figure("penstock", tps=tps, cpu_us=cpu) for tps, cpu in ((30, 1), (10, 3), (20, 2))]
    assert medians(rounds) == figure("penstock", tps=20, cpu_us=2)


def test_figures_survive_their_file(tmp_path: Path) -> None:
    figures = [figure("direct", tps=5.5), figure("penstock", tps=4.0, rss_kb=70_000)]
    write(figures, tmp_path / "latest.json")
    assert read(tmp_path / "latest.json") == figures
    (tmp_path / "latest.json").write_text('[{"scenario": "select"}]')
    with pytest.raises(ValueError, match="not a list of figures"):
        read(tmp_path / "latest.json")


def judged(**goal: object) -> list[tuple[float, bool]]:
    figures = [
        figure("direct", tps=100), figure("pgbouncer", tps=80), figure("penstock", tps=60, cpu_us=300),
        figure("direct", "masked", tps=50), figure("penstock", "masked", tps=27),
    ]  # fmt: skip
    wanted = Goal.model_validate({"words": "x", "scenario": "select", "measure": "tps", **goal})
    return [(round(one.value, 3), one.reached) for one in verdicts(figures, [wanted])]


def test_a_goal_is_a_ratio_or_a_measure() -> None:
    assert judged(against="pgbouncer", atLeast=0.9) == [(0.75, False)]
    assert judged(against="pgbouncer", atLeast=0.7) == [(0.75, True)]
    assert judged(measure="cpu_us", atMost=500) == [(300, True)]
    assert judged(measure="cpu_us", against="pgbouncer", atMost=500) == []
    assert judged(clients=[4], against="pgbouncer", atLeast=0.9) == []


def test_what_passthrough_costs_can_be_left_out() -> None:
    assert judged(scenario="masked", against="direct", beyond={"scenario": "select"}, atLeast=0.95) == [(0.9, False)]


def test_a_goal_is_a_difference_in_units_that_were_measured_beside_it() -> None:
    figures = [
        figure("pgbouncer", p50_us=100), figure("penstock", p50_us=340), figure("direct", "fdatasync", p50_us=200),
    ]  # fmt: skip
    goal = {"words": "x", "scenario": "select", "measure": "p50_us", "against": "pgbouncer", "unitsOf": "fdatasync"}
    wanted = [Goal.model_validate({**goal, "atMost": most}) for most in (1.1, 1.3)]
    assert [(one.value, one.reached) for one in verdicts(figures, wanted)] == [(1.2, False), (1.2, True)]
    assert list(verdicts(figures[:2], wanted)) == [], "nobody timed the unit"


def test_each_target_in_the_file_is_one_that_a_run_can_tell_of() -> None:
    for goal in goals():
        assert (goal.at_least is None) != (goal.at_most is None), goal.words


@pytest.mark.timeout(170)
def test_the_smallest_run_of_many_tables_measures_each_event(tmp_path: Path) -> None:
    made = ran(tmp_path, "--scale", "--tables", "40", "--identities", "2")
    figures = {one.scenario.removeprefix("scale, "): one for one in made}
    assert {(one.mode, one.clients) for one in figures.values()} == {("40 tables", 2)}
    for event in ("at rest", "at logins", "after policy", "after catalog"):
        assert (figures[f"stall {event}"].p50_us or 0) > 100, "a statement takes some time at least"
    for measure in ("memory", "memory after changes"):
        assert 30_000 < (figures[measure].rss_kb or 0) < 300_000
    assert {f"{what} after {change}" for what in ("login", "next decision") for change in ("policy", "catalog")} <= (
        figures.keys()
    )


@pytest.mark.timeout(170)
def test_the_smallest_run_of_streams_measures_each_change(tmp_path: Path) -> None:
    made = ran(tmp_path, "--control", "--streams", "10", "--policies", "20")
    figures = {one.mode: one for one in made}
    assert {"start", "idle", "change, the last", "20 policies, the last", "20 policies of 10"} <= figures.keys()
    assert (figures["20 policies, on the wire"].rss_kb or 0) > (figures["change, on the wire"].rss_kb or 0)
    assert 0 < (figures["20 policies of 10"].p50_us or 0) <= (figures["20 policies of 10"].p99_us or 0) < 10_000_000


@pytest.mark.timeout(170)
def test_the_smallest_run_of_people_measures_each_way(tmp_path: Path) -> None:
    figures = ran(tmp_path, "--people", "--quick", "--identities", "2")
    logins = {one.mode: one for one in figures if one.scenario == "login"}
    assert logins["server's password"].target == "direct"
    assert {"token", "token, TLS", "token of 8 KB", "OAUTHBEARER", "agent for a person", "ticket"} <= set(logins)
    assert all(one.p50_us and one.p99_us for one in logins.values())
    assert {"approval to execution", "people"} <= {one.scenario for one in figures}


def test_a_run_is_drawn() -> None:
    figures = [figure("direct", tps=100), figure("pgbouncer", tps=80), figure("penstock", tps=76)]
    assert list(table(figures))[-1].endswith("0.76  0.95")
    lines = list(chart(verdicts(figures, goals())))
    assert lines[0].endswith("≥ 0.9")
    assert lines[1].endswith("0.95  reached")
