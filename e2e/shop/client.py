"""What an application does: connects by the PG… variables that it finds, runs SQL, prints JSON. Knows no Penstock.

client.py run DRIVER SQL [ARGUMENT…]   one statement; {"rows": […], "status": "…"} or {"error": "…"}
client.py watch SQL                    it again and again on one connection for a minute, a line of JSON each, and one
                                       with the error that ends it
client.py sleep                        nothing, for a container that just is there
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import asyncpg
import psycopg


def by_psycopg(sql: str, arguments: list[str], *, prepare: bool) -> dict[str, Any]:
    try:
        with psycopg.connect(autocommit=True) as connection:
            # ClientCursor sends simple queries; the plain one Parse, Bind, Execute.
            cursor: psycopg.Cursor[Any]
            cursor = connection.cursor() if prepare else psycopg.ClientCursor(connection)
            cursor.execute(sql.encode(), arguments or None, prepare=prepare or None)
            rows = [list(map(str, row)) for row in cursor.fetchall()] if cursor.description else []
            return {"rows": rows, "status": cursor.statusmessage}
    except psycopg.Error as error:
        return {"error": str(error), "sqlstate": error.sqlstate}


def by_asyncpg(sql: str, arguments: list[str]) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        connection = await asyncpg.connect()
        try:
            statement = await connection.prepare(sql)
            rows = [list(map(str, row.values())) for row in await statement.fetch(*arguments)]
            return {"rows": rows, "status": statement.get_statusmsg()}
        finally:
            await connection.close()

    try:
        return asyncio.run(run())
    except asyncpg.PostgresError as error:
        return {"error": str(error), "sqlstate": error.sqlstate}
    except OSError as error:
        return {"error": str(error), "sqlstate": None}


# `kubectl exec` leaves what it started running when it is itself ended.
WATCHING_SECONDS = 60

DRIVERS: dict[str, Callable[[str, list[str]], dict[str, Any]]] = {
    "psycopg-simple": lambda sql, arguments: by_psycopg(sql, arguments, prepare=False),
    "psycopg-extended": lambda sql, arguments: by_psycopg(sql, arguments, prepare=True),
    "asyncpg": by_asyncpg,
}


def watch(sql: str) -> None:
    with psycopg.connect(autocommit=True) as connection:
        end = time.monotonic() + WATCHING_SECONDS
        while time.monotonic() < end:
            try:
                rows = connection.execute(sql.encode(), prepare=True).fetchall()
            except psycopg.Error as error:
                print(json.dumps({"error": str(error), "sqlstate": error.sqlstate, "time": time.time()}), flush=True)
                return
            print(json.dumps({"rows": rows, "time": time.time()}, default=str), flush=True)
            time.sleep(0.2)


def main() -> None:
    match sys.argv[1:]:
        case ["run", driver, sql, *arguments]:
            print(json.dumps(DRIVERS[driver](sql, arguments)))
        case ["watch", sql]:
            watch(sql)
        case ["environment"]:
            print(json.dumps(dict(os.environ)))
        case _:
            # The kernel gives a container's first process no default for SIGTERM.
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            time.sleep(10**9)


main()
