"""State at the wrong moment: what each session keeps (statements, portals, settings, temporary tables, the transaction)
changes in the order of the messages, however they are pipelined. The gate and the server must agree throughout.

Here the twins are asked, and the server itself: an answer through the gate is to be the server's own.
"""

from __future__ import annotations

from tests.noninterference.scenes import Mode, Scene, Talk
from tests.sidecar.proxy.raw import bind, close, describe

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, parse, query

E = messages.execute("")


def _run(text: str) -> bytes:
    return parse("", text) + bind() + describe("P") + E


MAIL = "SELECT email FROM users ORDER BY id LIMIT 1"
# Of 81 bytes: the server keeps 63, which end with a letter; of 80: the last of those 63 is half a letter.
LONG, HALVED = "a" + "é" * 40, "é" * 40
TALKS: dict[str, tuple[bytes, ...]] = {
    "DEALLOCATE ALL before a Parse in one write": (
        parse("", "DEALLOCATE ALL") + bind() + E + parse("s1", "SELECT 22") + SYNC, bind("", "s1") + E + SYNC,
    ),
    "DEALLOCATE of a name and a Parse of it": (
        parse("s1", "SELECT 1") + SYNC, _run("DEALLOCATE s1") + parse("s1", "SELECT 2") + SYNC, bind("", "s1") + E + SYNC,
    ),
    "Query DEALLOCATE ALL and a Parse in one write": (
        parse("s1", "SELECT 1") + SYNC, query("DEALLOCATE ALL") + parse("s1", "SELECT 2") + bind("", "s1") + E + SYNC,
        bind("", "s1") + E + SYNC,
    ),
    "Close and Parse in one write": (
        parse("s1", MAIL) + SYNC, close("S", "s1") + parse("s1", "SELECT 2") + bind("", "s1") + E + SYNC,
    ),
    "Close of a statement whose portal is open": (
        parse("s1", MAIL) + bind("p", "s1") + close("S", "s1") + E.replace(b"\0\0\0\0\0", b"\0\0\0\0\0") + SYNC,
    ),
    "DISCARD ALL before a Parse in one write": (
        _run("DISCARD ALL") + SYNC + parse("s1", "SELECT 5") + SYNC, bind("", "s1") + E + SYNC,
    ),
    "DISCARD ALL and EXECUTE": (
        query("PREPARE p AS SELECT email FROM users WHERE id = 1"), query("DISCARD ALL"), query("EXECUTE p"),
    ),
    "PREPARE, DEALLOCATE and EXECUTE in one write": (
        query("PREPARE p AS SELECT email FROM users WHERE id = 1") + query("DEALLOCATE p") + query("EXECUTE p"),
    ),
    "PREPARE in a Query with EXECUTE": (query("PREPARE p AS SELECT 1; EXECUTE p; DEALLOCATE p"),),
    "PREPARE twice": (query("PREPARE p AS SELECT 1"), query("PREPARE p AS SELECT email FROM users"), query("EXECUTE p")),
    "a Parse under a PREPAREd name": (query("PREPARE p AS SELECT 1"), parse("p", "SELECT 2") + SYNC, bind("", "p") + E + SYNC),
    "EXECUTE of a Parse": (parse("p", MAIL) + SYNC, query("EXECUTE p"), query("EXECUTE p; DEALLOCATE p"), query("EXECUTE p")),
    "a Parse that fails keeps the one before": (
        parse("", MAIL) + SYNC, parse("", "SELEKT") + SYNC, bind() + E + SYNC,
    ),
    "a named Parse that fails late": (
        parse("a", MAIL) + SYNC, parse("a", "SELECT 1") + SYNC, bind("", "a") + describe("P") + E + SYNC,
    ),
    "errors skip to Sync": (parse("", "SELECT 1/0") + bind() + E + parse("s2", MAIL) + SYNC, bind("", "s2") + E + SYNC),
    "refusals skip to Sync": (parse("", "SELECT peek(1)") + bind() + E + parse("s2", MAIL) + SYNC, bind("", "s2") + E + SYNC),
    "an error in a pipeline of Syncs": (_run("SELECT 1/0") + SYNC + _run(MAIL) + SYNC, SYNC),
    "Flush in the middle": (parse("", MAIL) + FLUSH + bind() + FLUSH + E + SYNC,),
    "a transaction that fails": (query("BEGIN"), query("SELECT 1/0"), query(MAIL), query("COMMIT"), query(MAIL)),
    "a refusal fails the transaction": (query("BEGIN"), query("SELECT peek(1)"), query(MAIL), query("ROLLBACK")),
    "a savepoint behind a refusal": (
        query("BEGIN"), query("SAVEPOINT s"), query("SELECT peek(1)"), query("ROLLBACK TO s"), query(MAIL), query("COMMIT"),
    ),
    "a portal outlives its Sync in a transaction": (
        query("BEGIN"), parse("", MAIL) + bind("p") + SYNC, messages.execute("p", 1) + SYNC, query("COMMIT"), messages.execute("p") + SYNC,
    ),
    "a portal ends with its transaction": (parse("", MAIL) + bind("p") + SYNC, messages.execute("p") + SYNC),
    "a cursor is a portal": (
        query("BEGIN"), query("DECLARE c CURSOR FOR " + MAIL), messages.execute("c", 1) + SYNC, describe("P", "c") + SYNC, query("CLOSE c"), query("ROLLBACK"),
    ),
    "a portal is a cursor": (query("BEGIN"), parse("", MAIL) + bind("c") + SYNC, query("FETCH 1 FROM c"), query("ROLLBACK")),
    "a cursor WITH HOLD": (query("DECLARE c CURSOR WITH HOLD FOR " + MAIL), query("FETCH 1 FROM c"), query("CLOSE c"), query("FETCH 1 FROM c")),
    "SET in a transaction that is rolled back": (
        query("BEGIN"), query("SET search_path = other"), query("SELECT * FROM users ORDER BY id LIMIT 1"), query("ROLLBACK"), query("SELECT id, email FROM users ORDER BY id LIMIT 1"),
    ),
    "SET LOCAL ends with its transaction": (
        query("BEGIN"), query("SET LOCAL search_path = other"), query("SELECT * FROM users ORDER BY id LIMIT 1"), query("COMMIT"), query("SELECT id, email FROM users ORDER BY id LIMIT 1"),
    ),
    "SET behind a savepoint": (
        query("BEGIN"), query("SAVEPOINT s"), query("SET search_path = other"), query("ROLLBACK TO s"), query("SELECT id, email FROM users ORDER BY id LIMIT 1"), query("COMMIT"),
    ),
    "search_path and a statement in one write": (
        query("SET search_path = other") + query("SELECT id, email FROM users ORDER BY id LIMIT 1") + query("SET search_path = public") + query("SELECT id, email FROM users ORDER BY id LIMIT 1"),
    ),
    "search_path between Parse and Bind": (
        parse("s", "SELECT * FROM users ORDER BY id LIMIT 1") + SYNC, query("SET search_path = other"), bind("", "s") + E + SYNC, query("RESET search_path"), bind("", "s") + E + SYNC,
    ),
    "search_path between Parse and Bind of the same columns": (
        parse("s", "SELECT * FROM tenanted ORDER BY id") + SYNC, query("SET search_path = other"), bind("", "s") + E + SYNC, query("RESET search_path"), bind("", "s") + E + SYNC,
    ),
    "search_path between PREPARE and EXECUTE": (
        query("PREPARE p AS SELECT * FROM tenanted ORDER BY id"), query("SET search_path = other"), query("EXECUTE p"), query("RESET search_path"), query("EXECUTE p"),
    ),
    "search_path in a Query of several": (query("SET search_path = other; SELECT id, email FROM users ORDER BY id LIMIT 1"), query("RESET search_path")),
    "a temporary table hides another": (
        query("BEGIN"), query("CREATE TEMP TABLE plain (id int, email text)"), query("SELECT * FROM plain"), query("ROLLBACK"), query("SELECT id FROM plain ORDER BY id LIMIT 1"),
    ),
    "a temporary table named as a governed one": (
        query("CREATE TEMP TABLE users AS SELECT 1 AS id"), query("SELECT * FROM users LIMIT 1"), query("SELECT id FROM public.users ORDER BY id LIMIT 1"), query("DROP TABLE pg_temp.users"),
    ),
    "a temporary table in a pipeline": (
        _run("CREATE TEMP TABLE q (id int)") + _run("INSERT INTO q VALUES (1)") + _run("SELECT * FROM q") + _run("DROP TABLE q") + SYNC,
    ),
    "copy in and a statement behind it": (
        query("BEGIN"), query("COPY plain_log (line) FROM STDIN") + messages.message(b"d", b"x\n") + messages.message(b"c", b"") + query("SELECT max(line) FROM plain_log"), SYNC, query("ROLLBACK"),
    ),
    "copy that fails": (query("COPY plain_log (line) FROM STDIN") + messages.message(b"f", b"no\0"), query(MAIL)),
    "several statements in a Query, one refused": (query("SELECT 1; SELECT peek(1); SELECT 2"), query("SELECT 3")),
    "several statements in a Query, one fails": (query("SELECT 1; SELECT 1/0; SELECT 2"), query("SELECT 3")),
    "an implicit transaction": (query("INSERT INTO plain_log (line) VALUES ('a'); SELECT 1/0"), query("SELECT count(*) FROM plain_log")),
    "BEGIN in a Query of several": (query("BEGIN; SELECT 1"), query("SELECT count(*) FROM plain"), query("ROLLBACK; SELECT 2")),
    "an unknown name behind a temporary table": (
        query("CREATE TEMP TABLE q (id int)"), query("EXECUTE missing"), query("PREPARE missing AS SELECT 3"), query("EXECUTE missing"),
    ),
    "a long name": (
        parse(LONG, MAIL) + SYNC, query(f'EXECUTE "{LONG}"'), query(f'EXECUTE "{LONG}x"'), bind("", LONG + "y") + E + SYNC,
        parse(LONG + "z", "SELECT 1") + SYNC, query(f'DEALLOCATE "{LONG}"'), bind("", LONG) + E + SYNC, query(f'EXECUTE "{LONG}"'),
    ),
    "a long name that ends within a letter": (
        parse(HALVED, MAIL) + SYNC, query(f'EXECUTE "{HALVED}"'), bind("", HALVED) + E + SYNC, query(f'DEALLOCATE "{HALVED}"'),
        query(f'PREPARE "{HALVED}" AS SELECT 2'), query(f'EXECUTE "{HALVED}"'), bind("", HALVED + "x") + E + SYNC,
        close("S", HALVED + "y") + bind("", HALVED) + E + SYNC, bind("", "é" * 31) + E + SYNC,
    ),
    "a long name in SQL": (
        query(f'PREPARE "{LONG}" AS {MAIL}'), bind("", LONG) + E + SYNC, bind("", LONG + "x") + E + SYNC, query(f'EXECUTE "{LONG}"'),
    ),
    "a long name of a portal": (
        query("BEGIN"), parse("", MAIL) + bind(LONG) + SYNC, query(f'FETCH 1 FROM "{LONG}"'),
        messages.execute(LONG + "x") + SYNC, query(f'CLOSE "{LONG}"'), query("ROLLBACK"),
    ),
    "a statement executed twice": (parse("s", MAIL) + bind("", "s") + E + bind("", "s") + E + SYNC,),
    "Describe of a governed statement": (parse("s", "SELECT id, email, salary FROM users WHERE id = $1") + describe("S", "s") + SYNC,),
    "parameters that are text and binary": (
        parse("s", "SELECT id, email FROM users WHERE id = $1 AND name = $2") + bind("", "s", [b"\0\0\0\1", b"name 1"], [1, 0], [1, 0]) + E + SYNC,
    ),
    "a parameter too few": (parse("s", "SELECT email FROM users WHERE id = $1") + bind("", "s") + E + SYNC, query(MAIL)),
    "a parameter that is none": (parse("s", "SELECT email FROM users WHERE id = $1") + bind("", "s", [b"x"]) + E + SYNC, query(MAIL)),
    "a NULL parameter": (parse("s", "SELECT email FROM users WHERE id = $1 OR $1 IS NULL ORDER BY id LIMIT 1") + bind("", "s", [None]) + E + SYNC,),
    "LISTEN, NOTIFY and a transaction": (query("LISTEN jobs"), query("NOTIFY jobs, 'x'"), query("UNLISTEN *"), query("SELECT 1")),
    "COMMIT AND CHAIN": (query("BEGIN"), query("COMMIT AND CHAIN"), query(MAIL), query("ROLLBACK")),
    "START TRANSACTION READ ONLY": (query("START TRANSACTION READ ONLY"), query("UPDATE plain SET n = 1 WHERE id = 1"), query("ROLLBACK")),
}  # fmt: skip


def _scene(name: str, parts: tuple[bytes, ...]) -> Scene:
    def play(talk: Talk, _mode: Mode) -> None:
        for at, data in enumerate(parts):
            # As many answers end with ReadyForQuery as Queries and Syncs were sent.
            client = talk.session()
            client.send(data)
            got = []
            for _ in range(_endings(data)):
                got += client.until()
            talk.note(f"{name}, part {at + 1}", got)

    changes = any(word in name for word in ("implicit",))
    return Scene("wire", name, play, name, changes=changes, modes=("simple",))


def _endings(data: bytes) -> int:
    count = at = 0
    while at < len(data):
        count += data[at : at + 1] in (b"Q", b"S")
        at += 1 + int.from_bytes(data[at + 1 : at + 5], "big")
    return count


SCENES = [_scene(name, parts) for name, parts in TALKS.items()]
