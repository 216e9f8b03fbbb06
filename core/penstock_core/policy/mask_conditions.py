"""What `unless` of a mask comes to: whether it is lifted, what to say where that can't be told, and when to ask again.

Which policies match an identity is `combine.py`'s; what a condition is, `penstock_core.conditions`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from penstock_core.conditions import UNLESS, Condition, ConditionError, Truth, Verdict, condition
from penstock_core.policy.effective import Rule
from penstock_core.resources.access_policy import DatabaseAccessPolicy
from penstock_core.resources.masks import MaskSpec

_ALWAYS = Verdict(Truth.FALSE)


def judged(spec: MaskSpec, facts: Mapping[str, object]) -> Verdict:
    """Whether the mask is lifted. Only what is certain lifts it."""
    if spec.unless is None:
        return _ALWAYS
    try:
        return condition(spec.unless, UNLESS).evaluate(facts)
    except ConditionError as error:
        # Such a policy is refused before it comes here; if it does, nobody sees more for it.
        return Verdict(Truth.ERROR, str(error))


def troubles(policies: Iterable[DatabaseAccessPolicy], facts: Mapping[str, object]) -> Iterator[tuple[Rule, str]]:
    """Each condition that can't be evaluated, and why."""
    for policy in policies:
        for place, spec in enumerate(policy.spec.masks):
            verdict = judged(spec, facts)
            if verdict.truth is Truth.ERROR:
                yield Rule(policy.name, f"masks[{place}].unless"), verdict.why


def timed(policies: Iterable[DatabaseAccessPolicy]) -> tuple[Condition, ...]:
    """The conditions that may come to something else as time passes."""
    texts = (spec.unless for policy in policies for spec in policy.spec.masks if spec.unless is not None)
    return tuple(one for one in _conditions(texts) if one.depends_on_time)


def _conditions(texts: Iterable[str]) -> Iterator[Condition]:
    for text in texts:
        try:
            yield condition(text, UNLESS)
        except ConditionError:
            continue
