"""`penstock connect` from the login to the database: a real issuer, gate, collector, PostgreSQL and psql."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import trustme
from tests.cli.connect.conftest import Desk
from tests.conformance import clients
from tests.oidc_provider.provider import OidcProvider
from tests.sidecar.proxy.conftest import Running
from tests.sidecar.proxy.test_tokens_drivers import installed

from penstock_cli.login import kept


def at(gate: Running) -> str:
    return f"localhost:{gate.proxy.port}"


def known(desk: Desk, gate: Running, **more: Any) -> dict[str, Any]:
    return {"host": "localhost", "port": gate.proxy.port, "caFile": str(desk.root), "databases": ["shop"], **more}


async def test_psql_by_ones_own_token(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    desk.knows(known(desk, gate))
    said = await desk.connect("shop", "--", "-XAtc", "SELECT 7", "-c", "SELECT current_setting('application_name')")
    assert said == (0, "7\npenstock connect", "")
    failed = await desk.connect("shop", "--", "-Xc", "SELECT forbidden")
    assert (failed.status, "no forbidden things" in failed.err) == (1, True)
    events = await desk.stand.events(sessions=2)
    assert {event["identity"]["name"] for event in events if event["kind"] == "session"} == {"person:ada@shop.example"}


async def test_psql_is_told_all_by_variables_and_nothing_by_arguments(
    desk: Desk, gate: Running, tmp_path: Path
) -> None:
    await desk.log_in()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "psql").write_text('#!/bin/sh\necho "$@"\nenv | grep ^PG | sort\nexit 3\n')
    (tmp_path / "bin" / "psql").chmod(0o755)
    desk.variables["PATH"] = f"{tmp_path / 'bin'}:/usr/bin:/bin"
    said = await desk.connect("shop", "--gate", at(gate), "--ca-file", str(desk.root), "--", "-X", "--csv")
    login = kept.read()
    assert login is not None
    assert said.status == 3
    assert said.out.splitlines() == [
        "-X --csv", "PGAPPNAME=penstock connect", "PGDATABASE=shop", "PGHOST=localhost",
        f"PGPASSWORD={login.token}", f"PGPORT={gate.proxy.port}", "PGSSLMODE=verify-full",
        f"PGSSLROOTCERT={desk.root}", "PGUSER=ada@shop.example",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["uri", "keywords"])
async def test_a_dsn_for_another_program_opens_one_session(desk: Desk, gate: Running, form: str) -> None:
    await desk.log_in()
    desk.knows(known(desk, gate))
    said = await desk.connect("shop", "--dsn", "--format", form)
    assert said.status == 0
    assert said.err.startswith("good for one session, until 20")
    login = kept.read()
    assert login is not None
    assert login.token not in said.out + said.err
    async with await psycopg.AsyncConnection.connect(said.out) as session:
        assert await (await session.execute("SELECT 7")).fetchone() == (7,)
        assert session.info.get_parameters()["sslmode"] == "verify-full"
    with pytest.raises(psycopg.OperationalError, match="the ticket was used before"):
        await psycopg.AsyncConnection.connect(said.out)


async def test_a_dsn_for_java(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    said = await desk.connect("shop", "--gate", at(gate), "--ca-file", str(desk.root), "--dsn", "--format", "jdbc")
    parts = urlsplit(said.out.removeprefix("jdbc:"))
    assert said.out.startswith(f"jdbc:postgresql://localhost:{gate.proxy.port}/shop?user=ticket-")
    told = {name: values[0] for name, values in parse_qs(parts.query).items()}
    assert (told["sslmode"], told["sslrootcert"]) == ("verify-full", str(desk.root))
    options = {"host": "localhost", "port": gate.proxy.port, "dbname": "shop", "sslrootcert": str(desk.root)}
    async with await psycopg.AsyncConnection.connect(
        **options, sslmode="verify-full", user=told["user"], password=told["password"]
    ) as session:
        await session.execute("SELECT 1")


JAVA = """
import java.sql.*;

