"""What the analysis of one SQL text finds out on its way: the raw material of a decision."""

from __future__ import annotations

from dataclasses import dataclass, field

from pglast import ast

from penstock_core.sql.catalog.model import ColumnName, RelationName
from penstock_core.sql.masking.order_completion import Leaf


@dataclass(slots=True)
class Facts:
    """Collected over all statements of a text."""

    # Each statement's own verb, in order.
    verbs: list[str] = field(default_factory=list)
    relations: set[RelationName] = field(default_factory=set)
    masked: set[ColumnName] = field(default_factory=set)
    # A governed relation is read: the text is rewritten, and errors from the server are reduced.
    touched: bool = False
    # Of each FROM item and each target that is a relation (by its identity): the item, and what orders need to know.
    leaves: dict[int, tuple[ast.Node, Leaf]] = field(default_factory=dict)
    # The masked queries that stand in the text, by their identity.
    substituted: dict[int, str] = field(default_factory=dict)
    # Some bare name could mean something else under another search path: the text is rewritten with it qualified.
    pinned: bool = False
    writes: bool = False
    # Prepared statements and cursors that are made in SQL, run, and given up.
    prepares: list[str] = field(default_factory=list)
    declares: list[tuple[str, bool]] = field(default_factory=list)
    executes: list[str] = field(default_factory=list)
    fetches: list[str] = field(default_factory=list)
    deallocates: list[str] = field(default_factory=list)
    closes: list[str] = field(default_factory=list)
    # Tables that came to be for this session alone; and whether it gave up all that it had.
    temporary: set[str] = field(default_factory=set)
    drops_temporary: bool = False
    changes_search_path: bool = False
    resets_search_path: bool = False
    # What is a reason to refuse only if governed data is touched, found out at the end: a hidden system column.
    system_column: str = ""
    unknown_column: str = ""
