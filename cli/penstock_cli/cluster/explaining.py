"""`kubectl penstock explain`: what becomes of a statement of an identity, or of a pod's, by the cluster's policies.

What doesn't belong: deciding and showing decisions (`penstock_cli.check`).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from penstock_cli.cluster.options import Sources, cluster_api, output_option, pods_there, source_options, where_options
from penstock_cli.failures import Unusable
from penstock_cli.policy_files import text_of

if TYPE_CHECKING:
    from penstock_cli.cluster.api import ClusterApi
    from penstock_core.identity import Identity
    from penstock_core.resources import Bundle
    from penstock_core.sql.catalog.model import Catalog

Json = dict[str, Any]
_COLUMNS = {
    "POLICY": "policy", "MODE": "mode", "ALLOW": "allow", "MASKS": "masks", "ROW FILTERS": "rowFilters",
    "GUARDRAILS": "guardrails",
}  # fmt: skip


@click.command
@click.argument("who", metavar="IDENTITY|POD", shell_complete=pods_there)
@click.argument("sql", default="")
@where_options
@source_options
@output_option
def explain(who: str, sql: str, sources: Sources, output: str, **where: Any) -> None:
    """Show by which rules SQL of IDENTITY, or of a POD that is there, would be handled, without running it: the
    decision, the masked columns, what would be sent. `-`: from standard input.

    IDENTITY is sa:NAMESPACE/NAME or person:SUBJECT[,GROUP…][@ISSUER] (or agent:…, service:…). Without SQL, or without a
    catalog, it shows the policies that are for it.

    \b
    Status 0: all would run, rewritten or not; or nothing was to be decided
           1: some would be refused
           2: a file, server or cluster cannot be read, or an option is wrong
    """
    from penstock_cli.catalog_source import given  # noqa: PLC0415 # `--help` loads neither the parser nor TLS
    from penstock_cli.cluster.rules import rules_for  # noqa: PLC0415 # as above

    def api() -> ClusterApi:
        return cluster_api(**where)

    identity, of_pod = _whose(who, api)
    bundle = rules_for(sources.policies, where["namespace"], _which(who, of_pod, sources.database), api)
    if sql and (sources.catalog is not None or sources.url is not None):
        catalog = given(sources.catalog, sources.url, sources.password_file)
        sys.exit(1 if _decided(bundle, identity, sql, catalog, output) else 0)
    if sql:
        click.echo("nothing is decided without the database's catalog: --catalog FILE or --url URL", err=True)
    _rules(bundle, identity, output)


def _which(who: str, of_pod: Sequence[str], wanted: str) -> str:
    """The Database that is meant."""
    if of_pod and wanted and wanted.rpartition("/")[2] not in of_pod:
        raise Unusable(f"the gate of the pod {who} is for {', '.join(of_pod)}, not for {wanted}")
    if len(of_pod) > 1 and not wanted:
        raise Unusable(f"say which Database: --database NAME; the gate of the pod {who} is for {', '.join(of_pod)}")
    return wanted or "".join(of_pod)


def _whose(who: str, api: Any) -> tuple[Identity, Sequence[str]]:
    """The identity, and of a pod the Databases that it is for."""
    from penstock_cli.check.identities import FORMS, IdentityError, identity  # noqa: PLC0415 # as in `explain`
    from penstock_core.identity import Identity, Workload  # noqa: PLC0415 # as in `explain`
    from penstock_operator.inject.annotations import DATABASE, listed  # noqa: PLC0415 # as in `explain`

    if ":" in who:
        try:
            return identity([who]), ()
        except IdentityError as error:
            raise Unusable(str(error)) from None
    if not who or "/" in who:
        raise Unusable(f"{who or 'an empty name'}: is neither a pod's name nor an identity; write {FORMS}")
    cluster: ClusterApi = api()
    pod, _ = cluster.call("GET", f"/api/v1/namespaces/{quote(cluster.namespace, safe='')}/pods/{quote(who, safe='')}")
    metadata = pod["metadata"]
    account = (pod.get("spec") or {}).get("serviceAccountName") or "default"
    wanted = listed((metadata.get("annotations") or {}).get(DATABASE, ""))
    if not wanted:
        raise Unusable(f"the pod {who} has no annotation penstock.dev/database: its statements pass no gate")
    return Identity(Workload(metadata["namespace"], account, metadata["name"], metadata.get("uid") or "")), wanted


def _decided(bundle: Bundle, who: Identity, sql: str, catalog: Catalog, output: str) -> bool:
    """Print what is decided; whether anything is refused."""
    from penstock_cli.check.judging import Judge  # noqa: PLC0415 # as in `explain`
    from penstock_cli.check.statements import statements  # noqa: PLC0415 # as in `explain`
    from penstock_cli.check.view import View  # noqa: PLC0415 # as in `explain`
    from penstock_cli.cluster.output import documents  # noqa: PLC0415 # as in `explain`
    from penstock_core.conditions import Circumstances  # noqa: PLC0415 # as in `explain`

    text = text_of(Path(sql)) if sql == "-" else sql
    judge = Judge(bundle, who, catalog, Circumstances(datetime.now(UTC), ""))
    for warning in judge.warnings():
        click.echo(f"warning: {warning}", err=True)
    verdicts = list(judge.session(statements(text, "SQL"), catalog.search_path))
    if not verdicts:
        raise Unusable("there is no SQL statement")
    if output == "table":
        view = View(only_refused=False)
        for verdict in verdicts:
            view.show(verdict)
        view.total(who.name)
    else:
        documents([{"identity": who.name, **verdict.document()} for verdict in verdicts], output)
    return any(verdict.refused for verdict in verdicts)


def _rules(bundle: Bundle, who: Identity, output: str) -> None:
    from penstock_cli.cluster.output import shown  # noqa: PLC0415 # as in `explain`
    from penstock_core.policy.revocation import revocation  # noqa: PLC0415 # as in `explain`

    if (why := revocation(bundle, who)) is not None:
        click.echo(f"warning: {who.name} has no session: {why.message}", err=True)
    shown(list(_policies(bundle, who)), output, _COLUMNS, f"no policy of {bundle.database.title} is for {who.name}")


def _policies(bundle: Bundle, who: Identity) -> Iterator[Json]:
    """Those that are for it, whatever has to be asked for among them."""
    from penstock_core.policy.subjects import policies_for  # noqa: PLC0415 # as in `explain`

    for policy in policies_for(bundle, who):
        spec = policy.spec
        guardrails = spec.guardrails.model_dump(mode="json", exclude_defaults=True)
        yield {
            "policy": policy.name,
            "mode": f"{spec.mode}, once it is asked for" if spec.by_request else spec.mode,
            "allow": list(spec.allow),
            "masks": [
                f"{target} by {mask.with_.chosen()[0]}{' unless ' + mask.unless if mask.unless else ''}"
                for mask in spec.masks
                for target in (*(mask.tags or ()), *(mask.columns or ()))
            ],
            "rowFilters": [f"{one.table}: {one.where}" for one in spec.row_filters or ()],
            "guardrails": [f"{name}: {_plain(value)}" for name, value in sorted(guardrails.items())],
        }


def _plain(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
