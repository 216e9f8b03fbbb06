"""`kubectl penstock suspend` and `resume`: the kill switch, for a Database, for one identity, or for all Databases.

A Database has it in its spec; an identity has a policy of `mode: revoke` for each Database. What doesn't belong: what
it does to sessions (`penstock_core.policy.revocation`).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import click

from penstock_cli.cluster.options import cluster_api, databases_there, output_option, where_options
from penstock_cli.failures import Unusable

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi

Json = dict[str, Any]
F = TypeVar("F", bound=Callable[..., Any])

_EVERYBODY, _FAILED = "everybody", "failed"
# On the policies that are written here, so that they are found again.
LABEL = "penstock.dev/suspends-identity"
_COLUMNS = {"NAMESPACE": "namespace", "DATABASE": "database", "WHO": "who", "STATE": "state", "REASON": "reason"}
_WHAT = click.Choice(("database", "identity", "all"))


def _names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """For completion: what is named behind `database`."""
    return databases_there(context, parameter, incomplete) if context.params.get("what") == "database" else []


def _options(command: F) -> F:
    options = [
        click.argument("what", type=_WHAT),
        click.argument("name", required=False, default="", shell_complete=_names),
        where_options,
        click.option("--all-namespaces", "-A", is_flag=True, help="With all: those of all namespaces."),
        click.option("--database", "databases", multiple=True, metavar="NAME", help="Of an identity: in these alone."),
        output_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


@click.command
@_options
@click.option("--reason", required=True, help="Why, in one line; whoever is refused reads it.")
def suspend(
    what: str, name: str, all_namespaces: bool, databases: tuple[str, ...], output: str, reason: str, **where: Any
) -> None:
    """End all sessions at once, and let none begin until it is resumed.

    \b
    suspend database NAME      nobody has access to it
    suspend identity IDENTITY  person:SUBJECT[@ISSUER] (or agent:…, service:…) or sa:NAMESPACE/NAME has none, nor an
                               agent that acts for them
    suspend all                nobody has access to any Database of the namespace (-A: of all namespaces)
    """
    _fits(what, name, all_namespaces, databases)
    switch = Switch(cluster_api(**where))
    done = {
        "database": lambda: [switch.suspend(switch.database(name), switch.said(reason))],
        "identity": lambda: list(switch.suspend_identity(name, databases, reason)),
        "all": lambda: list(switch.suspend_all(reason, everywhere=all_namespaces)),
    }
    _show(done[what](), output)


@click.command
@_options
def resume(
    what: str, name: str, all_namespaces: bool, databases: tuple[str, ...], output: str, **where: Any
) -> None:  # fmt: skip
    """Let sessions begin again where `suspend` let none.

    \b
    resume database NAME      for a Database
    resume identity IDENTITY  for one whom `suspend identity` named in the same way
    resume all                for all Databases of the namespace (-A: of all namespaces)
    """
    _fits(what, name, all_namespaces, databases)
    switch = Switch(cluster_api(**where))
    done = {
        "database": lambda: [switch.resume(switch.database(name))],
        "identity": lambda: list(switch.resume_identity(name, databases)),
        "all": lambda: list(switch.resume_all(everywhere=all_namespaces)),
    }
    _show(done[what](), output)


def _fits(what: str, name: str, all_namespaces: bool, databases: tuple[str, ...]) -> None:
    """Raises UsageError: a switch that does something else than was meant is none."""
    if bool(name) is (what == "all"):
        raise click.UsageError(f"give a name behind {what}" if what != "all" else "all takes no name")
    if all_namespaces and what != "all":
        raise click.UsageError("--all-namespaces is for all")
    if databases and what != "identity":
        raise click.UsageError("--database is for identities")


def _show(rows: list[Json], output: str) -> None:
    from penstock_cli.cluster.output import shown  # noqa: PLC0415 # `--help` loads no tables

    shown(rows, output, _COLUMNS, "there is no Database")
    if any(row["state"] == _FAILED for row in rows):
        sys.exit(2)


class Switch:
    """Writes and takes away suspensions, as the person of the kubeconfig."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api

    def database(self, name: str) -> Json:
        """A Database of the namespace."""
        said, _ = self._api.call("GET", _path(self._api.namespace, "databases", name))
        return said

    def databases(self, *, everywhere: bool) -> list[Json]:
        """Those of the namespace, or of all."""
        from penstock_operator.objects import DATABASES, GROUP_PATH  # noqa: PLC0415 # as in `_show`

        path = f"{GROUP_PATH}/{DATABASES}" if everywhere else _path(self._api.namespace, DATABASES)
        return self._api.all(path)[0]

    def suspend_all(self, reason: str, *, everywhere: bool) -> Iterator[Json]:
        """One that can't be suspended keeps no other from it."""
        said = self.said(reason)
        for database in self.databases(everywhere=everywhere):
            yield _attempted(database, _EVERYBODY, partial(self.suspend, database, said))

    def resume_all(self, *, everywhere: bool) -> Iterator[Json]:
        for database in self.databases(everywhere=everywhere):
            yield _attempted(database, _EVERYBODY, partial(self.resume, database))

    def suspend(self, database: Json, said: Json) -> Json:
        """Whatever its spec says otherwise: one field is written, in one request."""
        self._api.call("PATCH", _of(database), {"spec": {"suspended": said}})
        return _row(database, _EVERYBODY, "suspended", said)

    def resume(self, database: Json) -> Json:
        if (database.get("spec") or {}).get("suspended") is None:
            return _row(database, _EVERYBODY, "was not suspended")
        self._api.call("PATCH", _of(database), {"spec": {"suspended": None}})
        return _row(database, _EVERYBODY, "resumed")

    def suspend_identity(self, name: str, databases: tuple[str, ...], reason: str) -> Iterator[Json]:
        """By a policy for each Database."""
        subject, said = subject_of(name, self._api.namespace), self.said(reason)
        for database in self._chosen(databases):
            policy = _policy(self._api.namespace, database["metadata"]["name"], subject, said)
            yield _attempted(database, name, partial(self._suspend_in, database, name, policy))

    def resume_identity(self, name: str, databases: tuple[str, ...]) -> Iterator[Json]:
        """The policies that were written for it go; others that revoke are their authors' own."""
        space = self._api.namespace
        key = _key(subject_of(name, space))
        mine, _ = self._api.all(f"{_path(space, 'databaseaccesspolicies')}?labelSelector={LABEL}%3D{key}")
        found = {one["spec"]["databaseRef"]["name"]: one for one in mine}
        for database in databases or sorted(found):
            row = {"metadata": {"name": database, "namespace": space}}
            if database not in found:
                yield _row(row, name, "was not suspended")
                continue
            path = _path(space, "databaseaccesspolicies", found[database]["metadata"]["name"])
            self._api.call("DELETE", path)
            yield _row(row, name, "resumed")
        if not databases and not found:
            raise Unusable(
                f"{name} was not suspended in {space} by `kubectl penstock suspend`; policies of mode revoke that "
                "others wrote are deleted by name: kubectl get databaseaccesspolicies"
            )

    def _chosen(self, names: tuple[str, ...]) -> list[Json]:
        found = [self.database(name) for name in names] if names else self.databases(everywhere=False)
        if not found:
            raise Unusable(f"there is no Database in the namespace {self._api.namespace}")
        return found

    def _suspend_in(self, database: Json, name: str, policy: Json) -> Json:
        from penstock_cli.cluster.api import Refused  # noqa: PLC0415 # as in `_show`

        space = self._api.namespace
        try:
            self._api.call("POST", _path(space, "databaseaccesspolicies"), policy)
        except Refused as refused:
            if refused.status != 409:
                raise
            # It is suspended already: the latest reason is the one that is read.
            path = _path(space, "databaseaccesspolicies", policy["metadata"]["name"])
            self._api.call("PATCH", path, {"spec": policy["spec"]})
        return _row(database, name, "suspended", policy["spec"]["revoked"])

    def said(self, reason: str) -> Json:
        """With who and since when, as the API server knows it; to switch takes neither."""
        found = {"reason": reason}
        with contextlib.suppress(Unusable):
            found["by"] = self._api.user().username
            _, now = self._api.call("GET", "/version")
            found["since"] = f"{now:%Y-%m-%dT%H:%M:%SZ}"
        return found


