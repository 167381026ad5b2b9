"""The tasks of lesson 02, on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from autograder.checks.containers.walls import ASKED, FLAGS
from autograder.checks.fact import Verdict
from autograder.checks.register import find
from autograder.checks.run import begin
from autograder.testing import Graded, graded
from lab.look import pid, walls

if TYPE_CHECKING:
    from autograder.checks.task import Task
    from lab.box.box import Box
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("installation", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
TASKS = ("process", "walls", "limits", "graceful-stop", "image", "two-processes")
SERVICE = "python3 -I -S /srv/app/server.py"


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_answer_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"containers.{task}")
    assert verdict.score == 0
    assert all(fact.hints for fact in verdict.facts)


def hints(verdict: Verdict) -> str:
    return " ".join(hint for fact in verdict.facts if not fact.ok for hint in fact.hints)


# containers.process


def seen_by_the_box(machine: Machine, task: Task) -> dict[str, object]:
    found = machine.docker.containers.get(task.container).attrs
    process = found["State"]["Pid"]
    parent = int(machine.sh(f"ps -o ppid= -p {process}").stdout)
    return {"pid": process, "address": found["NetworkSettings"]["Networks"]["bridge"]["IPAddress"], "parent": parent}


def seen_by_a_shell(machine: Machine, task: Task) -> dict[str, object]:
    """As text, with line breaks, from other sources."""
    process = machine.sh(f"pgrep -f server.py --ns {pid(machine, task.container)} --nslist net").stdout
    parent = machine.sh(f"grep PPid /proc/{process.strip()}/status | cut -f2").stdout
    address = machine.sh(f"docker exec {task.container} hostname -i || nsenter --target {process.strip()} --net hostname -i").stdout
    return {"pid": process, "address": address.split()[0] + "/16", "parent": parent}


@pytest.mark.parametrize("way", [seen_by_the_box, seen_by_a_shell])
def test_the_process_as_the_box_sees_it(graded: Graded, way: object) -> None:
    assert graded("containers.process", way).score == 1


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [
        ({"pid": 1}, "behind its own wall"),
        ({"address": "127.0.0.1"}, "everything calls itself"),
        ({"address": "172.17.0.1"}, "the way out"),
        ({"parent": 0}, "behind the wall"),
        ({"parent": 1}, "one generation"),
        ({"pid": "none"}, "one number for each process"),
    ],
)
def test_a_wrong_process_costs_its_part_and_is_told_why(graded: Graded, wrong: Mapping[str, object], hint: str) -> None:
    verdict = graded("containers.process", seen_by_the_box, lambda machine, task: seen_by_the_box(machine, task) | wrong)
    assert verdict.score == pytest.approx(2 / 3)
    assert hint in hints(verdict)


def test_the_shim_is_not_the_process(graded: Graded) -> None:
    verdict = graded("containers.process", lambda machine, task: {"pid": seen_by_the_box(machine, task)["parent"]})
    assert "holds on to" in hints(verdict)


def test_a_container_that_was_removed_is_said(graded: Graded) -> None:
    verdict = graded("containers.process", "docker rm -f $container")
    assert (verdict.score, verdict.facts[0].saw) == (0, "missing")
    assert "again=True" in hints(verdict)


# containers.walls


def private(machine: Machine, task: Task) -> dict[str, object]:
    return {"private": sorted(walls(machine, task.container).private & ASKED)}


def by_sdk(machine: Machine, task: Task) -> None:
    option = {"net": "network_mode", "ipc": "ipc_mode", "pid": "pid_mode", "uts": "uts_mode"}[task.leave_out]
    machine.docker.containers.run("app:v1", detach=True, name=task.mine, **{option: "host"})


def by_cli(machine: Machine, task: Task) -> None:
    machine.sh(f"docker run -d --name {task.mine} {FLAGS[task.leave_out]} base sleep 1000", check=True)


def by_compose(machine: Machine, task: Task) -> None:
    option = {"net": "network_mode: host", "ipc": "ipc: host", "pid": "pid: host", "uts": "uts: host"}[task.leave_out]
    service = f"services:\n  mine:\n    image: app:v1\n    container_name: {task.mine}\n    {option}\n"
    if task.leave_out != "net":
        service += "    network_mode: none\n"
    machine.sh(f"mkdir /root/{task.key} && cat > /root/{task.key}/compose.yaml", stdin=service.encode(), check=True)
    machine.sh(f"cd /root/{task.key} && docker compose up -d", timeout=120, check=True)


@pytest.mark.parametrize("make", [by_sdk, by_cli, by_compose])
def test_the_walls_that_are_there_and_a_container_without_one(graded: Graded, make: object) -> None:
    assert graded("containers.walls", private, make).score == 1


def test_the_walls_may_be_named_in_a_sentence(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda machine, task: {"private": ", ".join(private(machine, task)["private"]).upper()})  # type: ignore[call-overload]
    assert [fact.ok for fact in verdict.facts] == [True, True, False]


def test_all_walls_are_no_answer(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda *_: {"private": ASKED})
    assert verdict.score == 0
    assert "all of them" in hints(verdict)


def test_user_is_no_wall(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda machine, task: {"private": [*private(machine, task)["private"], "user"]})  # type: ignore[misc]
    assert [fact.ok for fact in verdict.facts] == [True, False, False]
    assert "user is not a wall" in hints(verdict)


def test_one_wall_forgotten_is_half_right(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda machine, task: {"private": private(machine, task)["private"][1:]})  # type: ignore[index]
    assert [fact.ok for fact in verdict.facts] == [False, True, False]


def test_an_ordinary_container_has_all_walls(graded: Graded) -> None:
    verdict = graded("containers.walls", private, "docker run -d --name $mine app:v1")
    assert verdict.score == pytest.approx(2 / 3)
    assert "Exactly one" in hints(verdict)


# containers.limits

LIMITED = """
docker run -d --name $steady --cpus $cpus --memory ${memory_mb}m app:v1
docker run --name $greedy --memory ${memory_mb}m base python3 -c 'bytearray(256 * 2**20)'
"""
UPDATED = """
docker run -d --name $steady app:v1
docker update --cpus $cpus --memory ${memory_mb}m --memory-swap -1 $steady
docker run -d --name $greedy -m $((memory_mb * 1024))k app:v1
docker exec $greedy python3 -c 'bytearray(256 * 2**20)'
for i in $(seq 50); do [ $(docker inspect -f '{{.State.OOMKilled}}' $greedy) = true ] && break; sleep 0.2; done
"""


def number_of_bytes(_: Machine, task: Task) -> dict[str, object]:
    return {"bytes": task.memory_mb * 2**20}


def limited_by_sdk(machine: Machine, task: Task) -> None:
    limit = {"mem_limit": f"{task.memory_mb}m", "cpu_period": 50_000, "cpu_quota": round(50_000 * task.cpus), "detach": True}
    machine.docker.containers.run("app:v1", name=task.steady, **limit)
    machine.docker.containers.run("base", ["python3", "-c", "x = 'x' * 2**28"], name=task.greedy, **limit).wait()


@pytest.mark.parametrize("way", [LIMITED, UPDATED, limited_by_sdk])
def test_limits_that_hold_and_one_that_was_exceeded(graded: Graded, way: object) -> None:
    assert graded("containers.limits", way, number_of_bytes).score == 1


def test_megabytes_are_not_mebibytes(graded: Graded) -> None:
    script = "docker run -d --name $steady --cpus $cpus --memory ${memory_mb}000000b app:v1"
    verdict = graded("containers.limits", script, lambda _, task: {"bytes": task.memory_mb})
    assert verdict.score == 0.25
    assert "in another unit" in hints(verdict)
    assert "counts in bytes" in hints(verdict)


def test_a_kill_by_hand_is_not_one_for_memory(graded: Graded) -> None:
    script = "docker run -d --name $greedy --memory ${memory_mb}m app:v1; docker kill $greedy"
    verdict = graded("containers.limits", script)
    assert verdict.score == 0
    assert "137 is any kill" in hints(verdict)


def test_a_control_group_goes_with_its_container(graded: Graded) -> None:
    verdict = graded("containers.limits", "docker run --name $steady --cpus $cpus --memory ${memory_mb}m base true")
    assert verdict.score == 0
    assert "while its container runs" in hints(verdict)


# containers.graceful-stop

EXEC = "sed -i 's/^python3/exec python3/' $directory/start; docker build -q -t $image $directory"
TRAP = """
cat > $directory/start <<END
#!/bin/sh
export GREETING="$greeting"
python3 -I -S /srv/app/server.py &
trap 'kill \\$!' TERM
wait \\$!; wait \\$!
END
docker build -q -t $image $directory
"""
NO_SHELL = """
printf 'FROM app:v1\\nENV GREETING=%s\\n' $greeting > $directory/Dockerfile
docker build -q -t $image $directory
"""


@pytest.mark.parametrize("way", [EXEC, TRAP, NO_SHELL])
def test_an_image_that_stops_well(graded: Graded, way: str) -> None:
    verdict = graded("containers.graceful-stop", way)
    assert verdict.score == 1, verdict.text()


def test_the_recipe_as_it_was_stops_badly(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "docker build -q -t $image $directory")
    assert verdict.score == 0.25
    assert "Who is process 1" in hints(verdict)


def test_a_quicker_kill_is_no_stop(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "echo STOPSIGNAL SIGKILL >> $directory/Dockerfile; docker build -q -t $image $directory")
    assert verdict.score == 0.5
    assert "is no stop" in hints(verdict)


def test_without_its_greeting_it_is_another_app(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "echo FROM app:v1 > $directory/Dockerfile; docker build -q -t $image $directory")
    assert verdict.score == 0
    assert "greeting" in hints(verdict)


# containers.image

ENV = """
mkdir -p $directory; printf 'FROM app:v1\\nENV GREETING="%s"\\n' $greeting > $directory/Dockerfile
docker build -q -t $image $directory
docker run -d --name $container $image && docker exec $container touch $file
"""
COPIED = """
mkdir -p $directory; cd $directory; echo "GREETING=$greeting exec python3 -I -S /srv/app/server.py" > start
printf 'FROM app:v1\\nCOPY start /start\\nCMD ["sh", "/start"]\\n' > Dockerfile
docker build -q -t $image .
docker run -d --name $container $image && echo by hand > /tmp/note && docker cp /tmp/note $container:$file
"""
DIFFERENT = """
mkdir -p $directory; printf 'FROM app:v1\\nENV GREETING="%s"\\nRUN date +%%N > /built\\n' $greeting > $directory/Dockerfile
docker build -q -t $image $directory
docker run -d --name $container $image && docker exec $container touch $file
"""
BUILT_IN = """
mkdir -p $directory; printf 'FROM app:v1\\nENV GREETING="%s"\\nCOPY note %s\\n' $greeting $file > $directory/Dockerfile
touch $directory/note; docker build -q -t $image $directory
docker run -d --name $container $image
"""


@pytest.mark.parametrize("way", [ENV, COPIED])
def test_a_recipe_that_gives_the_same_twice_and_a_change_by_hand(graded: Graded, way: str) -> None:
    verdict = graded("containers.image", way)
    assert verdict.score == 1, verdict.text()


def test_a_recipe_that_differs_each_time(graded: Graded) -> None:
    verdict = graded("containers.image", DIFFERENT)
    assert verdict.score == 0.75
    assert "time of day" in hints(verdict)


def test_a_change_in_the_image_is_none_by_hand(graded: Graded) -> None:
    verdict = graded("containers.image", BUILT_IN)
    assert verdict.score == 0.25  # COPY has changed the directory, too
    assert "in the image itself" in hints(verdict)


# containers.two-processes

CRASH = """
pid=$(docker inspect -f '{{.State.Pid}}' $broken)
nsenter --target $pid --net curl -s --retry 20 --retry-delay 1 --retry-connrefused localhost:$second/crash; sleep 1
"""
ALL_DIE = f"""
docker run -d --name $container --restart always app:v1 sh -c "
  trap 'exit 1' TERM
  (PORT=$first {SERVICE}; kill 1) &
  (PORT=$second {SERVICE}; kill 1) &
  wait"
