"""The refusals that more than one part words, and the exception that carries any of them to the governor."""

from __future__ import annotations

from penstock_core.policy.effective import Rule
from penstock_core.sql.decision import Denial


class Refused(Exception):
    """Raised while a statement is analysed; the governor turns it into a decision."""

    def __init__(self, denial: Denial, place: int = -1) -> None:
        super().__init__(denial.reason)
        self.denial = denial
        # Where in the parsed text that stands which it is about, counted in letters from 0; -1: not known.
        self.place = place


def refused(reason: str, remedy: str, rule: Rule | None = None) -> Refused:
    """A refusal by a policy's rule, or by the gate itself."""
    if rule is None:
        return Refused(Denial(reason, remedy))
    return Refused(Denial(reason, remedy, policy=rule.policy, rule=rule.path))


def unknown(reason: str, sqlstate: str, place: int | None = None, likely: str = "") -> Refused:
    """A name that the catalog snapshot does not hold: the server may know it by now. `likely` is one that is like it,
    `place` where in the parsed text it stands.
    """
    remedy = f"check the name; perhaps you meant {likely}" if likely else "check the name"
    return Refused(Denial(reason, remedy, sqlstate=sqlstate, unknown_names=True), -1 if place is None else place)


def not_supported(construct: str, remedy: str) -> Refused:
    """A kind of statement or clause that nobody may use through the gate."""
    return Refused(Denial(f"{construct} is not supported", remedy))
