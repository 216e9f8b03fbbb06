"""Functions that are given a type's name as a text, where something is masked: `pg_input_is_valid('5', 'integer')`.

They run the type's own code, and the checks of a domain. So the text has to name one of the system's types.
"""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.functions import OF_NAMED_TYPES
from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.bind.binder import idents, strings
from penstock_core.sql.bind.name_resolution import is_builtin_type
from penstock_core.sql.refusal import Refused, refused
from penstock_core.sql.syntax.constants import constant
from penstock_core.sql.syntax.parse import parse


def of_named_type(authorizer: Authorizer, names: tuple[str, ...], node: ast.FuncCall) -> bool:
    """Whether it is such a call. Raises Refused where another type than the system's own could be meant."""
    name, catalog = names[-1], authorizer.catalog
    if name not in OF_NAMED_TYPES or names[:-1] not in ((), ("pg_catalog",)) or name in catalog.user_functions:
        return False
    arguments = node.args or ()
    written = constant(arguments[1]) if len(arguments) == 2 else None
    found = builtin_in(written) if written is not None else None
    if found is None or found in catalog.user_types:
        raise refused(
            f"function {name} accepts only types of the system's own where columns are masked",
            "write the type's name in quotes, as in 'integer'",
        )
    authorizer.found.edits.set(node, "funcname", strings("pg_catalog", name))
    return True


def builtin_in(text: str) -> str | None:
    """The name of the system's type that a text names, if it may be used; None for any other text."""
    try:
        statements = parse(f"SELECT NULL::{text}")
    except Refused:
        return None
    select = statements[0] if len(statements) == 1 else None
    targets = select.targetList or () if isinstance(select, ast.SelectStmt) else ()
    value = targets[0].val if len(targets) == 1 else None
    if not isinstance(value, ast.TypeCast) or not isinstance(value.arg, ast.A_Const) or value.typeName is None:
        return None
    *schema, name = idents(value.typeName.names) or [""]
    return name if schema in ([], ["pg_catalog"]) and is_builtin_type(name) else None
