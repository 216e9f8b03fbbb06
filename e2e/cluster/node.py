"""Brings the cluster up and down: the order of things, and nothing of their detail."""

from __future__ import annotations

import os
from pathlib import Path

from . import binaries, debian, images, network, objects, pki
from .cache import lock
from .console import ClusterError, run, say, step, succeeds, wait_until
from .daemons import commands, write_configuration
from .layout import NODE, Layout
from .processes import Daemon
from .remains import remove_containers, remove_control_groups, remove_directory, remove_traces, unmount_all


def up(layout: Layout) -> None:
    """From whatever state: nothing there at all, one that runs, or what is left of one, which is removed first.

    A cluster that was cut off may lack anything, such as the images that its notes say it has: mending is guessing.
    """
    with lock("cluster"):
        if is_running(layout):
            say(f"already running in {layout.root}")
            return
        _require_own_directory(layout)
        debian.install_packages()
        require_root()
        if layout.marker.exists():
            say(f"the cluster in {layout.root} does not run whole: a new one takes its place")
            _take_down(layout)
        built = {program.name: binaries.build(program) for program in binaries.programs()}
        archives = {images.PAUSE: images.pause_archive(built["pause"]), images.BASE: images.base_archive()}
        with step("start"):
            _prepare(layout, built)
            _start(layout)
        for name, archive in archives.items():
            import_image(layout, name, archive)
        with step("node ready"):
            _wait_for_node(layout)


def require_root() -> None:
    if os.geteuid() != 0:
        raise ClusterError("a cluster can only be started and stopped by root: containers, mounts and network are")


def is_running(layout: Layout) -> bool:
    """All daemons run, the API server says that it is well, and the node is ready."""
    if any(Daemon(layout, name).pid() is None for name in commands(layout)):
        return False
    return succeeds([*_kubectl(layout), "get", "--raw=/readyz"]) and _node_is_ready(layout)


def import_image(layout: Layout, name: str, archive: Path) -> None:
    """Into containerd, unless this very archive is there already. The archive's name holds its key.

    A note of ours alone is not believed: whoever removes an image does not remove the note.
    """
    mark = layout.imported / archive.name
    if mark.exists() and mark.read_text() == name and name in run([*_ctr(layout), "images", "list", "--quiet"]).split():
        return
    with step(f"import {name}"):
        run([*_ctr(layout), "images", "import", archive])
    for older in layout.imported.iterdir():
        if older.read_text() == name:
            older.unlink()
    mark.write_text(name)


def down(layout: Layout) -> None:
    """Stops what was started, in the reverse order, and removes the directory. Each part may be missing."""
    with lock("cluster"):
        if not layout.root.exists():
            say(f"no cluster in {layout.root}")
            return
        if not layout.marker.exists():
            raise ClusterError(f"{layout.root} is not a cluster's directory: nothing is touched")
        require_root()
        _take_down(layout)


def _take_down(layout: Layout) -> None:
    # What a removal that was cut off has removed already, containerd would miss.
    layout.create()
    write_configuration(layout)
    with step("stop"):
        for name in reversed(commands(layout)):
            # containerd goes last: it has to end the pods, once the kubelet cannot start them again.
            if name != "containerd":
                Daemon(layout, name).stop()
        containerd = Daemon(layout, "containerd")
        remove_containers(layout, lambda: _start_containerd(layout), _ctr(layout))
        containerd.stop()
        unmount_all(layout.root)
        network.tear_down()
        remove_control_groups()
        remove_traces(layout)
    with step("remove"):
        remove_directory(layout)


def _require_own_directory(layout: Layout) -> None:
    if layout.root.exists() and any(layout.root.iterdir()) and not layout.marker.exists():
        raise ClusterError(f"{layout.root} holds something else: give an empty or a new directory")


def _prepare(layout: Layout, built: dict[str, Path]) -> None:
    network.require_free_ports()
    layout.create()
    kube = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
    for name in (*kube, "coredns", "helm"):
        link = layout.bin / name
        link.unlink(missing_ok=True)
        link.symlink_to(built.get(name, built["kube"]))
    pki.create_pki(layout)
    write_configuration(layout)
    network.set_up(layout)
    for volume in objects.volume_paths(layout):
        volume.mkdir(parents=True, exist_ok=True)


def _start(layout: Layout) -> None:
    for name, command in commands(layout).items():
        if name == "containerd":
            _start_containerd(layout)
            continue
        Daemon(layout, name).ensure(command)
        if name == "kube-apiserver":
            _wait_for_api(layout)
    run([*_kubectl(layout), "apply", "-f", "-"], stdin=objects.manifest(layout))


def _start_containerd(layout: Layout) -> None:
    containerd = Daemon(layout, "containerd")
    containerd.ensure(commands(layout)["containerd"])

    def answers() -> bool:
        containerd.must_run()
        return succeeds([*_ctr(layout), "version"])

    wait_until("containerd answers", answers, seconds=30, hint=f"See {containerd.log}")


def _wait_for_api(layout: Layout) -> None:
    server = Daemon(layout, "kube-apiserver")

    def ready() -> bool:
        Daemon(layout, "etcd").must_run()
        server.must_run()
        return succeeds([*_kubectl(layout), "get", "--raw=/readyz"])

    wait_until("the API server is ready", ready, seconds=120, hint=f"See {server.log}")


def _wait_for_node(layout: Layout) -> None:
    def ready() -> bool:
        for name in commands(layout):
            Daemon(layout, name).must_run()
        return _node_is_ready(layout)

    wait_until("the node is ready", ready, seconds=120, hint=f"See the logs in {layout.logs}")
    # Pods are refused until a controller has made this; the first test would meet that.
    account = [*_kubectl(layout), "get", "serviceaccount", "default", "--namespace=default"]
    wait_until("the default service account exists", lambda: succeeds(account), seconds=60)


def _node_is_ready(layout: Layout) -> bool:
    condition = '{.status.conditions[?(@.type=="Ready")].status}'
    command = [*_kubectl(layout), "get", "node", NODE, "--ignore-not-found", f"--output=jsonpath={condition}"]
    return run(command) == "True"


def _kubectl(layout: Layout) -> list[str | Path]:
    return [layout.bin / "kubectl", f"--kubeconfig={layout.kubeconfig}"]


def _ctr(layout: Layout) -> list[str | Path]:
    return ["ctr", f"--address={layout.containerd_socket}", "--namespace=k8s.io"]
