"""What a pod asks for in its `penstock.dev/…` annotations. A new annotation is one line in WISHES and a field.

What doesn't belong: what comes of it (`sidecar.py`, `environment.py`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

PREFIX = "penstock.dev/"
INJECT = PREFIX + "inject"
DATABASE = PREFIX + "database"
# Stamped on the pod by the injection, never asked for.
INJECTED_VERSION = PREFIX + "injected-version"
POLICY_GENERATION = PREFIX + "policy-generation"
# Labels of pods of ours: those with a sidecar, and a gateway's.
_LABELS = (PREFIX + "injected", PREFIX + "gateway")
_STAMPS = (INJECTED_VERSION, POLICY_GENERATION)
# A label, so that pods with a sidecar can be listed by it.
INJECTED_LABEL = PREFIX + "injected"

_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_QUANTITY = re.compile(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?")


class Refusal(Exception):
    """The pod can't be given what it asks for; the message tells its author what to change."""


@dataclass(frozen=True, slots=True)
class Resources:
    """The sidecar's compute resources, as Kubernetes quantities."""

    requests: Mapping[str, str]
    limits: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class InjectionRequest:
    """What a pod asked for; defaults stand for what it didn't say."""

    # Names of Databases, as they are listed: a gate serves each.
    databases: tuple[str, ...] = ()
    # Of the first Databases; the others' come after them.
    ports: tuple[int, ...] = (5432,)
    health_port: int = 9187
    url_variable: str = ""
    resources: Resources | None = None
    # How the variables of a Database begin, by its name; of those that are not there, with that name.
    prefixes: Mapping[str, str] = field(default_factory=dict)
    # How long the pod may take to end: not an annotation, but the pod's own.
    end_seconds: int = 30


@dataclass(frozen=True, slots=True)
class Wish:
    """One annotation: the field of Wanted it fills, how its text is read, and what a good text looks like."""

    field: str
    read: Callable[[str], object]
    form: str


def read(annotations: Mapping[str, str]) -> InjectionRequest:
    """The pod's wishes. Raises Refusal naming the annotation and what it may hold."""
    found: dict[str, Any] = {}
    for name, wish in WISHES.items():
        text = annotations.get(PREFIX + name)
        if text is None:
            continue
        try:
            found[wish.field] = wish.read(text.strip())
        except ValueError:
            raise Refusal(f"the annotation {PREFIX}{name} is {text!r}; it takes {wish.form}") from None
    return replace(InjectionRequest(), **found)


def wants_sidecar(annotations: Mapping[str, str]) -> bool:
    """Whether the pod opts in. Anything but "true" and "false" is a slip that must not pass as either."""
    text = annotations.get(INJECT, "false")
    if text not in ("true", "false"):
        raise Refusal(f'the annotation {INJECT} is {text!r}; it takes "true" or "false"')
    return text == "true"


def refuse_slips(annotations: Mapping[str, str], labels: Mapping[str, str]) -> None:
    """A pod that could be meant to have a sidecar must not start without one unnoticed. Raises Refusal."""
    if INJECT in annotations:
        return
    refuse_labels(labels)
    # What a copy of a pod with a sidecar bears asks for nothing.
    given = [name for name in sorted(annotations) if name.startswith(PREFIX) and name not in _STAMPS]
    known = [name for name in given if name.removeprefix(PREFIX) in WISHES]
    if known or given:
        asked = (known or given)[0]
        raise Refusal(
            f'the pod has the annotation {asked} and not {INJECT}; set that to "true", or "false" to go without'
            f"{_hint(asked)}"
        )
    if INJECTED_LABEL in labels:
        raise Refusal(
            f"the label {INJECTED_LABEL} says that a pod has a sidecar, and this one asks for none; remove it"
        )


def refuse_labels(labels: Mapping[str, str]) -> None:
    """Nothing is asked for by labels. Raises Refusal."""
    label = next((name for name in sorted(labels) if name.startswith(PREFIX) and name not in _LABELS), None)
    if label:
        raise Refusal(f"{label} is a label here; make it an annotation of the pod (of its template){_hint(label)}")


def _hint(name: str) -> str:
    """What a name that nothing reads may have been meant to be."""
    if name.removeprefix(PREFIX) in ("inject", *WISHES):
        return ""
    near = difflib.get_close_matches(name.removeprefix(PREFIX), ["inject", *WISHES], 1)
    return f" (did you mean {PREFIX}{near[0]}?)" if near else ""


def unknown(annotations: Mapping[str, str]) -> list[str]:
    """A warning for each annotation with our prefix that nothing reads."""
    known = [INJECT, *(PREFIX + name for name in WISHES), *_STAMPS]
    warnings = []
    for name in sorted(annotations):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name.removeprefix(PREFIX), ["inject", *WISHES], 1)
            hint = f"did you mean {PREFIX}{near[0]}?" if near else f"known: {', '.join(known[:-2])}"
            warnings.append(f"unknown annotation {name}: {hint}")
    return warnings


def listed(text: str) -> tuple[str, ...]:
    """What commas are between; nothing in nothing. Names are not looked at."""
    return tuple(part.strip() for part in text.split(",")) if text.strip() else ()


def _names(text: str) -> tuple[str, ...]:
    names = listed(text)
    if not names or not all(map(_DNS_NAME.fullmatch, names)):
        raise ValueError
    return names


def _port(text: str) -> int:
    # Below 1024 needs a capability that the sidecar's security context drops.
    if not (text.isascii() and text.isdecimal() and 1024 <= int(text) <= 65535):
        raise ValueError
    return int(text)


def _ports(text: str) -> tuple[int, ...]:
    return tuple(_port(one.strip()) for one in text.split(","))


def _prefixes(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in text.split(","):
        name, _, prefix = (piece.strip() for piece in part.partition("="))
        if not _DNS_NAME.fullmatch(name) or not _VARIABLE.fullmatch(prefix) or name in found:
            raise ValueError
        found[name] = prefix.rstrip("_") + "_"
    return found


def _variable(text: str) -> str:
    if not _VARIABLE.fullmatch(text):
        raise ValueError
    return text


def _resources(text: str) -> Resources:
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    for part in text.split(","):
        key, equals, quantity = (piece.strip() for piece in part.partition("="))
        where, _, resource = key.rpartition(".")
        if resource not in ("cpu", "memory") or where not in ("", "requests", "limits"):
            raise ValueError
        if not equals or not _QUANTITY.fullmatch(quantity):
            raise ValueError
        if where in ("", "requests"):
            requests[resource] = quantity
        if where in ("", "limits"):
            limits[resource] = quantity
    return Resources(requests, limits)


WISHES: dict[str, Wish] = {
    "database": Wish(
        "databases", _names,
        "the name of a Database in the pod's own namespace, or several with commas between them: a gate serves each",
    ),
    "port": Wish(
        "ports", _ports,
        "a port from 1024 to 65535 for the application to connect to on 127.0.0.1, or one for each Database with "
        "commas between them",
    ),
    "health-port": Wish("health_port", _port, "a port from 1024 to 65535 for the sidecar's probes and metrics"),
    "url-variable": Wish("url_variable", _variable, "the name of an environment variable that gets the database's URL"),
    "variable-prefix": Wish(
        "prefixes", _prefixes,
        'how the variables of a Database other than the first begin, e.g. "billing=LEDGER" for LEDGER_PGHOST',
    ),
    "resources": Wish(
        "resources", _resources,
        'cpu and memory for the sidecar, e.g. "cpu=50m,memory=128Mi" (both request and limit) or "limits.cpu=1"',
    ),
}  # fmt: skip
