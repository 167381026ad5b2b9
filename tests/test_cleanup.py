"""A lesson takes away what is named with its prefix, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.cleanup import clean

if TYPE_CHECKING:
    from lab.box.instances.box import Box

MADE = """
mkdir -p /var/lib/course/objects/deployment
for prefix in clean-a- clean-b-; do
    docker run -d --name ${prefix}web --network none -v ${prefix}data:/data base sleep 1000
    docker network create ${prefix}net
    docker tag base ${prefix}image:v1
    mkdir /root/${prefix}files
    echo > /var/lib/course/objects/deployment/${prefix}wish.json
done
"""
LEFT = """
docker ps -a --format '{{.Names}}'; docker network ls --format '{{.Name}}'; docker volume ls -q
docker images --format '{{.Repository}}'; ls /root /var/lib/course/objects/deployment
"""


def left(box: Box) -> list[str]:
    return sorted(name for name in box.sh(LEFT, check=True).stdout.split() if name.startswith("clean-"))


@pytest.mark.parametrize("running", ["container"], indirect=True)
def test_what_has_another_prefix_stays(box: Box) -> None:
    box.sh(MADE, check=True)
    try:
        clean(box, "clean-a-")
        assert left(box) == [f"clean-b-{what}" for what in ("data", "files", "image", "net", "web", "wish.json")]
    finally:
        clean(box, "clean-")
    assert left(box) == []
    clean(box, "clean-")  # nothing is there any more
