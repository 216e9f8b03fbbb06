"""What Debian provides: the packages that the cluster runs on, and the root file system of the base image.

Mirrors are the machine's own business: which one to use is asked of its apt, never written here.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from .cache import artefact, content_key
from .console import ClusterError, run, step

SUITE = "bookworm"
# What goes into the base image: what the project's own image needs, and no more.
INCLUDED = ("ca-certificates", "python3", "python3-venv")
CNI_PLUGINS = Path("/usr/lib/cni")

# Package -> a file that shows it is there. The file counts, not dpkg's word: containerd may have come another way.
PACKAGES = {
    "buildah": "buildah",
    "conntrack": "conntrack",
    "containerd": "containerd",
    "containernetworking-plugins": f"{CNI_PLUGINS}/ptp",
    "debootstrap": "debootstrap",
    "etcd-server": "etcd",
    "iproute2": "ip",
    "iptables": "iptables",
    "nftables": "nft",
    "openssl": "openssl",
    "runc": "runc",
}
_INSTALLER = Path(__file__).parents[2] / ".ci" / "packages"
ADMIN_PATH = "/usr/local/sbin:/usr/sbin:/sbin"


def widen_path() -> None:
    """runc, nft and others live where an ordinary shell does not look."""
    os.environ["PATH"] = f"{os.environ.get('PATH', os.defpath)}:{ADMIN_PATH}"


def missing_packages() -> list[str]:
    return [package for package, shows in PACKAGES.items() if shutil.which(shows) is None]


def install_packages() -> None:
    """Installs what is missing, if root; else names it, with the command to run."""
    missing = missing_packages()
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise ClusterError(f"missing Debian packages: {' '.join(missing)}; run: sudo {' '.join(command)}")
    with step("debian packages", f"installing {' '.join(missing)}"):
        run([_INSTALLER, *missing])
    if still := missing_packages():
        raise ClusterError(f"apt-get installed {' '.join(still)}, and yet the programs are not on PATH")


def _mirror() -> list[str]:
    """The mirror that the machine's apt takes this suite from; none on another distribution: debootstrap knows one."""
    if shutil.which("apt-get") is None:
        return []
    targets = run(
        ["apt-get", "indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"]
    )
    wanted = (line.split(maxsplit=2) for line in targets.splitlines())
    return next(([uri] for suite, component, uri in wanted if (suite, component) == (SUITE, "main")), [])


def base_root_filesystem() -> Path:
    """A tar of a minimal Debian with Python. Not rebuilt for Debian's updates: delete it from the cache for that."""
    return artefact("debian-python.tar", base_key(), _debootstrap, "debootstrap, about 40 seconds")


def base_key() -> str:
    return content_key([SUITE, *INCLUDED, "rootfs 1"])


def _debootstrap(target: Path) -> None:
    if os.geteuid() != 0:
        raise ClusterError("debootstrap needs root")
    with tempfile.TemporaryDirectory(prefix="penstock-debootstrap-") as scratch:
        root = Path(scratch) / "root"
        options = ["--variant=minbase", f"--include={','.join(INCLUDED)}"]
        run(["nice", "debootstrap", *options, SUITE, root, *_mirror()], log=Path(scratch) / "log")
        # Downloaded packages and lists would be a third of the image.
        for waste in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / waste)
            (root / waste / "partial").mkdir(parents=True)
        for log in ("var/log/bootstrap.log", "var/log/dpkg.log", "var/log/apt", "var/log/alternatives.log"):
            run(["rm", "-rf", root / log])
        # Volumes mounted over an existing file leave no trace in an image; see `images`.
        (root / "etc" / "pip.conf").touch()
        run(["tar", "--create", "--numeric-owner", "--xattrs", f"--file={target}", f"--directory={root}", "."])
