"""What the engine knows of containers and images, and a page from within a container, on a real box."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from autograder.framework.task import Task
from autograder.inspect import OF_THE_MACHINE, addresses, container, image, page, state, task_container_lost

if TYPE_CHECKING:
    from lab.box.instances.box import Box

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)


@pytest.fixture
def serving(box: Box) -> Iterator[Box]:
    box.sh("docker run -d --name serving -p 9104:8080 -e GREETING=inspected app:v1 && docker create --name never base", check=True)
    yield box
    box.sh("docker rm -f serving never", check=True)


def test_a_container_and_an_image_are_found_by_name(serving: Box) -> None:
    found, never = container(serving, "serving"), container(serving, "never")
    assert found
    assert [state(one) for one in (found, never, container(serving, "nobody"))] == ["running", "created", "missing"]
    assert [ip_address(address).is_private for address in addresses(found)] == [True]
    made = image(serving, "app:v1")
    assert made
    assert made["Id"] == found["Image"]
    assert image(serving, "nothing:v1") is None


def test_a_page_is_asked_for_from_where_a_process_stands(serving: Box) -> None:
    pid = int((container(serving, "serving") or {})["State"]["Pid"])
    assert "greeting: inspected" in page(serving, pid, 8080)
    assert "greeting: inspected" in page(serving, OF_THE_MACHINE, 9104)
    assert page(serving, OF_THE_MACHINE, 8080, patience_s=1) == ""
    assert "greeting: inspected" in page(serving, pid, 8080, "/?asked=by&a=check")


def test_a_task_whose_container_is_lost_is_to_begin_again(serving: Box) -> None:
    fact = task_container_lost(Task("test.it", "it-abcd", {}), container(serving, "never"), "never")
    assert (fact.ok, fact.saw) == (False, "created")
    assert 'task("test.it", again=True)' in fact.hints[0]
