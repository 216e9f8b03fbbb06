"""From a bundle and an identity to what that identity may do: combining the policies that are for it.

The rules of combining are all here and nowhere else: a refusal wins, the stricter mask wins, what is
allowed adds up. What the result means for a statement is `penstock_core.sql`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

from penstock_core.conditions import Circumstances, Truth, values
from penstock_core.identity import Identity
from penstock_core.policy.access import granted, in_effect
from penstock_core.policy.effective import (
    ON_FAILURE,
    ROW_ORDER,
    SQL_TEXT,
    STRICTNESS,
    ApprovalRule,
    ConditionedMask,
    CostLimit,
    EffectivePolicy,
    Limit,
    Mask,
    MaskKind,
    MaskRule,
    PolicySet,
    RowFilter,
    Rule,
)
from penstock_core.policy.intersection import intersection
from penstock_core.policy.mask_conditions import judged
from penstock_core.policy.revocation import revocation
from penstock_core.policy.subjects import policies_for
from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.bundle import Bundle
from penstock_core.resources.database import Database
from penstock_core.resources.grant import Grant
from penstock_core.resources.masks import MaskKinds, MaskSpec
from penstock_core.resources.vocabulary import column_parts, milliseconds, table_parts

_NOTHING_KNOWN = Circumstances()


def effective(bundle: Bundle, identity: Identity, circumstances: Circumstances = _NOTHING_KNOWN) -> EffectivePolicy:
    """What the identity may do with the bundle's database; the order of the bundle's policies makes no difference.

    Of what the circumstances don't tell, no condition holds. An agent that acts for somebody may do what both may.
    """
    if revocation(bundle, identity) is not None:
        return EffectivePolicy(bundle.database.name, None, None, bundle.generation)
    grants = granted(bundle, identity, circumstances.now)
    found = reduce(intersection, (_alone(bundle, party, circumstances, grants) for party in identity.parties))
    if grants:
        found = replace(found, access=grants, full_record=any(one.break_glass for one in grants))
    return _satisfied(found) if identity.by_context else found


def _satisfied(policy: EffectivePolicy) -> EffectivePolicy:
    """The same where there is the context that policies may require."""
    enforced, observed = (
        None if one is None else replace(one, require_context=None) for one in (policy.enforced, policy.observed)
    )
    return replace(policy, enforced=enforced, observed=observed)


def on_its_own(policy: DatabaseAccessPolicy, database: Database) -> PolicySet:
    """What one policy asks for of the database, whoever comes: all of its masks, whatever their conditions lift."""
    masks = tuple(mask.model_copy(update={"unless": None}) for mask in policy.spec.masks)
    spec = policy.spec.model_copy(update={"masks": masks})
    return _combined([policy.model_copy(update={"spec": spec})], database, {})


def party_values(
    bundle: Bundle, party: Identity, circumstances: Circumstances, grants: Iterable[Grant]
) -> dict[str, object]:
    """What conditions know of one party of a session to which that access was given."""
    access = tuple(sorted({one.policy for one in grants}))
    return values(party, bundle.database.name, replace(circumstances, access=access))


def _alone(bundle: Bundle, party: Identity, circumstances: Circumstances, grants: tuple[Grant, ...]) -> EffectivePolicy:
    matching = _matching(bundle, party, grants)
    facts = party_values(bundle, party, circumstances, grants)
    enforcing = [policy for policy in matching if policy.spec.mode == "enforce"]
    observing = len(enforcing) < len(matching)
    return EffectivePolicy(
        database=bundle.database.name,
        enforced=_combined(enforcing, bundle.database, facts) if enforcing else None,
        observed=_combined(matching, bundle.database, facts) if observing else None,
        generation=bundle.generation,
        tags=tuple(
            (".".join(column_parts(pattern)), entry.tag)
            for entry in bundle.database.spec.classification
            for pattern in entry.columns
        ),
    )


def _matching(bundle: Bundle, party: Identity, grants: Iterable[Grant]) -> list[DatabaseAccessPolicy]:
    """What policies give or take for a party; those that revoke do neither, nor those that were not asked for."""
    return [policy for policy in in_effect(policies_for(bundle, party), grants) if policy.spec.mode != "revoke"]


def conditioned_policies(
    bundle: Bundle, identity: Identity, circumstances: Circumstances
) -> Iterator[tuple[list[DatabaseAccessPolicy], dict[str, object]]]:
    """For each party of the identity, the policies that are for it and what their conditions are judged by."""
    grants = granted(bundle, identity, circumstances.now)
    for party in identity.parties:
        yield _matching(bundle, party, grants), party_values(bundle, party, circumstances, grants)


def _combined(policies: Sequence[DatabaseAccessPolicy], database: Database, facts: Mapping[str, object]) -> PolicySet:
    found = [one for policy in policies for one in _mask_rules(policy, database, facts)]
    masks = [rule for rule, condition in found if condition is None or not condition.lifted]
    conditioned = [condition for _, condition in found if condition is not None]
    combined = PolicySet(
        policies=tuple(sorted(policy.name for policy in policies)),
        allow=frozenset(verb for policy in policies if _grants(policy, database) for verb in policy.spec.allow),
        masks=tuple(sorted(masks, key=lambda rule: rule.mask.strictness)),
        conditioned=tuple(sorted(conditioned, key=lambda one: (one.rule.policy, one.rule.path))),
        require_where=_first_rules(
            (verb, Rule(policy.name, "guardrails.requireWhere"))
            for policy in policies
            for verb in policy.spec.guardrails.require_where
        ),
        deny_functions=_first_rules(
            (function, Rule(policy.name, "guardrails.denyFunctions"))
            for policy in policies
            for function in policy.spec.guardrails.deny_functions
        ),
        allow_functions=_first_rules(
            (function, Rule(policy.name, "allowFunctions"))
            for policy in policies
            if _grants(policy, database)
            for function in policy.spec.allow_functions
        ),
        allow_channels=frozenset(
            channel for policy in policies if _grants(policy, database) for channel in policy.spec.allow_channels
        ),
        row_filters=tuple(_row_filters(policies)),
        approvals=tuple(_approvals(policies)),
        row_order=min((policy.spec.row_order for policy in policies), key=ROW_ORDER.index),
        sql_text=min((policy.spec.audit.sql_text for policy in policies), key=SQL_TEXT.index),
        on_failure=min((policy.spec.audit.on_failure for policy in policies), key=ON_FAILURE.index),
    )
    return _limited(combined, policies)


def _limited(combined: PolicySet, policies: Sequence[DatabaseAccessPolicy]) -> PolicySet:
    """The same with the smallest of each limit."""
    guardrails = [(policy.name, policy.spec.guardrails) for policy in policies]
    costs = [
        CostLimit(cost, Rule(name, "guardrails.maxPlanCost"))
        for name, one in guardrails
        if (cost := one.max_plan_cost) is not None
    ]
    return replace(
        combined,
        statement_timeout=_least(
            Limit(milliseconds(timeout), Rule(name, "guardrails.statementTimeout"))
            for name, one in guardrails
            if (timeout := one.statement_timeout) is not None
        ),
        max_rows_returned=_least(
            Limit(rows, Rule(name, "guardrails.maxRowsReturned"))
            for name, one in guardrails
            if (rows := one.max_rows_returned) is not None
        ),
        max_rows_changed=_least(
            Limit(rows, Rule(name, "guardrails.maxRowsChanged"))
            for name, one in guardrails
            if (rows := one.max_rows_changed) is not None
        ),
        require_context=min(
            (Rule(name, "guardrails.requireContext") for name, one in guardrails if one.require_context),
            key=lambda rule: rule.policy,
            default=None,
        ),
        max_plan_cost=min(costs, key=lambda limit: (limit.value, limit.rule.policy), default=None),
    )


def _grants(policy: DatabaseAccessPolicy, database: Database) -> bool:
    """Whether what the policy allows counts.

    A mask for a tag that no column bears, a typing mistake for one, would leave in clear what it is meant to mask. Such
    a policy only takes away until it is put right (`penstock_core.resources.check` says so to its author).
    """
    return all(tag in database.tags for mask in policy.spec.masks for tag in mask.tags or ())


def _mask_rules(
    policy: DatabaseAccessPolicy, database: Database, facts: Mapping[str, object]
) -> Iterator[tuple[MaskRule, ConditionedMask | None]]:
    """The policy's masks, each with what is to be told of its condition."""
    for place, spec in enumerate(policy.spec.masks):
        if columns := _columns(spec, database):
            mask = _mask(spec.with_, Rule(policy.name, f"masks[{place}]"))
            rule = MaskRule(
                columns,
                replace(
                    mask,
                    reveals_uniqueness=spec.uniqueness == "reveal",
                    writable=spec.write == "allow",
                    ignores_write_back=spec.write_back == "ignore",
                ),
            )
            verdict = judged(spec, facts)
            told = verdict.holds or verdict.truth is Truth.ERROR
            yield rule, ConditionedMask(rule, spec.unless or "", verdict.holds) if told else None


