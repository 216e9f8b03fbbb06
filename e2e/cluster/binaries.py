"""The programs that come as Go modules: Kubernetes with kubectl, CoreDNS, helm, and the pause container's program.

Each is a module of its own beside this file, pinned by its committed go.mod and go.sum. Programs that Debian packages
are in `debian`.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .cache import artefact, content_key
from .console import ClusterError, run

HERE = Path(__file__).parent
GO_NEEDED = (1, 26)
GO_ADVICE = f"install Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or later from https://go.dev/dl/ and have it on PATH"


@dataclass(frozen=True)
class Program:
    """One Go module to build: which package of it, with what variables set, and how long that takes."""

    name: str
    package: str
    variables: tuple[str, ...]
    note: str

    @property
    def module(self) -> Path:
        return HERE / self.name

    @property
    def flags(self) -> list[str]:
        # Without -s and -w the Kubernetes binary is half as large again, and nobody debugs it here.
        words = ["-s", "-w", *(f"-X {variable}" for variable in self.variables)]
        return ["-trimpath", "-ldflags", " ".join(words)]


def _pinned(program: str, dependency: str) -> str:
    """The version that the program's go.mod pins, so that it is written down once."""
    module = HERE / program / "go.mod"
    pinned = re.search(rf"^\s*(?:require )?{re.escape(dependency)} (v[\d.]+)", module.read_text(), re.MULTILINE)
    if pinned is None:
        raise ClusterError(f"{module} requires no {dependency}")
    return pinned[1]


def programs() -> list[Program]:
    """All of them, the slowest first. Their versions are stamped in by the linker, as their own builds do."""
    kubernetes = _pinned("kube", "k8s.io/kubernetes")
    major, minor = kubernetes.removeprefix("v").split(".")[:2]
    base = "k8s.io/component-base/version"
    stamps = (f"{base}.gitVersion={kubernetes}", f"{base}.gitMajor={major}", f"{base}.gitMinor={minor}")
    helm = _pinned("helm", "helm.sh/helm/v3")
    helm_stamps = (
        f"helm.sh/helm/v3/internal/version.version={helm}",
        # helm assumes these Kubernetes versions where it renders a chart without a cluster.
        f"helm.sh/helm/v3/pkg/lint/rules.k8sVersionMajor={major}",
        f"helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor={minor}",
        f"helm.sh/helm/v3/pkg/chartutil.k8sVersionMajor={major}",
        f"helm.sh/helm/v3/pkg/chartutil.k8sVersionMinor={minor}",
    )
    return [
        Program("kube", ".", stamps, "compiling Kubernetes, about 6 minutes on 2 cores"),
        Program("coredns", ".", (), "compiling, about 2 minutes"),
        Program("helm", "helm.sh/helm/v3/cmd/helm", helm_stamps, "compiling, about 2 minutes"),
        Program("pause", ".", (), "compiling"),
    ]


def build(program: Program) -> Path:
    """The program's binary, from the cache or compiled now."""
    sources = sorted([*program.module.glob("*.go"), program.module / "go.mod", program.module / "go.sum"])
    # pause has no dependency, so Go writes it no go.sum.
    key = content_key([*(path for path in sources if path.exists()), program.package, *program.flags])

    def compile_to(target: Path) -> None:
        require_go()
        # nice: whoever runs this is probably working on the same machine meanwhile.
        command: list[str | Path] = ["nice", "go", "build", *program.flags, "-o", target, program.package]
        run(command, cwd=program.module, env={"CGO_ENABLED": "0", "GOWORK": "off"})

    return artefact(program.name, key, compile_to, program.note)


def require_go() -> None:
    """Says clearly that Go is absent or too old; Debian 12's is too old even to fetch a newer one by itself."""
    if shutil.which("go") is None:
        raise ClusterError(f"`go` is not on PATH: {GO_ADVICE}")
    version = run(["go", "env", "GOVERSION"]).strip()
    found = re.match(r"go(\d+)\.(\d+)", version)
    numbers = (int(found[1]), int(found[2])) if found else (0, 0)
    fetches_newer = numbers >= (1, 21) and run(["go", "env", "GOTOOLCHAIN"]).strip() != "local"
    if numbers < GO_NEEDED and not fetches_newer:
        raise ClusterError(f"{version} is too old (Debian 12's package is go1.19): {GO_ADVICE}")