"""
INIT = f"""
printf '::respawn:/usr/bin/env PORT=%s {SERVICE}\\n' $first $second > /tmp/inittab
docker create --name $container app:v1 busybox init
docker cp /tmp/inittab $container:/etc/inittab && docker start $container
"""
LOOPS = f"""
docker run -d --name $container app:v1 sh -c "
  while :; do PORT=$first {SERVICE}; done &
  while :; do PORT=$second {SERVICE}; done"
"""
NOBODY_LOOKS = f"""
docker run -d --name $container --restart always app:v1 sh -c "PORT=$first {SERVICE} & PORT=$second {SERVICE} & wait"
"""
TWO_CONTAINERS = """
docker run -d --name $container --restart always -e PORT=$first app:v1
docker run -d --name $container-2 --restart always -e PORT=$second --network container:$container app:v1
"""


def running(*_: object) -> dict[str, object]:
    return {"status": "Running"}


@pytest.mark.parametrize("way", [ALL_DIE, INIT, LOOPS])
def test_two_services_that_both_come_back(graded: Graded, way: str) -> None:
    verdict = graded("containers.two-processes", CRASH, running, way)
    assert verdict.score == 1, verdict.text()


def test_a_status_that_was_not_seen_is_no_answer(graded: Graded) -> None:
    verdict = graded("containers.two-processes", running)
    assert verdict.score == 0
    assert "First let one die" in hints(verdict)


def test_a_death_that_nobody_notices(graded: Graded) -> None:
    verdict = graded("containers.two-processes", CRASH, running, NOBODY_LOOKS)
    assert verdict.score == 0.5
    assert "plays init" in hints(verdict)


def test_two_containers_are_not_one(graded: Graded) -> None:
    verdict = graded("containers.two-processes", TWO_CONTAINERS)
    assert verdict.score == 0
    assert "in this one container" in hints(verdict)


def test_what_was_made_for_a_task_goes_with_it(box: Box) -> None:
    def there() -> set[str]:
        return {str(found.name) for found in box.docker.containers.list(all=True)} | set(
            box.sh("ls /root /run/course/tasks").stdout.split()
        )

    begun = [begin(box, find(f"containers.{task}"), again=True) for task in TASKS]
    before = there()
    assert {task.name for task in begun} <= before
    for task in begun:
        task.clear(box)
    assert there() == {name for name in before if not name.startswith(("containers.", *(f"{task}-" for task in TASKS)))}
