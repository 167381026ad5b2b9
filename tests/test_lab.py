"""What ``from lab import …`` gives, and what it costs to import."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lab

HEAVY = ("docker", "networkx", "requests", "IPython", "ipywidgets", "yaml", "tenacity", "typer")


def printed(code: str) -> str:
    """By a Python of its own."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("name", sorted({*lab.__all__} - {"machines"}))
def test_every_name_is_a_function(name: str) -> None:
    assert callable(getattr(lab, name))


def test_machines_is_a_module() -> None:
    assert lab.machines.__name__ == "lab.box.machines"


def test_a_name_that_is_not_there_is_an_error() -> None:
    with pytest.raises(AttributeError, match="module 'lab' has no attribute 'look'"):
        _ = lab.look  # type: ignore[attr-defined]


def test_the_import_loads_nothing_heavy() -> None:
    assert printed(f"import sys, lab; print(sorted(set({HEAVY!r}) & set(sys.modules)))") == "[]"


def test_topology_is_a_function_whatever_was_imported_before() -> None:
    assert printed("import lab.picture.graph, lab.widgets.topology; from lab import topology; print(topology.__name__)") == "show"
