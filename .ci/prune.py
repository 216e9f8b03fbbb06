"""Takes out of an environment what no program of ours runs, and proves that all of them still start.

python3 .ci/prune.py ENVIRONMENT

It is the last step of the image's build stage (Dockerfile). A library that has no such thing any more is an error, so
that nothing stays in this list, or comes back by another name, unseen. Bytecode stays: the file system is read-only,
and each start would compile it anew.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

# By its place in site-packages, with what asks for it, and why nothing of ours does.
UNUSED = {
    "kubernetes/aio": "a second client, of which kopf and the command line, who have the first, know nothing",
    "kubernetes/client/api": "a method for each call; the command line sends plain requests, kopf takes credentials",
    "kubernetes/client/models": "a class for each kind, loaded by name as it is asked for; see MODELS",
    "cel_expr_python/ext": "extensions of conditions, which have none",
    "zstandard/_cffi.*": "for interpreters that take no extension in C",
    "zstandard/backend_cffi.py": "likewise",
    "Crypto/SelfTest": "tests",
    "dulwich/tests": "tests",
    "certifi/tests": "tests",
    "referencing/tests": "tests",
    "websocket/tests": "tests",
}
# What stays of the models: kopf looks whether an object is one of these.
MODELS = ("__init__", "v1_managed_fields_entry", "v1_object_meta", "v1_owner_reference")
# Types and sources of what is compiled, wherever they are.
SOURCES = (".pyi", ".pyx", ".pxd", ".pxi", ".c", ".h")
# Imports all of our modules, and asks each command for its help.
ALL_START = """
import importlib, pkgutil
from click.testing import CliRunner
from penstock_cli import kubectl, main

for name in [one.name for one in pkgutil.iter_modules() if one.name.startswith("penstock_")]:
    for found in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
        if not found.name.endswith(".__main__"):
            importlib.import_module(found.name)
for group in (main.command, kubectl.command):
    for name in group.list_commands(None):
        told = CliRunner().invoke(group, [name, "--help"])
        assert told.exit_code == 0, (name, told.output)
"""


def unneeded(packages: Path) -> Iterator[Path]:
    """What goes of this site-packages. Raises LookupError where something that is listed isn't there."""
    for place in UNUSED:
        found = sorted(packages.glob(place))
        if not found:
            raise LookupError(
                f"{place} is in no package any more: take it out of .ci/prune.py, and look for its new place"
            )
        if place == "kubernetes/client/models":
            yield from _models(found[0])
        else:
            yield from found
    yield from (file for file in sorted(packages.rglob("*")) if file.suffix in SOURCES and file.is_file())


def _models(directory: Path) -> Iterator[Path]:
    missing = [name for name in MODELS if not (directory / f"{name}.py").exists()]
    if missing:
        raise LookupError(f"kubernetes has no model {missing[0]} any more: see MODELS in .ci/prune.py")
    for file in sorted(directory.rglob("*.py*")):
        if file.name.partition(".")[0] not in MODELS:
            yield file


def stripped(packages: Path) -> None:
    """Take symbols out of what is compiled, where there is a program for it, as where there is a compiler."""
    if shutil.which("strip") is None:
        return
    for library in sorted(packages.rglob("*.so*")):
        # What wheels bring of others' libraries was edited in a way that strip doesn't know.
        if not library.parent.name.endswith(".libs"):
            subprocess.run(["strip", "--strip-unneeded", library], check=True)


def proven(environment: Path) -> None:
    """Each of our modules can be imported, and each command starts. Raises CalledProcessError."""
    subprocess.run([environment / "bin" / "python", "-c", ALL_START], check=True)


def size(directory: Path) -> int:
    """In MiB."""
    return sum(file.lstat().st_size for file in directory.rglob("*") if file.is_file()) >> 20


def main(environment: Path) -> None:
    """Prune it."""
    (packages,) = environment.glob("lib/python3*/site-packages")
    before = size(environment)
    # All is looked for before anything goes.
    for path in list(unneeded(packages)):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    stripped(packages)
    proven(environment)
    print(f"{environment}: {before} MiB before, {size(environment)} MiB now")  # noqa: T201


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except LookupError as error:
        sys.exit(f"prune: {error}")
