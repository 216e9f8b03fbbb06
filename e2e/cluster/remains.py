"""Removes what a cluster leaves on the machine: containers, mounts, control groups, files. Only what is its own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .console import ClusterError, run, succeeds, wait_until
from .layout import Layout

CONTROL_GROUPS = Path("/sys/fs/cgroup")
# Of the kubelet's own making, wherever its root is. Only one kubelet at a time can run here: its port is fixed.
DEVICE_PLUGINS = Path("/var/lib/kubelet/device-plugins/kubelet.sock")


def remove_containers(layout: Layout, start_containerd: Callable[[], None], ctr: list[str | Path]) -> None:
    """Ends every container through containerd, which alone knows them; started again for it if it has gone."""
    bundles = layout.run / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"
    if not bundles.exists() or not any(bundles.iterdir()):
        return
    start_containerd()
    for task in run([*ctr, "tasks", "list", "--quiet"]).split():
        # --force kills first. A task that has gone meanwhile is as good.
        succeeds([*ctr, "tasks", "delete", "--force", task])
    # containerd's shims, one for each pod, end by themselves when their last task is deleted.
    wait_until("all containers have ended", lambda: not any(bundles.iterdir()), seconds=30, hint=f"See {bundles}")


def unmount_all(root: Path) -> None:
    """Every mount under the directory, the deepest first."""
    for mount in sorted(_mounts_under(root), reverse=True):
        if not succeeds(["umount", mount]):
            # Lazily: gone from the tree now, from the kernel when its last user has gone.
            run(["umount", "--lazy", mount])


def remove_control_groups() -> None:
    """The kubelet's groups, if nothing runs in them: the kernel refuses to remove any other."""
    for top in [CONTROL_GROUPS / "kubepods", *CONTROL_GROUPS.glob("*/kubepods")]:
        for directory, _, _ in os.walk(top, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()


def remove_traces(layout: Layout) -> None:
    """Files that the kubelet and CNI insist on having outside the cluster's directory; told by what they point to."""
    for link in Path("/var/log/containers").glob("*.log"):
        if link.is_symlink() and link.readlink().is_relative_to(layout.root):
            link.unlink()
    for result in Path("/var/lib/cni/results").glob("*"):
        # Each names the network namespace that it was about, and ours are under the cluster's directory.
        if f'"{layout.run}/' in result.read_text(errors="replace"):
            result.unlink()
    DEVICE_PLUGINS.unlink(missing_ok=True)
    for directory in (DEVICE_PLUGINS.parent, DEVICE_PLUGINS.parents[1], "/var/log/containers", "/var/lib/cni/results"):
        with suppress(OSError):  # not empty: it has another user
            Path(directory).rmdir()


def remove_directory(layout: Layout) -> None:
    """All of it, but never through a mount: what is mounted there may be the machine's own."""
    if left := _mounts_under(layout.root):
        raise ClusterError(f"still mounted, so nothing is removed: {' '.join(left)}")
    # The marker goes last: an interrupted removal can be taken up again.
    for entry in layout.root.iterdir():
        if entry == layout.marker:
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    layout.marker.unlink()
    layout.root.rmdir()


def _mounts_under(root: Path) -> list[str]:
    # The kernel writes a blank as \040.
    places = (re.sub(r"\\(\d{3})", lambda o: chr(int(o[1], 8)), line.split()[1]) for line in _mount_table())
    return [place for place in places if place.startswith(f"{root}/")]


def _mount_table() -> list[str]:
    return Path("/proc/self/mounts").read_text().splitlines()
