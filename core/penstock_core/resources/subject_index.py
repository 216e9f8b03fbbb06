"""Policies by what their subjects name, so that a thousand policies for others cost an identity nothing.

It finds those that may be for somebody; whether one is, is `penstock_core.policy.subjects`'.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from penstock_core.resources.access_policy import DatabaseAccessPolicy, Subject

_Key = tuple[str, ...]
# Of identities of any name and group, which only a kind or an issuer is asked of.
_ANYBODY: _Key = ("anybody",)


class SubjectIndex:
    """The policies of one bundle."""

    def __init__(self, policies: tuple[DatabaseAccessPolicy, ...]) -> None:
        self.policies = policies
        places: defaultdict[_Key, set[int]] = defaultdict(set)
        for place, policy in enumerate(self.policies):
            for subject in policy.spec.subjects:
                for key in _keys(subject):
                    places[key].add(place)
        self._places = dict(places)

    def of_workload(self, service_account: str, pod: str) -> tuple[DatabaseAccessPolicy, ...]:
        """Those that may be for a pod, in the bundle's order."""
        return self._found((("service account", service_account), ("pod", pod)))

    def of_principal(self, subject: str, groups: Iterable[str]) -> tuple[DatabaseAccessPolicy, ...]:
        """Those that may be for who proved themselves, in the bundle's order."""
        return self._found((("subject", subject), *(("group", group) for group in groups), _ANYBODY))

    def _found(self, keys: Iterable[_Key]) -> tuple[DatabaseAccessPolicy, ...]:
        places: set[int] = set()
        for key in keys:
            places |= self._places.get(key, set())
        return tuple(self.policies[place] for place in sorted(places))


def _keys(subject: Subject) -> Iterator[_Key]:
    """By which of these a subject is found: one thing that it asks for."""
    if subject.service_account is not None:
        yield ("service account", subject.service_account.name)
    elif subject.pod is not None:
        yield ("pod", subject.pod.name)
    elif subject.identity is not None:
        wanted = subject.identity
        if wanted.subject is not None:
            yield ("subject", wanted.subject)
        elif wanted.groups is not None:
            yield from (("group", group) for group in wanted.groups)
        else:
            yield _ANYBODY
