"""`.ci/release` refuses what is not ready, and its papers name what the image is made of."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIGEST = f"sha256:{'a' * 64}"


@pytest.fixture
def papers(tmp_path: Path) -> Path:
    program = [sys.executable, ROOT / ".ci" / "release_papers.py", "registry.example/penstock", DIGEST, tmp_path]
    subprocess.run(program, check=True)
    return tmp_path


def test_the_bill_names_each_package_of_the_lock_with_its_hashes(papers: Path) -> None:
    bill = json.loads((papers / "sbom.cdx.json").read_text())
    lock = (ROOT / "requirements" / "runtime.lock").read_text()
    pinned = re.findall(r"^([a-z][^=\[ ]*)(?:\[.*?\])?==([^ ;\\]+)", lock, re.MULTILINE)
    assert [(one["name"], one["version"]) for one in bill["components"]] == pinned
    assert sum(len(one["properties"]) for one in bill["components"]) == lock.count("--hash=sha256:")
    assert all(one["properties"] for one in bill["components"])
    assert bill["dependencies"][0]["ref"] == f"registry.example/penstock@{DIGEST}"
    assert len(set(bill["dependencies"][0]["dependsOn"])) == len(pinned)


def test_the_statement_names_the_image_the_commit_and_the_lock(papers: Path) -> None:
    statement = json.loads((papers / "provenance.json").read_text())
    assert statement["subject"] == [{"name": "registry.example/penstock", "digest": {"sha256": "a" * 64}}]
    commit, *files = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert commit["digest"] == {"gitCommit": head.stdout.strip()}
    assert [one["uri"] for one in files] == ["requirements/runtime.lock", "requirements/compiled.lock", "Dockerfile"]
    for one in files:
        assert one["digest"]["sha256"] == hashlib.sha256((ROOT / one["uri"]).read_bytes()).hexdigest()


def test_a_digest_that_is_none_is_refused(tmp_path: Path) -> None:
    program = [sys.executable, ROOT / ".ci" / "release_papers.py", "image", "latest", tmp_path]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "the digest is 'latest'; it has the form sha256:" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The files that a release looks at, in a repository of their own, as they are when all is ready."""
    for name in (".ci/release", ".ci/release_papers.py", "pyproject.toml", "charts/penstock/Chart.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "CHANGELOG.md").write_text("## 0.1.0\n")
    git(tmp_path, "init", "--quiet")
    commit(tmp_path)
    return tmp_path


def git(place: Path, *arguments: str) -> None:
    who = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "-c",
        "tag.gpgSign=false",
        "-c",
        "commit.gpgSign=false",
    )
    subprocess.run(["git", *who, *arguments], cwd=place, check=True)


def commit(place: Path) -> None:
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--allow-empty", "--message", "as it is")


def refusal(place: Path) -> str:
    done = subprocess.run(
        ["bash", place / ".ci" / "release", "registry.example/penstock"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert not (place / "dist").exists(), "nothing is built"
    return done.stderr


def test_what_is_not_ready_is_refused_in_words(checkout: Path) -> None:
    assert refusal(checkout) == "release: this commit has no tag v0.1.0; git tag --sign v0.1.0\n"
    chart = checkout / "charts" / "penstock" / "Chart.yaml"
    for line, words in (("appVersion: 0.1.0", "appVersion"), ("version: 0.1.0", "version")):
        ready = chart.read_text()
        chart.write_text(re.sub(rf"^{line}$", f"{words}: 0.0.9", ready, flags=re.MULTILINE))
        assert "the checkout has changes that are not committed" in refusal(checkout)
        commit(checkout)
        assert f"release: {words} of charts/penstock/Chart.yaml is not 0.1.0" in refusal(checkout)
        chart.write_text(ready)
        commit(checkout)
    (checkout / "CHANGELOG.md").write_text("## Unreleased\n")
    commit(checkout)
    assert "CHANGELOG.md has no section 0.1.0" in refusal(checkout)
