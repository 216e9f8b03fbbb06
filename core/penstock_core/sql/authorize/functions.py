"""Which functions, operators and types a text may use: those whose code can't read what is masked."""

from __future__ import annotations

from pglast import ast

from penstock_core.sql.allowlists.extensions import CODE_EXTENSION_FUNCTIONS
from penstock_core.sql.allowlists.functions import (
    CODE_FUNCTIONS,
    FUNCTIONS,
    INFORMATION_SCHEMA_FUNCTIONS,
    LARGE_OBJECTS,
    MEASURES,
    NUMBERING,
    OPERATORS,
    STEADY_CALLS,
    STEADY_OR_ONCE,
    UNMASKED_FUNCTIONS,
    WRITING_FUNCTIONS,
)
from penstock_core.sql.allowlists.statement_kinds import Kind
from penstock_core.sql.allowlists.system_relations import INFORMATION_SCHEMA_TYPES
from penstock_core.sql.authorize.authorizer import Authorizer
from penstock_core.sql.authorize.function_calls import type_unseen, user_function
from penstock_core.sql.authorize.likely_names import likely_function, likely_type
from penstock_core.sql.authorize.named_types import of_named_type
from penstock_core.sql.authorize.sequences import is_sequence_state, unmasked_sequence
from penstock_core.sql.authorize.side_effects import is_made_once, is_steady
from penstock_core.sql.authorize.write_targets import run_function
from penstock_core.sql.bind.binder import strings
from penstock_core.sql.bind.name_resolution import Ambiguous, is_builtin_type
from penstock_core.sql.bind.references import FormerFunction, FunctionCall, OperatorUse, ParameterType, TypeUse
from penstock_core.sql.decision import Denial
from penstock_core.sql.masking.build import cast, null
from penstock_core.sql.refusal import Refused, refused, unknown

# Calls that have a syntax of their own since PostgreSQL 16, by what the parser makes of it.
_SYNTAX = frozenset({("pg_catalog", "json_object"), ("pg_catalog", "system_user")})
# Types that have been keywords only since PostgreSQL 17: to an older server they are names like any other.
_KEYWORD_TYPES = frozenset({"json"})
# What helps where it is not the text that names the type.
_UNDECLARED = "leave the parameter's type out (OID 0), or cast the parameter in SQL"


# ---- functions, where something is masked


def masked_function(authorizer: Authorizer, use: FunctionCall) -> None:
    """A function whose code could read masked columns is refused; a bare name is qualified."""
    names = use.names
    authorizer.deny_function(names)
    if use.form == "object":
        return
    if use.form == "field" and names[-1] in authorizer.catalog.user_functions:
        # It can't be written with its schema: for a row of the user's own, the server finds the user's function first.
        own_function(authorizer, "", names[-1])
        if names[-1] not in authorizer.catalog.system_functions:
            return
    if use.node is not None and names[-1] in MEASURES and names[:-1] in ((), ("pg_catalog",)):
        # It tells a number that depends on masked values.
        authorizer.found.pinned = True
        authorizer.found.edits.replace(use.node, cast(null(), "pg_catalog.int8"))
        return
    if use.node is not None and _side_effect(authorizer, use, use.node):
        authorizer.found.edits.set(use.node, "funcname", strings("pg_catalog", names[-1]))
        return
    if use.node is not None and of_named_type(authorizer, use.names, use.node):
        return
    if use.form != "definition":
        _verb_of(authorizer, names)
    if is_sequence_state(authorizer, use):
        return
    if names[-1] in NUMBERING:
        unmasked_sequence(authorizer, use)
    pinned = _qualified(authorizer, names, use.node.location if use.node is not None else None)
    if use.node is not None and pinned != names:
        authorizer.found.edits.set(use.node, "funcname", strings(*pinned))


