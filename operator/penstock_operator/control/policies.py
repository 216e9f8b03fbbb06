"""The resources as they stand, made into one bundle per Database, and whoever follows a bundle told of each change.

What is in effect, and that it fails closed, is decided in `penstock_operator.objects`. What doesn't belong: HTTP, and
watching (`cluster/watch.py`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from penstock_core.resources import Bundle, Database, DatabaseAccessPolicy, ResourceError
from penstock_core.resources.grant import Grant
from penstock_operator.cluster.watch import Follower, Json, Key, ObjectChange
from penstock_operator.control.lasting import Notice
from penstock_operator.objects import (
    DATABASES,
    POLICIES,
    InEffect,
    database_of,
    generation_of,
    in_effect,
    is_numbered,
    read_policy,
)

MASK_KEY = "secrets"
_KINDS = (DATABASES, POLICIES, MASK_KEY)
_MASK_KEY_BYTES = 32
_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Topic:
    """A bundle that can be followed: the latest one, its line for the stream, and an event that the next one sets."""

    bundle: Bundle
    line: bytes
    # Of what it says, without its number: until the operator has numbered it, that may be another's, too.
    digest: str
    # Whether the Database is there; when it is gone the last bundle, without policies, is for those who still listen.
    there: bool = True
    changed: Notice = field(default_factory=Notice)


class Policies:
    """All bundles. The operator numbers them in the Database's status, so that every replica counts alike."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Json]] = {kind: {} for kind in _KINDS}
        self._synced: set[str] = set()
        self._topics: dict[Key, Topic] = {}
        # Policies by the Database that they are for: of thousands, a change concerns those of one.
        self._policies_of: dict[Key, dict[Key, Json]] = defaultdict(dict)
        # By their names, each with the object that it was read from.
        self._read_policies: dict[Key, tuple[Mapping[str, Any], DatabaseAccessPolicy]] = {}
        self._master_key: bytes | None = None
        # Databases that can't be handed out, and why: for messages and metrics.
        self.unusable: dict[Key, str] = {}
        # What a namespace lets single containers have: told from elsewhere, for those who make pods.
        self.limit_ranges: Callable[[str], Sequence[Json]] = lambda namespace: ()
        # The metadata of a namespace whose label has pods get a gate, from elsewhere too.
        self.labelled_namespace: Callable[[str], Json | None] = lambda namespace: None
        # What access lasts of a bundle's Database.
        self.grants: Callable[[Bundle], tuple[Grant, ...]] = lambda bundle: ()

    def follower(self, kind: str) -> Follower:
        """Where changes of that kind go."""
        return _Feed(self, kind)

    @property
    def lacking(self) -> list[str]:
        """What is not there yet and must be before anything can be answered, in words."""
        missing = [f"the list of {kind}" for kind in _KINDS if kind not in self._synced]
        if not missing and self._master_key is None:
            missing = ["the mask key"]
        return missing

    def databases(self, namespace: str) -> list[str]:
        """Names of the namespace's Databases, sorted. Also for threads: what they go over changes meanwhile."""
        return sorted(name for space, name in tuple(self._objects[DATABASES]) if space == namespace)

    def uid(self, namespace: str, database: str) -> str:
        """The Database's own, by which events on it are found."""
        found = self._objects[DATABASES].get((namespace, database)) or {}
        return str((found.get("metadata") or {}).get("uid", ""))

    def known_databases(self, namespace: str) -> list[Database]:
        """The namespace's Databases that are usable."""
        topics = (self.topic(namespace, name) for name in self.databases(namespace))
        return [topic.bundle.database for topic in topics if topic is not None]

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        """The bundle of a Database that is there."""
        topic = self.topic(namespace, database)
        return topic.bundle if topic is not None else None

    def topic(self, namespace: str, database: str) -> Topic | None:
        """What to follow for a Database that is there."""
        topic = self._topics.get((namespace, database))
        return topic if topic is not None and topic.there else None

    def latest(self, key: Key) -> Topic:
        """What to follow after a change, also when the Database is gone."""
        return self._topics[key]

    def received(self, kind: str, databases: set[Key] | None) -> None:
        """What those Databases (None: all of them) are made of changed: make bundles anew where it matters."""
        if kind == MASK_KEY:
            self._master_key = self._read_master_key()
            databases = None
        if self.lacking:
            return
        known = set(self._objects[DATABASES]) | set(self._topics)
        wanted = known if databases is None else known & databases
        for key in sorted(wanted):
            mine = self._policies_of.get(key, {})
            self._refresh(key, [mine[policy] for policy in sorted(mine)])

    def _policy(self, document: Mapping[str, Any]) -> DatabaseAccessPolicy:
        """Read once for as long as it stays the same. Raises ResourceError."""
        metadata = document["metadata"]
        key = metadata["namespace"], metadata["name"]
        known = self._read_policies.get(key)
        if known is None or known[0] is not document:
            known = self._read_policies[key] = document, read_policy(document).bare()
        return known[1]

    def _refresh(self, key: Key, policies: Sequence[Json]) -> None:
        raw = self._objects[DATABASES].get(key)
        found, trouble = self._found(raw, policies) if raw is not None else (None, "")
        if trouble and trouble != self.unusable.get(key):
            _log.error("no access: a resource is not valid", database="/".join(key), problem=trouble)
        self.unusable.pop(key, None)
        if trouble:
            self.unusable[key] = trouble
        if found is not None:
            digest = found.digest
            number, numbered = generation_of(raw or {}, digest), is_numbered(raw or {}, digest)
            self._publish(key, found, digest, number, numbered=numbered)
            self._topics[key].there = True
        elif key in self._topics:
            # Whoever listens must lose access, and whoever comes now finds nothing.
            nothing = InEffect.of(self._topics[key].bundle.database, ())
            self._publish(key, nothing, nothing.digest, 0, numbered=False)
            self._topics[key].there = False

    def _found(self, raw: Json, policies: Sequence[Json]) -> tuple[InEffect | None, str]:
        """What is in effect, and what is wrong."""
        try:
            found = in_effect(raw, policies, self._policy)
        except ResourceError as error:
            return None, "; ".join(map(str, error.problems))
        except Exception:  # whatever is wrong with one namespace's resources must not end the service for all
            _log.exception("a resource could not be read")
            return None, "internal error; control's log says more"
        return found, found.problem

    def _publish(self, key: Key, found: InEffect, digest: str, number: int, *, numbered: bool) -> None:
        before = self._topics.get(key)
        bundle = found.bundle(number, self.mask_key(*key))
        bundle = bundle.model_copy(update={"grants": self.grants(bundle)})
        if before is not None:
            previous = before.bundle.generation
            # What access lasts is no change of the policies.
            same = {"generation": previous, "grants": before.bundle.grants}
            unchanged = bundle.model_copy(update=same) == before.bundle
            if not numbered:
                # Two changes may come before the operator has numbered the first.
                number = previous if unchanged else max(previous + 1, number)
            # What the operator has numbered has that number in every replica, however each of them counted until then.
            if unchanged and number == previous and bundle.grants == before.bundle.grants:
                return
            bundle = bundle.model_copy(update={"generation": number})
        self._topics[key] = Topic(bundle, bundle.to_json().encode() + b"\n", digest)
        _log.info(
            "policies changed", database="/".join(key), generation=bundle.generation, policies=len(bundle.policies)
        )
        if before is not None:
            before.changed.set()

    def bundles(self) -> list[Bundle]:
        """Those of all Databases that are there."""
        return [topic.bundle for topic in self._topics.values() if topic.there]

    def regrant(self) -> None:
        """Access may have been given, or have ended: tell whoever follows."""
        for key, topic in list(self._topics.items()):
            grants = self.grants(topic.bundle) if topic.there else ()
            if grants != topic.bundle.grants:
                bundle = topic.bundle.model_copy(update={"grants": grants})
                self._topics[key] = Topic(bundle, bundle.to_json().encode() + b"\n", topic.digest, topic.there)
                _log.info("access that lasts", database="/".join(key), requests=[one.request for one in grants])
                topic.changed.set()

    def mask_key(self, namespace: str, database: str) -> bytes:
        """The key for one database's keyed masks: the same in every replica, of no use for any other database."""
        if self._master_key is None:
            raise LookupError("there is no mask key yet")
        return hmac.new(self._master_key, f"{namespace}/{database}".encode(), hashlib.sha256).digest()

    def _read_master_key(self) -> bytes | None:
        for secret in self._objects[MASK_KEY].values():
            key = base64.b64decode((secret.get("data") or {}).get("key", ""))
            if len(key) >= _MASK_KEY_BYTES:
                return key
        # Gone or damaged: what is known stays known, and readiness was reached with it.
        return self._master_key


