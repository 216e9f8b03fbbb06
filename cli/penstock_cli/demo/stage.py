"""What the demo plays on: a PostgreSQL with a small shop, a collector and a gate, as processes of this machine.

What doesn't belong: the script (`scenes.py`), printing (`command.py`).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import yaml

from penstock_cli.demo import programs
from penstock_cli.demo.postgres import EmbeddedPostgres, PostgresError, tied
from penstock_cli.demo.tokens import AUDIENCE, ISSUER, Actor, DemoIssuer

STREAM_OWNER = "demo-gate"
_GATE_ROLE = "penstock_gate"
# The comment by which is known what a later demo may replace.
_MADE_BY = "made by penstock demo"
_NOT_REPLACEABLE = f"""
SELECT 'database shop is '
       || CASE WHEN shobj_description(oid, 'pg_database') IS DISTINCT FROM '{_MADE_BY}' THEN 'not from an earlier demo'
               WHEN EXISTS (SELECT FROM pg_stat_activity WHERE datname = 'shop') THEN 'in use, perhaps by a demo' END
FROM pg_database WHERE datname = 'shop'
UNION ALL
SELECT 'role {_GATE_ROLE} is not from an earlier demo'
FROM pg_roles WHERE rolname = '{_GATE_ROLE}' AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM '{_MADE_BY}';
"""  # noqa: S608 # constants
_POLICIES = ("support.yaml", "data-protection-officer.yaml")
_STARTING_SECONDS = 30
# How long what happened may take until the collector tells of it.
SHIPPING_SECONDS = 15


class StageError(RuntimeError):
    """Something of the stage does not start; the message is for whoever ran the demo."""


@dataclass(frozen=True, slots=True)
class Stage:
    """All that runs, and how to reach it."""

    directory: Path
    psql: Path
    # The database itself, with the superuser's password.
    direct_url: str
    gate_port: int
    collector_url: str
    issuer: DemoIssuer
    gate: Gate

    def gate_url(self, actor: Actor) -> str:
        """A libpq URL without the password, which is the actor's token."""
        return f"postgresql://{actor.subject}@127.0.0.1:{self.gate_port}/shop?sslmode=disable"

    @property
    def viewer_token_file(self) -> Path:
        """Of one who reads, and decides nothing."""
        return self.directory / "viewer.token"

    @property
    def viewer_token(self) -> str:
        return self.viewer_token_file.read_text()

    @property
    def page_token(self) -> str:
        """With which the approver signs in on the collector's page."""
        return (self.directory / "page.token").read_text()

    def token_file(self, actor: Actor) -> Path:
        return self.directory / f"{actor.subject}.token"

    @property
    def psql_script(self) -> Path:
        """To be run by sh: psql through the gate, as the first actor or as the one that its first argument names."""
        return self.directory / "psql"

    @property
    def mcp_script(self) -> Path:
        """To be run by sh, as an MCP client does: the shop for an AI agent, as the first actor."""
        return self.directory / "mcp"

    def query(self, actor: Actor | None, sql: str, token: str = "") -> str:
        """What psql prints, errors included, for SQL run by that actor through the gate; by None, directly.

        With a token of the actor's that is good, or with `token`.
        """
        url = self.direct_url if actor is None else self.gate_url(actor)
        shown, environment = _without_password(url)
        environment |= {"PGCONNECT_TIMEOUT": "10", "PSQLRC": os.devnull}
        if actor is not None:
            environment["PGPASSWORD"] = token or self.issuer.token(actor)
        done = subprocess.run(
            [self.psql, "-X", "-P", "pager=off", "-d", shown, "-c", sql],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).strip("\n")

    def audit(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`penstock audit …` as the viewer."""
        environment = {
            **os.environ,
            "PENSTOCK_COLLECTOR_URL": self.collector_url,
            "PENSTOCK_COLLECTOR_TOKEN_FILE": str(self.viewer_token_file),
        }
        return subprocess.run(
            [*_PENSTOCK, "audit", *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


_PENSTOCK = (sys.executable, "-m", "penstock_cli")


@contextlib.contextmanager
def stage(directory: Path, database_url: str | None, actors: tuple[Actor, ...], approver: Actor) -> Iterator[Stage]:
    """Start everything in `directory`, and stop it again. Raises StageError."""
    with contextlib.ExitStack() as running:
        superuser_url, psql = _server(directory, database_url, running)
        direct_url = _fill(psql, superuser_url, directory, running)
        collector_url = _collector(directory, approver, running)
        issuer = DemoIssuer()
        agents = [actor.subject for actor in actors if actor.acts_for is not None]
        _configure_gate(directory, direct_url, collector_url, issuer, agents)
        gate = Gate(directory, running)
        stage = Stage(directory, psql, direct_url, gate.start(), collector_url, issuer, gate)
        for actor in actors:
            _write_secret(stage.token_file(actor), issuer.token(actor))
        stage.psql_script.write_text(_psql_script(stage, actors))
        _write_mcp(stage, actors[0])
        yield stage


def _psql_script(stage: Stage, actors: tuple[Actor, ...]) -> str:
    """It is short to type, and no password shows in it or among the running programs."""
    names = [actor.subject for actor in actors]
    url = stage.gate_url(actors[0]).replace(f"//{names[0]}@", "//$who@")
    return f"""# psql through the gate. Usage: sh psql [{"|".join(names)}] [psql's own arguments]
who={names[0]}
case "${{1-}}" in {"|".join(names)}) who=$1; shift;; esac
PGPASSWORD=$(cat {shlex.quote(str(stage.directory))}/"$who".token) || exit
export PGPASSWORD
exec {shlex.quote(str(stage.psql))} -d "{url}" "$@"
"""


def _write_mcp(stage: Stage, agent: Actor) -> None:
    """The settings of `penstock mcp`, and a script that is short to give to a client."""
    settings = {
        "gate": {"host": "127.0.0.1", "port": stage.gate_port, "database": "shop", "tls": "disable"},
        "tokenFile": stage.token_file(agent).name,
        "collector": {"url": stage.collector_url, "tokenFile": stage.viewer_token_file.name},
    }
    file = stage.mcp_script.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(settings, sort_keys=False))
    command = shlex.join([*_PENSTOCK, "mcp", "--config", str(file)])
    stage.mcp_script.write_text(
        f"# An MCP server over standard input and output, for a client to start.\nexec {command}\n"
    )


def _server(directory: Path, database_url: str | None, running: contextlib.ExitStack) -> tuple[str, Path]:
    """A server's superuser URL, and a psql."""
    try:
        if database_url is None:
            programs.make_passable(directory)
            server = EmbeddedPostgres.start(directory / "postgres")
            running.callback(server.stop)
            return server.url(), server.bin / "psql"
        return database_url, programs.newest() / "psql"
    except PostgresError as error:
        raise StageError(str(error)) from None


