"""Who may say that they suspended something: nobody but who writes it.

What doesn't belong: whether the resource is valid (`reviews.py`), and what a suspension does.
"""

from __future__ import annotations

from collections.abc import Mapping

from penstock_operator.inject.annotations import Refusal

# The fields of a Database's and a policy's spec that say it.
_FIELDS = ("suspended", "revoked")


def refuse_pretence(user: object, now: object, before: object) -> None:
    """Of a review: its `userInfo`, its object, and the one before. What was there stays as it is. Raises Refusal."""
    name = user.get("username") if isinstance(user, Mapping) else None
    for field in _FIELDS:
        said = _said(now, field)
        by = said.get("by") if isinstance(said, Mapping) else None
        if by is not None and by != name and said != _said(before, field):
            raise Refusal(f"{field}.by: must be {name}, whose request this is; or leave it out")


def _said(resource: object, field: str) -> object:
    spec = resource.get("spec") if isinstance(resource, Mapping) else None
    return spec.get(field) if isinstance(spec, Mapping) else None
