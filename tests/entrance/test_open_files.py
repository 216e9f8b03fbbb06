"""Taking what the system allows."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest


@pytest.mark.parametrize(("soft", "hard", "at_least"), [(256, 4096, 3000), (1024, 1024, 64), (256, 256, 64)])
def test_the_limit_is_raised_as_far_as_it_goes_and_leaves_room(soft: int, hard: int, at_least: int) -> None:
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))\n"
        "from penstock_entrance.open_files import most_connections\n"
        "print(most_connections(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    most, now = map(int, said.split())
    assert now == hard
    assert at_least <= most < now
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= hard
