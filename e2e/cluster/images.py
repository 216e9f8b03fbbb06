"""Builds container images with buildah, without a registry, and hands them to the cluster's containerd.

An image is built from exactly the files that its key was made of: the context that buildah sees is a copy of those.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import debian
from .cache import artefact, cache_root, content_key, lock
from .console import ClusterError, run, succeeds
from .pip_access import pip_access

BASE = "localhost/debian-python:12"
PAUSE = "localhost/pause:1"
RECIPE = "images 1"


@dataclass(frozen=True)
class Image:
    """What to build: the name includes a tag; `include` limits the context to these paths (default: all git knows)."""

    name: str
    dockerfile: Path
    context: Path
    build_args: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    files: list[Path] = field(init=False)

    def __post_init__(self) -> None:
        # Of latest, Kubernetes asks a registry each time.
        name, _, tag = self.name.rpartition(":")
        if not name or "/" in tag or tag == "latest":
            raise ClusterError(f"the image name {self.name!r} needs a tag other than latest, such as :dev")
        for path, what in ((self.dockerfile, "Dockerfile"), (self.context, "context")):
            if not path.exists():
                raise ClusterError(f"no such {what}: {path}")
        object.__setattr__(self, "files", context_files(self.context, self.include))

    @property
    def key(self) -> str:
        parts: list[str | Path] = [RECIPE, self.name, debian.base_key(), self.dockerfile, *self.build_args]
        for file in self.files:
            # A path's executable bit travels into the image as well.
            parts += [file.as_posix(), oct(stat.S_IMODE((self.context / file).stat().st_mode)), self.context / file]
        return content_key(parts)


def context_files(context: Path, include: Sequence[str]) -> list[Path]:
    """The files of the context, relative to it: what git tracks or would track, without what it ignores.

    Outside a git repository, all files.
    """
    if succeeds(["git", "-C", context, "rev-parse", "--is-inside-work-tree"]):
        listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *(include or ["."])]
        found = [Path(name) for name in run(listing, cwd=context).split("\0") if name]
    else:
        tops = [context / name for name in include or ["."]]
        found = [path.relative_to(context) for top in tops for path in [top, *top.rglob("*")]]
    files = sorted({name for name in found if (context / name).is_file()})
    if not files:
        raise ClusterError(f"{context}: no file there{' under ' + ' '.join(include) if include else ''}")
    return files


def build(image: Image) -> Path:
    """The image as an archive, from the cache or built now."""
    base_archive()

    def build_to(target: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="penstock-image-") as scratch, lock("buildah"):
            context = Path(scratch) / "context"
            for file in image.files:
                (context / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(image.context / file, context / file)
            arguments = [f"--build-arg={argument}" for argument in (f"BASE_IMAGE={_keyed_base()}", *image.build_args)]
            volumes = [f"--volume={volume}" for volume in pip_access(Path(scratch))]
            options = ["--layers", "--pull-never", f"--tag={image.name}", f"--file={image.dockerfile.absolute()}"]
            log = cache_root() / "image-build.log"
            _buildah("build", *options, *arguments, *volumes, context, log=log)
            _archive(image.name, target)

    return artefact(f"image-{_file_name(image.name)}", image.key, build_to, "buildah")


def base_archive() -> Path:
    """The base image as an archive, present afterwards in buildah's storage too, so that others can be built on it."""
    archive = _from_scratch(BASE, debian.base_root_filesystem(), "/", [], debian.base_key())
    if _keyed_base() not in _buildah("images", "--noheading", "--format", "{{.Name}}:{{.Tag}}").split():
        _buildah("tag", _buildah("pull", "--quiet", f"docker-archive:{archive}").split()[-1], _keyed_base())
    return archive


def _keyed_base() -> str:
    """The base's name in buildah's storage: with its key, so that another version's base is never built upon."""
    return f"{BASE}-{debian.base_key()}"


def pause_archive(program: Path) -> Path:
    """The container that holds a pod's namespaces open: nothing but the program."""
    return _from_scratch(PAUSE, program, "/pause", ["--entrypoint", '["/pause"]'], content_key([program]))


def _from_scratch(name: str, content: Path, place: str, config: list[str], key: str) -> Path:
    """An image of one layer: a tar unpacked at /, or one file."""

    def build_to(target: Path) -> None:
        with lock("buildah"):
            container = _buildah("from", "scratch").strip()
            try:
                _buildah("add", "--quiet", container, content, place)
                if config:
                    _buildah("config", *config, container)
                _buildah("commit", "--quiet", container, name)
            finally:
                _buildah("rm", container)
            _archive(name, target)

    return artefact(f"image-{_file_name(name)}", content_key([RECIPE, key, place, *config]), build_to, "buildah")


def _archive(name: str, target: Path) -> None:
    _buildah("push", "--quiet", name, f"docker-archive:{target}:{name}")


def _file_name(image: str) -> str:
    return image.removeprefix("localhost/").replace("/", "_").replace(":", "_")


def _buildah(*words: str | Path, log: Path | None = None) -> str:
    """buildah with a storage of its own, so that the machine's own images are neither seen nor touched."""
    storage = cache_root() / "buildah"
    options = ["--storage-driver=overlay", f"--root={storage / 'storage'}", f"--runroot={storage / 'run'}"]
    # chroot: RUN steps need no container runtime, and reach the network the way the machine does.
    return run(["buildah", *options, *words], env={"BUILDAH_ISOLATION": "chroot"}, log=log)
