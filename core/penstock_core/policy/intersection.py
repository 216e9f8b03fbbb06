"""What two may do at once, an agent and the one whom it acts for: no more than either may alone.

What each of them may do is `combine.py`'s, who they are `penstock_core.identity`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from penstock_core.policy.effective import (
    ON_FAILURE,
    ROW_ORDER,
    SQL_TEXT,
    ApprovalRule,
    ConditionedMask,
    CostLimit,
    EffectivePolicy,
    Limit,
    MaskRule,
    Party,
    PolicySet,
    RowFilter,
    Rule,
)

_Bound = TypeVar("_Bound", Limit, CostLimit)


def intersection(one: EffectivePolicy, other: EffectivePolicy) -> EffectivePolicy:
    """What both may do, an agent and the one whom it acts for, with a database: nothing, where no policy is for one.

    Whose policies only observe may do everything alone, so that what is enforced for the other is what is enforced.
    What is observed is what would be enforced if both parties' observing policies were.
    """
    if not (_known(one) and _known(other)):
        return replace(one, enforced=None, observed=None)
    enforced = [party.enforced for party in (one, other) if party.enforced is not None]
    observed = None
    if one.observed is not None or other.observed is not None:
        observed = _both(one.observed or one.enforced, other.observed or other.enforced)
    return replace(one, enforced=_both(*enforced) if enforced else None, observed=observed)


def _known(party: EffectivePolicy) -> bool:
    return party.enforced is not None or party.observed is not None


def _both(one: PolicySet | None, other: PolicySet | None = None) -> PolicySet | None:
    if one is None or other is None:
        return one or other
    return PolicySet(
        policies=tuple(sorted({*one.policies, *other.policies})),
        allow=one.allow & other.allow,
        # Party by party: what each party's own come to is found before these meet.
        masks=(*_of("agent", one.masks), *_of("beneficiary", other.masks)),
        conditioned=_conditioned((*one.conditioned, *other.conditioned), {*one.masks, *other.masks}),
        require_where=_either(one.require_where, other.require_where),
        deny_functions=_either(one.deny_functions, other.deny_functions),
        allow_functions=_common(one.allow_functions, other.allow_functions),
        allow_channels=_channels(one, other),
        statement_timeout=_least(one.statement_timeout, other.statement_timeout),
        max_rows_returned=_least(one.max_rows_returned, other.max_rows_returned),
        row_filters=_filters((*one.row_filters, *other.row_filters)),
        max_rows_changed=_least(one.max_rows_changed, other.max_rows_changed),
        max_plan_cost=_least(one.max_plan_cost, other.max_plan_cost),
        require_context=one.require_context or other.require_context,
        approvals=_held((*one.approvals, *other.approvals)),
        row_order=min(one.row_order, other.row_order, key=ROW_ORDER.index),
        sql_text=min(one.sql_text, other.sql_text, key=SQL_TEXT.index),
        on_failure=min(one.on_failure, other.on_failure, key=ON_FAILURE.index),
    )


def _of(party: Party, masks: Iterable[MaskRule]) -> Iterator[MaskRule]:
    for rule in masks:
        yield replace(rule, mask=replace(rule.mask, parties=frozenset({party})))


def _conditioned(found: Iterable[ConditionedMask], masks: set[MaskRule]) -> tuple[ConditionedMask, ...]:
    """What is to be told of conditions: a mask that is lifted for one of them only is not lifted."""
    told = {one for one in found if not (one.lifted and one.mask in masks)}
    return tuple(sorted(told, key=lambda one: (one.rule.policy, one.rule.path)))


def _filters(found: Iterable[RowFilter]) -> tuple[RowFilter, ...]:
    return tuple(sorted(set(found), key=lambda one: (one.rule.policy, one.rule.path, one.table)))


def _held(found: Iterable[ApprovalRule]) -> tuple[ApprovalRule, ...]:
    """What either's policies hold is held."""
    return tuple(sorted(set(found), key=lambda one: (one.rule.policy, one.rule.path)))


def _channels(one: PolicySet, other: PolicySet) -> frozenset[str]:
    """Whose policies conceal nothing may listen to all channels, whatever is listed."""
    if not one.conceals:
        return other.allow_channels
    return one.allow_channels & other.allow_channels if other.conceals else one.allow_channels


_Rules = tuple[tuple[str, Rule], ...]


def _either(one: _Rules, other: _Rules) -> _Rules:
    """What either has, each with the first rule that says so."""
    rules = dict(one)
    for name, rule in other:
        rules[name] = min(rule, rules.get(name, rule), key=_place)
    return tuple(sorted(rules.items()))


def _common(one: _Rules, other: _Rules) -> _Rules:
    """What both have."""
    rules = dict(other)
    return tuple((name, min(rule, rules[name], key=_place)) for name, rule in one if name in rules)


def _place(rule: Rule) -> tuple[str, str]:
    return rule.policy, rule.path


def _least(one: _Bound | None, other: _Bound | None) -> _Bound | None:
    if one is None or other is None:
        return one or other
    return min(one, other, key=lambda limit: (limit.value, limit.rule.policy))
