"""What is taken out of the image: nothing that a program of ours runs, nothing that isn't there, and it says so."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = Path(sysconfig.get_path("purelib"))


def program() -> ModuleType:
    spec = spec_from_file_location("prune", ROOT / ".ci" / "prune.py")
    assert spec is not None
    assert spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


PRUNE = program()


def test_nothing_goes_that_our_programs_load() -> None:
    """Here nothing is taken out, so that all is loaded that somebody asks for, by need too."""
    files = "print(*(one.__file__ for one in sys.modules.values() if getattr(one, '__file__', None)))"
    code = f"{PRUNE.ALL_START}\nimport sys\n{files}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {Path(file) for file in done.stdout.split()}
    assert len(loaded) > 1000
    gone = set(PRUNE.unneeded(PACKAGES))
    assert len(gone) > 500
    assert [file for file in loaded if not gone.isdisjoint([file, *file.parents])] == []


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Libraries with all that goes, and what stays beside it."""
    made = tmp_path / "lib" / "python3.13" / "site-packages"
    for place in PRUNE.UNUSED:
        file = made / (place.replace("*", "x.so") if "." in Path(place).name else f"{place}/any.py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    models = made / "kubernetes" / "client" / "models"
    for name in (*PRUNE.MODELS, "v1_pod"):
        (models / f"{name}.py").touch()
    for name in (
        "pglast/parser.c",
        "pglast/parser.pyi",
        "pglast/ast.py",
        "zstandard/backend_c.so",
        "kubernetes/py.typed",
    ):
        (made / name).parent.mkdir(exist_ok=True)
        (made / name).touch()
    return made


def test_what_is_listed_goes_and_all_else_stays(packages: Path) -> None:
    gone = {str(path.relative_to(packages)) for path in PRUNE.unneeded(packages)}
    assert {"kubernetes/aio", "kubernetes/client/models/v1_pod.py", "pglast/parser.c", "pglast/parser.pyi"} < gone
    stays = {
        "pglast/ast.py",
        "zstandard/backend_c.so",
        "kubernetes/py.typed",
        "kubernetes/client/models/v1_object_meta.py",
    }
    assert not stays & gone


@pytest.mark.parametrize(
    ("moved", "words"),
    [
        ("Crypto/SelfTest", "Crypto/SelfTest is in no package any more"),
        ("kubernetes/client/models/v1_object_meta.py", "kubernetes has no model v1_object_meta any more"),
    ],
)
def test_a_library_that_is_another_by_now_stops_the_build(packages: Path, moved: str, words: str) -> None:
    (packages / moved).rename(packages / "elsewhere")
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "prune.py", packages.parents[2]], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert words in done.stderr
    assert (packages / "kubernetes" / "aio").exists(), "it looks first"


def test_an_environment_in_which_a_module_is_missing_is_no_good(tmp_path: Path) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    # One that has no libraries, as if all were taken out.
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    python.chmod(0o755)
    with pytest.raises(subprocess.CalledProcessError):
        PRUNE.proven(tmp_path)
