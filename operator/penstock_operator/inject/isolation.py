"""What an application beside a sidecar may not have: a way to the sidecar's credentials, tokens and files.

Whoever may write a pod can leave the annotation out; this is so that nobody believes in a gate that stands open. What
doesn't belong: names and ports that clash (`admit.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from penstock_operator.inject import sidecar
from penstock_operator.inject.annotations import Refusal
from penstock_operator.inject.environment import applications
from penstock_operator.inject.patch import Json

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


def refuse_misleading(pod: Json, hosts: Collection[str]) -> None:
    """Where the sidecar goes is not the pod's to say. Raises Refusal."""
    for alias in pod["spec"].get("hostAliases") or []:
        for name in alias.get("hostnames") or []:
            if name.rstrip(".").lower() in hosts:
                raise Refusal(
                    f"hostAliases send {name} to {alias.get('ip')}, and the sidecar, which logs in there, would "
                    "follow; remove that name"
                )


def refuse_reaching(pod: Json, credentials: Mapping[str, str], host_paths: Collection[str]) -> None:
    """What only a sidecar may hold must be in no other container. Raises Refusal.

    `credentials` are the Secrets of all Databases of the namespace, by name, and whose they are; `host_paths` the
    places of a node that the installation lets be mounted.
    """
    _refuse_tokens(pod)
    volumes = _Volumes(pod, host_paths)
    for _, _, container in applications(pod, sidecar.CONTAINER):
        _refuse_container(container, volumes, credentials)


def refuse_debugging(pod: Json, credentials: Mapping[str, str], host_paths: Collection[str]) -> None:
    """The same for the containers that `kubectl debug` adds to a running pod. Raises Refusal."""
    volumes = _Volumes(pod, host_paths)
    for container in pod["spec"].get("ephemeralContainers") or []:
        if container.get("targetContainerName") == sidecar.CONTAINER:
            raise Refusal(
                f"container {container.get('name')} would share the processes of {sidecar.CONTAINER}, and could read "
                "its credentials through /proc; leave out --target"
            )
        _refuse_container(container, volumes, credentials)


class _Volumes:
    """A pod's volumes by name, each looked into once, however often it is mounted."""

    def __init__(self, pod: Json, host_paths: Collection[str]) -> None:
        self.host_paths = host_paths
        self._by_name = {str(volume.get("name")): volume for volume in pod["spec"].get("volumes") or []}
        self._secrets: dict[str, set[str]] = {}

    def of(self, mount: Json) -> Json:
        return self._by_name.get(str(mount.get("name"))) or {}

    def secrets(self, mount: Json) -> set[str]:
        name = str(mount.get("name"))
        if name not in self._secrets:
            self._secrets[name] = _secrets_of_volume(self.of(mount))
        return self._secrets[name]


def _refuse_container(container: Json, volumes: _Volumes, credentials: Mapping[str, str]) -> None:
    name = container.get("name")
    _refuse_node(name, container, volumes)
    # Also before they are there: the volumes that it names will be added.
    for mount in container.get("volumeMounts") or []:
        if mount.get("name") in sidecar.VOLUMES:
            raise Refusal(f"container {name} mounts {mount['name']}, which is the sidecar's alone; remove it")
    for entry in container.get("env") or []:
        file = (entry.get("valueFrom") or {}).get("fileKeyRef") or {}
        if file.get("volumeName") in sidecar.VOLUMES:
            raise Refusal(
                f"container {name} reads {file['volumeName']} by its environment variable {entry.get('name')}, which "
                "is the sidecar's alone; remove it"
            )
    for secret, where in _secrets(container, volumes):
        if secret in credentials:
            raise Refusal(
                f"container {name} takes the Secret {secret} by its {where}, so the application would hold the "
                f"credentials of the Database {credentials[secret]} and could go around the gate; remove it: "
                "a sidecar logs in for it"
            )


def _refuse_node(name: object, container: Json, volumes: _Volumes) -> None:
    """On the node's disk, the kubelet keeps what it mounts into every pod."""
    if (container.get("securityContext") or {}).get("privileged"):
        raise Refusal(f"container {name} is privileged and could read the sidecar's credentials on its node; remove it")
    for mount in container.get("volumeMounts") or []:
        path = (volumes.of(mount).get("hostPath") or {}).get("path")
        # By a list of what may be, since where a kubelet keeps what it mounts is for each node to say; and each place
        # by itself, since a pod that can write to one can make links there.
        if path is not None and (str(path).rstrip("/") or "/") not in volumes.host_paths:
            raise Refusal(
                f"container {name} mounts {path} of its node, on whose disk the sidecar's credentials are; remove it, "
                "or have it listed in the chart's sidecar.allowedHostPaths"
            )


def _refuse_tokens(pod: Json) -> None:
    """With the sidecar's tokens the application could write its own record and read the keys of the masks."""
    for volume in pod["spec"].get("volumes") or []:
        for source in (volume.get("projected") or {}).get("sources") or []:
            audience = (source.get("serviceAccountToken") or {}).get("audience")
            if audience in _AUDIENCES and volume.get("name") not in sidecar.VOLUMES:
                raise Refusal(
                    f"volume {volume.get('name')} holds a token for {audience}, which is the sidecar's alone; remove it"
                )


def _secrets(container: Json, volumes: _Volumes) -> Iterator[tuple[str, str]]:
    """Each Secret that a container takes, and by what."""
    for entry in container.get("env") or []:
        name = ((entry.get("valueFrom") or {}).get("secretKeyRef") or {}).get("name")
        if name:
            yield name, f"environment variable {entry.get('name')}"
    for source in container.get("envFrom") or []:
        name = (source.get("secretRef") or {}).get("name")
        if name:
            yield name, "envFrom"
    for mount in container.get("volumeMounts") or []:
        for name in volumes.secrets(mount):
            yield name, f"volume {mount['name']}"


def _secrets_of_volume(volume: Json) -> set[str]:
    """Whatever the volume's driver is: projected, or one that is given the Secret to log in somewhere with."""
    found: set[str] = set()
    waiting: list[object] = [volume]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting += one
        elif isinstance(one, dict):
            for key, value in one.items():
                if key == "secretName" and isinstance(value, str):
                    found.add(value)
                elif (key == "secret" or key.lower().endswith("secretref")) and isinstance(value, dict):
                    found |= {value[name] for name in ("name", "secretName") if isinstance(value.get(name), str)}
                waiting.append(value)
    return found
