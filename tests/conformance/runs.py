"""Running one suite direct and through the gate, and what the two runs come to.

Every run has a server of its own, fresh, so that neither finds what the other left. What is printed is `report.py`'s.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.conformance import listed, outcomes, stage
from tests.conformance.kinds import Suite
from tests.conformance.listed import Exemption
from tests.conformance.outcomes import Outcome, Outcomes
from tests.conformance.stage import Place, StageError
from tests.sidecar.proxy import server_log

from penstock_cli.demo.postgres import EmbeddedPostgres

_LOOK_SECONDS = 2.0

Progress = Callable[[str, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run of a suite, and on what."""

    suite: Suite
    directory: Path
    postgres: int
    part: bool
    # Only these tests, in place of the suite's own choice.
    only: tuple[str, ...] = ()


@dataclass(slots=True)
class Comparison:
    """What one suite came to."""

    suite: str
    postgres: int
    direct: Outcomes
    through: Outcomes
    seconds_direct: float
    seconds_through: float
    # Audit events of the run through the gate, by kind.
    events: dict[str, int]
    # How many statements the server's log and the trail both have, and where they differ; of servers that log so.
    recorded: int
    untrue: list[str]
    # Differing tests: those nobody listed, the listed ones by reason, and those that passed when tried again.
    unlisted: dict[str, Outcome] = field(default_factory=dict)
    excused: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, Outcome] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)

    @property
    def passed(self) -> int:
        """How many tests pass direct."""
        return outcomes.count(self.direct, "passed")

    @property
    def green(self) -> bool:
        return self.passed > 0 and not self.unlisted and not self.stale and not self.untrue


def compare(plan: Plan, exemptions: Sequence[Exemption], progress: Progress) -> Comparison:
    """Run the suite twice. Raises StageError and PostgresError."""
    suite, directory = plan.suite, plan.directory
    only = list(plan.only) or None
    with _fresh(plan, "direct") as (running, work):
        direct, seconds_direct = _run(plan, stage.direct(running, suite.dbnames), work, only, progress, "direct")
    if suite.ours and outcomes.count(direct, "passed") < len(direct):
        failed = next(f"{test}: {outcome.message}" for test, outcome in direct.items() if outcome.result != "passed")
        raise StageError(f"{suite.name}: a scenario of ours fails direct: {failed}")
    with _fresh(plan, "through") as (running, work):
        prepared = server_log.sessions(running.directory)
        with stage.through(running, suite.dbnames, work / "gates") as place:
            through, seconds_through = _run(plan, place, work, only, progress, "through the gate")
            differing = outcomes.differences(direct, through)
            doubtful = [test for test in differing if not listed.reason(exemptions, suite.name, test)]
            again: Outcomes = {}
            if doubtful and len(doubtful) <= _most_repeated(direct):
                retry = work / "again"
                retry.mkdir()
                # Where a test can't be asked for by its name, the first answer stands.
                with contextlib.suppress(StageError):
                    again, _ = _run(plan, place, retry, doubtful, progress, "once more")
        events = stage.recorded(work / "gates")
        recorded, untrue = _beside_the_log(running, prepared, work / "gates")
    if untrue:
        # Who cancels or leaves in the very moment of an end may be told of otherwise; not each time.
        with _fresh(plan, "recorded") as (running, work):
            prepared = server_log.sessions(running.directory)
            with stage.through(running, suite.dbnames, work / "gates") as place:
                _run(plan, place, work, only, progress, "through the gate, for the trail")
            recorded, untrue = _beside_the_log(running, prepared, work / "gates")
    result = Comparison(
        suite.name, plan.postgres, direct, through, seconds_direct, seconds_through, events, recorded, untrue,
        stale=[] if plan.part or only or plan.postgres != suite.postgres
        else listed.stale(exemptions, suite.name, differing),
    )  # fmt: skip
    for test, outcome in differing.items():
        if why := listed.reason(exemptions, suite.name, test):
            result.excused[test] = why
        elif test in again and again[test].result == "passed":
            result.repeated[test] = outcome
        else:
            result.unlisted[test] = outcome
    with contextlib.suppress(OSError):
        (directory / "differences.txt").write_text(_differences(result))
    return result


def _beside_the_log(running: EmbeddedPostgres, prepared: frozenset[str], gates: Path) -> tuple[int, list[str]]:
    trail = server_log.told(stage.events(gates))
    log = server_log.ran(running.directory, but=prepared)
    return sum(len(one) for sessions in trail.values() for one in sessions), server_log.complaints(log, trail)


def _most_repeated(direct: Outcomes) -> int:
    """Where more tests differ than that, timing can't be the reason."""
    return max(10, len(direct) // 50)


@contextlib.contextmanager
def _fresh(plan: Plan, name: str) -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """A new server with the suite's databases, and a directory to work in."""
    work = plan.directory / name
    work.mkdir(parents=True)
    suite = plan.suite
    with (
        tempfile.TemporaryDirectory(prefix="penstock-conformance-") as place,
        stage.server(Path(place), plan.postgres, {**suite.settings, **server_log.SETTINGS}) as running,
    ):
        Path(place).chmod(0o755)
        for dbname in suite.dbnames:
            if dbname != "postgres":
                running.psql(f"CREATE DATABASE {dbname}")
        suite.prepare(stage.direct(running, suite.dbnames))
        yield running, work


def _run(
    plan: Plan, place: Place, work: Path, only: list[str] | None, progress: Progress, what: str
) -> tuple[dict[str, Outcome], float]:
    """Start the suite and wait for its end; its outcomes and how long it took."""
    suite = plan.suite
    began = time.monotonic()
    process = suite.start(place, work, part=plan.part, only=only)
    try:
        while process.poll() is None:
            if time.monotonic() - began > suite.minutes * 60:
                raise StageError(f"{suite.name} {what}: not done after {suite.minutes:.0f} minutes; see {work}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_LOOK_SECONDS)
            progress(what, len(suite.outcomes(work)))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    found = suite.outcomes(work)
    if not found:
        raise StageError(f"{suite.name} {what}: no test ran; see {work / 'output.log'}")
    return found, time.monotonic() - began


def _differences(result: Comparison) -> str:
    return "".join(
        f"=== {test} ({outcome.result} through the gate)\n{outcome.message}\n\n"
        for test, outcome in (result.unlisted | result.repeated).items()
    )