def _qualified(authorizer: Authorizer, names: tuple[str, ...], place: int | None) -> tuple[str, ...]:
    """The function's name so that it means the same under any search path."""
    catalog = authorizer.catalog
    schema, name = names[-2] if len(names) > 1 else "", names[-1]
    if names in _SYNTAX:
        _newer_syntax(authorizer, name)
    if (schema or "pg_catalog") in catalog.user_functions.get(name, ()):
        # Also where an extension or the system has one of that name there: which is meant depends on the arguments.
        if schema in ("", "pg_catalog"):
            raise user_function(f"pg_catalog.{name}", "it bears the name of one of the system's")
        own_function(authorizer, schema, name)
        return names
    if schema == "information_schema" and name in INFORMATION_SCHEMA_FUNCTIONS:
        return names
    if schema not in ("", "pg_catalog"):
        if schema in catalog.extension_functions.get(name, ()):
            return names
        if schema == "information_schema":
            raise user_function(f"{schema}.{name}")
        raise unknown(f"function {schema}.{name} does not exist", "42883", place)
    if name in FUNCTIONS:
        return _system_function(authorizer, schema, name)
    if name in NUMBERING and "insert" in authorizer.governed.policies.allow:
        authorizer.found.writes = True
        return _system_function(authorizer, schema, name)
    if not schema and name in catalog.user_functions:
        own_function(authorizer, "", name)
        return names
    if not schema and name in catalog.extension_functions:
        return catalog.extension_functions[name][0], name
    raise _refused_function(authorizer, name, place)


def own_function(authorizer: Authorizer, schema: str, name: str) -> None:
    """A function of the database's own; a bare name means it in whatever schema. Raises Refused."""
    functions = authorizer.governed.functions
    authorizer.found.changes_catalog |= name in authorizer.catalog.changing_functions
    if schema:
        run_function(authorizer, f"{schema}.{name}", functions.verdict(schema, name))
    else:
        run_function(authorizer, name, functions.named(name))


def _side_effect(authorizer: Authorizer, use: FunctionCall, node: ast.FuncCall) -> bool:
    """A call that locks, waits or tells others something: no value of any row has part in it, or it is made once."""
    *schema, name = use.names
    known = name in STEADY_CALLS or name in STEADY_OR_ONCE
    if not known or schema not in ([], ["pg_catalog"]) or name in authorizer.catalog.user_functions:
        return False
    if is_steady(node):
        authorizer.found.side_effect = name
    elif name not in STEADY_OR_ONCE or use.scope is None or not is_made_once(node, use.scope):
        raise refused(
            f"function {name} accepts only constants and parameters where columns are masked",
            "read the value first, and send it as a parameter",
        )
    if name in STEADY_OR_ONCE:
        _changes(authorizer, STEADY_OR_ONCE[name], name)
    authorizer.found.writes = True
    return True


def _system_function(authorizer: Authorizer, schema: str, name: str) -> tuple[str, ...]:
    if not schema and name in authorizer.catalog.user_functions:
        authorizer.found.pinned = True
    elif not schema and name in authorizer.catalog.extension_functions:
        # The extension's variant for its own types (`lower(citext)`) is as good.
        return (name,)
    return "pg_catalog", name


def _newer_syntax(authorizer: Authorizer, name: str) -> None:
    """What an older server takes for a call of the user's function, or for the column or row of that name."""
    if not 0 < authorizer.catalog.server_version < 160000:
        return
    if name == "system_user":
        raise unknown(f"function {name} does not exist", "42883")
    if name in authorizer.catalog.user_functions:
        raise user_function(name)


def masked_former_function(authorizer: Authorizer, use: FormerFunction) -> None:
    """Newer syntax that an older server reads as a call of the user's function."""
    raise user_function(use.name)


# ---- functions, where nothing is masked


