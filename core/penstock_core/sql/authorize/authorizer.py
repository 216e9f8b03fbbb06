"""What authorization finds out about one text, and what is shared by its rules: the identity's access and the edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pglast import ast

from penstock_core.policy.effective import Rule
from penstock_core.sql.allowlists.functions import CALLING
from penstock_core.sql.allowlists.statement_kinds import Kind
from penstock_core.sql.authorize.settings import Bounds
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import Ambiguous, MadeName, ResolvedRelation
from penstock_core.sql.bind.references import Grouping, RowChoice, SchemaQualifier
from penstock_core.sql.bind.scopes import Source
from penstock_core.sql.catalog.model import Catalog, ColumnName, Relation, RelationName
from penstock_core.sql.masking.edits import Edits
from penstock_core.sql.masking.filtered_writes import FilteredTarget
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.order_keys import Leaf
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.masking.system_query import SystemQuery
from penstock_core.sql.refusal import Refused, refused

# Verbs of texts that run code which is not bound.
_CODE = frozenset({"do", "call"})


@dataclass(slots=True)
class Findings:
    """The edits of a text, and what they tell of it."""

    edits: Edits = field(default_factory=Edits)
    masked: set[ColumnName] = field(default_factory=set)
    # A relation with masked columns is read or written: the text is rewritten, and errors from the server are reduced.
    touched: bool = False
    # The SQLSTATE that errors which rows make are told with, if they have to be told alike.
    mixed_errors: str = ""
    # Some bare name could mean something else under another search path: the text is rewritten with it qualified.
    pinned: bool = False
    writes: bool = False
    # Functions that are called may change rows; relations that they are known to write to.
    changes_rows: bool = False
    written: set[RelationName] = field(default_factory=set)
    # The verbs of what functions do that run, by whatever has them run; and whether code runs, now or later, of which
    # that is not known.
    verbs: set[str] = field(default_factory=set)
    unread_code: bool = False
    # A function or operator of the database's own is called, whatever it does.
    calls_own_code: bool = False
    # The text may change the catalog; and it can't be held back at its end.
    changes_catalog: bool = False
    commits_itself: bool = False
    # The texts of the masked queries that are put into the text, by the identity of their trees.
    substituted: dict[int, str] = field(default_factory=dict)
    # A relation that is read whose rows lie on disk by masked values, if only by those of its children.
    laid_out: str = ""
    # Of each FROM item and each target that is a relation (by its identity): the item, and what orders need to know.
    leaves: dict[int, tuple[ast.Node, Leaf]] = field(default_factory=dict)
    # Of each target some of whose rows are not there (by its identity): the item, and what its rows keep to.
    filtered: dict[int, tuple[ast.Node, FilteredTarget]] = field(default_factory=dict)
    # What is a reason to refuse only if masked columns are touched, found out at the end.
    system_columns: set[str] = field(default_factory=set)
    unknown_column: Refused | None = None
    # A setting is changed that identities with masks may not change.
    loosens: bool = False
    # A function that is run may change settings of the session.
    function_sets: bool = False
    # Those of them that are known by name and listed nowhere; and whether there may be others.
    function_settings: set[str] = field(default_factory=set)
    sets_unknown: bool = False
    # What the functions use that masked identities may not, in words.
    hazards: set[str] = field(default_factory=set)
    # A function that tells how often it was called, or for what last.
    side_effect: str = ""
    # What the open transaction has by the text's end that it had not, and had and has no more.
    makes: frozenset[MadeName] = frozenset()
    unmakes: frozenset[MadeName] = frozenset()

    @property
    def rewrites(self) -> bool:
        """Whether the text is rewritten."""
        return self.touched or self.pinned

    def runs_unseen(self, verbs: Sequence[str]) -> bool:
        """Whether a text with these verbs runs code that may change settings for the session."""
        return self.calls_own_code or not _CODE.isdisjoint(verbs)


@dataclass(slots=True)
class Authorizer:
    """Authorizes one text; the rules for kinds of references take it as their first argument."""

    governed: Governed
    substitutions: Substitutions
    bound: Bound
    found: Findings = field(default_factory=Findings)
    # What the open transaction made that may be used as the session's own.
    made: set[MadeName] = field(default_factory=set)
    # The sources that a query was put in place of.
    substituted: set[Source] = field(default_factory=set)
    # Of system relations of which something must not show: the query that goes in their place once it is asked for.
    hidden: dict[Source, SystemQuery] = field(default_factory=dict)
    # System columns that are named of tables, and the tables that are read as a whole, in which they are not.
    wanted: dict[Source, set[str]] = field(default_factory=dict)
    whole: set[Source] = field(default_factory=set)
    # Calls, by identity, that tell what a sequence is at, in places where that of masked columns can be left out.
    sequence_calls: set[int] = field(default_factory=set)
    # Lists of output columns whose stars were expanded, by the identity of what holds them.
    expanded: dict[int, tuple[ast.Node, ...]] = field(default_factory=dict)
    # What is looked at when all sources are known.
    levels: list[list[Source]] = field(default_factory=list)
    qualifiers: list[SchemaQualifier] = field(default_factory=list)
    groupings: list[Grouping] = field(default_factory=list)
    choices: list[RowChoice] = field(default_factory=list)

    @property
    def catalog(self) -> Catalog:
        return self.governed.catalog

    @property
    def bounds(self) -> Bounds:
        """What of settings the identity may change."""
        policies = self.governed.policies
        return Bounds(
            self.catalog.setting_prefixes,
            self.governed.masked,
            policies.statement_timeout,
            policies.max_plan_cost,
            self.catalog.login,
        )

    def allow_verb(self, verb: str, statement: str = "") -> None:
        """Refuse a verb that no policy allows; with what people call the statement, if that is another name."""
        policies = self.governed.policies
        if verb not in policies.allow:
            may = ", ".join(sorted(policies.allow)) or "nothing"
            raise refused(
                f"{statement or verb.upper()} needs the verb {verb}; your policies allow: {may}",
                "ask for a policy that allows it",
                Rule(", ".join(policies.policies), "allow"),
            )

    def note_place(self, node: ast.Node, relation: Relation, *, only: bool = False) -> None:
        """Note where a relation stands in the edited tree, so that the order of its rows can be completed."""
        leaf = self.governed.hazards.leaf(relation, only=only)
        self.found.leaves[id(node)] = node, leaf
        # Plans and physical places would show what the order may not.
        self.found.touched |= leaf.hazard

    def note_target(self, node: ast.RangeVar, relation: Relation, source: str) -> None:
        """Note where a relation is written to, so that the statement can be kept to its rows that are there."""
        filters = self.governed.filters
        if relation.key in filters.relations:
            condition, columns = filters.conditions[relation.key], filters.columns[relation.key]
            self.found.filtered[id(node)] = node, FilteredTarget(relation, condition, columns, source)

    def deny_function(self, names: tuple[str, ...]) -> None:
        """Refuse a function that a policy denies by name, whatever schema a bare call would find it in."""
        name, catalog, denied_functions = names[-1], self.catalog, self.governed.denied_functions
        if not denied_functions:
            return
        anywhere = (*catalog.user_functions.get(name, ()), *catalog.extension_functions.get(name, ()))
        schemas = names[-2:-1] or ("pg_catalog", *anywhere)
        called = CALLING.get(name) if "pg_catalog" in schemas else None
        inner = (called, f"pg_catalog.{called}") if called else ()
        for denied in (name, *(f"{schema}.{name}" for schema in schemas), *inner):
            rule = denied_functions.get(denied)
            if rule is not None:
                how = f", which {name} calls," if denied in inner else ""
                raise refused(f"function {denied}{how} is denied", "remove it from the statement", rule)

    def allow_code(self, kind: Kind) -> None:
        """Code of the identity's own can do anything, unseen: only where anything may be done."""
        self.found.writes = self.found.unread_code = True
        policies = self.governed.policies
        if policies.missing:
            raise refused(
                f"{kind.name} is not allowed: the code in it could do what no policy allows"
                f" ({', '.join(policies.missing)})",
                kind.remedy,
            )
        for rule in policies.guards:
            raise refused(f"{kind.name} is not allowed: the code in it could bypass a guardrail", kind.remedy, rule)


def possible(resolved: ResolvedRelation | Ambiguous | None) -> tuple[ResolvedRelation, ...]:
    """What a name may mean, to whom it makes no difference which; none if no catalog has it. Raises Refused where that
    is not known.
    """
    if isinstance(resolved, Ambiguous) and resolved.candidates:
        return tuple(ResolvedRelation(one.schema, one.name, one) for one in resolved.candidates)
    one = certain(resolved)
    return () if one is None else (one,)


def certain(resolved: ResolvedRelation | Ambiguous | None) -> ResolvedRelation | None:
    """What a name means, None if no catalog has it. Raises Refused where it cannot be told."""
    if isinstance(resolved, Ambiguous):
        raise refused(resolved.reason, resolved.remedy)
    return resolved
