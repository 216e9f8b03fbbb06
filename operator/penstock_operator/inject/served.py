"""The Databases that a pod's gate serves, in their order: each with its port, and how its variables begin.

The first one has libpq's own variables; those of the others begin with their names. What doesn't belong: what variables
there are (`environment.py`), and whether the Databases are there (`admit.py`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from penstock_operator.inject.annotations import DATABASE, PREFIX, InjectionRequest, Refusal

# Each has catalog, policies and sessions in the one sidecar.
MOST = 8
_LAST_PORT = 65535
_PORT, _HEALTH_PORT, _VARIABLE_PREFIX = (PREFIX + name for name in ("port", "health-port", "variable-prefix"))


class Served(NamedTuple):
    """One of them."""

    name: str
    port: int
    # Empty for the first.
    prefix: str


def served(wanted: InjectionRequest) -> list[Served]:
    """All of them. Raises Refusal."""
    names = wanted.databases
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Refusal(f"the annotation {DATABASE} names the Database {twice} twice; name it once")
    if len(names) > MOST:
        raise Refusal(
            f"the annotation {DATABASE} names {len(names)} Databases, and a pod's gate serves {MOST}; connect to the "
            "others through a gateway, or from another pod"
        )
    return [
        Served(*one) for one in zip(names, _ports(wanted), _prefixes(wanted), strict=True)
    ]  # fmt: skip


def _ports(wanted: InjectionRequest) -> Sequence[int]:
    """Those that are given, and after the last of them the next ones."""
    given, count = list(wanted.ports), len(wanted.databases)
    if len(given) > max(count, 1):
        raise Refusal(f"the annotation {_PORT} gives {len(given)} ports to {count} Databases; give one to each")
    ports = given + [given[-1] + after for after in range(1, count - len(given) + 1)]
    if ports[-1] > _LAST_PORT:
        raise Refusal(
            f"the Databases of the pod get ports from {ports[0]} on, and there is none beyond {_LAST_PORT}; set the "
            f"annotation {_PORT} to a lower one, or to one for each, with commas between them"
        )
    for place, port in enumerate(ports):
        if port in ports[:place]:
            raise Refusal(
                f"the Databases {names_of(wanted.databases, (ports.index(port), place))} would both get port {port}; "
                f"set the annotation {_PORT} to one for each"
            )
    if wanted.health_port in ports:
        whose = wanted.databases[ports.index(wanted.health_port)]
        raise Refusal(
            f"the annotations ask for port {wanted.health_port} twice, for the Database {whose} and the sidecar's "
            f"probes; choose another {_HEALTH_PORT}, or {_PORT}"
        )
    return ports[:count]


def names_of(databases: Sequence[str], places: Sequence[int]) -> str:
    """Some of the Databases, in words."""
    return " and ".join(databases[place] for place in places)


def _prefixes(wanted: InjectionRequest) -> Sequence[str]:
    """As they are given, or by the names."""
    names = wanted.databases
    for name in wanted.prefixes:
        if name not in names[1:]:
            why = "is the first, whose variables have none" if name in names[:1] else "is none of the pod's Databases"
            raise Refusal(f"the annotation {_VARIABLE_PREFIX} gives {name} a prefix, and {name} {why}")
    prefixes = [""] + [wanted.prefixes.get(name, "") or _prefix(name) for name in names[1:]]
    for place, prefix in enumerate(prefixes[: len(names)]):
        if prefix in prefixes[:place]:
            raise Refusal(
                f"the variables of the Databases {names_of(names, (prefixes.index(prefix), place))} would both begin "
                f"with {prefix}; set the annotation {_VARIABLE_PREFIX}, e.g. to {names[place]}=OTHER"
            )
    return prefixes[: len(names)]


def _prefix(name: str) -> str:
    """A Database's name as the beginning of a variable's."""
    text = re.sub(r"[^A-Z0-9]", "_", name.upper()) + "_"
    return f"_{text}" if text[0].isdigit() else text
