"""What decides about a Database on the cluster, or by files that are given in its place.

What doesn't belong: reading files (`penstock_cli.policy_files`), and what is in effect (`penstock_operator.objects`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from penstock_cli.failures import Unusable
from penstock_cli.policy_files import NO_KEY, AnyResource, bundle_of, resources
from penstock_core.resources import Bundle, Database, ResourceError
from penstock_operator.inject.annotations import INJECT
from penstock_operator.objects import DATABASES, GROUP_PATH, POLICIES, generation_of, in_effect

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi

Json = dict[str, Any]
Open = Callable[[], "ClusterApi"]
_NOT_FOUND = 404


class ClusterRules:
    """The Databases of a namespace as the API server has them; also as admission looks them up."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._known: dict[str, tuple[dict[str, Json], list[Json]]] = {}
        self._namespaces: dict[str, Json | None] = {}

    def databases(self, namespace: str) -> Sequence[str]:
        """Names of the namespace's Databases, sorted."""
        return sorted(self._of(namespace)[0])

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        """A Database with what is in effect for it; None where there is none that is valid."""
        databases, policies = self._of(namespace)
        raw = databases.get(database)
        if raw is None:
            return None
        try:
            found = in_effect(raw, policies)
        except ResourceError:
            return None
        if found.problem:
            click.echo(f"warning: nobody has access: {found.problem}", err=True)
        return found.bundle(generation_of(raw, found.digest), NO_KEY)

    def limit_ranges(self, namespace: str) -> Sequence[Json]:
        """None: who reads Databases need not be allowed to read these, and admission has the last word."""
        return ()

    def resource_quotas(self, namespace: str) -> Sequence[Json]:
        """None, likewise."""
        return ()

    def labelled_namespace(self, namespace: str) -> Json | None:
        """A namespace that has the label by which its pods get a gate. Who may not read it is told so."""
        if namespace not in self._namespaces:
            self._namespaces[namespace] = self._namespace(namespace)
        return self._namespaces[namespace]

    def _namespace(self, namespace: str) -> Json | None:
        from penstock_cli.cluster.api import Refused  # noqa: PLC0415 # files alone need no client

        try:
            said, _ = self._api.call("GET", f"/api/v1/namespaces/{quote(namespace, safe='')}")
        except Refused as refused:
            if refused.status != _NOT_FOUND:
                click.echo(
                    f"warning: whether pods of {namespace} get a gate by its label is not known: {refused}", err=True
                )
            return None
        return labelled(said)

    def one(self, namespace: str, wanted: str) -> Bundle:
        """The only Database of the namespace, or the one that is wanted. Raises Unusable."""
        names = self.databases(namespace)
        there = f"Databases in the namespace {namespace}: {', '.join(names) or 'none'}"
        if not wanted and len(names) != 1:
            raise Unusable(f"say which Database: --database NAME; {there}")
        name = wanted or names[0]
        if name not in names:
            raise Unusable(f"there is no Database {name}; {there}")
        found = self.bundle(namespace, name)
        if found is None:
            raise Unusable(f"the Database {name} is not valid; kubectl describe database {name} says why")
        return found

    def _of(self, namespace: str) -> tuple[dict[str, Json], list[Json]]:
        if namespace not in self._known:
            within = f"{GROUP_PATH}/namespaces/{quote(namespace, safe='')}"
            databases, policies = (self._api.all(f"{within}/{kind}")[0] for kind in (DATABASES, POLICIES))
            # Objects in a list have no kind of their own.
            for kind, objects in (("Database", databases), ("DatabaseAccessPolicy", policies)):
                for one in objects:
                    one |= {"apiVersion": "penstock.dev/v1alpha1", "kind": kind}
            self._known[namespace] = ({one["metadata"]["name"]: one for one in databases}, policies)
        return self._known[namespace]


class FileRules:
    """The Databases that files hold, as admission looks them up."""

    def __init__(self, found: Sequence[AnyResource], namespaces: Sequence[Json] = ()) -> None:
        self._found = found
        self._namespaces = {str((one.get("metadata") or {}).get("name")): one for one in namespaces}

    def databases(self, namespace: str) -> Sequence[str]:
        """Names of the namespace's Databases, sorted."""
        return sorted(one.name for one in self._found if isinstance(one, Database) and one.namespace == namespace)

    def bundle(self, namespace: str, database: str) -> Bundle | None:
        """A Database with its policies; None where there is none, or several."""
        if self.databases(namespace).count(database) != 1:
            return None
        return bundle_of(self._found, f"{namespace}/{database}")

    def limit_ranges(self, namespace: str) -> Sequence[Json]:
        """Files hold none."""
        return ()

    def resource_quotas(self, namespace: str) -> Sequence[Json]:
        """Nor these."""
        return ()

    def labelled_namespace(self, namespace: str) -> Json | None:
        """A namespace in the files that has the label by which its pods get a gate."""
        return labelled(self._namespaces.get(namespace) or {})


def labelled(namespace: Json) -> Json | None:
    """The metadata of a namespace that has the label, as control knows it."""
    metadata: Json = namespace.get("metadata") or {}
    return metadata if INJECT in (metadata.get("labels") or {}) else None


def rules_for(paths: Sequence[Path], namespace: str | None, wanted: str, api: Open) -> Bundle:
    """By files where some are given, else by the cluster. Raises Unusable."""
    if paths:
        return bundle_of(resources(paths, namespace or "default"), wanted)
    cluster = api()
    return ClusterRules(cluster).one(cluster.namespace, wanted)
