"""The documents are true where a machine can tell: their diagrams, the files and commands that they name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml
from tests.cli.demo.checkouts import checkout

from penstock_core.resources import check, load
from penstock_operator.inject.annotations import WISHES
from penstock_sidecar.settings import read

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")) if path.name != "CHANGELOG.md"]


def test_the_diagrams_are_as_the_code_is() -> None:
    done = subprocess.run(
        [sys.executable, "docs/diagrams.py", "--check", "ARCHITECTURE.md", "docs/imports.md"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_page_of_messages_is_as_the_code_is() -> None:
    done = subprocess.run(
        [sys.executable, "docs/messages.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_of_events_is_as_their_definition_is() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.events", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("maker", ["metrics", "values"])
def test_the_pages_for_operators_are_as_the_code_and_the_chart_are(maker: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"docs.{maker}", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_of_policies_is_as_the_models_are() -> None:
    done = subprocess.run(
        [sys.executable, "docs/policies.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_each_part_of_the_decisions_has_its_place_in_the_table() -> None:
    parts = sorted(path.name for path in (ROOT / "core/penstock_core/sql").iterdir() if path.name[0] not in "_.")
    table = (ROOT / "CONTRIBUTING.md").read_text()
    assert len(parts) <= 12
    assert [part for part in parts if f"{part.removesuffix('.py')}" not in table] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text())
    assert [link for link in links if "://" not in link and not (document.parent / link).exists()] == []


@pytest.mark.parametrize("name", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_the_modules_that_a_document_names_exist(name: str) -> None:
    """Short names are within the package that was named before, so a name must end some path of the tree."""
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    places = {*tracked, *(f"{parent}/" for path in tracked for parent in Path(path).parents)}
    named = re.findall(r"`((?:[\w.-]+/)*[\w-]+(?:\.py|/))`", (ROOT / name).read_text())
    lost = [one for one in named if not any(f"/{place}".endswith(f"/{one}") for place in places)]
    assert named
    assert lost == []


def test_each_promise_of_security_names_what_tries_it() -> None:
    promises = (ROOT / "SECURITY.md").read_text().partition("## What is promised")[2].partition("\n## ")[0]
    unheld, lost = [], []
    for promise in promises.split("\n- ")[1:]:
        named = re.findall(r"`((?:tests|e2e)/[^`]+)`", promise)
        unheld += [] if named else [promise[:60]]
        lost += [one for one in named if not (ROOT / one).exists()]
    assert (unheld, lost) == ([], [])


def test_every_make_command_of_the_readme_is_a_target_that_ci_runs() -> None:
    commands = set(re.findall(r"\bmake ([\w-]+)", (ROOT / "README.md").read_text()))
    ci = (ROOT / ".ci" / "run").read_text()
    assert {"demo", "test", "e2e"} <= commands
    assert [command for command in commands if f"make {command}" not in ci] == []


@pytest.mark.timeout(600)
def test_the_readmes_commands_to_install_and_try_the_command_work(open_directory: Path) -> None:
    """Line by line as they stand, in a new home; with the versions that the lock has, as the rest of the tests."""
    (script,) = re.findall(r"```sh\n(pipx install .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    home = open_directory / "newcomer"
    copy = checkout(home / "penstock", open_directory / "newcomers-tmp", Path(sys.executable))
    locked = re.findall(r"^[a-z].*?==[^ ;\\]+", (ROOT / "requirements" / "demo.lock").read_text(), re.MULTILINE)
    (home / "constraints.txt").write_text("\n".join(locked))
    status, printed = copy.run("bash", "-exc", script, PIP_CONSTRAINT=home / "constraints.txt")
    assert status == 0, printed
    assert (home / ".local" / "bin" / "penstock").exists()
    assert "24 scenes, each as it should be" in printed
    assert printed.splitlines()[-1] == "intact"


def test_every_annotation_is_documented() -> None:
    page = (ROOT / "docs" / "annotations.md").read_text()
    assert [name for name in ("inject", *WISHES) if f"| `penstock.dev/{name}` |" not in page] == []


def test_the_gateways_examples_are_configurations(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "gateway.md").read_text(), re.DOTALL)
    example, databases, values = blocks
    (tmp_path / "proxy.yaml").write_text(example)
    assert read(tmp_path).name == "laptop"
    alone = ("database", "credentialsDir", "upstreamCaFile", "maskKeyFile")
    settings = {name: value for name, value in yaml.safe_load(example).items() if name not in alone}
    (tmp_path / "proxy.yaml").write_text(yaml.safe_dump(settings | yaml.safe_load(databases)))
    assert [one.name for one in read(tmp_path).served] == ["shop", "staff"]
    schema = json.loads((ROOT / "charts" / "penstock" / "values.schema.json").read_text())
    jsonschema.validate(yaml.safe_load(values), schema)


def test_the_readmes_resources_are_valid() -> None:
    (resources, _) = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert check(load(resources, "README.md")) == []


def test_the_recipes_for_issuers_are_settings_and_the_kill_switch_is_a_policy(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs/identities.md").read_text(), re.MULTILINE | re.DOTALL)
    recipes = [yaml.safe_load(block)["issuers"] for block in blocks if block.startswith("issuers:")]
    assert len(recipes) >= 5
    for issuers in recipes:
        settings = {
            "database": "shop", "name": "gate", "resources": ["*.yaml"], "maskKeyFile": "k", "credentialsDir": "c",
            "identity": {"required": True, "issuers": issuers}, "spool": {"path": "spool"},
        }  # fmt: skip
        (tmp_path / "proxy.yaml").write_text(yaml.safe_dump(settings))
        assert len(read(tmp_path).identity.issuers) == len(issuers)
    (switch,) = (block for block in blocks if "mode: revoke" in block)
    assert [resource.kind for resource in load(switch, "identities.md")] == ["DatabaseAccessPolicy"]
