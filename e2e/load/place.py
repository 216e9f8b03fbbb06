"""The application under load, what can be done to the programs around it, and what each side knows of it.

What doesn't belong: the accounts (`accounting.py`), and what must be so (the tests).
"""

from __future__ import annotations

import copy
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.collector import SYSTEM, forwarded, penstock, reading, search
from e2e.kubectl import CommandError, Kubectl
from e2e.load import objects
from e2e.load.accounting import MARK, Row, Statements, lines_of, marks_of, table
from e2e.people.gateway import superuser
from e2e.shop import manifests
from e2e.shop.branch import refusal_of

SPACE = manifests.NAMESPACE
PROGRAMS = {"operator": "deploy/penstock-operator", "control": "deploy/penstock-control",
            "collector": "statefulset/penstock-collector"}  # fmt: skip
# How long all is left alone after a case, so that what it did can still show.
CALM_SECONDS = 1.0
ANSWERED_SECONDS = 5.0
SIDECAR = "penstock-proxy"
Pod = dict[str, Any]


@dataclass
class Load:
    """Two pods with four clients each."""

    kubectl: Kubectl
    image: str
    # For what is asked of the collector.
    scratch: Path
    rows: list[Row] = field(default_factory=list)
    # How often each mark is in the trail and in the server's log, once both were asked.
    trail: Counter[str] | None = None
    server: Counter[str] | None = None

    def start(self) -> None:
        """The database's role and table, the resources, the pods."""
        superuser(self.kubectl, objects.SETUP, "shop")
        self.kubectl.apply(
            manifests.service_account(objects.NAME),
            {
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "load-db", "namespace": SPACE},
                "stringData": {"username": "load_gate", "password": "load-password"},
            },
            objects.database(), objects.policy(), objects.claim(), self._killer(), objects.reader(self.image),
        )  # fmt: skip
        self.kubectl.wait("-n", SPACE, "--for=condition=Accepted", f"databaseaccesspolicy/{objects.NAME}", seconds=60)
        self.kubectl.wait("-n", SPACE, "--for=condition=Ready", "pod/ledger")
        self.kubectl.apply(objects.deployment(self.image))
        self.kubectl.wait("-n", "kube-system", "--for=condition=Ready", "pod/killer")
        self.settled()

    def stop(self) -> None:
        """The pods end as they would at any update; the rest stays, and can be asked."""
        deployment = f"deploy/{objects.NAME}"
        self.kubectl("-n", SPACE, "scale", deployment, "--replicas=0")
        self.kubectl(
            "-n", SPACE, "wait", "--for=delete", "pod", "-l", f"app={objects.NAME}", "--timeout=90s", timeout=100
        )

    def clear_away(self) -> None:
        """What is not in the shop's namespace."""
        self.kubectl("-n", "kube-system", "delete", "pod", "killer", "--ignore-not-found", "--wait=false")

    def _killer(self) -> manifests.Object:
        killer = copy.deepcopy(objects.KILLER)
        killer["spec"]["containers"][0]["image"] = self.image
        return killer

    @contextmanager
    def case(self, name: str) -> Iterator[Row]:
        """What clients do from now until all has settled; it begins and ends with programs that run."""
        self.settled()
        row = Row(name, Statements())
        offset = self._length()
        yield row
        self.settled()
        time.sleep(CALM_SECONDS)
        row.statements = self._known(offset)
        self.rows.append(row)
        print(f"\n{table([row])}")

    def settled(self, seconds: int = 120) -> None:
        """Every program and every pod of the application is ready."""
        for what in PROGRAMS.values():
            self.kubectl.rollout(SYSTEM, what, seconds)
        self.kubectl.rollout(SPACE, f"deploy/{objects.NAME}", seconds)

    # What can be done to the programs.

    def pods(self, program: str) -> list[Pod]:
        """Those of a program, or of the application, that are not on their way out."""
        where = (SPACE, f"app={objects.NAME}") if program == objects.NAME else (
            SYSTEM, f"app.kubernetes.io/component={program}")  # fmt: skip
        found = self.kubectl.get("-n", where[0], "pods", "-l", where[1])["items"]
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def kill(self, *pods: Pod, container: str = "") -> None:
        """SIGKILL to all processes of these pods, or of one container in each."""
        ids = [
            status["containerID"].rpartition("/")[2]
            for pod in pods
            for kind in ("containerStatuses", "initContainerStatuses")
            for status in pod["status"].get(kind, [])
            if status["name"] == (container or status["name"]) and "containerID" in status
        ]
        killed = self.kubectl("-n", "kube-system", "exec", "killer", "--", "python3", "-c", objects.KILL, *ids)
        assert len(killed.split()) >= len(pods), f"{ids}: only these were killed: {killed!r}"

    def lose(self, *programs: str) -> None:
        """All pods of the programs, as if their nodes were gone; others take their places."""
        pods = [pod for program in programs for pod in self.pods(program)]
        self.kill(*pods)
        names = [pod["metadata"]["name"] for pod in pods]
        self.kubectl("-n", SYSTEM, "delete", "pod", *names, "--grace-period=0", "--force")

    def kill_sidecar(self) -> Callable[[], bool]:
        """Of one pod of the application, where it is; answers whether another runs there."""
        # The kubelet takes longer each time that it starts one again.
        pod = min(self.pods(objects.NAME), key=lambda one: int(_sidecar(one)["restartCount"]))
        before = _sidecar(pod)["restartCount"]
        self.kill(pod, container=SIDECAR)

        def runs_again() -> bool:
            now = self.kubectl.get("-n", SPACE, "pod", pod["metadata"]["name"])
            ready = {one["type"]: one["status"] for one in now["status"]["conditions"]}["Ready"] == "True"
            return ready and bool(_sidecar(now)["restartCount"] > before)

        return runs_again

    @contextmanager
    def away(self, program: str) -> Iterator[None]:
        """Nothing of the program runs."""
        what = PROGRAMS[program]
        replicas = self.kubectl.get("-n", SYSTEM, what)["spec"]["replicas"]
        self.kubectl("-n", SYSTEM, "scale", what, "--replicas=0")
        self.kubectl(
            "-n", SYSTEM, "wait", "--for=delete", "pod", "-l", f"app.kubernetes.io/component={program}",
            "--timeout=90s", timeout=100,
        )  # fmt: skip
        try:
            yield
        finally:
            self.kubectl("-n", SYSTEM, "scale", what, f"--replicas={replicas}")

    def admits(self) -> bool:
        """Whether a pod that asks for a gate would get one now."""
        return not self.refusal()

    def refusal(self) -> str:
        """What is said against a pod that asks for a gate."""
        return refusal_of(self.kubectl, manifests.pod(self.image, "asks", objects.INJECT), "--dry-run=server")

    # What is known.

    def said_lost(self, uid: str) -> int:
        """How many events a pod that is gone said to be lost with it."""
        events = self.kubectl.get("-n", SPACE, "events", "--field-selector", "reason=AuditEventsLost")["items"]
        told = [one["message"] for one in events if one["metadata"]["name"].endswith(uid)]
        return sum(int(message.split()[0]) for message in told)

    def recorded(self, mark: str) -> bool:
        """Whether the statement is in the trail, for somebody who looks for it now."""
        try:
            with forwarded(self.kubectl) as collector:
                return bool(search(reading(self.kubectl, self.scratch, collector), mark))
        except (AssertionError, CommandError):
            return False

    def exported(self) -> Counter[str]:
        """How often each mark is in the trail, by an export that verifies."""
        export = self.scratch / "export.jsonl"
        with forwarded(self.kubectl) as collector:
            viewer = reading(self.kubectl, self.scratch, collector)
            done = penstock(viewer, "audit", "export", "-o", str(export))
            assert done.returncode == 0, done.stderr
            verified = penstock(viewer, "audit", "verify", str(export))
        assert verified.returncode in (0, 3), verified.stdout + verified.stderr
        return marks_of(export.read_text())

    def account(self) -> tuple[Counter[str], Counter[str]]:
        """What the server ran, and the trail once it holds that, or says no more: some is shipped late."""
        self.server, self.trail = self.server_log(), self.exported()
        while set(self.server) - set(self.trail):
            time.sleep(3)
            before, self.trail = self.trail, self.exported()
            if len(self.trail) == len(before):
                break
        return self.server, self.trail

    def summary(self) -> str:
        """For people."""
        lines = [table(self.rows, self.trail, self.server)]
        if self.trail is not None and self.server is not None:
            missing = set(self.server) - set(self.trail)
            sent = sum(len(row.statements.sent) for row in self.rows)
            lines.append(f"in these cases {sent} statements were sent; of all, the server ran {len(self.server)}, and "
                         f"{len(missing)} of these are not in the trail")  # fmt: skip
        return "\n".join(lines)

    def python(self, code: str, *arguments: str) -> str:
        """What that prints in a pod of no application."""
        return self.kubectl("-n", SPACE, "exec", "ledger", "--", "python3", "-c", code, *arguments)

    def latest(self) -> str:
        """The mark of the statement that was answered last."""
        lines = self.kubectl("-n", SPACE, "exec", "ledger", "--", "tail", "-n", "50", objects.LEDGER)
        return str([line for line in lines_of(lines) if line["what"] == "answered"][-1]["mark"])

    def statements(self) -> Statements:
        """All that clients know."""
        return Statements.from_lines(self._lines(0))

    def server_log(self) -> Counter[str]:
        """How often the server ran each mark, by its own log."""
        pattern = rf"(LOG:  statement: |LOG:  execute [^:]+: ).*{MARK}"
        log = "/data/postgres/log/postgresql.log"
        found = self.kubectl("-n", SPACE, "exec", "deploy/shop-db", "--", "grep", "-aoE", pattern, log)
        return Counter(re.search(MARK + "$", line)[0] for line in found.splitlines())  # type: ignore[index]  # grep's end in one

    def table(self) -> list[str]:
        """The marks that are in the database."""
        return superuser(self.kubectl, "SELECT mark FROM marks", "shop").split()

    def _known(self, offset: int) -> Statements:
        """What was tried from there on until now, once it is known what became of it, or a killed client had it."""
        now = max(line["time"] for line in self._lines(offset))
        end = time.monotonic() + ANSWERED_SECONDS
        while True:
            found = Statements.from_lines(self._lines(offset)).until(now)
            if not found.open or time.monotonic() > end:
                return found
            time.sleep(0.5)

    def _length(self) -> int:
        return int(self.kubectl("-n", SPACE, "exec", "ledger", "--", "wc", "-c", objects.LEDGER).split()[0])

    def _lines(self, offset: int) -> list[dict[str, Any]]:
        text = self.kubectl("-n", SPACE, "exec", "ledger", "--", "tail", "-c", f"+{offset + 1}", objects.LEDGER)
        # The last one may be cut off by the reading.
        return lines_of(text[: text.rfind("\n") + 1])


def seconds_until(look: Callable[[], bool], most: float, what: str) -> float:
    """How long it took until it was so."""
    began = time.monotonic()
    while not look():
        assert time.monotonic() - began < most, f"{what}: not within {most:.0f} s"
        time.sleep(0.25)
    return time.monotonic() - began


def _sidecar(pod: Pod) -> dict[str, Any]:
    """Its status."""
    found: dict[str, Any] = next(one for one in pod["status"]["initContainerStatuses"] if one["name"] == SIDECAR)
    return found
