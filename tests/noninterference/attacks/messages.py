"""Fields of the protocol's messages (L1), and code that runs before Execute (A1).

Type oids in Parse, formats, startup parameters, function calls, portals that are bound and never executed.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from tests.noninterference.scenes import Mode, Scene, Talk
from tests.sidecar.proxy.raw import bind, close, describe

from penstock_sidecar.wire import messages
from penstock_sidecar.wire.messages import FLUSH, SYNC, message, parse

SCENES: list[Scene] = []


def _scene(
    kind: str, name: str, play: Callable[[Talk], None], *, identity: str = "writer", allowed: bool = False
) -> None:
    def played(talk: Talk, _mode: Mode) -> None:
        play(talk)

    SCENES.append(Scene(kind, name, played, name, identity, allowed=allowed, modes=("simple",)))


def _oids(*oids: int) -> bytes:
    return struct.pack(f">H{len(oids)}I", len(oids), *oids)


def _typed(text: str, types: Sequence[str], *values: bytes, formats: Sequence[int] = ()) -> Callable[[Talk], None]:
    """Parse with those parameter types, Bind those values, Execute."""

    def play(talk: Talk) -> None:
        oids = [int(talk.value(f"SELECT '{name}'::regtype::oid")) for name in types]
        parts = parse("", text, _oids(*oids)) + describe("S") + bind(values=values, formats=formats)
        talk.send(f"{text} with {', '.join(types)}", parts + describe("P") + messages.execute("") + SYNC)

    return play


for sql in (
    "SELECT upper($1)", "SELECT $1 || ''", "SELECT length($1)", "SELECT md5($1)", "SELECT $1 LIKE 'd%'",
    "SELECT concat($1)", "SELECT string_agg($1, ',')", "SELECT id FROM plain WHERE note = $1",
    "SELECT coalesce($1, 'x') || 'y'", "SELECT format('%s', upper($1))", "SELECT left($1, 2) FROM plain WHERE id = 1",
    "INSERT INTO plain_log (line) VALUES (upper($1)) RETURNING line", "SELECT 1 FROM plain WHERE id = 1 AND $1 > 'a'",
    "SELECT ARRAY[$1, 'x']::text[]", "SELECT $1 IN ('a', 'b')",
):  # fmt: skip
    _scene("parse types", f"a composite type with a cast: {sql}", _typed(sql, ["public.pair"], b"(1,x)"))
for sql in ("SELECT $1 + 1", "SELECT abs($1)", "SELECT id FROM plain WHERE id = $1", "SELECT generate_series($1, 1)"):
    _scene("parse types", f"a composite type with a cast to int: {sql}", _typed(sql, ["public.pair"], b"(1,x)"))
for sql in ("SELECT $1 IS NULL", "SELECT $1", "SELECT 1 WHERE $1 = 'a'", "SELECT count($1) FROM plain"):
    _scene("parse types", f"a domain that checks by code: {sql}", _typed(sql, ["public.spying"], b"a"))
_scene("parse types", "an array of such a domain", _typed("SELECT $1 IS NULL", ["public._spying"], b"{a}"))
_scene("parse types", "an array of such a composite type", _typed("SELECT $1[1] || ''", ["public._pair"], b'{"(1,x)"}'))
_scene(
    "parse types",
    "the second of two parameters",
    _typed("SELECT $1, upper($2)", ["int", "public.pair"], b"1", b"(1,x)"),
)
_scene(
    "parse types", "a table's row type", _typed("SELECT ($1).email", ["public.users"], b"(1,1,x,1,a,b,t,2030-01-01)")
)
_scene("parse types", "regclass", _typed("SELECT $1::text", ["regclass"], b"users"))
_scene("parse types", "a harmless domain", _typed("SELECT $1 + 1", ["public.positive"], b"3"))
for name in ("sql_identifier", "cardinal_number", "yes_or_no"):
    _scene(
        "parse types", f"{name} of the information schema",
        _typed("SELECT $1::text", [f"information_schema.{name}"], b"5" if name == "cardinal_number" else b"YES"),
        allowed=True,
    )  # fmt: skip
_scene("parse types", "an enum", _typed("SELECT $1::text", ["public.mood"], b"calm"))
_scene("parse types", "more types than parameters", _typed("SELECT 1", ["public.pair", "public.spying"]))
_scene(
    "parse types",
    "binary values",
    _typed("SELECT upper($1)", ["public.pair"], b"\0\0\0\2\0\0\0\x17\0\0\0\4\0\0\0\1\0\0\0\x19\0\0\0\1x", formats=[1]),
)


def _unknown(oid: int) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        talk.send(f"type {oid}", parse("", "SELECT $1", _oids(oid)) + bind(values=[b"1"]) + messages.execute("") + SYNC)

    return play


for oid in (1, 705, 2249, 2278, 2281, 99999999, 4294967295):
    _scene("parse types", f"the type number {oid}", _unknown(oid))


def _prepared_and_described(talk: Talk) -> None:
    oid = int(talk.value("SELECT 'public.pair'::regtype::oid"))
    talk.send("named", parse("s", "SELECT upper($1)", _oids(oid)) + describe("S", "s") + SYNC)
    talk.send("bound", bind("p", "s", [b"(1,x)"]) + describe("P", "p") + SYNC)
    talk.send("bound and executed", bind("p", "s", [b"(1,x)"]) + messages.execute("p") + close("S", "s") + SYNC)


_scene("parse types", "a named statement with a composite type", _prepared_and_described)


# What runs without Execute.

BINDS = (
    "SELECT crash(1)", "SELECT 1 FROM plain WHERE id = crash(1)", "SELECT peek_fast(1)::int", "SELECT wipe_fast(1)",
    "SELECT wipe_stable(1)", "SELECT 1 FROM plain WHERE id = wipe_stable(2)", "SELECT id FROM plain LIMIT wipe_fast(3)",
    "SELECT 1 WHERE peek(1)::int = 1", "EXPLAIN SELECT wipe_fast(4)", "VALUES (wipe_fast(5))",
    "SELECT * FROM generate_series(1, wipe_fast(6))", "UPDATE plain SET n = 1 WHERE id = wipe_fast(7)",
    "DELETE FROM plain WHERE id = crash(1)", "INSERT INTO plain (id) VALUES (wipe_fast(8))", "COPY (SELECT wipe_fast(9)) TO STDOUT",
    "DECLARE c CURSOR FOR SELECT wipe_fast(10)", "CREATE TEMP TABLE x AS SELECT wipe_fast(11)", "SELECT 'a'::spying",
    "SELECT '(1,x)'::pair::text", "SELECT * FROM users_of(wipe_fast(12))", "SELECT 1 / (SELECT salary - 107 FROM staff WHERE id = 7)",
)  # fmt: skip


def _bound(sql: str, identity_parts: bytes) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        talk.send(f"Parse, Bind of {sql}", parse("", sql) + bind() + identity_parts + SYNC)
        talk.sql("SELECT count(*) FROM plain")

    return play


for sql in BINDS:
    _scene("bind only", f"Parse and Bind: {sql}", _bound(sql, b""), identity="reader")
for sql in BINDS[:5]:
    _scene(
        "bind only",
        f"Parse, Bind and Describe: {sql}",
        _bound(sql, describe("P")),
        identity="reader",
    )


# The same by one who sees all and may change nothing: what has run is on record (attacking.py looks).

for sql in (
    "SELECT wipe_fast(21)",
    "SELECT wipe_stable(22)",
    "SELECT 1 FROM plain WHERE id = wipe_fast(23)",
    "VALUES (wipe_fast(24))",
):
    _scene("unrecorded", f"Parse and Bind: {sql}", _bound(sql, b""), identity="viewer")
    _scene("unrecorded", f"Parse, Bind and Describe: {sql}", _bound(sql, describe("P")), identity="viewer")


def _flushed(talk: Talk) -> None:
    talk.send("Bind, Flush", parse("", "SELECT wipe_fast(1)") + bind() + FLUSH, until=b"2E!")
    talk.send("Sync", SYNC)


_scene("bind only", "Bind, Flush and nothing else", _flushed, identity="reader")


def _bound_with_a_value(talk: Talk) -> None:
    oid = int(talk.value("SELECT 'public.spying'::regtype::oid"))
    talk.send("a domain's check in Bind", parse("", "SELECT $1 IS NULL", _oids(oid)) + bind(values=[b"a"]) + SYNC)


_scene("bind only", "a domain that is checked by Bind", _bound_with_a_value, identity="reader")


# Startup parameters, formats, function calls.

STARTUP: tuple[dict[str, str], ...] = (
    {"options": "-c debug_print_plan=on"}, {"options": "-c client_min_messages=debug5"}, {"client_min_messages": "log"},
    {"options": "-c session_preload_libraries=auto_explain"}, {"session_preload_libraries": "auto_explain"},
    {"options": "-c search_path=pg_temp,public"}, {"options": "-c role=postgres"}, {"role": "postgres"},
    {"session_authorization": "postgres"}, {"options": "-c enable_seqscan=off"}, {"enable_seqscan": "off"},
    {"options": "-c extra_float_digits=-15"}, {"options": "-c row_security=off"}, {"row_security": "off"},
    {"standard_conforming_strings": "off"}, {"client_encoding": "LATIN1"}, {"client_encoding": "SQL_ASCII"},
    {"replication": "true"}, {"replication": "database"}, {"options": "-c default_transaction_read_only=on"},
    {"bytea_output": "escape"}, {"IntervalStyle": "iso_8601"}, {"DateStyle": "German"}, {"geqo": "off"}, {"geqo": "on"},
    {"search_path": '"$user", public'}, {"search_path": ""}, {"search_path": "other, public"}, {"_pq_.x": "1"},
    {"backslash_quote": "on"}, {"xmlbinary": "hex"}, {"lc_messages": "C"}, {"options": "-B 5"}, {"options": "--x"},
    {"options": "-c debug_print_rewritten=on -c client_min_messages=log"}, {"local_preload_libraries": "auto_explain"},
    {"plan_cache_mode": "force_generic_plan"}, {"transform_null_equals": "on"}, {"array_nulls": "off"},
)  # fmt: skip
QUESTIONS = (
    "SELECT id, email, note FROM users WHERE tenant = 5 ORDER BY id LIMIT 2", "SELECT id FROM staff WHERE salary > 500",
    "UPDATE measured SET note = 'x' WHERE id = 1", "SELECT pay, at, raw FROM measured ORDER BY id LIMIT 2",
    "SELECT id FROM other.users ORDER BY id LIMIT 1", "SELECT id, note FROM own_rows",
)  # fmt: skip


def _started(parameters: dict[str, str]) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        greeting = talk.greet(f"startup {parameters}", **parameters)
        if not greeting or greeting[-1][0] == b"Z":
            client = f"greeting {len(talk.steps) - 1}"
            for question in ("BEGIN", *QUESTIONS, "ROLLBACK"):
                talk.sql(question, client)

    return play


for parameters in STARTUP:
    _scene("startup", f"startup {parameters}", _started(parameters))


# What drivers and pools send that means nothing or little: the session is to begin, and to work.
HARMLESS_STARTUP: tuple[dict[str, str], ...] = (
    {"search_path": '"$user", public'}, {"search_path": ""}, {"geqo": "off"}, {"geqo": "on"},
    {"options": "-c geqo=off -c search_path=public"}, {"application_name": "x", "extra_float_digits": "2"},
    {"DateStyle": "ISO", "TimeZone": "UTC", "client_encoding": "UTF8"},
)  # fmt: skip


def _begun(parameters: dict[str, str]) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        talk.greet(f"startup {parameters}", **parameters)
        talk.sql("SELECT id, email FROM public.users WHERE id < 3 ORDER BY id", "greeting 0")

    return play


for parameters in HARMLESS_STARTUP:
    _scene("startup", f"harmless {parameters}", _begun(parameters), allowed=True)


def _call(name: str, *values: bytes) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        oid = int(talk.value(f"SELECT '{name}'::regprocedure::oid"))
        arguments = b"".join(struct.pack(">i", len(value)) + value for value in values)
        body = struct.pack(">IHH", oid, 0, len(values)) + arguments + b"\0\0"
        talk.send(f"function call of {name}", message(b"F", body))

    return play


for name, values in {
    "public.peek(int)": (b"1",), "public.wipe()": (), "pg_catalog.lo_get(oid)": (b"1",), "pg_catalog.length(text)": (b"abc",),
    "pg_catalog.query_to_xml(text,boolean,boolean,text)": (b"SELECT email FROM users", b"t", b"t", b""),
}.items():  # fmt: skip
    _scene("function call", f"a function call message of {name}", _call(name, *values))


def _formats(formats: Sequence[int]) -> Callable[[Talk], None]:
    def play(talk: Talk) -> None:
        text = "SELECT id, email, salary FROM users WHERE id < 3 ORDER BY id"
        talk.send(
            f"result formats {formats}",
            parse("", text) + bind(results=formats) + describe("P") + messages.execute("") + SYNC,
        )

    return play


for formats in ((), (0,), (1,), (0, 1, 0), (1, 0), (2,), (-1,), (0, 0, 0, 0)):
    _scene("formats", f"result formats {formats}", _formats(formats))


def _messages(name: str, *parts: tuple[str, bytes]) -> None:
    def play(talk: Talk) -> None:
        for said, data in parts:
            talk.send(said, data)

    _scene("raw messages", name, play)


_messages("an unknown message", ("message y", message(b"y", b"x") + SYNC))
_messages("a password in the middle", ("password", messages.password(b"x") + SYNC))
_messages("copy data outside a copy", ("copy data", message(b"d", b"x\n") + message(b"c", b"") + SYNC))
_messages(
    "an Execute with a negative limit",
    (
        "execute",
        parse("", "SELECT id FROM users WHERE tenant = 5") + bind() + message(b"E", b"\0\xff\xff\xff\xff") + SYNC,
    ),
)
_messages("a Parse with bytes behind its end", ("parse", message(b"P", b"\0SELECT 1\0\0\0extra") + SYNC))
_messages("a Parse that counts more types than it has", ("parse", message(b"P", b"\0SELECT 1\0\0\5") + SYNC))
_messages(
    "a Bind with bytes behind its end",
    (
        "bind",
        parse("", "SELECT email FROM users WHERE id = 1")
        + message(b"B", b"\0\0\0\0\0\0\0\0extra")
        + messages.execute("")
        + SYNC,
    ),
)
_messages("a Describe of something else", ("describe", message(b"D", b"X\0") + SYNC))
_messages("a Close of something else", ("close", message(b"C", b"X\0") + SYNC))
_messages("a Query with a zero byte", ("query", message(b"Q", b"SELECT 1\0; SELECT peek(1)\0")))
_messages("a Query without its end", ("query", message(b"Q", b"SELECT email FROM users")))
_messages("a Query that is not UTF-8", ("query", message(b"Q", b"SELECT '\xff\xfe'\0")))
_messages("a Parse that is not UTF-8", ("parse", message(b"P", b"\0SELECT '\xc3'\0\0\0") + SYNC))
_messages("an empty Query", ("query", messages.query("")), ("comment", messages.query("-- nothing")))
_messages(
    "a Bind of a portal's own name",
    (
        "bind",
        parse("x", "SELECT email FROM users ORDER BY id LIMIT 2")
        + bind("x", "x")
        + bind("y", "x")
        + messages.execute("y", 1)
        + messages.execute("x")
        + messages.execute("y")
        + SYNC,
    ),
)
