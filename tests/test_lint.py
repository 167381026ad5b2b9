"""The linters, as tests: nothing lands that fails them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LINT = ROOT / "tools" / "lint"
LINTERS = subprocess.run([LINT, "--list"], capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.parametrize("linter", LINTERS)
def test_linter_is_content(linter: str) -> None:
    done = subprocess.run([LINT, linter], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    assert done.returncode == 0, f"\n{done.stdout}"