def _row_filters(policies: Sequence[DatabaseAccessPolicy]) -> Iterable[RowFilter]:
    """All of them: a row must keep to each."""
    for policy in sorted(policies, key=lambda one: one.name):
        for place, one in enumerate(policy.spec.row_filters or ()):
            rule = Rule(policy.name, f"rowFilters[{place}]")
            yield RowFilter(table_parts(one.table), one.where, rule, one.uniqueness == "reveal")


def _approvals(policies: Sequence[DatabaseAccessPolicy]) -> Iterable[ApprovalRule]:
    """All of them: what any of them holds is held."""
    for policy in sorted(policies, key=lambda one: one.name):
        for one in policy.spec.approvals or ():
            yield ApprovalRule(
                one.name,
                one.when,
                tuple(sorted(one.approvers.groups)),
                one.expires_after,
                milliseconds(one.wait),
                Rule(policy.name, f"approvals[{one.name}]"),
            )


def _columns(spec: MaskSpec, database: Database) -> tuple[str, ...]:
    """The column patterns that a mask is for, its tags resolved, spelled as the catalog spells them."""
    tagged = [pattern for tag in spec.tags or () for pattern in database.columns_tagged(tag)]
    return tuple(sorted({".".join(column_parts(pattern)) for pattern in (*(spec.columns or ()), *tagged)}))


