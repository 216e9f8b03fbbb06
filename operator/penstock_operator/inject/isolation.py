"""What an application beside a sidecar may not have: a way to the sidecar's credentials, tokens and files.

Whoever may write a pod can leave the annotation out; this is so that nobody believes in a gate that stands open. What
doesn't belong: names and ports that clash (`admit.py`).
"""

from __future__ import annotations

from penstock_operator.inject import sidecar
from penstock_operator.inject.annotations import Refusal
from penstock_operator.inject.environment import applications
from penstock_operator.inject.patch import Json
from penstock_operator.inject.sidecar import Shape, Upstream

_AUDIENCES = (sidecar.CONTROL_AUDIENCE, sidecar.COLLECTOR_AUDIENCE)


def refuse_sharing(pod: Json) -> None:
    """What a pod shares with others, its containers would share with the sidecar. Raises Refusal."""
    spec = pod["spec"]
    if spec.get("hostNetwork"):
        raise Refusal(
            "a pod with hostNetwork shares 127.0.0.1 with its node, where any process could use its sidecar; "
            "remove hostNetwork"
        )
    for setting in ("shareProcessNamespace", "hostPID"):
        if spec.get(setting):
            raise Refusal(
                f"with {setting} the application could read the sidecar's credentials through /proc; remove it"
            )
    if (spec.get("os") or {}).get("name") == "windows":
        raise Refusal("the sidecar runs on Linux only")


def refuse_reaching(pod: Json, shape: Shape, upstream: Upstream) -> None:
    """What only the sidecar may hold must be in no other container. Raises Refusal."""
    ours = {volume["name"] for volume in sidecar.volumes(shape, upstream)}
    _refuse_tokens(pod, ours)
    secret = upstream.credentials_secret
    holding = {volume["name"] for volume in pod["spec"].get("volumes") or [] if secret in _secrets_of_volume(volume)}
    for _, _, container in applications(pod, sidecar.CONTAINER):
        # Also before they are there: the volumes that it names will be added.
        for mount in container.get("volumeMounts") or []:
            if mount.get("name") in ours:
                raise Refusal(
                    f"container {container.get('name')} mounts {mount['name']}, which is the sidecar's alone; remove it"
                )
        where = _reference(container, secret, holding)
        if where:
            raise Refusal(
                f"container {container.get('name')} takes the Secret {secret} by its {where}, so the application would "
                "hold the database's credentials and could go around the gate; remove it: the sidecar logs in for it"
            )


def _refuse_tokens(pod: Json, ours: set[str]) -> None:
    """With the sidecar's tokens the application could write its own record and read the keys of the masks."""
    for volume in pod["spec"].get("volumes") or []:
        for source in (volume.get("projected") or {}).get("sources") or []:
            audience = (source.get("serviceAccountToken") or {}).get("audience")
            if audience in _AUDIENCES and volume.get("name") not in ours:
                raise Refusal(
                    f"volume {volume.get('name')} holds a token for {audience}, which is the sidecar's alone; remove it"
                )


def _reference(container: Json, secret: str, holding: set[str]) -> str:
    for entry in container.get("env") or []:
        if ((entry.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name") == secret:
            return f"environment variable {entry.get('name')}"
    for source in container.get("envFrom") or []:
        if (source.get("secretRef") or {}).get("name") == secret:
            return "envFrom"
    for mount in container.get("volumeMounts") or []:
        if mount.get("name") in holding:
            return f"volume {mount['name']}"
    return ""


def _secrets_of_volume(volume: Json) -> set[str]:
    projected = (volume.get("projected") or {}).get("sources") or []
    names = [(volume.get("secret") or {}).get("secretName")]
    names += [(source.get("secret") or {}).get("name") for source in projected]
    return {name for name in names if name}
