"""The tasks of lesson 01, on real machines: nothing is worth nothing, every right way all, and each common mistake is told what it is.

Machines are made once for all tests of a task, and wiped in between.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from autograder.checks.vms import box as vms_box
from autograder.checks.vms import fleet as vms_fleet
from autograder.checks.vms import golden_image
from autograder.framework.fact import Verdict
from autograder.framework.register import find
from autograder.framework.run import begin, judge
from autograder.framework.task import Task, give
from autograder.testing import Act, Graded, hints, perform
from lab.box import connect
from lab.observe.process import processes
from lab.observe.web import page

if TYPE_CHECKING:
    from lab.box.instances.box import Box
    from lab.box.machine import Machine
    from tests.conftest import Running

pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
TASKS = ("box", "golden-image", "fleet", "cost")
KEEP = "cp -n /etc/inittab /run/inittab"
WIPE = r"""
cp /run/inittab /etc/inittab && kill -HUP 1
pkill -9 -f ' loop$'
docker ps -aq | xargs -r docker rm -f
sleep 0.2
ss -Hltnp 'sport >= :9100 and sport <= :9999' | grep -o 'pid=[0-9]*' | cut -d= -f2 | xargs -r kill -9
rm -f /root/*-recipe*
"""


@pytest.fixture(scope="module")
def begun(running: Running) -> Iterator[list[Task]]:  # noqa: ARG001  (its box is the one that is found)
    """The task that has begun, if one has: the machines of one at a time."""
    tasks: list[Task] = []
    yield tasks
    for task in tasks:
        task.clear(connect())


@pytest.fixture
def graded(box: Box, begun: list[Task]) -> Iterator[Graded]:
    """As ``autograder.testing.graded``, on machines that stay."""

    def grade(name: str, *acts: Act) -> Verdict:
        if not begun or begun[0].name != name:
            for task in begun:
                task.clear(box)
            begun[:] = [begin(box, find(name), again=True)]
            for machine in (box, *begun[0].machines.values()):
                machine.sh(KEEP, check=True)
        give(box, name, {})
        for act in acts:
            perform(box, begun[0], act)
        return judge(box, find(name))

    yield grade
    for task in begun:
        for machine in (box, *task.machines.values()):
            machine.sh(WIPE)


def right(verdict: Verdict) -> list[str]:
    return [fact.what for fact in verdict.facts if fact.ok]


def on(role: str, script: str) -> Callable[[Machine, Task], None]:
    """An act on one of the task's machines, or on all of them."""

    def act(_: Machine, task: Task) -> None:
        for name in task.machines if role == "all" else [role]:
            exports = "".join(f"export {key}={shlex.quote(str(value))}\n" for key, value in task.values.items())
            task.machines[name].sh(exports + script, check=True)

    return act


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_answer_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"vms.{task}")
    assert verdict.score == 0
    assert verdict.facts
    assert all(fact.hints for fact in verdict.facts)


# vms.box

PROXY = """
cat > /etc/proxy.cfg <<END
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
listen entry
  bind :$port
  server app 127.0.0.1:$app_port
END
"""
INIT = f"""
{PROXY}
cat >> /etc/inittab <<END
::respawn:/usr/bin/env PORT=$app_port GREETING=$greeting python3 -I -S /srv/app/server.py
::respawn:/usr/sbin/haproxy -db -f /etc/proxy.cfg
::respawn:/usr/bin/socat TCP-LISTEN:$agent_port,reuseaddr,fork EXEC:"cat /proc/uptime"
END
"""
TOLD = f"{INIT}\nkill -HUP 1; sleep 1"
FORWARD = """
cat > /tmp/forward.py <<END
import itertools, socket, sys, threading
port, *targets = sys.argv[1:]
turn = itertools.cycle(targets)
def pass_on(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
def serve(client):
    for _ in targets:
        host, _, to = next(turn).partition(":")
        try:
            server = socket.create_connection((host, int(to)), 1)
        except OSError:
            continue
        server.settimeout(None)
        threading.Thread(target=pass_on, args=(client, server), daemon=True).start()
        pass_on(server, client)
        return
    client.close()
listener = socket.create_server(("", int(port)), backlog=128)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END
"""
"""A proxy of somebody's own, which knows nothing of HTTP."""
LOOPS = f"""
{FORWARD}
mkdir -p /root/cgi-bin
printf '#!/bin/sh\\necho "Content-Type: text/plain"; echo; cat /proc/uptime\\n' > /root/cgi-bin/index.cgi; chmod +x /root/cgi-bin/index.cgi
keep() {{ setsid bash -c "while :; do $*; sleep 0.2; done" loop < /dev/null > /dev/null 2>&1 & }}
keep "PORT=$app_port GREETING=$greeting python3 /srv/app/server.py"
keep "python3 /tmp/forward.py $port 127.0.0.1:$app_port"
keep "busybox httpd -f -p $agent_port -h /root"
sleep 1.5
"""


@pytest.mark.parametrize("way", [TOLD, pytest.param(LOOPS, marks=pytest.mark.full)], ids=["init", "loops"])
def test_three_programs_that_come_back(graded: Graded, way: str) -> None:
    verdict = graded("vms.box", on("web", way))
    assert verdict.score == 1, verdict.text()


def test_a_list_that_init_has_not_read(graded: Graded) -> None:
    verdict = graded("vms.box", on("web", f"sleep 1.5; {INIT}"))  # init looks once a second whether it was told, by the test before
    assert verdict.score == 0
    assert "kill -HUP 1" in hints(verdict)


ORPHANS = f"""
{PROXY}
keep() {{ setsid "$@" < /dev/null > /dev/null 2>&1 & }}
keep env PORT=$app_port GREETING=$greeting python3 /srv/app/server.py
haproxy -D -f /etc/proxy.cfg
keep socat TCP-LISTEN:$agent_port,reuseaddr,fork EXEC:"cat /proc/uptime"
sleep 1.5
"""


def test_what_only_runs_does_not_come_back(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vms_box, "BACK_S", 5)
    verdict = graded("vms.box", on("web", ORPHANS))
    assert right(verdict) == ["the app", "the proxy", "the agent"]
    assert "on its list" in hints(verdict)


@pytest.mark.full
def test_another_app_is_no_proxy_and_yesterday_is_not_now(graded: Graded) -> None:
    twice = TOLD.replace("/usr/sbin/haproxy -db -f /etc/proxy.cfg", "/usr/bin/env PORT=$port GREETING=$greeting python3 /srv/app/server.py")
    noted = "cat /proc/uptime > /root/uptime; sleep 3" + twice.replace("cat /proc/uptime", "cat /root/uptime")
    verdict = graded("vms.box", on("web", noted))
    assert right(verdict) == ["the app", "the app is killed"]
    assert "no proxy in front of one" in hints(verdict)
    assert "a while ago" in hints(verdict)


@pytest.mark.full
def test_a_program_that_goes_into_the_background_is_started_again_and_again(graded: Graded) -> None:
    verdict = graded("vms.box", on("web", TOLD.replace("haproxy -db", "haproxy -D").replace("sleep 1", "sleep 9")))
    assert "the proxy is killed" not in right(verdict)
    assert "goes into the background" in hints(verdict)


@pytest.mark.full
def test_init_gives_its_children_hardly_any_environment(graded: Graded) -> None:
    verdict = graded("vms.box", on("web", TOLD.replace("GREETING=$greeting ", "")))
    assert verdict.score == pytest.approx(2 / 6)  # the agent
    assert "the environment of who started it" in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize("network", ["-p $app_port:8080", "--network host -e PORT=$app_port"])
def test_a_container_is_not_asked_for(graded: Graded, network: str) -> None:
    verdict = graded("vms.box", on("web", f"docker run -d --restart always {network} -e GREETING=$greeting app:v1; sleep 1"))
    assert verdict.score == 0
    assert "There are none yet" in hints(verdict)


# vms.golden-image

LINE = "::respawn:/usr/bin/env PORT=$port GREETING=$greeting python3 -I -S /srv/app/server.py"
RECIPE = f"""
cat > $recipe <<END
echo '{LINE}' >> /etc/inittab
kill -HUP 1
END
"""
IN_PYTHON = """
cat > $recipe <<END
#!/usr/bin/python3
import os, subprocess
out = open("/root/app.log", "w")
subprocess.Popen(["python3", "/srv/app/server.py"], env={**os.environ, "PORT": "$port", "GREETING": "$greeting"}, stdout=out, stderr=out)
END
"""


def by_hand(_: Machine, task: Task) -> None:
    """Apply the recipe, log in, and change what the machine says."""
    web, port = task.machines["web"], task.port
    web.sh(f"echo '::respawn:/usr/bin/env PORT={port} GREETING={task.by_hand} python3 /srv/app/server.py' >> /etc/inittab; kill -HUP 1")
    page(web, port)


@pytest.mark.parametrize("way", [RECIPE, pytest.param(IN_PYTHON, marks=pytest.mark.full)], ids=["shell", "python"])
def test_a_recipe_that_makes_the_same_machine_every_time(graded: Graded, way: str) -> None:
    verdict = graded("vms.golden-image", way, by_hand)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_what_a_recipe_returns_does_not_matter_where_it_works(graded: Graded) -> None:
    verdict = graded("vms.golden-image", RECIPE.replace("kill -HUP 1\n", "kill -HUP 1\ngrep -q nothing /etc/inittab\n"), by_hand)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_the_ends_of_windows_lines_are_named(graded: Graded) -> None:
    verdict = graded("vms.golden-image", RECIPE + "sed -i 's/$/\\r/' $recipe")
    assert verdict.score == 0
    assert "lines end as on Windows" in hints(verdict)


def test_a_recipe_alone_has_lost_nothing_yet(graded: Graded) -> None:
    verdict = graded("vms.golden-image", RECIPE)
    assert right(verdict) == ["your recipe", "fresh machine 1", "fresh machine 2"]
    assert "because somebody went there" in hints(verdict)


@pytest.mark.full
def test_a_change_that_is_in_the_recipe_is_none_by_hand(graded: Graded) -> None:
    verdict = graded("vms.golden-image", RECIPE.replace("$greeting", "$by_hand"), by_hand)
    assert right(verdict) == ["your recipe"]
    assert "in your recipe now" in hints(verdict)


@pytest.mark.full
def test_a_recipe_that_leans_on_one_machine(graded: Graded) -> None:
    verdict = graded("vms.golden-image", on("web", "touch /root/mine"), "echo 'cp /root/mine /etc/mine' > $recipe", by_hand)
    assert verdict.score == 0
    assert "on yours alone" in hints(verdict)
    assert "/root/mine" in verdict.facts[0].saw


@pytest.mark.full
def test_a_recipe_that_waits_for_the_app_never_ends(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golden_image, "ENDS_S", 4)
    verdict = graded("vms.golden-image", 'echo "PORT=$port GREETING=$greeting python3 /srv/app/server.py" > $recipe')
    assert verdict.score == 0
    assert "waits for it to end" in hints(verdict)


# vms.fleet

APPS = """
echo "::respawn:/usr/bin/env PORT=$app_port GREETING=$greeting python3 -I -S /srv/app/server.py" >> /etc/inittab
kill -HUP 1; sleep 1
"""
ENTRY = """
cat > /root/$key-entry.cfg <<END
defaults
  mode http
  timeout connect 1s
  timeout client 30s
  timeout server 30s
  balance roundrobin
listen entry
  bind :$port
  server 1 $key-web-1:$app_port check inter 1s
  server 2 $key-web-2:$app_port check inter 1s
  server 3 $key-web-3:$app_port check inter 1s
END
haproxy -D -f /root/$key-entry.cfg
"""
OWN = f"""
{FORWARD}
setsid python3 /tmp/forward.py $port $key-web-1:$app_port $key-web-2:$app_port $key-web-3:$app_port < /dev/null > /dev/null 2>&1 &
sleep 1
"""


def keyed(script: str) -> Callable[[Machine, Task], None]:
    """An act on the box; names of machines begin with the task's key."""
    return lambda machine, task: perform(machine, task, f"key={task.key}\n{script}")  # type: ignore[func-returns-value]


STRANGER = """
docker run -d --name $key-stranger --network host -e PORT=$port -e GREETING=$greeting app:v1; sleep 2
"""


@pytest.mark.full
def test_who_answers_and_is_none_of_the_machines_is_said(graded: Graded) -> None:
    verdict = graded("vms.fleet", keyed(STRANGER))
    assert [fact.saw for fact in verdict.facts[1:3]] == ["300 of 300 requests answered", "others than these machines answered"]


@pytest.mark.parametrize("way", [ENTRY, pytest.param(OWN, marks=pytest.mark.full)], ids=["haproxy", "own"])
def test_a_fleet_of_which_one_may_die(graded: Graded, way: str) -> None:
    verdict = graded("vms.fleet", on("all", APPS), keyed(way))
    assert verdict.score == 1, verdict.text()


def test_machines_without_an_entry(graded: Graded) -> None:
    verdict = graded("vms.fleet", on("all", APPS))
    assert right(verdict) == ["the machines"]
    assert "and not on one of the machines" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_never_asks_whether_anybody_is_there(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vms_fleet, "WITHIN_S", 5)
    verdict = graded("vms.fleet", on("all", APPS), keyed(ENTRY.replace("check inter 1s", "")))
    assert right(verdict) == ["the machines", "the entry", "a share for each"]
    assert "Does the entry ever ask" in hints(verdict)


@pytest.mark.full
def test_machines_that_ask_another_one_do_not_serve(graded: Graded) -> None:
    asks = "setsid socat TCP-LISTEN:$app_port,reuseaddr,fork TCP:$key-web-1:$app_port < /dev/null > /dev/null 2>&1 &"
    others = [lambda machine, task, role=role: on(role, f"key={task.key}\n{asks}")(machine, task) for role in ("web-2", "web-3")]
    verdict = graded("vms.fleet", on("web-1", APPS), *others, keyed(ENTRY))
    assert right(verdict) == ["the entry"]
    assert "The app is to run on each" in hints(verdict)


@pytest.mark.full
def test_an_entry_on_a_machine_dies_with_it(graded: Graded) -> None:
    there = lambda machine, task: on("web-2", f"key={task.key}\n{ENTRY}")(machine, task)  # noqa: E731
    passes = "setsid socat TCP-LISTEN:$port,reuseaddr,fork TCP:$key-web-2:$port < /dev/null > /dev/null 2>&1 &"
    verdict = graded("vms.fleet", on("all", APPS), there, keyed(passes))
    assert right(verdict) == ["the machines", "the entry", "a share for each"]
    assert "the entry itself is to stand on the box" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_chooses_by_the_client(graded: Graded) -> None:
    verdict = graded("vms.fleet", on("all", APPS), keyed(ENTRY.replace("roundrobin", "source")))
    assert right(verdict) == ["the machines", "the entry"]
    assert "who is always the same one here" in hints(verdict)


@pytest.mark.full
def test_an_entry_that_does_not_know_all(graded: Graded) -> None:
    verdict = graded("vms.fleet", on("all", APPS), keyed(ENTRY.replace("server 2", "# server 2")))
    assert right(verdict) == ["the machines", "the entry", "one dies"]
    assert "web-2 serves, and got nothing" in hints(verdict)


@pytest.mark.full
def test_a_machine_that_says_something_else(graded: Graded) -> None:
    verdict = graded(
        "vms.fleet", on("all", APPS), on("web-3", "sed -i s/$greeting/Hello/ /etc/inittab; kill -HUP 1; fuser -ks $app_port/tcp; true")
    )
    assert verdict.score == 0
    assert "web-3: on port" in hints(verdict)


# vms.cost

CONTAINER = "docker run -d --name $container -e GREETING=$greeting app:v1"
APP = "PORT=$port GREETING=$greeting setsid python3 -I -S /srv/app/server.py < /dev/null > /dev/null 2>&1 &"


def measured(machine: Machine, task: Task) -> dict[str, object]:
    """As the lesson measures, in words and numbers."""
    vm, found = task.machines["vm"], machine.docker.containers.get(task.container)
    page(vm, task.port)
    used = found.stats(stream=False)["memory_stats"]["usage"] / 1e6
    seconds = {"vm_s": vm.ready_s + 1, "container_s": 0.1 + vm.ready_s / 4}  # type: ignore[attr-defined]
    return {**seconds, "vm_mb": vm.memory_mb, "container_mb": f"{used:.1f}", "vm_processes": len(processes(vm)), "container_processes": 1}  # type: ignore[attr-defined]


def instead(**wrong: object) -> Callable[[Machine, Task], dict[str, object]]:
    """As measured, but for some."""
    return lambda machine, task: {**measured(machine, task), **wrong}


@pytest.mark.parametrize("options", ["", pytest.param("-e PORT=9000 ", marks=pytest.mark.full)])
def test_what_a_machine_costs_and_a_container(graded: Graded, options: str) -> None:
    verdict = graded("vms.cost", CONTAINER.replace("-e", f"{options}-e"), on("vm", APP), measured)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_what_ps_prints_with_the_look_in_it_and_what_the_process_has_resident(graded: Graded) -> None:
    def by_hand(machine: Machine, task: Task) -> dict[str, object]:
        listed = task.machines["vm"].sh("ps --ppid 2 -p 2 --deselect -o pid,args").stdout.splitlines()
        resident = machine.sh(f"ps -o rss= -p $(docker inspect -f '{{{{.State.Pid}}}}' {task.container})").stdout
        return {**measured(machine, task), "vm_processes": len(listed), "container_mb": int(resident) / 1024}

    verdict = graded("vms.cost", CONTAINER, on("vm", APP), by_hand)
    assert verdict.score == 1, verdict.text()


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"vm_s": 0.2}, "and only then the app could start"),
        ({"vm_s": 25_000, "vm_mb": 64_000}, "Is yours in seconds?"),
        ({"vm_mb": 64_000}, "What a machine believes to have"),
        ({"vm_mb": 14}, "which pays for the whole machine"),
        ({"vm_processes": 80}, "the kernel's own threads"),
        ({"vm_processes": 1}, "what keeps it a machine"),
        ({"container_s": 3600}, "Which of the two did you measure?"),
        ({"container_mb": 0.02}, "less than its process uses"),
        ({"container_processes": 2}, "but for its head"),
    ],
)
def test_a_wrong_figure_is_told_what_it_is(graded: Graded, wrong: Mapping[str, object], hint: str) -> None:
    verdict = graded("vms.cost", CONTAINER, on("vm", APP), instead(**wrong))
    assert verdict.score == pytest.approx(1 - len(wrong) / 6), verdict.text()
    assert hint in hints(verdict)


def test_what_does_not_run_was_not_measured(graded: Graded) -> None:
    verdict = graded("vms.cost", CONTAINER, on("vm", APP), measured, on("vm", "fuser -ks -KILL $port/tcp"), "docker rm -f $container")
    assert verdict.score == 0
    assert "it is not the app that was measured" in hints(verdict)
