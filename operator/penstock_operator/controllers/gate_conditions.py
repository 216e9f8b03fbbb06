"""The conditions that only gates can tell: whether the database is reached, whether the columns that are classified and
masked are there, and whether what is in effect is carried out by every gate. Pure.

Each is Unknown until somebody has looked. What doesn't belong: whether resources are valid (`resource_status.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from penstock_core.gate_report import GateReport, Named
from penstock_core.resources import Database
from penstock_operator.controllers.gate_news import Gate
from penstock_operator.controllers.governed_pods import GovernedPod
from penstock_operator.controllers.wording import counted, listed

_MOST_CAUSES = 5


@dataclass(frozen=True, slots=True)
class Condition:
    """One, as it is now."""

    type: str
    status: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one Database's gates."""

    database: Database
    # Of what is in effect; empty where nothing is.
    digest: str
    pods: Sequence[GovernedPod]
    gates: Mapping[str, Gate]
    # Whether what is in effect has been so for long enough that every gate should have it.
    settled: bool = True
    # Whether control can't be asked what gates report.
    silent: bool = False
    # Without a session for longer than so many minutes, a pod is quiet; 0: none ever is.
    quiet_minutes: int = 0

    @property
    def reports(self) -> list[tuple[str, GateReport]]:
        """By the pod's name, of gates that decide by what is in effect; of all, while that is new."""
        found = [
            (pod.name, gate.report)
            for pod in self.pods
            if (gate := self.gates.get(pod.uid)) is not None and gate.reachable and gate.report is not None
        ]
        current = [one for one in found if one[1].digest == self.digest]
        return current or ([] if self.settled else found)

    @property
    def stale(self) -> list[str]:
        """Pods that go on with other policies than are in effect."""
        return [
            pod.name
            for pod in self.pods
            if self.settled
            and (gate := self.gates.get(pod.uid)) is not None
            and gate.reachable
            and gate.report is not None
            and gate.report.digest != self.digest
        ]

    @property
    def unreachable(self) -> list[str]:
        """Pods that learn of no change."""
        if self.silent:
            return []
        return [
            pod.name
            for pod in self.pods
            if pod.settled and ((gate := self.gates.get(pod.uid)) is None or not gate.reachable)
        ]

    @property
    def around(self) -> list[str]:
        """Pods from whose address somebody has sessions with the database that are not the gate's."""
        return [name for name, report in self.reports if report.around.count]

    @property
    def quiet(self) -> list[str]:
        """Pods whose gate is ready and has had no session for a long time: their applications may go another way.

        A gateway has clients elsewhere. Of gates that can have no session, or do not say, nothing is known.
        """
        if not self.quiet_minutes or self.database.spec.suspended is not None:
            return []
        reports, longest = dict(self.reports), self.quiet_minutes * 60
        return sorted(
            pod.name
            for pod in self.pods
            if pod.databases
            and (report := reports.get(pod.name)) is not None
            and report.reached
            and (report.idle_seconds or 0) > longest
        )

    @property
    def outdated(self) -> list[str]:
        """Pods with other Secrets than the Database names."""
        return [pod.name for pod in self.pods if pod.former_secrets(self.database)]


def connected(seen: Seen) -> Condition:
    """Whether gates reach the database."""
    causes: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pod in seen.pods:
        if pod.trouble:
            causes["PodCannotStart", pod.trouble].append(pod.name)
    reports = seen.reports
    for pod_name, report in reports:
        if report.reached is False:
            causes[report.reason or "Refused", report.trouble + _remedy(seen.database, report.reason)].append(pod_name)
    if causes:
        (reason, _), _ = next(iter(causes.items()))
        words = [f"{trouble} ({listed(names)})" for (_, trouble), names in list(causes.items())[:_MOST_CAUSES]]
        return Condition("Connected", "False", reason, f"{'; '.join(words)}{_of(causes.values(), seen.pods)}")
    reached = [name for name, report in reports if report.reached]
    if not reached:
        return _unknown("Connected", seen)
    place = f"{seen.database.spec.host}:{seen.database.spec.port}"
    return Condition("Connected", "True", "Reached", f"{counted(len(reached), 'gate')} reached {place}")


def classified(seen: Seen) -> Condition:
    """Whether the columns that the Database classifies are there, and which look as if they should be."""
    reports = [report for _, report in seen.reports if report.reached]
    if not reports:
        return _unknown("Classified", seen)
    if missing := _worst(report.unclassified for report in reports):
        return Condition("Classified", "False", "NoSuchColumn", _told(missing))
    if sensitive := _worst(report.sensitive for report in reports):
        words = f"these columns look sensitive, and no classification and no mask is for them: {_told(sensitive, ', ')}"
        return Condition("Classified", "True", "LooksSensitive", words)
    number = len(seen.database.spec.classification)
    return Condition(
        "Classified", "True", "Classified", f"{counted(number, 'entry', 'entries')}, each with its columns"
    )


def masks_find_their_columns(policy: str, seen: Seen) -> Condition:
    """The same of a policy: whether the columns that it is to mask are there."""
    reports = [report for _, report in seen.reports if report.reached]
    if not reports:
        return _unknown("Classified", seen)
    if missing := _worst(one.missing for report in reports for one in report.misfits if one.policy == policy):
        return Condition("Classified", "False", "NoSuchColumn", _told(missing))
    return Condition("Classified", "True", "Classified", "each mask finds its columns")


