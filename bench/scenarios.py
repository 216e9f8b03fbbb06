"""The scenarios: which load runs against which endpoints, in which modes and with how many clients.

Running them in turn is `__main__.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.load import Bulk, Load, Pgbench, Sync
from bench.stage import Endpoint, Stage

MODES = ("simple", "extended", "prepared")
CLIENTS = (1, 4, 16)
NAMES = ("select", "tpcb", "processes", "first-seen", "known-shape", "masked", "bulk", "memory")
_TPCB_CLIENTS = 4
_PROCESSES_CLIENTS = 16

# A hundred texts in simple mode: what an application's cache of decisions sees. pgbench -S has a million.
_SELECT = "\\set aid random(1, 100)\nSELECT abalance FROM pgbench_accounts WHERE aid = :aid;\n"
# No two alike, in some 350 characters: in their shapes, by the name of a column, or in their literals alone.
_TAGGED = {"first-seen": "0 AS tagged:tag", "known-shape": ":tag AS tagged"}
_DISTINCT = """\\set id random(1, {rows})
\\set tag random(1, 1000000000000)
SELECT c.id, c.name, c.email AS email, a.abalance, b.bbalance, coalesce(a.abalance, 0) + {tagged} \
FROM customers AS c JOIN pgbench_accounts AS a ON a.aid = c.id JOIN pgbench_branches AS b ON b.bid = a.bid \
WHERE c.id = :id AND c.balance IS NOT NULL AND (a.abalance > -1000000 OR c.name LIKE 'nobody%') \
AND b.bid BETWEEN 1 AND 100000 ORDER BY c.id LIMIT 10;
"""
_MASKED = "\\set id random(1, 100)\nSELECT id, name, {email} AS email, balance FROM customers WHERE id = :id;\n"
_ROWS = "SELECT id, name, {email} AS email, balance FROM customers"
# The gate's `email` mask, as somebody would write it in the statement (pgbench takes `[:space:]` for a variable).
_BY_HAND = (
    "CASE WHEN email IS NULL THEN NULL WHEN length(email COLLATE \"C\") > 320 THEN '***' "
    "WHEN email COLLATE \"C\" ~ '^[^@\\s]+@[A-Za-z0-9-]+([.][A-Za-z0-9-]+)+$' "
    'THEN left(email COLLATE "C", 1) || \'***\' || substr(email COLLATE "C", strpos(email COLLATE "C", \'@\')) '
    "ELSE '***' END"
)


@dataclass(frozen=True, slots=True)
class Lane:
    """One load against one endpoint, counted in one or more scenarios."""

    scenarios: tuple[str, ...]
    endpoint: Endpoint
    load: Load


@dataclass(frozen=True, slots=True)
class Cell:
    """Lanes that are run in turn, so that whatever else the machine does meets all of them."""

    mode: str
    clients: int
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is run."""

    only: Sequence[str]
    modes: Sequence[str]
    clients: Sequence[int]
    seconds: int


def cells(stage: Stage, extent: Extent) -> Iterator[Cell]:
    """All cells of the scenarios that load something."""
    if "select" in extent.only:
        yield from _selects(stage, extent)
    if "tpcb" in extent.only:
        yield from _tpcb(stage, extent)
    if "processes" in extent.only:
        yield from _processes(stage, extent)
    for name, tagged in _TAGGED.items():
        if name in extent.only:
            yield from _distinct(stage, extent, name, tagged)
    if "masked" in extent.only:
        yield from _masked(stage, extent)
    if "bulk" in extent.only:
        yield from _bulk(stage)


def _selects(stage: Stage, extent: Extent) -> Iterator[Cell]:
    for mode in extent.modes:
        for clients in extent.clients:
            load = Pgbench(_SELECT, mode, clients, extent.seconds)
            both = ("select", "select, block")
            lanes = (
                Lane(both, stage.direct, load), Lane(both, stage.pgbouncer, load),
                Lane(("select",), stage.penstock, load), Lane(("select, block",), stage.blocking, load),
            )  # fmt: skip
            # What a single client waits for, under `block`.
            sync = (Lane(("fdatasync",), stage.direct, Sync(stage.directory)),) if clients == 1 else ()
            yield Cell(mode, clients, (*lanes, *sync))


