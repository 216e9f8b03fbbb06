"""Building the wheel: where PENSTOCK_COMPILED is set, the modules that pyproject.toml lists are compiled by mypyc.

The others, and all of them without it, stay Python; each compiled module has its source beside it. It takes mypy,
setuptools and a C compiler. What doesn't belong: which modules are worth it, and why (ARCHITECTURE.md).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# Whether it's wanted: what was asked for and can't be done is an error.
WANTED = "PENSTOCK_COMPILED"
# The C compiler's -O; more takes twice as long.
_EFFORT = "1"
# How strictly types are checked is for `make lint` to say.
_FLAGS = ["--ignore-missing-imports", "--explicit-package-bases"]


class CompilingHook(BuildHookInterface[Any]):
    """Hatchling's hook of this project."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile, unless it's an editable installation, which is run from its sources."""
        if version == "editable" or not os.environ.get(WANTED):
            return
        # It stays until the wheel has been written.
        scratch = tempfile.mkdtemp(prefix="penstock-compiled-")
        self._scratch = Path(scratch)
        for package in self.build_config.packages:
            shutil.copytree(
                Path(self.root, package),
                self._scratch / Path(package).name,
                ignore=shutil.ignore_patterns("__pycache__"),
            )
        for library in compile_modules(self._scratch, self.config["modules"]):
            build_data["force_include"][str(library)] = str(library.relative_to(self._scratch / "built"))
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """The wheel is there."""
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch)


def compile_modules(sources: Path, modules: list[str]) -> list[Path]:
    """The libraries of these modules, whose packages are all in `sources`, below `sources`/built."""
    # They are asked for only here: who does not compile has none of them.
    from mypyc.build import mypycify  # noqa: PLC0415
    from setuptools import Distribution  # noqa: PLC0415
    from setuptools.command.build_ext import build_ext  # noqa: PLC0415

    paths = [f"{module.replace('.', '/')}.py" for module in modules]
    with contextlib.chdir(sources), contextlib.redirect_stdout(sys.stderr):
        distribution = Distribution({"name": "penstock", "ext_modules": mypycify([*_FLAGS, *paths], opt_level=_EFFORT)})
        command = build_ext(distribution)
        command.build_lib, command.build_temp = "built", "objects"
        command.ensure_finalized()
        command.run()
    return sorted((sources / "built").rglob("*.so"))
