"""Each contract of import-linter in ``pyproject.toml`` is broken by an import that it is there to forbid."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("autograder", "lab", "rubric")
CONTRACTS = [contract["name"] for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]]
PLANTED = {
    "What grades uses what lessons use, and never the other way": ("lab.objects.pod", "autograder.framework.fact"),
    "Inside lab, upper layers use lower ones": ("lab.box.wait", "lab.objects.pod"),
    "Inside lab.box, what lessons call stands on what runs a machine": ("lab.box.channel.access", "lab.box.instances.quota"),
    "Drivers do not know each other, so that one can be added or taken away": (
        "lab.box.drivers.container.node",
        "lab.box.drivers.microvm.kvm",
    ),
    "Only the registry knows which drivers there are": ("lab.box.lifecycle", "lab.box.drivers.microvm.qemu"),
    "What also runs inside a box stays light: an emulated processor imports it": ("lab.box.machine.local", "psutil"),
    "A build knows nothing of what runs its product": ("lab.box.build.steps", "lab.box.channel.relay"),
    "What a learner uses stands on the checks, and the checks on what every task is made of": (
        "autograder.inspect.web",
        "autograder.checks.pods.localhost",
    ),
    "A check does not know the notebook or the command that shows it, so it also runs where there is neither": (
        "autograder.framework.fact",
        "autograder.notebook",
    ),
    "Topics do not know each other, so a lesson's checks change without another's": (
        "autograder.checks.vms.box",
        "autograder.checks.pods.localhost",
    ),
    "A task is known before its check, and its check before anything runs it": ("autograder.framework.dice", "autograder.framework.run"),
}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What import-linter says of a copy in which all of these imports were planted."""
    copy = tmp_path_factory.mktemp("planted")
    shutil.copy(ROOT / "pyproject.toml", copy)
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "*.ipynb"))
    for source, target in PLANTED.values():
        module = copy / f"{source.replace('.', '/')}.py"
        module.write_text(f"{module.read_text()}\nimport {target}\n")
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=copy, capture_output=True, text=True, check=False, env={"COLUMNS": "1000", "PATH": ""}
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout.partition("Broken contracts")[2]


def test_each_contract_has_its_import() -> None:
    assert sorted(PLANTED) == sorted(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_it_is_broken_by_what_it_forbids(report: str, contract: str) -> None:
    source, target = PLANTED[contract]
    own = report.partition(f"\n{contract}\n")[2]
    for other in CONTRACTS:
        own = own.partition(f"\n{other}\n")[0]
    assert f"{source} -> {target}" in own