def _tpcb(stage: Stage, extent: Extent) -> Iterator[Cell]:
    """Five statements in a transaction, four of which write."""
    both = ("tpcb", "tpcb, block")
    for mode in extent.modes:
        load = Pgbench("tpcb-like", mode, _TPCB_CLIENTS, extent.seconds, builtin=True)
        yield Cell(mode, _TPCB_CLIENTS, (
            Lane(both, stage.direct, load), Lane(both, stage.pgbouncer, load),
            Lane(both[:1], stage.penstock, load), Lane(both[1:], stage.blocking, load),
        ))  # fmt: skip


def _processes(stage: Stage, extent: Extent) -> Iterator[Cell]:
    """A gate of one process and one of two."""
    both, mode = ("processes, 1", "processes, 2"), extent.modes[-1]
    load = Pgbench(_SELECT, mode, _PROCESSES_CLIENTS, extent.seconds)
    yield Cell(mode, _PROCESSES_CLIENTS, (
        Lane(both, stage.direct, load), Lane(both, stage.pgbouncer, load),
        Lane(both[:1], stage.penstock, load), Lane(both[1:], stage.doubled, load),
    ))  # fmt: skip


def _distinct(stage: Stage, extent: Extent, name: str, tagged: str) -> Iterator[Cell]:
    both = (name, f"{name}, masked")
    for clients in extent.clients:
        load = Pgbench(_DISTINCT.format(tagged=tagged, rows=stage.rows), "simple", clients, extent.seconds)
        yield Cell("simple", clients, (
            Lane(both, stage.direct, load), Lane(both, stage.pgbouncer, load),
            Lane(both[:1], stage.penstock, load), Lane(both[1:], stage.masking, load),
        ))  # fmt: skip


def _masked(stage: Stage, extent: Extent) -> Iterator[Cell]:
    for clients in (extent.clients[0], extent.clients[-1]) if len(extent.clients) > 1 else extent.clients:
        mode = extent.modes[-1]
        by_hand = Pgbench(_MASKED.format(email=_BY_HAND), mode, clients, extent.seconds)
        by_gate = Pgbench(_MASKED.format(email="email"), mode, clients, extent.seconds)
        yield Cell(mode, clients, (
            Lane(("masked",), stage.direct, by_hand), Lane(("masked",), stage.pgbouncer, by_hand),
            Lane(("masked",), stage.masking, by_gate),
        ))  # fmt: skip


def _bulk(stage: Stage) -> Iterator[Cell]:
    plain = _ROWS.format(email="email")
    for mode, by_hand, by_gate, gate in (
        ("select", plain, plain, stage.penstock),
        ("copy", "COPY customers TO STDOUT", "COPY customers TO STDOUT", stage.penstock),
        ("select, masked", _ROWS.format(email=_BY_HAND), plain, stage.masking),
        (
            "copy, masked",
            f"COPY ({_ROWS.format(email=_BY_HAND)}) TO STDOUT",
            f"COPY ({plain}) TO STDOUT",
            stage.masking,
        ),
    ):
        yield Cell(mode, 1, (
            Lane(("bulk",), stage.direct, Bulk(by_hand)), Lane(("bulk",), stage.pgbouncer, Bulk(by_hand)),
            Lane(("bulk",), gate, Bulk(by_gate)),
        ))  # fmt: skip


def distinct_statements(count: int) -> Load:
    """So many texts of shapes that no cache has seen, for what they leave in memory."""
    text = _DISTINCT.format(tagged=_TAGGED["first-seen"], rows=1000)
    return Pgbench(text, "simple", 4, transactions=max(1, count // 4))