def unmasked_function(authorizer: Authorizer, use: FunctionCall) -> None:
    """The user's functions are as good as the database's owner made them; what writes needs its verb."""
    names = use.names
    authorizer.deny_function(names)
    if use.form == "object":
        return
    if use.form != "definition":
        _verb_of(authorizer, names)
    catalog, found = authorizer.catalog, authorizer.found
    schema, name = names[-2] if len(names) > 1 else "", names[-1]
    place = use.node.location if use.node is not None else None
    if schema != "pg_catalog" and name in catalog.user_functions:
        # Whichever is meant: what the server's own needs, it needs too.
        found.calls_own_code = True
        own_function(authorizer, schema if schema in catalog.user_functions[name] else "", name)
        if name not in catalog.system_functions:
            return
    if name in FUNCTIONS or name in UNMASKED_FUNCTIONS or name in catalog.extension_functions:
        return
    if name in WRITING_FUNCTIONS:
        found.writes = True
        if WRITING_FUNCTIONS[name] and name not in NUMBERING:
            # Numbers for new rows are taken by defaults, too, by whoever inserts them.
            _changes(authorizer, WRITING_FUNCTIONS[name], name)
    elif name in CODE_FUNCTIONS or name in CODE_EXTENSION_FUNCTIONS:
        authorizer.allow_code(Kind(f"function {name}", "write the query itself"))
        found.changes_catalog = found.commits_itself = True
    elif name in catalog.system_functions or schema == "pg_catalog" or not catalog.system_functions:
        raise _refused_function(authorizer, name, place)
    elif authorizer.governed.free or schema == "information_schema":
        found.writes = True
    else:
        # It may have been made since the catalog was read.
        raise unknown(f"function {name} does not exist", "42883", place, likely_function(name, catalog))


def _verb_of(authorizer: Authorizer, names: tuple[str, ...]) -> None:
    """A function that is called here and now, and needs a verb for what it changes."""
    verb = WRITING_FUNCTIONS.get(names[-1])
    if verb and names[:-1] in ((), ("pg_catalog",)):
        _changes(authorizer, verb, names[-1])


def _changes(authorizer: Authorizer, verb: str, name: str) -> None:
    """A function of the system's own needs that verb; to take a number for a new row is no change of its own."""
    authorizer.allow_verb(verb, f"function {name}")
    if name not in NUMBERING:
        authorizer.found.verbs.add(verb)


def _refused_function(authorizer: Authorizer, name: str, place: int | None) -> Refused:
    if name in LARGE_OBJECTS and authorizer.governed.masked:
        return refused(
            f"function {name} may not be called where columns are masked: no policy can say what large objects hold",
            "keep such data in a column of type bytea, or let an identity without masks read it; for a dump without it:"
            " pg_dump -B",
        )
    if name in authorizer.catalog.system_functions or name in UNMASKED_FUNCTIONS or name in WRITING_FUNCTIONS:
        return refused(
            f"function {name} may not be called", "it can reach past the gate; write the statement without it"
        )
    like = likely_function(name, authorizer.catalog)
    return unknown(f"function {name} does not exist, or may not be called", "42883", place, like)


# ---- operators and types, where something is masked


def masked_operator(authorizer: Authorizer, use: OperatorUse) -> None:
    """An operator, with or without a schema, is the system's own or a trusted extension's."""
    catalog = authorizer.catalog
    schema, name = use.names[-2] if len(use.names) > 1 else "", use.names[-1]
    own_operator(authorizer, use)
    if schema not in ("", "pg_catalog") and name not in catalog.extension_operators | catalog.user_operators:
        raise unknown(f"operator {schema}.{name} does not exist", "42883")
    if schema != "pg_catalog" and name in catalog.user_operators:
        if name not in catalog.operator_functions:
            raise user_function(f"of operator {name}")
        _estimated(authorizer, name)
        return
    if name not in OPERATORS and name not in catalog.extension_operators:
        raise unknown(f"operator {name} does not exist, or may not be used", "42883")


