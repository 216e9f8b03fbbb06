"""Writes what a release says of its image: which packages are in it (CycloneDX), and what it was made of (SLSA).

python3 .ci/release_papers.py IMAGE DIGEST DIRECTORY

What is said comes from the checkout, the lock and git alone. Building, signing and pushing are elsewhere
(`.ci/release`, docs/release.md).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "runtime.lock"
_PINNED = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


def version() -> str:
    """The project's."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


def components() -> list[dict[str, Any]]:
    """Each package of the lock, with the hashes of the files that may be installed."""
    text = LOCK.read_text()
    found = list(_PINNED.finditer(text))
    ends = [one.start() for one in found[1:]] + [len(text)]
    return [
        {
            "type": "library",
            "name": one[1],
            "version": one[2],
            "purl": f"pkg:pypi/{one[1]}@{one[2]}",
            "bom-ref": f"pkg:pypi/{one[1]}@{one[2]}",
            "properties": [
                {"name": "penstock:accepted-sha256", "value": digest}
                for digest in re.findall(r"sha256:([0-9a-f]{64})", text[one.end() : end])
            ],
        }
        for one, end in zip(found, ends, strict=True)
    ]


def bill_of_materials(image: str, digest: str) -> dict[str, Any]:
    """In CycloneDX's form. Of the base image, its own maker's is to be asked."""
    product = {"type": "container", "name": image, "version": version(), "bom-ref": f"{image}@{digest}"}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": product | {"licenses": [{"license": {"id": "GPL-3.0-or-later"}}]}},
        "components": components(),
        "dependencies": [{"ref": product["bom-ref"], "dependsOn": [one["bom-ref"] for one in components()]}],
    }


def provenance(image: str, digest: str) -> dict[str, Any]:
    """An in-toto statement: this image, of this commit, these locks and this Dockerfile."""
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
    used = [{"uri": "git+penstock", "digest": {"gitCommit": commit}}]
    for file in (LOCK, ROOT / "requirements" / "compiled.lock", ROOT / "Dockerfile"):
        used.append(
            {"uri": str(file.relative_to(ROOT)), "digest": {"sha256": hashlib.sha256(file.read_bytes()).hexdigest()}}
        )
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": image, "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": ".ci/release",
                "externalParameters": {"version": version()},
                "resolvedDependencies": used,
            },
            "runDetails": {"builder": {"id": ".ci/release, by a maintainer"}},
        },
    }


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image")
    parser.add_argument("digest")
    parser.add_argument("directory", type=Path)
    given = parser.parse_args()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", given.digest):
        parser.error(f"the digest is {given.digest!r}; it has the form sha256:…")
    papers = {"sbom.cdx.json": bill_of_materials, "provenance.json": provenance}
    for name, paper in papers.items():
        (given.directory / name).write_text(json.dumps(paper(given.image, given.digest), indent=2) + "\n")


if __name__ == "__main__":
    main()
