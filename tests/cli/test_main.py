"""The command as a whole: what it says of itself."""

from __future__ import annotations

from click.testing import CliRunner

from penstock_cli.main import command
from penstock_core.compilation import in_words


def test_the_version_says_whether_it_is_a_compiled_build() -> None:
    said = CliRunner().invoke(command, ["--version"]).output
    assert said == f"penstock, version 0.1.0 ({in_words()})\n"