class _Feed:
    """Passes what a watch saw of one kind on to the whole."""

    def __init__(self, policies: Policies, kind: str) -> None:
        self._policies = policies
        self._kind = kind

    def replace(self, objects: dict[Key, Json], revision: int) -> None:
        self._policies._objects[self._kind] = dict(objects)
        self._policies._synced.add(self._kind)
        if self._kind == POLICIES:
            self._policies._read_policies.clear()
            self._policies._policies_of.clear()
            for key, one in objects.items():
                self._policies._policies_of[key[0], database_of(one)][key] = one
        self._policies.received(self._kind, None)

    def change(self, change: ObjectChange) -> None:
        objects = self._policies._objects[self._kind]
        before = objects.pop(change.key, None)
        if change.object is not None:
            objects[change.key] = change.object
        if self._kind == POLICIES:
            self._moved(change.key, before, change.object)
        self._policies.received(self._kind, self._concerned(change.key, before, change.object))

    def _moved(self, key: Key, before: Json | None, after: Json | None) -> None:
        policies_of = self._policies._policies_of
        if before is not None:
            former = key[0], database_of(before)
            policies_of[former].pop(key, None)
            if not policies_of[former]:
                del policies_of[former]
        if after is not None:
            policies_of[key[0], database_of(after)][key] = after
        else:
            self._policies._read_policies.pop(key, None)

    def _concerned(self, key: Key, *documents: Json | None) -> set[Key]:
        """Whose bundles may be others. A policy may have been for another Database before."""
        if self._kind == DATABASES:
            return {key}
        return {(key[0], database_of(one)) for one in documents if one is not None}
