"""Ways around the gate that a pod was given and admission can only suspect: addresses of a Database, and who has them.

What a pod takes of other Secrets and ConfigMaps is not read here; their names are. So nothing is refused, and what
looks like it is said. What doesn't belong: the credentials of a Database itself, which are refused (`isolation.py`),
and libpq's own variables (`environment.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from penstock_core.resources import Database
from penstock_operator.inject.environment import applications
from penstock_operator.inject.patch import Json
from penstock_operator.inject.sidecar import CONTAINER

# Variables that frameworks read the whole way to a database from, or the password.
_WAYS = re.compile(
    r"(DATABASE|POSTGRES(QL)?|PG|JDBC|SQLALCHEMY|DB)_?(.*_)?(URL|URI|DSN|PASSWORD|PASS|CONNECTION(_STRING)?)"
    r"|.*(DATABASE|POSTGRES(QL)?|JDBC|SQLALCHEMY)_?(.*_)?(URL|URI|DSN|PASSWORD|PASS|CONNECTION(_STRING)?)",
    re.IGNORECASE,
)
_AROUND = "what connects there goes around the gate"
_WAY = "use 127.0.0.1, or the annotation penstock.dev/url-variable"


def warnings(pod: Json, databases: Sequence[Database]) -> list[str]:
    """One for each place in a pod that was led to its sidecar otherwise."""
    hosts = [
        (name, database.name) for database in databases for name in sorted(_names(database), key=len, reverse=True)
    ]
    found = []
    for _, _, container in applications(pod, CONTAINER):
        title = f"container {container.get('name')}"
        found += [f"{title}: {text}" for text in _of(container, hosts, databases)]
    return found


def _of(container: Json, hosts: Sequence[tuple[str, str]], databases: Sequence[Database]) -> Iterator[str]:
    for entry in container.get("env") or []:
        name, value = str(entry.get("name")), entry.get("value")
        if isinstance(value, str) and (host := _named(value, hosts)):
            yield f"{name} names {host[0]}, the host of the Database {host[1]}; {_AROUND}: {_WAY}"
        source = entry.get("valueFrom") or {}
        secret = (source.get("secretKeyRef") or source.get("configMapKeyRef") or {}).get("name")
        if secret and _WAYS.fullmatch(name):
            yield f"{name} comes from {secret}, which is not read here; if it leads to a Database's server, {_AROUND}"
    for word in [*(container.get("command") or []), *(container.get("args") or [])]:
        if isinstance(word, str) and (host := _named(word, hosts)):
            yield f"its command names {host[0]}, the host of the Database {host[1]}; {_AROUND}: {_WAY}"
            break
    for source in container.get("envFrom") or []:
        for kind in ("secretRef", "configMapRef"):
            taken = (source.get(kind) or {}).get("name")
            if isinstance(taken, str) and (database := _alludes(taken, databases)):
                yield (
                    f"envFrom takes all of {taken}, which is not read here; if it has the password of the Database "
                    f"{database}, or an address of its server, {_AROUND}: take it out, and change that password"
                )


def _names(database: Database) -> set[str]:
    """All by which a pod of the namespace reaches the host."""
    host = database.spec.host.rstrip(".").lower()
    # A server that is in the pod itself is as near as its gate: the address tells nothing.
    if host in ("localhost", "::1") or host.startswith("127."):
        return set()
    parts = host.split(".")
    names = {host}
    if len(parts) >= 3 and parts[2] == "svc":
        names |= {f"{parts[0]}.{parts[1]}", f"{parts[0]}.{parts[1]}.svc"}
        names |= {parts[0]} if parts[1] == database.namespace else set()
    elif len(parts) == 2 and parts[1] == database.namespace:
        names.add(parts[0])
    return names


def _named(text: str, hosts: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The host that a text connects to: alone, in a URL or in a DSN."""
    lowered = text.strip().lower()
    for host, database in hosts:
        pattern = rf"(^|//|[@,]|\bhost(addr)?\s*=\s*'?){re.escape(host)}(\.svc[a-z0-9.-]*|\.)?(?=$|[:/?,\s;'])"
        if re.search(pattern, lowered):
            return host, database
    return None


def _alludes(name: str, databases: Sequence[Database]) -> str:
    """The Database whose host a name speaks of, or one of which it speaks as of a database in general."""
    words = set(re.split(r"[^a-z0-9]+", name.lower()))
    for database in databases:
        if database.spec.host.lower().partition(".")[0] in name.lower():
            return database.name
    if databases and words & {"db", "database", "postgres", "postgresql", "pg", "dsn"}:
        return databases[0].name
    return ""
