"""What is replaced while an application queries, and how one sees that it is: certificates, the authority, a password.

What doesn't belong: what must not happen meanwhile (the tests).
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509

from e2e.collector import SYSTEM
from e2e.load.place import SPACE, Load
from e2e.people.gateway import superuser
from penstock_operator.certificates.authority import build_authority, is_signed_by
from penstock_operator.certificates.rotation import ANNOUNCED, Authorities

SERVERS = {"control": ("penstock-control", 8443), "collector": ("penstock-collector", 8080)}
# A connection of TLS to a Service, by a client that trusts whatever comes.
SERVED = "import ssl, sys; print(ssl.get_server_certificate((sys.argv[1], int(sys.argv[2])), timeout=5))"


def served(load: Load, server: str) -> x509.Certificate:
    """The certificate that a client of the Service sees."""
    service, port = SERVERS[server]
    pem = load.python(SERVED, f"{service}.{SYSTEM}.svc", str(port))
    return x509.load_pem_x509_certificate(pem.encode())


def delete_certificates(load: Load) -> None:
    """As docs/operate.md says."""
    load.kubectl("-n", SYSTEM, "delete", "secret", *(f"penstock-{server}-tls" for server in SERVERS))


def announce_authority(load: Load, overlap: timedelta) -> x509.Certificate:
    """The next authority, which signs once the overlap is over: it was made an hour ago, less that."""
    secret = load.kubectl.get("-n", SYSTEM, "secret", "penstock-authority")
    known = Authorities.from_data({name: base64.b64decode(value) for name, value in secret["data"].items()})
    made = datetime.now(UTC) - ANNOUNCED + overlap
    announced = replace(known, next=build_authority(made, timedelta(days=1000)))
    data = {name: base64.b64encode(value).decode() for name, value in announced.data().items()}
    load.kubectl("-n", SYSTEM, "patch", "secret", "penstock-authority", "-p", json.dumps({"data": data}))
    assert announced.next is not None
    return announced.next.certificate


def is_served_by(load: Load, authority: x509.Certificate) -> bool:
    return all(is_signed_by(served(load, server), authority) for server in SERVERS)


def replace_login(load: Load) -> None:
    """As docs/onboard.md says: another login with the same rights, then the Secret."""
    superuser(
        load.kubectl,
        "CREATE ROLE load_gate_2 LOGIN PASSWORD 'second-password' IN ROLE load_rights;"
        "ALTER ROLE load_gate_2 SET log_statement = 'all';",
    )
    secret = {"username": "load_gate_2", "password": "second-password"}
    load.kubectl.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "load-db", "namespace": SPACE},
            "stringData": secret,
        }
    )


def logins(load: Load, role: str, since: str = "-infinity") -> int:
    """How many sessions a role has that began since then."""
    sql = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND backend_start > '{since}'"
    return int(superuser(load.kubectl, sql))


def now(load: Load) -> str:
    """The server's time."""
    return superuser(load.kubectl, "SELECT now()")
