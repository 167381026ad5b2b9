"""What people paste from well-known tutorials, as scripts: each runs on every backend, or says why it can't, and tidies up after itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.box.instances.box import Box

SCRIPTS = sorted((Path(__file__).parent / "tutorials").glob("*.sh"))
NEEDS, TIDY_UP = "# needs a kernel of its own: ", "\n# tidy up\n"
NEVER = 'never() { if "$@"; then return 1; fi; }'
"""For a script that ends at the first failure: what is to fail."""
LOOK = r"""
docker ps -a --format '{{.Names}}'; docker network ls --format '{{.Name}}'; podman ps -a --format '{{.Names}}'
ip -o link | cut -d: -f2 | cut -d@ -f1
iptables-save | grep -v '^[:#]\|NETAVARK' | sed 's/\[[0-9:]*\]//' | sort
ls /tmp; findmnt -rno TARGET | grep -v 'netns\|/var/lib/docker/'; ip netns list | grep -v netns-
"""


@pytest.mark.full
@pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_a_tutorial_works(box: Box, script: Path) -> None:
    text = script.read_text()
    if NEEDS in text and not box.own_kernel:
        pytest.skip(text.partition(NEEDS)[2].partition("\n")[0])
    work, _, tidy = text.partition(TIDY_UP)
    before = box.sh(LOOK, timeout=120).stdout
    done = box.sh(f"set -ex\n{NEVER}\n{work}", timeout=280)
    tidied = box.sh(f"set -x\n{tidy}\nsleep 0.5", timeout=120)
    assert done.code == 0, done.stderr[-1500:]
    assert done.stdout.endswith("done\n")
    assert box.sh(LOOK, timeout=120).stdout == before, tidied
