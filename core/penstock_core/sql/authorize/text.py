"""The second step of a decision: each reference of a bound text by the rule of its kind, for one access."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from penstock_core.sql.authorize import (
    columns,
    functions,
    plain_changes,
    relations,
    rows,
    sequences,
    settling,
    statements,
    system_relations,
    write_back,
    write_targets,
)
from penstock_core.sql.authorize.authorizer import Authorizer, Findings
from penstock_core.sql.authorize.columns import unknown_column
from penstock_core.sql.authorize.likely_names import likely_column
from penstock_core.sql.bind import references as kinds
from penstock_core.sql.bind.bound import Bound
from penstock_core.sql.bind.name_resolution import MadeName
from penstock_core.sql.bind.references import Reference, Unbound, Unclaimed
from penstock_core.sql.guardrails.require_context import check_context
from penstock_core.sql.masking.masked_columns import Governed
from penstock_core.sql.masking.substitution import Substitutions
from penstock_core.sql.refusal import not_supported, refused

Rule = Callable[[Authorizer, Any], None]
Rules = Mapping[type[Reference], Rule]


def _allowed(authorizer: Authorizer, reference: Reference) -> None:
    """Nothing about it matters to this access."""


def _level(authorizer: Authorizer, level: kinds.FromLevel) -> None:
    authorizer.levels.append(level.sources)


def _qualifier(authorizer: Authorizer, qualifier: kinds.SchemaQualifier) -> None:
    authorizer.qualifiers.append(qualifier)


def _grouping(authorizer: Authorizer, grouping: kinds.Grouping) -> None:
    authorizer.groupings.append(grouping)


def _unknown_column(authorizer: Authorizer, column: kinds.UnknownColumn) -> None:
    written = column.name if column.owner is None else f"{column.owner.name}.{column.name}"
    like = likely_column(column.name, column.scope, column.owner)
    authorizer.found.unknown_column = unknown_column(written, column.node.location, like)
    # A function that was made since the catalog was read.
    authorizer.deny_function((column.name,))


def _unclaimed(authorizer: Authorizer, unclaimed: Unclaimed) -> None:
    kind = type(unclaimed.node).__name__
    name = _CONSTRUCTS.get(kind, kind)
    raise refused(
        f"the gate does not know {name}.{unclaimed.field}"
        if unclaimed.field
        else f"the gate does not know {name} in this place",
        "write the statement without it",
    )


def _unbound(authorizer: Authorizer, unbound: Unbound) -> None:
    raise refused(unbound.reason, unbound.remedy)


_CONSTRUCTS = {"CurrentOfExpr": "WHERE CURRENT OF", "MergeSupportFunc": "MERGE_ACTION()"}

# Alike for every access.
_COMMON: Rules = {
    kinds.VerbUse: statements.verb,
    kinds.SettingChange: statements.setting,
    kinds.RowChoice: statements.row_choice,
    kinds.UnknownColumn: _unknown_column,
    kinds.Unclaimed: _unclaimed,
    kinds.Unbound: _unbound,
}
# Where no column of the database is masked for the identity.
UNMASKED: Rules = {
    **_COMMON,
    kinds.RelationRead: relations.unmasked_relation,
    # Where rows are filtered, the masked rules hold.
    kinds.ViewWrittenOut: _allowed,
    kinds.RelationCopied: relations.unmasked_copy,
    kinds.RelationLocked: _allowed,
    kinds.TargetWritten: write_targets.unmasked_target,
    kinds.FromLevel: _allowed,
    kinds.WholeRow: rows.unmasked_row,
    kinds.Stars: rows.unmasked_stars,
    kinds.Sample: _allowed,
    kinds.TableFunction: _allowed,
    kinds.Grouping: _allowed,
    kinds.ColumnRead: columns.unmasked_column,
    kinds.SchemaQualifier: _qualifier,
    kinds.SystemColumn: system_relations.system_column,
    kinds.UnknownSource: _allowed,
    kinds.FunctionCall: functions.unmasked_function,
    kinds.FormerFunction: _allowed,
    kinds.OperatorUse: functions.unmasked_operator,
    kinds.TypeUse: functions.unmasked_type,
    kinds.ParameterType: functions.unmasked_parameter,
    kinds.StatementUse: statements.unmasked_statement,
    kinds.RelationChanged: _allowed,
    kinds.RelationMade: _allowed,
    kinds.ForeignKeyMade: _allowed,
    kinds.QueryKept: _allowed,
    kinds.RelationLiked: _allowed,
    kinds.TableCreated: statements.unmasked_table,
    kinds.TablePart: _allowed,
    kinds.ObjectsDropped: statements.unmasked_drop,
    kinds.ViewDefined: statements.view_defined,
}
# Where something is masked: what is not known to be harmless is refused.
MASKED: Rules = {
    **_COMMON,
    kinds.RelationRead: relations.masked_relation,
    kinds.ViewWrittenOut: relations.masked_view,
    kinds.RelationCopied: relations.masked_copy,
    kinds.RelationLocked: relations.masked_lock,
    kinds.TargetWritten: write_back.target_written,
    kinds.FromLevel: _level,
    kinds.WholeRow: rows.masked_row,
    kinds.Stars: rows.masked_stars,
    kinds.Sample: relations.masked_sample,
    kinds.TableFunction: sequences.sequence_state,
    kinds.Grouping: _grouping,
    kinds.ColumnRead: columns.masked_column,
    kinds.SchemaQualifier: _qualifier,
    kinds.SystemColumn: system_relations.system_column,
    kinds.UnknownSource: columns.masked_unknown_source,
    kinds.FunctionCall: functions.masked_function,
    kinds.FormerFunction: functions.masked_former_function,
    kinds.OperatorUse: functions.masked_operator,
    kinds.TypeUse: functions.masked_type,
    kinds.ParameterType: functions.masked_parameter,
    kinds.StatementUse: statements.masked_statement,
    kinds.RelationChanged: plain_changes.masked_change,
    kinds.RelationMade: plain_changes.masked_new,
    kinds.ForeignKeyMade: plain_changes.masked_foreign_key,
    kinds.QueryKept: plain_changes.masked_query,
    kinds.RelationLiked: plain_changes.masked_like,
    kinds.TableCreated: statements.masked_table,
    kinds.TablePart: statements.masked_table_part,
    kinds.ObjectsDropped: statements.masked_drop,
    kinds.ViewDefined: statements.view_defined,
}


def authorize(
    bound: Bound,
    governed: Governed,
    substitutions: Substitutions,
    rules: Rules,
    made: frozenset[MadeName] = frozenset(),
) -> Authorizer:
    """Authorize a bound text by `MASKED` or `UNMASKED`; the answer holds the edits. Raises Refused.

    `made` is what the open transaction made that may be used as the session's own.
    """
    authorizer = Authorizer(governed, substitutions, bound, made=set(made))
    found = authorizer.found
    for part in bound.parts:
        bound.part, masked, verbs = part, found.masked, found.verbs
        found.masked, found.verbs = part.masked, part.runs
        for reference in bound.within(part)[1]:
            rule = rules.get(type(reference))
            if rule is None:
                raise not_supported(type(reference).__name__, "write the statement without it")
            if rules is MASKED:
                plain_changes.known_as_made(authorizer, reference)
            rule(authorizer, reference)
        found.masked, found.verbs = masked | part.masked, verbs | part.runs
    settling.settle(authorizer)
    check_context(governed.policies.require_context, bound, writes=authorizer.found.writes)
    if rules is MASKED or authorizer.found.rewrites:
        _check_columns(authorizer.found)
    return authorizer


def check_edited(authorizer: Authorizer) -> None:
    """What the edits could have changed: a WHERE that chose among values may choose nothing among masks.

    Raises Refused.
    """
    if authorizer.found.edits.replaced:
        for choice in tuple(authorizer.choices):
            statements.row_choice(authorizer, choice)


def _check_columns(found: Findings) -> None:
    """What is refused only in a text that is rewritten, since there names mean what the snapshot says."""
    if found.system_columns and found.touched:
        reason = f"column {min(found.system_columns)} may not be read together with masked columns"
        raise refused(reason, "use the primary key")
    if found.side_effect and found.touched:
        reason = (
            f"function {found.side_effect} may not be called beside masked columns: it tells which rows a plan reads"
        )
        raise refused(reason, "call it in a statement of its own")
    if found.laid_out and "ctid" in found.system_columns:
        reason = f"column ctid may not be read from {found.laid_out}: where rows lie depends on masked values"
        raise refused(reason, "use the primary key")
    if found.unknown_column is not None:
        raise found.unknown_column
