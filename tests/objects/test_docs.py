"""The table of fields in ``docs/manifests.md`` is what the code reads.

``COURSE_WRITE_DOCS=1 pytest tests/objects/test_docs.py`` writes it anew.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lab.objects.deployment_spec import read_deployment
from lab.objects.manifest.fields import Fields
from lab.objects.manifest.known_fields import FREE, KNOWN, SAY_NOTHING, WRITTEN_BY_A_CLUSTER
from lab.objects.service_spec import read_service
from lab.objects.spec import read
from tests.objects.test_deployment_spec import ALL
from tests.objects.test_real import RUN
from tests.objects.test_service_spec import ALL as SERVICE

if TYPE_CHECKING:
    import pytest

DOCS = Path(__file__).parents[2] / "docs" / "manifests.md"
BEGIN, END = "<!-- made by tests/objects/test_docs.py -->\n", "<!-- end of what is made -->\n"


def understood(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """The fields that are read, by the type of what has them: seen while manifests are read that have all of them."""
    seen: dict[str, set[str]] = {}
    done = Fields.done

    def watched(fields: Fields) -> None:
        seen.setdefault(fields.kind, set()).update(fields._asked)
        done(fields)

    monkeypatch.setattr(Fields, "done", watched)
    for file in RUN:
        read(file.read_text())
    read_deployment(ALL)
    read_service(SERVICE)
    return seen


def table(seen: dict[str, set[str]]) -> str:
    rows = []
    for kind, known in KNOWN.items():
        if kind not in seen:
            continue
        own = [key for key in known if key in seen[kind]]
        written = [f"`{key}`" for key in WRITTEN_BY_A_CLUSTER.get(kind, ())]
        same = [f"`{key}: {shown(value)}`" for key, values in SAY_NOTHING.get(kind, {}).items() for value in values]
        left = [key for key in known if key not in seen[kind] and f"`{key}`" not in written]
        refused = ", ".join(left) + (", and all others" if kind in FREE else "")
        rows.append(f"| {kind} | {', '.join(f'`{key}`' for key in own)} | {', '.join([*written, *same])} | {refused} |")
    return "\n".join(["| type | read | passed over | refused otherwise |", "|---|---|---|---|", *rows]) + "\n"


def shown(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {shown(below)}" for key, below in value.items()) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_table_is_what_the_code_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    text = DOCS.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    made = before + BEGIN + "\n" + table(understood(monkeypatch)) + "\n" + END + after
    if os.environ.get("COURSE_WRITE_DOCS"):
        DOCS.write_text(made)
    assert text == made, "COURSE_WRITE_DOCS=1 pytest tests/objects/test_docs.py writes it anew"
