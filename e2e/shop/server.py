"""Runs Debian's PostgreSQL in a container: TLS with the mounted certificate, SCRAM, one database `shop`.

Nothing of Penstock is in here: it is the database that somebody already has.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

BIN = Path("/usr/lib/postgresql/15/bin")
DATA = Path("/data/postgres")
CERTIFICATE = Path("/certificate")


def initialise() -> None:
    """initdb, and the database with the shop in it."""
    password = Path("/data/superuser")
    password.write_text(os.environ["SUPERUSER_PASSWORD"])
    subprocess.run(
        [BIN / "initdb", "-D", DATA, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={password}", "--no-sync"],
        check=True,
    )
    for name in ("tls.crt", "tls.key"):
        shutil.copy(CERTIFICATE / name, DATA / name)
        (DATA / name).chmod(0o600)
    with (DATA / "pg_hba.conf").open("w") as rules:
        # Only TLS from elsewhere: a gate that forgot it would be refused.
        rules.write("host all all 127.0.0.1/32 scram-sha-256\nhostssl all all 0.0.0.0/0 scram-sha-256\n")
    pg_ctl: list[str | Path] = [
        BIN / "pg_ctl",
        "-D",
        DATA,
        "-w",
        "-o",
        "-c listen_addresses=127.0.0.1 -c unix_socket_directories=",
    ]
    subprocess.run([*pg_ctl, "start"], check=True)
    environment = {**os.environ, "PGHOST": "127.0.0.1", "PGUSER": "postgres", "PGPASSWORD": password.read_text()}
    psql: list[str | Path] = [BIN / "psql", "-Xq", "-v", "ON_ERROR_STOP=1"]
    subprocess.run([*psql, "-d", "postgres", "-c", "CREATE DATABASE shop"], check=True, env=environment)
    subprocess.run([*psql, "-d", "shop", "-f", "/setup/shop.sql"], check=True, env=environment)
    subprocess.run([BIN / "pg_ctl", "-D", DATA, "-w", "stop"], check=True)


def main() -> None:
    """Initialise once, then become the server."""
    if not DATA.exists():
        initialise()
    settings = {
        "listen_addresses": "*",
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": "tls.crt",
        "ssl_key_file": "tls.key",
        "dynamic_shared_memory_type": "mmap",
        # One file, whatever the node does with what containers print.
        "logging_collector": "on",
        "log_directory": "log",
        "log_filename": "postgresql.log",
        "log_rotation_age": "0",
        "log_rotation_size": "0",
    }
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    os.execv(BIN / "postgres", [str(BIN / "postgres"), "-D", str(DATA), *arguments])


main()