def _estimated(authorizer: Authorizer, name: str) -> None:
    """An operator that the planner asks of frequent values of a column: of rows that are not there, too."""
    if name in authorizer.catalog.estimated_operators:
        for key in sorted(authorizer.bound.relations & authorizer.governed.filters.relations):
            raise refused(
                f"operator {name} would be asked of rows of {'.'.join(key)} that a policy filters out, since the server"
                " estimates by statistics how many rows it holds for (RESTRICT, JOIN)",
                f"call the function of operator {name} in its place",
            )


def own_operator(authorizer: Authorizer, use: OperatorUse) -> None:
    """An operator that may be the database's own is its function."""
    if use.names[-1] in authorizer.catalog.operator_functions and use.names[:-1] != ("pg_catalog",):
        effects = authorizer.governed.functions.operator(use.names[-1])
        run_function(authorizer, f"of operator {use.names[-1]}", effects)


def masked_type(authorizer: Authorizer, use: TypeUse) -> None:
    """A type whose input function and checks are not the user's code; a bare name that could mean others is pinned."""
    resolved, name = use.resolved, use.name
    if isinstance(resolved, Ambiguous):
        raise refused(resolved.reason, resolved.remedy)
    if resolved is None:
        like = likely_type(name, authorizer.catalog)
        raise unknown(f'type "{name}" does not exist, or may not be used', "42704", use.node.location, like)
    schema = resolved.schema
    _check_type(authorizer, schema, name, "cast to another type")
    if resolved.ambiguous or (name in _KEYWORD_TYPES and name in authorizer.catalog.user_types):
        authorizer.found.pinned = True
        authorizer.found.edits.set(use.node, "names", strings(schema, name))


def masked_parameter(authorizer: Authorizer, declared: ParameterType) -> None:
    """The same rule as for a type in the text."""
    if declared.key is None:
        reason = f"the type with the OID {declared.oid}, declared for a parameter, does not exist"
        raise Refused(Denial(reason, _UNDECLARED, sqlstate="42704", unknown_names=True))
    _check_type(authorizer, *declared.key, _UNDECLARED)


def _check_type(authorizer: Authorizer, schema: str, name: str, remedy: str) -> None:
    if schema == "pg_catalog" and not is_builtin_type(name):
        raise refused(f"type {name} may not be used", remedy)
    if schema == "information_schema" and name.removeprefix("_") in INFORMATION_SCHEMA_TYPES:
        return
    if schema != "pg_catalog" and schema not in authorizer.catalog.user_types.get(name, ()):
        raise unknown(f'type "{schema}.{name}" does not exist', "42704")
    if authorizer.governed.runs_code((schema, name)):
        raise refused(f"type {schema}.{name} runs code of this database's own, which could read masked columns", remedy)


# ---- operators and types, where nothing is masked: those of the database's own are calls of its functions


def unmasked_operator(authorizer: Authorizer, use: OperatorUse) -> None:
    """Whichever is meant: it may be the database's own."""
    own_operator(authorizer, use)
    own = use.names[-1] in authorizer.catalog.user_operators
    authorizer.found.writes |= own
    authorizer.found.calls_own_code |= own


def unmasked_type(authorizer: Authorizer, use: TypeUse) -> None:
    """A type whose checks and casts do no more than the identity may."""
    names = tuple(one.sval or "" for one in use.node.names or ())
    type_unseen(authorizer, names[-2] if len(names) > 1 else "", names[-1])
    resolved = use.resolved
    schemas = authorizer.catalog.user_types.get(use.name, ())
    if resolved is not None and not isinstance(resolved, Ambiguous):
        schemas = (resolved.schema,)
    authorizer.found.writes |= any(authorizer.governed.runs_code((schema, use.name)) for schema in schemas)


def unmasked_parameter(authorizer: Authorizer, declared: ParameterType) -> None:
    """The same rule as for a type in the text; of one that no catalog has, nothing is known."""
    if declared.key is not None:
        type_unseen(authorizer, *declared.key)
    authorizer.found.writes |= declared.key is None or authorizer.governed.runs_code(declared.key)