public class Opened {
    public static void main(String[] arguments) throws Exception {
        for (int number = 0; number < 2; number++) {
            try (Connection one = DriverManager.getConnection(System.getenv("DSN"));
                    ResultSet rows = one.createStatement().executeQuery("SELECT 7")) {
                rows.next();
                System.out.println(rows.getInt(1));
            } catch (SQLException error) {
                System.out.println(error.getMessage());
            }
        }
    }
}
"""


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_javas_driver_opens_one_session_by_its_dsn(desk: Desk, gate: Running, tmp_path: Path) -> None:
    """As DBeaver and other programs in Java do, which have this driver."""
    await desk.log_in()
    home = await asyncio.to_thread(clients.program, clients.HERE / "java", installed("pgjdbc"))
    (tmp_path / "Opened.java").write_text(JAVA)
    said = await desk.connect("shop", "--gate", at(gate), "--ca-file", str(desk.root), "--dsn", "--format", "jdbc")
    process = await asyncio.create_subprocess_exec(
        "java", "-cp", "jars/*", str(tmp_path / "Opened.java"), cwd=home, env={**os.environ, "DSN": said.out},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    first, second, *_ = printed.decode().splitlines()
    assert (first, "the ticket was used before: one is good for one session" in second) == ("7", True), printed
    accepted = [event for event in await desk.stand.events(sessions=2) if event.get("outcome") == "accepted"]
    assert [event["identity"].get("login") for event in accepted] == [None, "ticket"]


async def test_a_certificate_that_the_system_trusts(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    desk.variables["SSL_CERT_FILE"] = str(desk.root)
    assert await desk.connect("shop", "--gate", at(gate), "--", "-XAtc", "SELECT 7") == (0, "7", "")
    said = await desk.connect("shop", "--gate", at(gate), "--dsn")
    async with await psycopg.AsyncConnection.connect(said.out) as session:
        await session.execute("SELECT 1")


async def test_a_token_that_is_about_to_end_is_renewed_first(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    login = kept.read()
    assert login is not None
    stale = kept.Granted("opaque", "", login.granted.refresh, 5.0)
    kept.keep(kept.Login(login.settings, stale, login.name))
    desk.knows(known(desk, gate))
    assert (await desk.connect("shop", "--dsn")).status == 0


async def test_an_id_token_where_the_gate_takes_that(desk: Desk, gate: Running, oidc: OidcProvider) -> None:
    await desk.log_in(token="id")
    desk.knows(known(desk, gate))
    said = await desk.connect("shop", "--dsn")
    assert (said.status, "the token is not for this gate (its audience is not penstock)" in said.err) == (2, True)
    assert "get one for penstock" in said.err


async def test_who_is_not_logged_in_is_told_so(desk: Desk, gate: Running) -> None:
    desk.knows(known(desk, gate))
    said = await desk.connect("shop")
    assert said == (2, "", "Error: you are not logged in: log in with `penstock login`")
    desk.has_expired()
    said = await desk.connect("shop", "--dsn")
    assert (said.status, "your token has expired, and there is none to renew it by" in said.err) == (2, True)


async def test_gates_that_are_not_there_or_not_trusted_or_none(
    desk: Desk, gate: Running, tmp_path: Path, authority: trustme.CA
) -> None:
    await desk.log_in()
    ca = ["--ca-file", str(desk.root)]
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    (tmp_path / "empty.pem").write_text("")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        free = listener.getsockname()[1]
    server = desk.stand.shop.port
    cases = {
        f"127.0.0.1:{free}": (ca, f"the gate 127.0.0.1:{free} cannot be reached: Connection refused"),
        "nowhere.invalid:5432": (ca, "the gate nowhere.invalid:5432 is not known by that name"),
        at(gate): ([], "is not trusted: "),
        f"{at(gate)} ": (["--ca-file", str(tmp_path / "other.pem")], "--gate: must be a host and a port"),
        f"127.0.0.1:{gate.proxy.port}": (ca, "is not trusted: "),
        f"127.0.0.1:{server}": (ca, "speaks no TLS: is it a gate?"),
        str(gate.proxy.port): (ca, "--gate: must be a host and a port"),
        "localhost:70000": (ca, "port: Input should be less than or equal to 65535"),
    }
    for place, (options, words) in cases.items():
        said = await desk.connect("shop", "--dsn", "--gate", place, *options)
        assert (said.status, said.out, words in said.err) == (2, "", True), (place, said.err)
    other = await desk.connect("shop", "--dsn", "--gate", at(gate), "--ca-file", str(tmp_path / "other.pem"))
    assert "is not trusted: unable to get local issuer certificate" in other.err
    assert "--ca-file" in other.err
    empty = await desk.connect("shop", "--dsn", "--gate", at(gate), "--ca-file", str(tmp_path / "empty.pem"))
    assert (empty.status, "empty.pem" in empty.err) == (2, True)
    missing = await desk.connect("shop", "--dsn", "--gate", at(gate), "--ca-file", str(tmp_path / "missing.pem"))
    assert (missing.status, "missing.pem: no such file" in missing.err) == (2, True)


async def test_the_database_itself_is_no_gate(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    login, server = kept.read(), desk.stand.shop
    assert login is not None
    place = ["--gate", f"127.0.0.1:{server.port}", "--no-tls"]
    said = await desk.connect("shop", "--dsn", *place)
    assert (said.status, f"the gate 127.0.0.1:{server.port} refuses: " in said.err) == (2, True)
    # Even if it took the token for a password.
    server.psql(f"CREATE ROLE \"ada@shop.example\" LOGIN PASSWORD '{login.token}'")
    said = await desk.connect("shop", "--dsn", *place)
    server.psql('DROP ROLE "ada@shop.example"')
    assert (said.status, "is no gate: it is the database itself" in said.err) == (2, True)


async def test_a_gate_that_refuses_says_why(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    desk.knows(known(desk, gate, databases=["shop", "payroll"]))
    said = await desk.connect("payroll", "--dsn")
    assert said.status == 2
    assert f"the gate localhost:{gate.proxy.port} refuses: " in said.err
    assert "payroll" in said.err
    await desk.stand.ended()
    said = await desk.connect("shop", "--dsn")
    assert "tickets can't be had or checked at the moment" in said.err


async def test_without_psql_there_are_dsns_still(desk: Desk, gate: Running, tmp_path: Path) -> None:
    await desk.log_in()
    desk.knows(known(desk, gate))
    desk.variables["PATH"] = str(tmp_path)
    said = await desk.connect("shop")
    assert (said.status, "psql is not installed: install postgresql-client" in said.err) == (2, True)
    assert (await desk.connect("shop", "--dsn")).status == 0


async def test_which_gate_it_is(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    none = await desk.connect("shop", "--dsn")
    assert (none.status, "no gate is known for database shop: give --gate HOST:PORT" in none.err) == (2, True)
    desk.knows(known(desk, gate, databases=["other"]), known(desk, gate, databases=["more"]))
    assert "no gate is known for database shop" in (await desk.connect("shop", "--dsn")).err
    desk.knows(known(desk, gate), known(desk, gate, port=1))
    assert "several gates serve database shop" in (await desk.connect("shop", "--dsn")).err
    # Of the one that is given, the file says the rest.
    assert (await desk.connect("shop", "--dsn", "--gate", at(gate))).status == 0
    desk.knows(known(desk, gate, databases=[]))
    assert (await desk.connect("shop", "--dsn")).status == 0


async def test_no_token_leaves_the_machine_in_clear(desk: Desk, gate: Running) -> None:
    await desk.log_in()
    said = await desk.connect("shop", "--dsn", "--gate", "gate.example:5432", "--no-tls")
    assert (said.status, "the token would cross the network in clear" in said.err) == (2, True)
    plain = await desk.connect("shop", "--dsn", "--gate", f"127.0.0.1:{gate.proxy.port}", "--no-tls")
    assert "this gate requires an encrypted connection" in plain.err
    both = await desk.connect("shop", "--dsn", "--", "-X")
    assert (both.status, "--dsn starts no psql" in both.err) == (2, True)
