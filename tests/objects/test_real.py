"""Pod manifests as people write them, from plain to crowded: each is run as it stands, or refused by the field that can't be kept.

Those in ``real/`` are written for this, after what is common in public ones; only the images are those of a box.  One that is to be refused
says how the refusal begins, in its first line.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.box.errors import UsageError
from lab.objects.manifest.documents import documents
from lab.objects.pod import Pod
from lab.objects.spec import read
from tests.support.course import until

if TYPE_CHECKING:
    from lab.box.instances.box import Box

FILES = sorted((Path(__file__).parent / "real").glob("*.yaml"))
REFUSED = "# refused: "
LEAST_RUN = 0.6
STARTED_S = 90.0


def refusal(file: Path) -> str:
    """How the refusal of a manifest begins; empty if it is to run."""
    return file.read_text().splitlines()[0].partition(REFUSED)[2]


RUN = [file for file in FILES if not refusal(file)]
TELLING = ("10-liveness-http", "16-security-context", "22-configmap-volume", "27-node-selector", "36-host-port", "44-crowded")
"""Those that `make test` runs."""


def test_most_of_them_run() -> None:
    assert len(FILES) >= 40
    assert len(RUN) >= LEAST_RUN * len(FILES)


@pytest.mark.parametrize("file", [file for file in FILES if refusal(file)], ids=lambda file: file.stem)
def test_what_can_not_be_kept_is_named(file: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read(file.read_text())
    assert str(refused.value).startswith(refusal(file))
    assert refused.value.try_next


@pytest.mark.parametrize("file", RUN, ids=lambda file: file.stem)
def test_what_is_read_is_read_again_from_what_is_kept_of_it(file: Path) -> None:
    spec = read(file.read_text())
    assert read(spec.source) == spec
    assert {it["kind"] for document in documents(file.read_text()) for it in document.content.get("items", [document.content])} >= {"Pod"}


@pytest.mark.parametrize("file", [pytest.param(file, id=file.stem, marks=() if file.stem in TELLING else pytest.mark.full) for file in RUN])
@pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
def test_it_runs(box: Box, file: Path) -> None:
    it = Pod.create(box, file.read_text(), node="node-1").start(timeout_s=STARTED_S)
    wanted = ("Running",) if it.spec.restart == "Always" else ("Running", "Succeeded")
    probed = any(one.probes for one in it.spec.everyone)
    until("it to run", lambda: (seen := it.status()).phase in wanted and (seen.ready or not probed), STARTED_S)
    it.delete(grace_s=0)