def _fill(psql: Path, superuser_url: str, directory: Path, running: contextlib.ExitStack) -> str:
    """Make the database `shop` and the gate's role in it; returns the superuser's URL of that database."""
    password = secrets.token_urlsafe(18)
    address = urlsplit(superuser_url)
    url = urlunsplit(address._replace(path="/shop"))
    if why_not := _psql(psql, superuser_url, _NOT_REPLACEABLE).split("\n")[0]:
        raise StageError(f"the server's {why_not}: name another server with --database-url")
    _psql(psql, superuser_url, "DROP DATABASE IF EXISTS shop;")
    _psql(
        psql,
        superuser_url,
        f"DROP ROLE IF EXISTS {_GATE_ROLE}; CREATE ROLE {_GATE_ROLE} LOGIN PASSWORD '{password}';"
        f"COMMENT ON ROLE {_GATE_ROLE} IS '{_MADE_BY}';",
    )
    _psql(psql, superuser_url, f"CREATE DATABASE shop; COMMENT ON DATABASE shop IS '{_MADE_BY}';")
    _occupy(psql, url, running)
    _psql(psql, url, _shop("shop.sql"))
    _psql(psql, url, f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {_GATE_ROLE};")
    credentials = directory / "credentials"
    credentials.mkdir(exist_ok=True)
    _write_secret(credentials / "username", _GATE_ROLE)
    _write_secret(credentials / "password", password)
    return url


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The URL as every account may see it among the running programs, and an environment with its password."""
    address = urlsplit(url)
    if address.password is None:
        return url, dict(os.environ)
    user, _, host = address.netloc.rpartition("@")
    shown = urlunsplit(address._replace(netloc=f"{user.partition(':')[0]}@{host}"))
    return shown, {**os.environ, "PGPASSWORD": unquote(address.password)}


def _occupy(psql: Path, url: str, running: contextlib.ExitStack) -> None:
    """Hold a session in the database while the demo runs, by which another demo sees that it is in use."""
    shown, environment = _without_password(url)
    session = subprocess.Popen(
        [*tied("TERM"), psql, "-Xq", "-d", shown], env=environment,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    running.enter_context(session)
    running.callback(_end, session)
    assert session.stdin is not None  # noqa: S101
    assert session.stdout is not None  # noqa: S101
    session.stdin.write(b"\\echo connected\n")
    session.stdin.flush()
    if not session.stdout.readline():
        raise StageError("the database shop was made, and then refused a connection")


def _psql(psql: Path, url: str, sql: str) -> str:
    shown, environment = _without_password(url)
    done = subprocess.run(
        [psql, "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", shown, "-f", "-"],
        env=environment, input=sql, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        raise StageError(f"the database could not be prepared: {done.stderr.strip()}")
    return done.stdout


def _collector(directory: Path, approver: Actor, running: contextlib.ExitStack) -> str:
    """A running collector's URL."""
    groups = ",".join(approver.groups)
    _token_files(directory, "stream-tokens", {"stream": STREAM_OWNER})
    _token_files(directory, "viewer-tokens", {"viewer": "demo", "page": f"{approver.subject} groups={groups}"})
    log = directory / "collector.log"
    environment = {
        # Any free port, as the gate's: two demos that start at once could both find a given one free.
        "PENSTOCK_COLLECTOR_LISTEN": "127.0.0.1:0",
        "PENSTOCK_COLLECTOR_DATABASE": str(directory / "audit.db"),
        "PENSTOCK_COLLECTOR_STREAM_TOKENS_FILE": str(directory / "stream-tokens"),
        "PENSTOCK_COLLECTOR_VIEWER_TOKENS_FILE": str(directory / "viewer-tokens"),
    }
    return _logged(_program("collector", [], environment, log, running), log, "url")


def _token_files(directory: Path, list_: str, whose: Mapping[str, str]) -> None:
    """A new token for each, in a file of its own, and the collector's list of whose they are."""
    lines = []
    for name, owner in whose.items():
        token = secrets.token_urlsafe(24)
        _write_secret(directory / f"{name}.token", token)
        lines.append(f"{hashlib.sha256(token.encode()).hexdigest()} {owner}\n")
    (directory / list_).write_text("".join(lines))


class Gate:
    """The gate's process."""

    def __init__(self, directory: Path, running: contextlib.ExitStack) -> None:
        self._directory = directory
        self._running = running
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Its port, which stays the same. Raises StageError."""
        log = self._directory / "gate.log"
        if log.exists():
            log.replace(log.with_name("gate-killed.log"))
        self._process = _program("proxy", ["--config", str(self._directory)], {}, log, self._running)
        port = int(_logged(self._process, log, "address").rpartition(":")[2])
        file = self._directory / "proxy.yaml"
        settings = yaml.safe_load(file.read_text()) | {"listen": f"127.0.0.1:{port}"}
        file.write_text(yaml.safe_dump(settings, sort_keys=False))
        return port

    def kill(self) -> Path:
        """End it at once, in the middle of what it does; the directory of its spool."""
        assert self._process is not None  # noqa: S101
        self._process.kill()
        self._process.wait()
        return self._directory / "spool"


def _configure_gate(
    directory: Path, direct_url: str, collector_url: str, issuer: DemoIssuer, agents: list[str]
) -> None:
    """Its settings and policies; those agents may act for people."""
    address = urlsplit(direct_url)
    shop = yaml.safe_load(_shop("resources/database.yaml"))
    shop["spec"].update(host=address.hostname, port=address.port or 5432)
    (directory / "database.yaml").write_text(yaml.safe_dump(shop, sort_keys=False))
    for name in _POLICIES:
        (directory / name).write_text(_shop(f"resources/{name}"))
    issuer.write_jwks(directory / "jwks.json")
    _write_secret(directory / "mask.key", base64.b64encode(secrets.token_bytes(32)).decode())
    trusted = {
        "issuer": ISSUER, "audience": AUDIENCE, "kind": "person", "jwksFile": "jwks.json",
        "delegation": {"agents": agents},
    }  # fmt: skip
    configuration = {
        "listen": "127.0.0.1:0",
        "health": "127.0.0.1:0",
        "name": STREAM_OWNER,
        "namespace": "shop",
        "database": "shop",
        "resources": ["database.yaml", *_POLICIES],
        "maskKeyFile": "mask.key",
        "credentialsDir": "credentials",
        "identity": {"required": True, "issuers": [trusted]},
        "spool": {"path": "spool"},
        "collector": {"url": collector_url, "tokenFile": "stream.token"},
    }
    (directory / "proxy.yaml").write_text(yaml.safe_dump(configuration, sort_keys=False))


def _program(
    name: str, arguments: list[str], environment: Mapping[str, str], log: Path, running: contextlib.ExitStack
) -> subprocess.Popen[bytes]:
    """`penstock NAME …` with its log in a file, ended when the stage is."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*tied("TERM"), *_PENSTOCK, "--log-format", "json", "--log-level", "info", name, *arguments],
            env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    running.callback(_end, process)
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _logged(process: subprocess.Popen[bytes], log: Path, key: str) -> str:
    """The value of that key in the first log line that has it. Raises StageError if none has in time."""
    end = time.monotonic() + _STARTING_SECONDS
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                if found := json.loads(line).get(key):
                    return str(found)
        time.sleep(0.05)
    last = log.read_text(errors="replace").strip().splitlines()[-3:]
    raise StageError(f"it did not start: {log} ends with: {' | '.join(last)}")


def _shop(name: str) -> str:
    return resources.files("penstock_cli.demo").joinpath("shop", *name.split("/")).read_text()


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
