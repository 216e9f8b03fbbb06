"""What the application's containers are told: libpq's variables that lead to the sidecar, and no credential.

Every container but the sidecar, init containers included, gets them. What doesn't belong: the sidecar's own
environment (`sidecar.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from penstock_operator.inject.patch import Json, Patch

# What leads to the sidecar.
LIBPQ = ("PGHOST", "PGPORT", "PGUSER", "PGDATABASE", "PGSSLMODE")

# With any of these set, libpq would go elsewhere, ask for TLS on loopback, or hold a credential of its own.
FORBIDDEN = (
    "PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGPASSWORD", "PGPASSFILE", "PGREQUIRESSL", "PGSSLROOTCERT",
    "PGSSLCERT", "PGSSLKEY", "PGSSLNEGOTIATION", "PGCHANNELBINDING", "PGREQUIREAUTH",
)  # fmt: skip

# Of these, what leads elsewhere or holds a credential, and what libpq takes for absent when it is empty: so set where
# the container has variables by envFrom, which nobody sees here. An empty PGSERVICE would be looked for; without a
# file, one from there leads nowhere.
EMPTIED = ("PGHOSTADDR", "PGSERVICEFILE", "PGPASSWORD", "PGPASSFILE")

CONTAINER_LISTS = ("initContainers", "containers")


def variables(*, port: int, user: str, dbname: str, url_variable: str, prefix: str = "") -> dict[str, str]:
    """The variables of every container of the application for one Database, in the order in which they stand.

    `prefix`: how their names begin.
    """
    found = dict(zip(LIBPQ, ("127.0.0.1", str(port), user, dbname, "disable"), strict=True))
    if url_variable:
        found[url_variable] = (
            f"postgresql://{quote(user, safe='')}@127.0.0.1:{port}/{quote(dbname, safe='')}?sslmode=disable"
        )
    return {f"{prefix}{name}": value for name, value in found.items()}


def applications(pod: Json, sidecar: str) -> Iterator[tuple[str, int, Json]]:
    """Each container of the pod that is not the sidecar, with the list it is in and its index there."""
    for kind in CONTAINER_LISTS:
        for index, container in enumerate(pod["spec"].get(kind) or []):
            if container.get("name") != sidecar:
                yield kind, index, container


def lead_to_sidecar(
    patch: Patch, wanted: Mapping[str, str], sidecar: str, prefixes: Sequence[str] = ("",)
) -> list[str]:
    """Set the variables in each container, before its own so that those can refer to them; warnings for what gave way.

    A value that the application set itself is replaced: the pod asked for the gate, and another address leads past it.
    `prefixes`: how the variables of each Database begin.
    """
    warnings: list[str] = []
    forbidden, may_come = (
        [prefix + name for prefix in prefixes for name in names] for names in (FORBIDDEN, EMPTIED)
    )  # fmt: skip
    for kind, index, container in list(applications(patch.document, sidecar)):
        path = ("spec", kind, index, "env")
        env: list[Json] = container.get("env") or []
        named = f"container {container.get('name')}"
        emptied = may_come if container.get("envFrom") else ()
        for place in reversed(range(len(env))):
            if env[place].get("name") in forbidden and not (env[place]["name"] in emptied and _is_empty(env[place])):
                warnings.append(f"{named}: {env[place]['name']} was removed; the sidecar holds the credentials")
                patch.remove(place, *path)
        for place, (name, value) in enumerate({**wanted, **dict.fromkeys(emptied, "")}.items()):
            warnings += [f"{named}: {name} was replaced" for _ in _drop_others(patch, path, name, value)]
            if not any(entry.get("name") == name for entry in container.get("env") or []):
                patch.insert({"name": name, "value": value}, place, *path)
    return warnings


def _is_empty(entry: Json) -> bool:
    """The API server leaves an empty value out."""
    return not entry.get("value") and "valueFrom" not in entry


def _drop_others(patch: Patch, path: tuple[str | int, ...], name: str, value: str) -> list[int]:
    """Remove entries of that name but one with that value; the places they had."""
    env: Any = patch.document
    for step in path[:-1]:
        env = env[step]
    env = env.get("env") or []
    wrong = [
        place
        for place, entry in enumerate(env)
        if entry.get("name") == name and not (entry.get("value", "") == value and "valueFrom" not in entry)
    ]
    for place in reversed(wrong):
        patch.remove(place, *path)
    return wrong
