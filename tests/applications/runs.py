"""Running one application direct, through a gate that masks nothing, and through one with masks.

Every run has a fresh database of the same name, that the application's login owns. What the runs come to is told here,
what is printed of it by `report.py`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from tests.applications import listed, steps
from tests.applications.listed import Exemption
from tests.applications.programs import Application, Installed
from tests.applications.steps import Step
from tests.conformance import stage
from tests.conformance.stage import Place, StageError

from penstock_cli.demo.postgres import EmbeddedPostgres

Arm = Literal["direct", "unmasked", "masked"]
Phase = Literal["prepare", "use"]
ARMS: tuple[Arm, ...] = get_args(Arm)
# Before the names of its steps.
_USED = "use: "
_PHASES: tuple[Phase, ...] = get_args(Phase)
# To a step's error, what the program said last adds little beyond that.
_MOST_SAID = 300
_MOST_NAMED = 12
DBNAME = "shop"
LOGIN = "application"
_PASSWORD = "made-up-for-applications"

Progress = Callable[[str], None]


@dataclass(slots=True)
class Run:
    """What one arm came to."""

    found: dict[str, Step]
    seconds: float
    # Audit events by kind.
    events: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Comparison:
    """What one application came to on one server version."""

    application: str
    postgres: int
    runs: dict[Arm, Run] = field(default_factory=dict)
    # By arm, the steps that are not as they should be, with what is wrong.
    unlisted: dict[Arm, dict[str, str]] = field(default_factory=dict)
    # Of the masked arm: listed steps with their reasons, and those that are listed without need.
    excused: dict[str, str] = field(default_factory=dict)
    stale: list[str] = field(default_factory=list)
    # Secrets that are not even shown direct.
    toothless: list[str] = field(default_factory=list)

    @property
    def green(self) -> bool:
        return not any(self.unlisted.values()) and not self.stale and not self.toothless

    def right(self, arm: Arm) -> int:
        """How many steps of that arm are as they should be."""
        return len(self.runs[arm].found) - len(self.unlisted.get(arm, {})) - (
            len(self.excused) if arm == "masked" else 0
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run, where, and where its files go."""

    application: Application
    installed: Installed
    server: EmbeddedPostgres
    directory: Path
    arms: tuple[Arm, ...]


def create_login(server: EmbeddedPostgres) -> None:
    """The role that applications log in as; it owns their database and is no superuser."""
    server.psql(f"CREATE ROLE {LOGIN} LOGIN PASSWORD '{_PASSWORD}'")


def compare(plan: Plan, exemptions: Sequence[Exemption], progress: Progress) -> Comparison:
    """Run the application in each of the plan's arms. Raises StageError and PostgresError."""
    application = plan.application
    result = Comparison(application.name, plan.server.version)
    for arm in ARMS:
        # Direct is what the others are compared with.
        if arm != "direct" and arm not in plan.arms:
            continue
        progress(arm)
        run = result.runs[arm] = _arm(plan, arm)
        if arm == "direct":
            if failing := steps.failed(run.found):
                raise StageError(_named(failing))
            if not run.found:
                raise StageError(f"it reports no step; see {plan.directory / arm}")
            result.toothless = steps.toothless(run.found, application.secrets)
        elif arm == "unmasked":
            result.unlisted[arm] = steps.differences(result.runs["direct"].found, run.found)
        else:
            judge_masked(result, application.secrets, exemptions)
    return result


def _named(failing: dict[str, str]) -> str:
    lines = [f"\n    fails direct: {name}: {error}" for name, error in failing.items()]
    more = [f"\n    and {len(lines) - _MOST_NAMED} more"] if len(lines) > _MOST_NAMED else []
    return "".join(lines[:_MOST_NAMED] + more)


def judge_masked(result: Comparison, secrets: Sequence[str], exemptions: Sequence[Exemption]) -> None:
    """Find what is wrong with the masked run: steps that fail and are not listed, secrets that are shown."""
    exemptions = listed.on(exemptions, result.postgres)
    found = dict.fromkeys(result.runs["direct"].found, steps.MISSING) | result.runs["masked"].found
    failing = steps.failed(found)
    used = {name.removeprefix(_USED): error for name, error in failing.items() if name.startswith(_USED)}
    disclosing = steps.disclosed({name: step for name, step in found.items() if name.startswith(_USED)}, secrets)
    result.excused = {
        _USED + step: why
        for step, error in used.items()
        if (why := listed.reason(exemptions, result.application, step, error)) and _USED + step not in disclosing
    }
    result.stale = listed.stale(exemptions, result.application, used)
    result.unlisted["masked"] = {
        name: error for name, error in failing.items() if name not in result.excused
    } | disclosing


def _arm(plan: Plan, arm: Arm) -> Run:
    """Both phases, on a fresh database."""
    work = plan.directory / arm
    work.mkdir(parents=True)
    server = plan.server
    server.psql(f"DROP DATABASE IF EXISTS {DBNAME} WITH (FORCE)")
    server.psql(f"CREATE DATABASE {DBNAME} OWNER {LOGIN}")
    began = time.monotonic()
    found: dict[str, Step] = {}
    with contextlib.ExitStack() as gates:
        for phase in _PHASES:
            masked = arm == "masked" and phase == "use"
            if arm != "direct" and (masked or phase == "prepare"):
                # One gate after the other, as a policy that comes later would be: sessions of its own.
                gates.close()
                place = gates.enter_context(_gate(plan, work / "gates" / phase, masked=masked))
            elif arm == "direct":
                place = Place({DBNAME: server.port}, LOGIN, _PASSWORD, server)
            found |= _phase(plan, place, work, phase)
    return Run(found, time.monotonic() - began, {} if arm == "direct" else stage.recorded(work / "gates"))


@contextlib.contextmanager
def _gate(plan: Plan, directory: Path, *, masked: bool) -> Iterator[Place]:
    directory.mkdir(parents=True)
    application = plan.application
    policy = {"masks": [mask.spec() for mask in application.masks], **application.policy} if masked else {}
    resources = stage.resources(plan.server, DBNAME, policy)
    with stage.gate(directory, (LOGIN, _PASSWORD), resources) as port:
        yield Place({DBNAME: port}, LOGIN, _PASSWORD, plan.server)


def _phase(plan: Plan, place: Place, work: Path, phase: Phase) -> dict[str, Step]:
    """Run the application once; its steps, and one more if it did not end well."""
    application, installed = plan.application, plan.installed
    output, log = work / f"{phase}.jsonl", work / f"{phase}.log"
    variables = stage.inherited() | place.variables
    variables |= {
        "DATABASE_URL": place.url(), "APPLICATION_WORK": str(work), "PYTHONDONTWRITEBYTECODE": "1",
        # Nobody is told of these runs.
        "DO_NOT_TRACK": "1",
    }  # fmt: skip
    with output.open("wb") as said, log.open("wb") as noise:
        try:
            process = subprocess.Popen(
                application.words(installed, phase), cwd=installed.home, env=variables, stdin=subprocess.DEVNULL,
                stdout=said, stderr=noise, start_new_session=True,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise StageError(f"{error.filename} is not installed") from None
        status = _wait(process, application.minutes * 60)
    found = steps.read(output, phase)
    if status:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        what = "it was not done in time" if status is _LATE else f"it ended with status {status}"
        name = f"{phase}: (the program)"
        found[name] = Step(step="(the program)", ok=False, error=f"{what}: {''.join(last)[:_MOST_SAID]}; see {log}")
    return found


_LATE = -1000


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """Its status when it has ended, and all that it started with it."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return _LATE
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