def enforced(seen: Seen, policies: Iterable[str], observing: Sequence[str]) -> Condition:
    """Whether every gate carries out what is in effect, and those policies as they are written."""
    names = frozenset(policies)
    reports = [report for _, report in seen.reports]
    problems: list[tuple[str, str]] = []
    if unreachable := seen.unreachable:
        words = f"{counted(len(unreachable), 'pod')} without contact to control, so without any change of policies"
        problems.append(("Unreachable", f"{words}: {listed(unreachable)}"))
    if stale := seen.stale:
        words = f"{counted(len(stale), 'pod')} still by other policies than are in effect"
        problems.append(("Stale", f"{words}: {listed(stale)}"))
    if around := seen.around:
        logins = _worst(report.around for report in reports)
        by = f" ({_told(logins, ', ')})" if logins is not None else ""
        words = f"{counted(len(around), 'pod')} with sessions that go around the gate: {listed(around)}{by}"
        problems.append(("SessionsAround", words))
    problems += [("FormerSecret", words) for words in _former_secrets(seen)]
    misfits = [one for report in reports for one in report.misfits if one.policy in names]
    if unfit := _worst(one.unfit for one in misfits):
        problems.append(("MaskDoesNotFit", _told(unfit)))
    if missing := _worst(one.missing for one in misfits):
        problems.append(("NoSuchColumn", _told(missing)))
    if problems:
        return Condition("Enforced", "False", problems[0][0], "; ".join(words for _, words in problems))
    if observing:
        words = f"NOT ENFORCED, only observed: {listed(observing)}. Nothing is masked or refused by it"
        return Condition("Enforced", "False", "Observing", words)
    if not any(report.digest == seen.digest for report in reports):
        return _unknown("Enforced", seen)
    return Condition("Enforced", "True", "Enforced", f"by {counted(len(reports), 'gate')}")


def without_session(seen: Seen) -> str:
    """Which pods are quiet, in words; empty where none is."""
    if not (quiet := seen.quiet):
        return ""
    ever = {name for name, report in seen.reports if report.had_session}
    never = [name for name in quiet if name not in ever]
    since = f"; since the gate began in {listed(never)}" if never else ""
    words = f"no session through the gate for more than {seen.quiet_minutes} minutes in {counted(len(quiet), 'pod')}"
    return f"{words} (is there another way to the database?): {listed(quiet)}{since}"


def summary(stages: Sequence[Condition], fine: Condition) -> Condition:
    """Ready: what is wrong first, else what nobody knows, else `fine`. What only observes does what it is to do."""
    observing = next((one for one in stages if (one.type, one.reason) == ("Enforced", "Observing")), None)
    for status in ("False", "Unknown"):
        for one in stages:
            if one.status == status and one is not observing:
                return Condition("Ready", status, one.reason, one.message)
    if observing is not None:
        return Condition("Ready", "True", "Observing", observing.message)
    return Condition("Ready", "True", fine.reason, fine.message)


def _unknown(type_: str, seen: Seen) -> Condition:
    if seen.silent:
        return Condition(type_, "Unknown", "ControlSilent", "control does not answer, so nobody knows what gates found")
    if seen.pods:
        names = [one.name for one in seen.pods]
        words = f"no gate has looked yet; {counted(len(names), 'pod')} with one: {listed(names)}"
        return Condition(type_, "Unknown", "NobodyLooked", words)
    return Condition(type_, "Unknown", "NoGate", "nobody has looked: no pod with a gate for this Database is there")


def _remedy(database: Database, reason: str) -> str:
    spec = database.spec
    if reason == "CredentialsRefused":
        return f"; look at the Secret {spec.credentials_secret_ref.name}"
    if reason == "NoSuchDatabase":
        return f"; spec.dbname is {spec.dbname}"
    if reason == "Unreachable" and spec.tls.ca_secret_ref is not None:
        return f"; look at spec.host, spec.port, spec.tls and the Secret {spec.tls.ca_secret_ref.name}"
    return "; look at spec.host, spec.port and spec.tls" if reason == "Unreachable" else ""


def _former_secrets(seen: Seen) -> list[str]:
    by_secret: dict[str, list[str]] = defaultdict(list)
    for pod in seen.pods:
        for secret in pod.former_secrets(seen.database):
            by_secret[secret].append(pod.name)
    return [
        f"{counted(len(names), 'pod')} still with the Secret {secret}; restart {'it' if len(names) == 1 else 'them'}: "
        f"{listed(names)}"
        for secret, names in sorted(by_secret.items())
    ]


def _worst(found: Iterable[Named]) -> Named | None:
    """The gate that finds most has seen most of the database."""
    worst = max(found, key=lambda one: one.count, default=None)
    return worst if worst is not None and worst.count else None


def _told(named: Named, between: str = "; ") -> str:
    more = named.count - len(named.first)
    return between.join(named.first) + (f" and {more} more" if more > 0 else "")


def _of(causes: Iterable[Sequence[str]], pods: Sequence[GovernedPod]) -> str:
    concerned = {name for names in causes for name in names}
    return f"; {len(concerned)} of {counted(len(pods), 'pod')}" if len(pods) > 1 else ""