def _attempted(database: Json, who: str, act: Callable[[], Json]) -> Json:
    """What came of it; a switch that fails in one place is thrown in the others all the same."""
    try:
        return act()
    except Unusable as error:
        return _row(database, who, _FAILED, {"reason": error.message})


def subject_of(name: str, namespace: str) -> Json:
    """The subject of a policy that an identity as people write it is. Raises Unusable."""
    from penstock_cli.check.identities import IdentityError, identity  # noqa: PLC0415 # as in `_show`

    try:
        who = identity([name])
    except IdentityError as error:
        raise Unusable(str(error)) from None
    if who.workload is not None:
        if who.workload.namespace != namespace:
            raise Unusable(
                f"{name}: a policy is for service accounts of its own namespace, {namespace}; give --namespace "
                f"{who.workload.namespace}"
            )
        return {"serviceAccount": {"name": who.workload.service_account}}
    principal = who.principal
    if principal is None or principal.groups:
        raise Unusable(f"{name}: leave the groups out; whoever it is has no access then, whatever their groups")
    # Of whatever kind: who is to be stopped must not go on as another.
    return {"identity": {"subject": principal.subject} | ({"issuer": principal.issuer} if principal.issuer else {})}


def _policy(namespace: str, database: str, subject: Json, said: Json) -> Json:
    from penstock_core.resources.model import API_VERSION  # noqa: PLC0415 # as in `_show`

    return {
        "apiVersion": API_VERSION,
        "kind": "DatabaseAccessPolicy",
        "metadata": {
            "name": f"suspended-{_key(subject)}-{database}"[:253].rstrip("-."),
            "namespace": namespace,
            "labels": {LABEL: _key(subject)},
        },
        "spec": {"databaseRef": {"name": database}, "mode": "revoke", "subjects": [subject], "revoked": said},
    }


def _key(subject: Json) -> str:
    """Names of people are no names of resources."""
    return hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()[:16]


def _path(namespace: str, plural: str, name: str = "") -> str:
    from penstock_operator.objects import GROUP_PATH  # noqa: PLC0415 # as in `_show`

    path = f"{GROUP_PATH}/namespaces/{quote(namespace, safe='')}/{plural}"
    return f"{path}/{quote(name, safe='')}" if name else path


def _of(database: Json) -> str:
    metadata = database["metadata"]
    return _path(metadata["namespace"], "databases", metadata["name"])


def _row(database: Json, who: str, state: str, said: Json | None = None) -> Json:
    metadata = database["metadata"]
    row = {"namespace": metadata["namespace"], "database": metadata["name"], "who": who, "state": state}
    return {**row, **(said or {"reason": ""})}