def _mask(with_: MaskKinds, rule: Rule) -> Mask:
    chosen = with_.chosen()[0]
    # A kind that is not carried out here (the bundle refuses it) shows nothing rather than everything.
    kind: MaskKind = next((known for known in STRICTNESS if known == chosen), "null")
    if with_.partial is not None:
        settings = with_.partial
        return Mask(kind, rule, keep_first=settings.keep_first, keep_last=settings.keep_last, fill=settings.fill)
    if with_.constant is not None:
        return Mask(kind, rule, value=with_.constant.value)
    if with_.bucket is not None:
        return Mask(kind, rule, size=with_.bucket.size)
    return Mask(kind, rule)


def _first_rules(pairs: Iterable[tuple[str, Rule]]) -> tuple[tuple[str, Rule], ...]:
    """One rule for each name: of those that say the same, that of the policy whose name comes first."""
    rules: dict[str, Rule] = {}
    for name, rule in pairs:
        held = rules.setdefault(name, rule)
        if rule.policy < held.policy:
            rules[name] = rule
    return tuple(sorted(rules.items(), key=lambda item: item[0]))


def _least(limits: Iterable[Limit]) -> Limit | None:
    """The smallest; of those that say the same, that of the policy whose name comes first."""
    return min(limits, key=lambda limit: (limit.value, limit.rule.policy), default=None)
