"""Types as SQL text that means the same under any search_path, and as syntax trees for casts."""

from __future__ import annotations

import re
from functools import lru_cache

from pglast import ast, parse_sql
from pglast.parser import ParseError


@lru_cache(maxsize=4096)
def type_node(type_sql: str) -> ast.TypeName:
    """The syntax tree of a type as a catalog snapshot spells it. Share it, never change it. Raises ValueError."""
    try:
        (statement,) = parse_sql(f"SELECT NULL::{type_sql}")
    except (ParseError, ValueError) as error:
        raise ValueError(f"not a type: {type_sql}") from error
    select = statement.stmt
    targets = select.targetList if isinstance(select, ast.SelectStmt) else None
    cast = targets[0].val if targets and len(targets) == 1 else None
    if not isinstance(cast, ast.TypeCast) or cast.typeName is None:
        raise ValueError(f"not a type: {type_sql}")
    return cast.typeName


def type_modifiers(type_sql: str) -> tuple[int, ...]:
    """The numbers in brackets behind a type: (20,) of `pg_catalog.varchar(20)`; () where there are none."""
    modifiers = type_node(type_sql).typmods or ()
    numbers = [
        modifier.val.ival or 0
        for modifier in modifiers
        if isinstance(modifier, ast.A_Const) and isinstance(modifier.val, ast.Integer)
    ]
    return tuple(numbers) if len(numbers) == len(modifiers) else ()


@lru_cache(maxsize=4096)
def name_parts(qualified: str) -> tuple[str, ...]:
    """The parts of a qualified name that quote_ident spelled."""
    found = re.findall(r'"(?:[^"]|"")*"|[^".]+', qualified)
    return tuple(part[1:-1].replace('""', '"') if part.startswith('"') else part for part in found)


@lru_cache(maxsize=4096)
def qualified_type(formatted: str, type_name: str) -> str:
    """What `format_type` printed while only pg_catalog was in the path, made independent of the path.

    `character varying(20)` of type `pg_catalog.varchar` becomes `pg_catalog.varchar(20)`, an array of them
    `pg_catalog._varchar(20)`. Types that have a grammar of
    their own for modifiers (`interval day to second`) are left as printed: keywords do not depend on the path.
    """
    try:
        node = type_node(formatted)
    except ValueError:
        # Without the modifier it still means the same type.
        return type_name
    if not node.typmods:
        return type_name
    names = [name.sval for name in node.names or ()]
    modifiers = type_modifiers(formatted)
    if modifiers and names[-1] != "interval":
        return f"{type_name}({','.join(str(number) for number in modifiers)})"
    return formatted if len(names) > 1 else type_name
