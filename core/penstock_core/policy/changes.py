"""What a new bundle of policies changes, in words: for the trail, so that it tells by which rules a gate went when.

What of it is in effect for whom belongs in `combine.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from penstock_core.resources import Bundle

# What a switch to a mode means, in words.
_MODES = {
    "observe": "nothing of it is carried out any more: no mask, no refusal",
    "revoke": "its subjects' sessions end, and none begins",
    "enforce": "it is carried out",
}
# How many changes are told one by one, and how much of a value.
MOST = 100
_LONGEST = 200


def changes(before: Bundle | None, after: Bundle) -> list[str]:
    """Each change as one line; those of modes first. Without a bundle before, what there is."""
    found = sorted(_changes(before, after), key=lambda one: ": mode " not in one)
    return found if len(found) <= MOST else [*found[:MOST], f"and {len(found) - MOST} more"]


def modes(bundle: Bundle) -> list[dict[str, str]]:
    """The policies of a bundle, each with its mode."""
    return [{"name": one.name, "mode": one.spec.mode} for one in bundle.policies]


def _changes(before: Bundle | None, after: Bundle) -> Iterator[str]:
    now = {policy.name: policy for policy in after.policies}
    then = {} if before is None else {policy.name: policy for policy in before.policies}
    for name in sorted(then.keys() - now.keys()):
        yield f"policy {name}: removed"
    for name in sorted(now.keys() - then.keys()):
        mode, why = now[name].spec.mode, now[name].spec.revoked
        told = "" if mode == "enforce" else f", in mode {mode}: {_MODES[mode]}"
        yield f"policy {name}: added{told}" + (f": {_cut(why.words)}" if why else "")
    for name in sorted(now.keys() & then.keys()):
        yield from _differences(f"policy {name}", then[name].spec.model_dump(), now[name].spec.model_dump())
    if before is None:
        if (said := after.database.spec.suspended) is not None:
            yield f"database: suspended, no session begins: {_cut(said.words)}"
        return
    yield from _suspensions(before, after)
    yield from _differences("database", _told_apart(before), _told_apart(after))
    if before.mask_key != after.mask_key:
        yield "the key of hash masks is another: the same values show as others than before"


def _suspensions(before: Bundle, after: Bundle) -> Iterator[str]:
    then, now = before.database.spec.suspended, after.database.spec.suspended
    if then == now:
        return
    if now is None:
        yield "database: resumed, sessions may begin again"
    else:
        yield f"database: suspended, all sessions end and none begins: {_cut(now.words)}"


def _told_apart(bundle: Bundle) -> dict[str, Any]:
    """What is in the Database, but what has words of its own."""
    return {name: value for name, value in bundle.database.spec.model_dump().items() if name != "suspended"}


def _differences(owner: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for field in sorted(then.keys() | now.keys()):
        old, new = then.get(field), now.get(field)
        if old == new:
            continue
        if field == "mode":
            yield f"{owner}: mode was {old}, is {new}: {_MODES[str(new)]}"
        else:
            yield from (f"{owner}, {path}: {change}" for path, change in _compared(field, old, new))


def _compared(path: str, then: Any, now: Any) -> Iterator[tuple[str, str]]:
    """Where two values differ, down to the smallest parts that do."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for field in sorted(then.keys() | now.keys()):
            if then.get(field) != now.get(field):
                yield from _compared(f"{path}.{field}", then.get(field), now.get(field))
    elif _is_list(then) and _is_list(now) and len(then) == len(now):
        for place, (old, new) in enumerate(zip(then, now, strict=True)):
            if old != new:
                yield from _compared(f"{path}[{place}]", old, new)
    else:
        yield path, f"was {_shown(then)}, is {_shown(now)}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any) -> str:
    return _cut("nothing" if value is None else json.dumps(_bare(value), ensure_ascii=False, default=str))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _bare(value: Any) -> Any:
    """Without what says nothing."""
    if isinstance(value, Mapping):
        return {name: _bare(one) for name, one in value.items() if one is not None}
    return [_bare(one) for one in value] if _is_list(value) else value
