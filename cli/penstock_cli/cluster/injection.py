"""`kubectl penstock inject`: what admission would make of pods in files, before anybody applies them.

What doesn't belong: deciding it (`penstock_operator.inject`).
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import yaml

from penstock_cli.cluster.options import cluster_api, output_option, policies_option, where_options
from penstock_cli.failures import Unusable
from penstock_cli.policy_files import text_of

if TYPE_CHECKING:
    from penstock_operator.inject.admit import Lookup
    from penstock_operator.inject.sidecar import Shape

Json = dict[str, Any]
_COLUMNS = {"NAMESPACE": "namespace", "KIND": "kind", "NAME": "name", "ADMISSION": "admission", "WHY": "message"}
_OURS = "penstock.dev/"
# Where the pod's template is in what makes pods.
_TEMPLATES: dict[str, tuple[str, ...]] = {
    "Deployment": ("spec", "template"), "StatefulSet": ("spec", "template"), "DaemonSet": ("spec", "template"),
    "ReplicaSet": ("spec", "template"), "ReplicationController": ("spec", "template"), "Job": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
}  # fmt: skip


@click.command
@click.option(
    "--filename", "-f", "files", multiple=True, required=True, type=click.Path(path_type=Path, allow_dash=True),
    help="A file of pods, or of what makes pods (`-`: standard input); may be given again.",
)  # fmt: skip
@where_options
@policies_option
@click.option("--image", default=f"penstock:{version('penstock')}", show_default=True, help="The sidecar's image.")
@output_option
def inject(files: tuple[Path, ...], policies: tuple[Path, ...], image: str, output: str, **where: Any) -> None:
    """Show the patch that pods in FILES would get, and what admission would say, without applying anything.

    Databases and policies come from the same files or --policies, as do namespaces with their labels, and nothing is
    asked of a cluster then; else from the cluster. Pods are taken as they are written: what the API server and other
    webhooks add is not there yet.

    \b
    Status 0: all would be admitted
           1: some would be refused
           2: a file or cluster cannot be read, or an option is wrong
    """
    from penstock_cli.cluster.output import documents, shown  # noqa: PLC0415 # `--help` loads no tables

    found = [one for file in files for one in _documents(file)]
    namespace = where["namespace"]
    own = [one for one in found if str(one.get("apiVersion", "")).startswith(_OURS)]
    if own or policies:
        spaces = [one for one in found if one["kind"] == "Namespace"]
        lookup, namespace = _of_files(own, policies, spaces, namespace or "default"), namespace or "default"
    else:
        lookup, namespace = _of_cluster(**where)
    pods = [(one, pod) for one in found if (pod := _pod(one)) is not None]
    if not pods:
        raise Unusable(f"{', '.join(map(str, files))}: no pod there, nor anything that makes pods")
    rows = [_judged(one, pod, namespace, lookup, _shape(image)) for one, pod in pods]
    shown(rows, output, _COLUMNS, "")
    if output == "table":
        for row in rows:
            for warning in row["warnings"]:
                click.echo(f"warning: {row['kind']} {row['name']}: {warning}", err=True)
            if row["patch"]:
                click.echo(f"\n# the patch of {row['kind']} {row['name']}")
                documents(row["patch"], "yaml")
    sys.exit(1 if any(row["admission"] == "refused" for row in rows) else 0)


def _documents(file: Path) -> Iterator[Json]:
    """The objects in a file, those of lists among them. Raises Unusable."""
    try:
        read = list(yaml.safe_load_all(text_of(file)))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Unusable(f"{file}: is not YAML: {' '.join(str(error).split())[:300]}") from None
    for one in read:
        for item in (one.get("items") or ()) if isinstance(one, dict) and one.get("kind") == "List" else (one,):
            if isinstance(item, dict) and isinstance(item.get("kind"), str):
                yield item
            elif item is not None:
                raise Unusable(f"{file}: holds something that is no Kubernetes object")


def _pod(one: Json) -> Json | None:
    """The pod that it is, or makes; None where it makes none."""
    if one["kind"] == "Pod":
        return one
    template: Any = one
    for step in _TEMPLATES.get(one["kind"], ()):
        template = template.get(step) if isinstance(template, dict) else None
    if one["kind"] not in _TEMPLATES:
        return None
    if not isinstance(template, dict):
        raise Unusable(f"{one['kind']} {_name(one)}: has no template of a pod")
    metadata = template.get("metadata") or {}
    named = {"generateName": f"{_name(one)}-"} if isinstance(metadata, dict) and "name" not in metadata else {}
    return {"apiVersion": "v1", "kind": "Pod", **template, "metadata": {**metadata, **named}}


def _judged(one: Json, pod: Json, namespace: str, lookup: Lookup, shape: Shape) -> Json:
    """What admission answers, by its own code."""
    from penstock_operator.inject.admission_review import BadReview  # noqa: PLC0415 # as in `inject`
    from penstock_operator.inject.admit import admit  # noqa: PLC0415 # as in `inject`

    space = (one.get("metadata") or {}).get("namespace") or namespace
    review = {"request": {"uid": "inject", "namespace": space, "operation": "CREATE", "object": pod}}
    try:
        response = admit(review, lookup, shape)["response"]
    except (BadReview, LookupError, TypeError, AttributeError) as bad:
        raise Unusable(f"{one['kind']} {_name(one)}: is no object of its kind: {str(bad)[:200]}") from None
    patch = json.loads(base64.b64decode(response["patch"])) if "patch" in response else []
    said = "refused" if not response["allowed"] else "injected" if patch else "as it is"
    nothing = "neither it nor its namespace asks for a gate (penstock.dev/inject): its statements pass none"
    return {
        "namespace": space,
        "kind": one["kind"],
        "name": _name(one),
        "admission": said,
        "message": (response.get("status") or {}).get("message", nothing if said == "as it is" else ""),
        "warnings": list(response.get("warnings") or ()),
        "patch": patch,
    }


def _name(one: Json) -> str:
    metadata = one.get("metadata")
    return str((metadata.get("name") or metadata.get("generateName") or "") if isinstance(metadata, dict) else "")


def _of_files(own: list[Json], policies: tuple[Path, ...], spaces: list[Json], namespace: str) -> Lookup:
    from penstock_cli.cluster.rules import FileRules  # noqa: PLC0415 # as in `inject`
    from penstock_cli.policy_files import resources  # noqa: PLC0415 # as in `inject`
    from penstock_core.resources import ResourceError, parse  # noqa: PLC0415 # as in `inject`

    try:
        read = [*(parse(one, namespace=namespace) for one in own), *resources(policies, namespace)]
        return FileRules(read, spaces)
    except ResourceError as error:
        raise Unusable(str(error)) from None


def _of_cluster(**where: Any) -> tuple[Lookup, str]:
    from penstock_cli.cluster.rules import ClusterRules  # noqa: PLC0415 # as in `inject`

    api = cluster_api(**where)
    return ClusterRules(api), api.namespace


def _shape(image: str) -> Shape:
    """What an installation gives to every sidecar, as the chart has it unless told otherwise."""
    from penstock_operator.inject.sidecar import Shape  # noqa: PLC0415 # as in `inject`

    services = "penstock-system.svc"
    return Shape(
        image=image,
        version=version("penstock"),
        control_url=f"https://penstock-control.{services}:8443",
        collector_url=f"https://penstock-collector.{services}:8080",
    )
