"""Which functions, operators and types a statement may use: those whose code can't read what is masked.

Where they stand in a statement is `expressions.py`'s.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from penstock_core.policy.effective import Rule
from penstock_core.sql.allowlists.extensions import CODE_EXTENSION_FUNCTIONS
from penstock_core.sql.allowlists.functions import (
    CODE_FUNCTIONS,
    FUNCTIONS,
    NUMBERING,
    OPERATORS,
    UNMASKED_FUNCTIONS,
    WRITING_FUNCTIONS,
)
from penstock_core.sql.allowlists.settings import Bounds
from penstock_core.sql.allowlists.statement_kinds import Kind
from penstock_core.sql.analysis.facts import Facts
from penstock_core.sql.analysis.function_calls import OwnFunctions, user_function
from penstock_core.sql.catalog.function_bodies import Write
from penstock_core.sql.catalog.model import Relation
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.refusal import Refused, refused, unknown
from penstock_core.sql.resolve.name_resolution import Names, is_builtin_type
from penstock_core.sql.syntax.type_names import name_parts

# Calls that have a syntax of their own since PostgreSQL 16, by what the parser makes of it.
_SYNTAX = frozenset({("pg_catalog", "json_object"), ("pg_catalog", "system_user")})


class CodeRules(ABC):
    """Looks names of code up; refuses by raising."""

    def __init__(self, governed: Governed, names: Names, facts: Facts) -> None:
        self.governed = governed
        self.catalog = governed.catalog
        self.names = names
        self.facts = facts
        self.masked = governed.masked
        policies = governed.policies
        self.bounds = Bounds(self.catalog.setting_prefixes, self.masked, policies.statement_timeout)
        self._denied = dict(policies.deny_functions)
        self.own_functions = OwnFunctions(governed, facts, self.denied_function, self.written_by_function)

    def named_function(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Whether that function may be called, and its name so that it means the same under any search path."""
        self.denied_function(names)
        schema, name = names[-2] if len(names) > 1 else "", names[-1]
        if not self.masked:
            self._unmasked_function(schema, name)
            return names
        if names in _SYNTAX:
            self._newer_syntax(name)
        if (schema or "pg_catalog") in self.catalog.user_functions.get(name, ()):
            # Also where an extension or the system has one of that name there: which is meant depends on the arguments.
            if schema in ("", "pg_catalog"):
                raise user_function(f"pg_catalog.{name}", "it bears the name of one of the system's")
            self.own_function(schema, name)
            return names
        if schema not in ("", "pg_catalog"):
            if schema in self.catalog.extension_functions.get(name, ()):
                return names
            if schema == "information_schema":
                raise user_function(f"{schema}.{name}")
            raise unknown(f"function {schema}.{name} does not exist", "42883")
        if name in FUNCTIONS:
            return self._system_function(schema, name)
        if name in NUMBERING and "insert" in self.governed.policies.allow:
            self.facts.writes = True
            return self._system_function(schema, name)
        if not schema and name in self.catalog.user_functions:
            self.own_function("", name)
            return names
        if not schema and name in self.catalog.extension_functions:
            return self.catalog.extension_functions[name][0], name
        raise self._refused_function(name)

    def own_function(self, schema: str, name: str) -> None:
        """A function of the database's own; a bare name means it in whatever schema. Raises Refused."""
        functions = self.governed.functions
        if schema:
            self.own_functions.run(f"{schema}.{name}", functions.verdict(schema, name))
        else:
            self.own_functions.run(name, functions.named(name))

    def type_unseen(self, schema: str, name: str) -> None:
        """Where nothing is masked: functions that a value of that type, in whatever schema if it is bare, may run."""
        for key, functions in self.catalog.type_functions.items():
            if key[1] == name.removeprefix("_") and schema in ("", key[0]):
                for function in functions:
                    effects = self.governed.functions.verdict(*function)
                    self.own_functions.run(f"{'.'.join(function)} (run by type {'.'.join(key)})", effects)

    def row_unseen(self, relation: Relation) -> None:
        """Likewise of a relation's columns and row."""
        if self.catalog.type_functions and not self.masked:
            self.type_unseen(relation.schema, relation.name)
            for column in relation.columns:
                schema, name = name_parts(column.type_name)[:2]
                self.type_unseen(schema, name)

    def read_unseen(self, relation: Relation) -> None:
        """Functions that views, row security policies and generated columns run."""
        self.row_unseen(relation)
        for name in self.governed.calling.get(relation.key, ()):
            schema, _, called = name.rpartition(".")
            if (schema, called) in self.catalog.routines:
                effects = self.governed.functions.verdict(schema, called)
                self.own_functions.run(f"{name} (run by reading {relation.schema}.{relation.name})", effects)

    @abstractmethod
    def written_by_function(self, relation: Relation, write: Write) -> None:
        """A relation that a function writes to, where columns are masked. Raises Refused."""

    def called_function(self, names: tuple[str, ...]) -> None:
        """A function that is called here and now, and needs a verb for what it changes."""
        verb = WRITING_FUNCTIONS.get(names[-1])
        if verb and names[:-1] in ((), ("pg_catalog",)):
            self.allowed(verb)

    def _newer_syntax(self, name: str) -> None:
        """What an older server takes for a call of the user's function, or for the column or row of that name."""
        if not 0 < self.catalog.server_version < 160000:
            return
        if name == "system_user":
            raise unknown(f"function {name} does not exist", "42883")
        if name in self.catalog.user_functions:
            raise user_function(name)

    def _system_function(self, schema: str, name: str) -> tuple[str, ...]:
        if not schema and name in self.catalog.user_functions:
            self.facts.pinned = True
        elif not schema and name in self.catalog.extension_functions:
            # The extension's variant for its own types (`lower(citext)`) is as good.
            return (name,)
        return "pg_catalog", name

    def denied_function(self, names: tuple[str, ...]) -> None:
        """Functions that a policy denies by name, whatever schema a bare call would find them in."""
        name = names[-1]
        catalog = self.catalog
        anywhere = (*catalog.user_functions.get(name, ()), *catalog.extension_functions.get(name, ()))
        schemas = names[-2:-1] or ("pg_catalog", *anywhere)
        for denied in (name, *(f"{schema}.{name}" for schema in schemas)):
            rule: Rule | None = self._denied.get(denied)
            if rule is not None:
                raise refused(f"function {denied} is denied", "write the statement without it", rule)

    def allowed(self, verb: str) -> None:
        """Refuses a verb that no policy allows."""
        policies = self.governed.policies
        if verb not in policies.allow:
            may = ", ".join(sorted(policies.allow)) or "nothing"
            raise refused(
                f"{verb.upper()} is not allowed (what is: {may})",
                "ask for a policy that allows it",
                Rule(", ".join(policies.policies), "allow"),
            )

    def own_code(self, kind: Kind) -> None:
        """Code of the identity's own can do anything, unseen: only where anything may be done."""
        self.facts.writes = True
        policies = self.governed.policies
        if policies.missing:
            raise refused(
                f"{kind.name} is not allowed: the code in it could do what no policy allows"
                f" ({', '.join(policies.missing)})",
                kind.remedy,
            )
        for rule in policies.guards:
            raise refused(f"{kind.name} is not allowed: the code in it could pass by", kind.remedy, rule)

    def _unmasked_function(self, schema: str, name: str) -> None:
        """Nothing is masked for the identity: the user's functions are as good as the database's owner made them."""
        catalog = self.catalog
        if schema != "pg_catalog" and name in catalog.user_functions:
            # Whichever is meant: what the server's own needs, it needs too.
            self.own_function(schema if schema in catalog.user_functions[name] else "", name)
            if name not in catalog.system_functions:
                return
        if name in FUNCTIONS or name in UNMASKED_FUNCTIONS or name in catalog.extension_functions:
            return
        if name in WRITING_FUNCTIONS:
            self.facts.writes = True
            if WRITING_FUNCTIONS[name] and name not in NUMBERING:
                # Numbers for new rows are taken by defaults, too, by whoever inserts them.
                self.allowed(WRITING_FUNCTIONS[name])
        elif name in CODE_FUNCTIONS or name in CODE_EXTENSION_FUNCTIONS:
            self.own_code(Kind(f"function {name}", "write the query itself"))
        elif name in catalog.system_functions or schema == "pg_catalog" or not catalog.system_functions:
            raise self._refused_function(name)
        elif self.governed.free or schema == "information_schema":
            self.facts.writes = True
        else:
            # It may have been made since the catalog was read.
            raise unknown(f"function {name} does not exist", "42883")

    def _refused_function(self, name: str) -> Refused:
        if name in self.catalog.system_functions or name in UNMASKED_FUNCTIONS or name in WRITING_FUNCTIONS:
            return refused(
                f"function {name} may not be called", "it can reach past the gate; write the statement without it"
            )
        return unknown(f"function {name} does not exist, or may not be called", "42883")

    def is_function(self, name: str) -> bool:
        catalog = self.catalog
        known = (catalog.system_functions, catalog.user_functions, catalog.extension_functions, FUNCTIONS, self._denied)
        # A snapshot without the system's functions can't tell what is none.
        return not catalog.system_functions or any(name in names for names in known)

    def operator(self, names: tuple[str, ...]) -> None:
        """An operator by its name, with or without a schema."""
        if not names:
            return
        schema, name = names[-2] if len(names) > 1 else "", names[-1]
        if schema != "pg_catalog" and name in self.catalog.operator_functions:
            # Whichever is meant.
            self.own_functions.run(f"of operator {name}", self.governed.functions.operator(name))
        if not self.masked:
            return
        if (
            schema not in ("", "pg_catalog")
            and name not in self.catalog.extension_operators | self.catalog.user_operators
        ):
            raise unknown(f"operator {schema}.{name} does not exist", "42883")
        if schema != "pg_catalog" and name in self.catalog.user_operators:
            if name not in self.catalog.operator_functions:
                raise user_function(f"of operator {name}")
            return
        if name not in OPERATORS and name not in self.catalog.extension_operators:
            raise unknown(f"operator {name} does not exist, or may not be used", "42883")

    def check_type(self, schema: str, name: str) -> None:
        key = (schema, name)
        if schema == "pg_catalog" and not is_builtin_type(name):
            raise refused(f"type {name} may not be used", "cast to another type")
        if schema != "pg_catalog" and schema not in self.catalog.user_types.get(name, ()):
            raise unknown(f'type "{schema}.{name}" does not exist', "42704")
        if self.governed.runs_code(key):
            raise refused(
                f"type {schema}.{name} runs code of this database's own, which could read masked columns",
                "cast to another type",
            )
