"""Machines beside the box: as a cloud's API gives them, on a segment of their own, and gone without a trace."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import docker
import pytest
import requests

from lab import connect, machines
from lab.box import lifecycle
from lab.box.drivers.container.engine import MACHINE_LABEL, OWNER_LABEL
from lab.box.errors import BoxNotRunning, CourseError, UsageError
from lab.box.instances import inventory
from tests.support.course import course, traces, until

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.instances.instance import Instance
    from lab.box.machine import Machine
    from tests.conftest import Running

pytestmark = pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True)
SERVICE = """
mkdir -p /opt/site && echo $word > /opt/site/index.html && rm /usr/bin/tcpdump
echo '::respawn:/usr/lib/course/service site /bin/busybox httpd -f -p 8080 -h /opt/site' >> /etc/inittab
"""


@pytest.fixture
def pair(box: Box) -> Iterator[list[Instance]]:
    """Two machines, which the tests share as long as none of them breaks one."""
    assert box
    wanted = ("web-1", "web-2")
    known = {machine.name: machine for machine in machines.all() if machine.alive}
    if set(known) != set(wanted):
        machines.delete()
        known = {machine.name: machine for machine in machines.fleet(*wanted)}
    yield [known[name] for name in wanted]
    if more := [machine.name for machine in machines.all() if machine.name not in wanted]:
        machines.delete(*more)


@pytest.fixture(scope="module", autouse=True)
def tidy(running: Running) -> Iterator[None]:  # noqa: ARG001  (which is there until the machines are gone)
    yield
    machines.delete()
    machines.forget()


def reaches(caller: Machine, name: str) -> bool:
    return caller.sh(f"ping -c1 -W5 {name}").code == 0


def containers(running: Running, name: str) -> list[str]:
    """What there is of a machine on the outer engine."""
    if running.backend != "container":
        return []
    ours = {"label": [f"{OWNER_LABEL}={running.installation.owner}", f"{MACHINE_LABEL}={name}"]}
    with closing(docker.from_env(environment=running.environment)) as outer:
        found = [*outer.containers.list(all=True, filters=ours), *outer.volumes.list(filters=ours)]
        return [one.name for one in found]


def test_all_reach_each_other_by_name(pair: list[Instance], box: Box) -> None:
    one, two = pair
    assert [machine.name for machine in machines.all()] == ["web-1", "web-2"]
    assert one.sh("hostname").stdout == "web-1\n"
    assert reaches(one, "web-2")
    assert reaches(two, "box")
    assert reaches(box, "web-1")
    assert reaches(one, "web-1")
    assert one.sh("ip -o -4 address show eth0").stdout.split()[3] == f"{one.address}/24"
    assert one.address != two.address
    assert one.sh("ip route show default").stdout.strip() == "default via 169.254.1.1 dev uplink metric 1000"  # nobody is there


def test_each_is_a_machine_of_its_own(pair: list[Instance], box: Box) -> None:
    look = "cat /etc/machine-id; sha256sum < /etc/ssh/course_host_key; cat /root/.ssh/authorized_keys | wc -l"
    seen = [machine.sh(look, check=True).stdout.splitlines() for machine in (*pair, box)]
    assert len({identity for identity, _, _ in seen}) == len({key for _, key, _ in seen}) == 3
    assert {keys for _, _, keys in seen} == {"1"}


def test_each_has_an_engine_and_is_reached_from_here(pair: list[Instance]) -> None:
    one, two = pair
    assert one.alive
    assert one.ready_s > 0
    assert one.memory_mb > 20
    one.docker.containers.run("app:v1", detach=True, name="app", ports={"8080/tcp": 80})
    assert two.docker.containers.list() == []
    until("the app's answer", lambda: two.sh("curl -sf http://web-1/").code == 0, timeout_s=60)
    pages = requests.get(one.url(80), timeout=30).text, two.sh("curl -s http://web-1/").stdout
    answered = {line for page in pages for line in page.splitlines() if line.startswith("container: ")}
    assert answered == {f"container: {one.docker.containers.get('app').id[:12]}"}
    one.docker.containers.get("app").remove(force=True)


def test_a_box_that_was_reset_finds_its_machines_and_they_it(pair: list[Instance], box: Box) -> None:
    box.reset()
    assert reaches(box, "web-1")
    assert reaches(pair[0], "box")
    assert reaches(pair[0], box.status().name)


def test_a_relay_that_was_killed_is_started_again(pair: list[Instance], running: Running) -> None:
    launched = inventory.all_records(running.installation)["web-1"].launched
    assert launched
    launched.relay.kill()
    assert pair[0].sh("hostname").stdout == "web-1\n"


def test_the_learners_own_names_stay(pair: list[Instance]) -> None:
    pair[0].sh("echo '10.1.2.3 mine' >> /etc/hosts")
    machines.create("extra").delete()
    hosts = pair[0].sh("cat /etc/hosts").stdout
    assert "mine" in hosts
    assert "extra" not in hosts


def the_command_says_how_they_are(running: Running, one: Instance, two: Instance) -> None:
    """That the first does not run, and that the second does."""
    told = json.loads(course("status", "--json", env=running.environment).out)["machines"]
    assert told[0] == {"name": "web-1", "address": one.address, "backend": running.backend, "alive": False, "memory_mb": 0}
    memory_mb = told[1]["memory_mb"]
    assert told[1] == {"name": "web-2", "address": two.address, "backend": running.backend, "alive": True, "memory_mb": memory_mb}
    assert memory_mb > 20
    lines = [line.rstrip().split(maxsplit=3) for line in course("status", env=running.environment).out.splitlines()]
    assert ["web-1", one.address, running.backend, "it does not run"] in lines
    (memory,) = (line[3] for line in lines if line[:3] == ["web-2", two.address, running.backend])
    assert re.fullmatch(r"[1-9]\d+ MB", memory)


def test_the_plug_is_pulled(pair: list[Instance], running: Running) -> None:
    one, two = pair
    one.stop()
    assert (one.alive, one.memory_mb, one.end_reason(), two.end_reason()) == (False, 0, "stopped, or broken down", "")
    assert [machine.alive for machine in machines.all()] == [False, True]
    the_command_says_how_they_are(running, one, two)
    assert not reaches(two, "web-1")
    for use in (lambda: one.sh("true"), lambda: one.docker, lambda: one.url(80)):
        with pytest.raises(BoxNotRunning, match="web-1 does not run"):
            use()
    one.delete()
    one.delete()
    machines.delete("web-1", "nobody")
    assert one.end_reason() == "deleted"
    assert two.sh("grep -c web-1 /etc/hosts").stdout == "0\n"
    with pytest.raises(UsageError, match="no machine 'web-1'"):
        machines.find("web-1")


def test_an_image_serves_on_every_machine_that_is_made_from_it(pair: list[Instance]) -> None:
    one = pair[0]
    one.sh(f"word=baked\n{SERVICE}", check=True)
    machines.bake(one, "site")
    assert machines.images() == ["site"]
    extra = machines.create("extra", image="site", recipe="echo more > /opt/site/more.html")
    until("the service", lambda: pair[1].sh("curl -sf http://extra:8080/").stdout == "baked\n", timeout_s=30)
    assert pair[1].sh("curl -s http://extra:8080/more.html").stdout == "more\n"
    assert extra.sh("hostname; ls /usr/bin/tcpdump").stdout == "extra\n"
    assert pair[1].sh("ls /usr/bin/tcpdump").code == 0
    extra.delete()
    machines.delete("web-1")  # it was changed by hand
    machines.forget("site", "nothing")
    assert machines.images() == []


def test_a_recipe_that_fails_leaves_no_machine(pair: list[Instance], running: Running) -> None:
    assert pair
    with pytest.raises(CourseError, match="exit code 3") as failed:
        machines.create("extra", recipe="echo half-way; exit 3")
    assert "half-way" in failed.value.why
    assert "extra" not in inventory.all_records(running.installation)
    assert containers(running, "extra") == []


BAD_WISHES: list[tuple[Callable[[], object], type[CourseError], str]] = [
    (lambda: machines.create("web-1"), UsageError, "There is a machine 'web-1' already"),
    (lambda: machines.fleet("extra", "extra"), UsageError, "both be called 'extra'"),
    (lambda: machines.create("box"), UsageError, "can't be the name"),
    (lambda: machines.create("Web 1"), UsageError, "can't be the name"),
    (lambda: machines.create("../x"), UsageError, "can't be the name"),
    (lambda: machines.create("a" * 41), UsageError, "can't be the name"),
    (lambda: machines.fleet(*"abcd"), CourseError, "quota allows 5 machines"),
    (lambda: machines.create("extra", image="nope"), UsageError, "no image 'nope'"),
    (lambda: machines.create("extra", backend="lxc"), UsageError, "no backend 'lxc'"),
    (lambda: machines.bake(machines.find("web-1"), "../etc"), UsageError, "can't be the name of an image"),
    (lambda: machines.find("nobody"), UsageError, "no machine 'nobody'"),
]


@pytest.mark.parametrize(("wish", "kind", "says"), BAD_WISHES, ids=lambda value: value if isinstance(value, str) else "")
def test_what_can_not_be_is_said(pair: list[Instance], wish: Callable[[], object], kind: type[CourseError], says: str) -> None:
    with pytest.raises(kind, match=says) as refused:
        wish()
    assert refused.value.try_next
    assert [machine.name for machine in machines.all()] == [machine.name for machine in pair]


def test_a_quota_counts_memory_too(pair: list[Instance], monkeypatch: pytest.MonkeyPatch) -> None:
    assert pair
    monkeypatch.setattr("lab.box.core.memory.free_mb", lambda: 60.0)
    with pytest.raises(CourseError, match="quota allows no more machines"):
        machines.create("extra")


def killed_as_it_begins(running: Running, name: str) -> threading.Thread:
    """Kill a machine as soon as it is recorded."""

    def look() -> None:
        until(
            "the machine's start",
            lambda: (record := inventory.all_records(running.installation).get(name)) and record.launched,
        )
        launched = inventory.all_records(running.installation)[name].launched
        assert launched
        if launched.vm:
            launched.vm.kill()
            return
        with closing(docker.from_env(environment=running.environment)) as outer:
            outer.containers.get(launched.container).kill()

    thread = threading.Thread(target=look)
    thread.start()
    return thread


def test_a_machine_that_dies_while_it_is_made_leaves_nothing(pair: list[Instance], running: Running) -> None:
    assert pair
    killer = killed_as_it_begins(running, "extra")
    with pytest.raises(CourseError):
        machines.create("extra")
    killer.join()
    assert "extra" not in inventory.all_records(running.installation)
    assert containers(running, "extra") == []
    assert "extra" not in pair[0].sh("cat /etc/hosts").stdout


def test_who_is_killed_while_making_one_blocks_neither_name_nor_seat(pair: list[Instance], running: Running) -> None:
    assert pair
    script = "from lab import machines; machines.create('extra')"
    with subprocess.Popen([sys.executable, "-c", script], env=running.environment) as maker:
        until(
            "its start",
            lambda: (record := inventory.all_records(running.installation).get("extra")) and record.launched,
            timeout_s=60,
        )
        maker.send_signal(signal.SIGKILL)
    assert [machine.name for machine in machines.all()] == ["web-1", "web-2"]
    left = containers(running, "extra")
    extra = machines.create("extra")
    assert extra.sh("hostname").stdout == "extra\n"
    assert not set(left) & set(containers(running, "extra"))
    extra.delete()
    assert containers(running, "extra") == []


def test_nothing_listens_on_the_segment(pair: list[Instance]) -> None:
    for machine in pair:
        assert machine.sh("ss -Hltun | grep -v 127.0.0.11 || :").stdout == ""


def test_down_leaves_nothing_of_them(pair: list[Instance], running: Running) -> None:
    machines.bake(pair[0], "site")
    assert course("down", env=running.environment).code == 0
    engine = running.environment if running.backend == "container" else None
    assert traces(running.installation.root, running.installation.runtime, engine) == []
    with pytest.raises(CourseError, match="no box"):
        machines.create("extra")
    assert machines.all() == []
    assert machines.images() == []
    with suppress(CourseError):
        lifecycle.up(running.backend, installation=running.installation)
    assert reaches(connect(), "localhost")


def test_what_others_may_not_enter(pair: list[Instance], running: Running) -> None:
    for machine in pair:
        directory = inventory.usable_machines(running.installation)[machine.name].sockets
        assert directory.stat().st_mode & 0o077 == directory.parent.stat().st_mode & 0o077 == 0
        assert directory.stat().st_uid == os.getuid()
