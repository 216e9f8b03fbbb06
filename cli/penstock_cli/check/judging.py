"""How statements by one identity would be handled: the gate's own decision, with the masks' rules and plain verdicts.

Deciding is `penstock_core.sql.governor`'s, showing `view.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from penstock_cli.check.statements import SourceStatement
from penstock_core.conditions import Circumstances, Truth
from penstock_core.identity import Identity
from penstock_core.policy.combine import conditioned_policies, effective
from penstock_core.policy.effective import ApprovalRule, Mask
from penstock_core.policy.holding import Effects, judged_for
from penstock_core.policy.mask_conditions import troubles
from penstock_core.policy.revocation import revocation
from penstock_core.resources import Bundle, check
from penstock_core.resources.access_policy import Subject
from penstock_core.sql.catalog.model import Catalog
from penstock_core.sql.decision import Action, Decision
from penstock_core.sql.governor import Governor
from penstock_core.sql.masking.findings import misfits, row_order_findings
from penstock_core.sql.masking.masked_columns import govern
from penstock_core.sql.shared_decisions import Question
from penstock_sidecar.proxy.deep_stack import on_deep_stack
from penstock_sidecar.proxy.unused_masks import unused_masks


@dataclass(frozen=True, slots=True)
class JudgedStatement:
    """One statement, what was decided about it, and by which mask each masked column shows."""

    statement: SourceStatement
    decision: Decision
    masks: tuple[tuple[str, Mask], ...]
    # The approvals that hold it; or may, by what only a gate can tell when it runs.
    held: tuple[ApprovalRule, ...] = ()
    perhaps_held: tuple[ApprovalRule, ...] = ()

    @property
    def refused(self) -> bool:
        return self.decision.action is Action.DENY

    def document(self) -> dict[str, Any]:
        """As JSON types, keys only where there is a value."""
        decision, denial = self.decision, self.decision.denial
        found: dict[str, Any] = {
            "file": self.statement.file,
            "line": self.statement.line,
            "decision": decision.action.value,
            "sql": self.statement.text,
            "verbs": list(decision.verbs),
            "relations": list(decision.relations),
            "policies": list(decision.policies),
        }
        if decision.action is Action.REWRITE:
            found["rewritten"] = decision.text
        if self.masks:
            found["masked"] = [
                {"column": column, "mask": mask.kind, "policy": mask.rule.policy, "rule": mask.rule.path}
                for column, mask in self.masks
            ]
        if decision.conditions:
            found["unless"] = [one.document() for one in decision.conditions]
        held = [(one, "held") for one in self.held] + [(one, "perhaps") for one in self.perhaps_held]
        if held:
            found["approvals"] = [
                {"policy": one.rule.policy, "rule": one.rule.path, "result": result} for one, result in held
            ]
        if decision.observed is not None:
            found["observed"] = decision.observed.value
        if denial is not None:
            found |= {"reason": denial.reason, "remedy": denial.remedy, "sqlstate": denial.sqlstate}
            if denial.policy:
                found |= {"policy": denial.policy, "rule": denial.rule}
        return found


class Judge:
    """Judges by one identity, in one database."""

    def __init__(self, bundle: Bundle, identity: Identity, catalog: Catalog, circumstances: Circumstances) -> None:
        self._bundle = bundle
        self._name = identity.name
        self._catalog = catalog
        self._policy = effective(bundle, identity, circumstances)
        self._revoked = revocation(bundle, identity)
        parties = list(conditioned_policies(bundle, identity, circumstances))
        self._facts = tuple(facts for _, facts in parties)
        self._troubles = tuple(one for policies, facts in parties for one in troubles(policies, facts))
        self._governor = Governor(self._policy, catalog, bundle.mask_key_bytes)
        # Where something is enforced, by that; else by what would be.
        policies = self._policy.enforced or self._policy.observed
        columns = {} if policies is None else govern(policies, catalog).columns
        self._masks = {".".join(column): mask for column, mask in columns.items()}

    def warnings(self) -> Iterator[str]:
        """In words, what the author of the policies should know."""
        if self._revoked is not None:
            yield f"{self._name} has no session: {self._revoked.message}"
        elif self._policy.enforced is None and self._policy.observed is None:
            subjects = [
                _named(one, policy.namespace)
                for policy in self._bundle.policies
                if policy.spec.mode != "revoke"
                for one in policy.spec.subjects
            ]
            listed = "; ".join(dict.fromkeys(subjects)) or "nobody"
            yield f"no policy for {self._bundle.database.title} is for {self._name}; they are for: {listed}"
        yield from map(str, check([self._bundle.database, *self._bundle.policies]))
        for rule, why in self._troubles:
            yield f"policy {rule.policy} ({rule.path}): its condition can't be evaluated, so its mask applies: {why}"
        yield from misfits(self._policy, self._catalog)
        yield from unused_masks(self._policy, self._catalog)
        yield from row_order_findings(self._policy, self._catalog)

    def session(self, statements: Iterable[SourceStatement], search_path: tuple[str, ...]) -> Iterator[JudgedStatement]:
        """Each statement as if they were sent one after the other over one connection that begins with that path."""
        path: tuple[str, ...] | None = search_path
        temporary: frozenset[str] = frozenset()
        made: frozenset[tuple[str, str]] = frozenset()
        for statement in statements:
            decision = self._decided((statement.text, path, temporary, (), made))
            made = (made - decision.unmakes) | decision.makes
            temporary = decision.temporary if decision.drops_temporary else temporary | decision.temporary
            if decision.resets_search_path:
                path = search_path
            elif decision.changes_search_path:
                path = None
            masks = [(column, self._masks[column]) for column in decision.masked if column in self._masks]
            yield JudgedStatement(statement, decision, tuple(masks), *self._held(decision))

    def _held(self, decision: Decision) -> tuple[tuple[ApprovalRule, ...], tuple[ApprovalRule, ...]]:
        """The approvals that hold it, and that may."""
        holding = decision.holding
        if holding is None or decision.action is Action.DENY:
            return (), ()
        effects = holding.does
        if decision.executes or decision.fetches:
            # What runs by its name is not looked up here.
            effects |= Effects(known=False)
        found = [(rule, judged_for(rule, effects, self._facts).truth) for rule in holding.rules]
        certain = tuple(rule for rule, truth in found if truth is Truth.TRUE and effects == holding.does)
        return certain, tuple(rule for rule, truth in found if truth is not Truth.FALSE and rule not in certain)

    def _decided(self, question: Question) -> Decision:
        """As a gate decides, which takes a deeper stack for what is nested deeply."""
        return on_deep_stack(lambda: self._governor.decide_fully(question))


def _named(subject: Subject, namespace: str) -> str:
    """A subject in words, near to how it is written for `--as`."""
    if subject.service_account is not None:
        return f"sa:{namespace}/{subject.service_account.name}"
    if subject.pod is not None:
        return f"the pod {namespace}/{subject.pod.name}"
    wanted = subject.identity
    if wanted is None:
        return "nobody"
    words = [f"{wanted.kind or 'anyone'}:{wanted.subject or '…'}"]
    if wanted.groups:
        words.append(f"in {' or '.join(wanted.groups)}")
    if wanted.issuer:
        words.append(f"of {wanted.issuer}")
    return " ".join(words)
