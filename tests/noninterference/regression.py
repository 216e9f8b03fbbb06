"""Part (b): the SQL of PostgreSQL's own regression tests, statement by statement, over tables of which some columns are
masked. It comes with pglast's sources, which are fetched when they are needed and are no part of the repository.

A statement that fails on the server itself says nothing and is left out. Of the SELECTs that succeed there, those that
call no function that the gate keeps back must be allowed, and show what masks made by hand show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pglast import ast, parser, split
from tests.conformance import clients
from tests.noninterference.bulk import Bulk, found, is_useful
from tests.noninterference.client import Message
from tests.noninterference.comparing import failed, refused
from tests.noninterference.scenes import Step
from tests.noninterference.tally import Finding, Tally
from tests.noninterference.twins import HAND, Twins
from tests.noninterference.useful import difference

SOURCES = ("pglast==8.8", "ff9998ec6bac4f30f84db6b6edb28a0fb03b1eda5c8ad211ab8362f5a08b833b")
FOLDER = "libpg_query/test/sql/postgres_regress"
PART = "regression"
SELECTS = "regression SELECTs"
GOALS = {SELECTS: 95.0}
# Files that are about other encodings, or about things that reach beyond a database.
_LEFT_OUT = re.compile(
    r"euc_kr|encoding|collate|conversion|largeobject|tablespace|database|infinite_recurse|stats_import|maintain"
)
# Statements that wait, end sessions, or take down what is shared.
_DANGEROUS = re.compile(
    r"inet_(client|server)_port|pg_sleep|pg_terminate|pg_cancel|pg_reload|\b(vacuum|checkpoint|reindex|cluster|listen|notify|lock)\b|concurrently"
    r"|\b(role|user|tablespace|database|subscription|publication|server|event trigger)\b|pg_stat_reset"
    r"|generate_series\(1, ?\d{6,}",
    re.IGNORECASE,
)
# Refusals of functions that the gate keeps back: what calls them is not asked to work.
_UNSAFE = re.compile(r"function|operator|type .* (is|runs)|cast", re.IGNORECASE)
# The rows of such a statement may be others on a server that plans otherwise.
_ANY_ROWS = re.compile(
    r"\b(limit|fetch|over|array_agg|string_agg|json_agg|jsonb_agg|json_object_agg|xmlagg|distinct on|tablesample"
    r"|offset)\b",
    re.IGNORECASE,
)


def statements() -> Iterator[tuple[str, str]]:
    """Each file's name, and its statements one by one. Raises FetchError."""
    seen: set[str] = set()
    for path in sorted((clients.sources(*SOURCES) / FOLDER).glob("*.sql")):
        if _LEFT_OUT.search(path.stem):
            continue
        for text in _split(path):
            if text not in seen and not _DANGEROUS.search(text):
                seen.add(text)
                yield path.stem, text


def _split(path: Path) -> Iterator[str]:
    """The statements of a psql script, without psql's own commands and what COPY reads."""
    lines: list[str] = []
    copying = False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if copying:
            copying = line != "\\."
        elif not line.startswith("\\"):
            lines.append(re.sub(r"\\(g|gset|gdesc|gexec|gx|crosstabview|bind|parse).*$", ";", line))
            copying = bool(re.match(r"copy\b.*from\s+stdin", line, re.IGNORECASE))
    try:
        yield from (str(one) for one in split("\n".join(lines), with_parser=False))
    except parser.ParseError:
        return


def run(twins: Twins, tally: Tally, say: Callable[[str], None], ended: Callable[[], bool]) -> None:
    """Ask all of them, or as many as there is time for."""
    bulk = Bulk(twins, "maker")
    hand = next(twin for twin in twins.members if twin.filling is HAND)
    last = ""
    for file, text in statements():
        if ended():
            break
        if file != last:
            last = file
            say(f"{PART}: {file}")
        if not is_useful(itself := bulk.direct(hand, text)):
            continue
        verdict = bulk.judge(text)
        tally.count(PART, twins.version, verdict.outcome)
        title = f"{file}: {' '.join(text.split())[:120]}"
        if verdict.outcome == "leaked":
            tally.find(found(PART, bulk, text, verdict, twins.version))
        elif verdict.outcome != "unstable" and (why := _wrong(text, verdict.steps[0].answer, itself)) is not None:
            tally.judge(SELECTS, twins.version, works=not why)
            if why:
                tally.find(Finding("useless", PART, title, text, why, twins.version))
    bulk.close()


def _wrong(text: str, answer: list[Message], itself: list[Message]) -> str | None:
    """What is wrong with a SELECT's answer; None where nothing can be said of it."""
    if not _is_select(text):
        return None
    if words := refused(answer):
        return None if _UNSAFE.search(words) else words
    if words := failed(answer):
        return words
    if _ANY_ROWS.search(text):
        return ""
    return difference(Step(text, answer), Step(text, itself), hidden=True)


def _is_select(text: str) -> bool:
    try:
        parsed = parser.parse_sql(text)
    except (parser.ParseError, ValueError):
        return False
    only = parsed[0].stmt if len(parsed) == 1 else None
    return isinstance(only, ast.SelectStmt) and only.intoClause is None
