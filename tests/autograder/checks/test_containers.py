"""The tasks of lesson 02, on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

from autograder.checks.containers.walls import ASKED, FLAGS
from autograder.framework.register import find
from autograder.framework.run import begin
from autograder.testing import Graded, graded, hints, oks
from lab.observe.namespace import walls
from lab.observe.process import pid
from tests.support.course import until

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
TASKS = ("process", "walls", "limits", "graceful-stop", "image", "two-processes")
SERVICE = "python3 -I -S /srv/app/server.py"


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_answer_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"containers.{task}")
    assert verdict.score == 0
    assert verdict.facts
    assert all(fact.hints for fact in verdict.facts)


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


def test_a_frozen_process_is_there(graded: Graded) -> None:
    assert graded("containers.process", "docker pause $container", seen_by_the_box).score == 1


@pytest.mark.full
def test_what_split_makes_of_an_answer_will_do(graded: Graded) -> None:
    def in_lists(machine: Machine, task: Task) -> dict[str, object]:
        return {name: str(value).split() for name, value in seen_by_the_box(machine, task).items()}

    assert graded("containers.process", in_lists).score == 1


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
    assert oks(verdict) == [True, True, False]


def test_the_walls_may_be_named_as_the_kernel_does(graded: Graded) -> None:
    def links(machine: Machine, task: Task) -> dict[str, object]:
        names = " ".join(f"ns/{kind}" for kind in private(machine, task)["private"])  # type: ignore[attr-defined]
        return {"private": machine.sh(f"cd /proc/{pid(machine, task.container)} && readlink {names}").stdout}

    assert [fact.ok for fact in graded("containers.walls", links).facts] == [True, True, False]


def test_a_container_that_ends_at_once_is_told_why(graded: Graded) -> None:
    verdict = graded("containers.walls", private, "docker run -d --name $mine base")
    assert "ends when its program does" in hints(verdict)


@pytest.mark.parametrize("how", ["base sleep 1", pytest.param("--restart always base sleep 3", marks=pytest.mark.full)])
def test_a_container_that_does_not_go_on_running_is_none(graded: Graded, how: str) -> None:
    def mine(machine: Machine, task: Task) -> None:
        machine.sh(f"docker run -d --name {task.mine} {FLAGS[task.leave_out]} {how}", check=True)
        if "restart" in how:
            until("the first restart", lambda: machine.docker.containers.get(task.mine).attrs["RestartCount"] > 0)

    verdict = graded("containers.walls", mine)
    assert (oks(verdict)[-1], verdict.facts[-1].saw in ("it does not go on running", "exited", "restarting")) == (False, True)


@pytest.mark.full
def test_a_wall_towards_another_container_is_to_stand_as_well(graded: Graded, box: Box) -> None:
    def joined(machine: Machine, task: Task) -> None:
        kind = "ipc" if task.leave_out != "ipc" else "net"
        option = {"ipc": f"--ipc container:o-{task.mine}", "net": f"--network container:o-{task.mine}"}[kind]
        machine.sh(f"docker run -d --name o-{task.mine} --ipc shareable app:v1", check=True)
        machine.sh(f"docker run -d --name {task.mine} {FLAGS[task.leave_out]} {option} base sleep 1000", check=True)

    verdict = graded("containers.walls", joined)
    box.sh("docker ps -aq --filter name=^o- | xargs docker rm -f", check=True)
    assert not verdict.facts[-1].ok
    assert "A wall towards another container is gone" in hints(verdict)


def test_all_walls_are_no_answer(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda *_: {"private": ASKED})
    assert verdict.score == 0
    assert "all of them" in hints(verdict)


def test_user_is_no_wall(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda machine, task: {"private": [*private(machine, task)["private"], "user"]})  # type: ignore[misc]
    assert oks(verdict) == [True, False, False]
    assert "user is not a wall" in hints(verdict)


@pytest.mark.full
def test_one_wall_forgotten_is_half_right(graded: Graded) -> None:
    verdict = graded("containers.walls", lambda machine, task: {"private": private(machine, task)["private"][1:]})  # type: ignore[index]
    assert oks(verdict) == [False, True, False]


def test_an_ordinary_container_has_all_walls(graded: Graded) -> None:
    verdict = graded("containers.walls", private, "docker run -d --name $mine app:v1")
    assert verdict.score == pytest.approx(2 / 3)
    assert "Exactly one" in hints(verdict)


# containers.limits

LIMITED = """
docker run -d --name $steady --cpus $cpus --memory ${memory_mb}m app:v1
docker run --name $greedy --cpus $cpus --memory ${memory_mb}m base python3 -c 'bytearray(256 * 2**20)'
"""
UPDATED = """
docker run -d --name $steady app:v1
docker update --cpus $cpus --memory ${memory_mb}m --memory-swap -1 $steady
docker run -d --name $greedy --cpus $cpus -m $((memory_mb * 1024))k app:v1
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


def test_the_number_is_that_of_the_file_whatever_the_limit(graded: Graded) -> None:
    script = "docker run -d --name $steady --cpus $cpus --memory ${memory_mb}000000b app:v1"
    pages = 4096
    verdict = graded("containers.limits", script, lambda _, task: {"bytes": task.memory_mb * 1_000_000 // pages * pages})
    assert oks(verdict) == [True, False, True, False]


@pytest.mark.full
def test_a_number_without_a_limit_was_not_read(graded: Graded) -> None:
    verdict = graded("containers.limits", "docker run -d --name $steady app:v1", number_of_bytes)
    assert oks(verdict) == [False, False, False, False]
    assert "no limit in it" in hints(verdict)


@pytest.mark.full
def test_who_is_killed_again_and_again_is_not_steady(graded: Graded) -> None:
    grows = "import time; time.sleep(3); bytearray(256 * 2**20)"
    script = f"docker run -d --restart always --name $steady --cpus $cpus --memory ${{memory_mb}}m base python3 -c '{grows}'; sleep 9"
    verdict = graded("containers.limits", script)
    assert verdict.score == 0
    assert "ends again and again" in hints(verdict) or "while its container runs" in hints(verdict)


def test_a_kill_by_hand_is_not_one_for_memory(graded: Graded) -> None:
    script = "docker run -d --name $greedy --cpus $cpus --memory ${memory_mb}m app:v1; docker kill $greedy"
    verdict = graded("containers.limits", script)
    assert verdict.score == 0
    assert "137 is any kill" in hints(verdict)


def test_a_control_group_goes_with_its_container(graded: Graded) -> None:
    verdict = graded("containers.limits", "docker run --name $steady --cpus $cpus --memory ${memory_mb}m base true")
    assert verdict.score == 0
    assert "while its container runs" in hints(verdict)


@pytest.mark.full
def test_both_containers_get_both_limits(graded: Graded) -> None:
    script = "docker run --name $greedy --memory ${memory_mb}m base python3 -c 'bytearray(256 * 2**20)'"
    verdict = graded("containers.limits", script)
    assert "it lacks the one for the processor" in hints(verdict)


@pytest.mark.full
def test_the_number_may_be_written_for_people(graded: Graded) -> None:
    script = "docker run -d --name $steady --cpus $cpus --memory ${memory_mb}m app:v1"
    verdict = graded("containers.limits", script, lambda _, task: {"bytes": f" {task.memory_mb * 2**20:,} "})
    assert verdict.facts[2].ok


def test_the_file_inside_the_container_is_not_its_own(graded: Graded) -> None:
    verdict = graded("containers.limits", lambda *_: {"bytes": 9223372036854771712})
    assert "the box's own" in hints(verdict)


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


@pytest.mark.full
def test_the_recipe_as_it_was_stops_badly(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "docker build -q -t $image $directory")
    assert verdict.score == 0.25
    assert "Who is process 1" in hints(verdict)


@pytest.mark.full
def test_one_who_does_not_wait_takes_the_app_along(graded: Graded) -> None:
    once = TRAP.replace("wait \\$!; wait \\$!", "wait \\$!")
    assert once != TRAP
    verdict = graded("containers.graceful-stop", once)
    assert verdict.score == 0.75
    assert "all others die with it" in hints(verdict)


def test_what_ends_by_itself_is_said(graded: Graded) -> None:
    background = "sed -i '/^python3/s/$/ \\&/' $directory/start; docker build -q -t $image $directory"
    verdict = graded("containers.graceful-stop", background)
    assert (verdict.score, "ended by itself" in hints(verdict)) == (0, True)
    assert "exited" in verdict.facts[0].saw


@pytest.mark.full
def test_another_signal_is_named(graded: Graded) -> None:
    other = "sed -i 's/^python3/exec python3/' $directory/start; echo STOPSIGNAL SIGUSR2 >> $directory/Dockerfile; "
    verdict = graded(
        "containers.graceful-stop", other + "sed -i \"s/^exec/trap '' USR2; exec/\" $directory/start; docker build -q -t $image $directory"
    )
    assert "SIGUSR2" in hints(verdict)


@pytest.mark.full
def test_a_quicker_kill_is_no_stop(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "echo STOPSIGNAL SIGKILL >> $directory/Dockerfile; docker build -q -t $image $directory")
    assert verdict.score == 0.5
    assert "is no stop" in hints(verdict)


def test_a_greeting_that_is_lost_costs_no_more_than_its_part(graded: Graded) -> None:
    verdict = graded("containers.graceful-stop", "echo FROM app:v1 > $directory/Dockerfile; docker build -q -t $image $directory")
    assert oks(verdict) == [False, True, True, True]
    assert "greeting" in hints(verdict)


def test_it_is_the_recipe_that_is_to_be_mended(graded: Graded) -> None:
    by_hand = """
        docker run --name by-hand app:v1 true
        docker commit -c "ENV GREETING=$greeting" -c 'CMD ["python3", "-I", "-S", "/srv/app/server.py"]' by-hand $image; docker rm by-hand
    """
    verdict = graded("containers.graceful-stop", by_hand)
    assert oks(verdict) == [False, False, False, False]
    assert "It is the recipe that is to be mended" in hints(verdict)


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


ANOTHER_PROGRAM = """
mkdir -p $directory; docker create --name src app:v1; docker cp src:/srv/app/server.py $directory/server.py; docker rm src
printf 'FROM app:v1\\nENV GREETING="%s"\\nCOPY server.py /server.py\\nCMD ["python3", "/server.py"]\\n' $greeting > $directory/Dockerfile
"""
FROM_BASE = """
mkdir -p $directory; docker create --name src app:v1; docker cp src:/srv $directory/srv; docker rm src
printf 'FROM base\nCOPY srv /srv\nENV GREETING="%s"\nCMD ["python3", "-I", "-S", "/srv/app/server.py"]\n' $greeting > $directory/Dockerfile
"""


@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (ENV.replace("GREETING=", "OTHER=1\\nENV GREETING="), "different: its variables"),
        (ENV.replace("\\n' $greeting", "\\nUSER 1000\\nEXPOSE 99\\n' $greeting"), "different: its user, its ports"),
        (ENV.replace("\\n' $greeting", "\\nLABEL a=b\\nHEALTHCHECK CMD false\\n' $greeting"), "different: its health check, its labels"),
        pytest.param(ANOTHER_PROGRAM, "another program answers", id="another program", marks=pytest.mark.full),
        pytest.param(FROM_BASE, "does not begin FROM app:v1", id="from base"),
    ],
)
def test_an_image_that_is_more_than_another_greeting(graded: Graded, script: str, hint: str) -> None:
    verdict = graded("containers.image", script)
    assert not verdict.facts[1].ok
    assert hint in hints(verdict)


def test_a_container_that_has_never_run_is_not_started(graded: Graded) -> None:
    created = ENV.replace("run -d", "create").replace("docker exec $container touch $file", "docker cp /etc/hosts $container:$file")
    verdict = graded("containers.image", created)
    assert oks(verdict) == [True, True, False, False]
    assert "has never run" in hints(verdict)


@pytest.mark.full
def test_what_the_learner_has_untagged_stays(graded: Graded, box: Box) -> None:
    mine = "echo FROM base > /tmp/Dockerfile; echo LABEL a=b >> /tmp/Dockerfile; docker build -q /tmp; rm /tmp/Dockerfile"
    graded("containers.image", mine, ENV)
    (left,) = box.sh("docker images -qf dangling=true").stdout.split()
    box.sh(f"docker rmi {left}", check=True)


@pytest.mark.full
def test_a_change_in_the_image_is_none_by_hand(graded: Graded) -> None:
    verdict = graded("containers.image", BUILT_IN)
    assert verdict.score == 0.25  # COPY has changed the directory, too
    assert "in the image itself" in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize(
    ("recipe", "hint"),
    [
        ('FROM app:v2\\nENV GREETING="%s"\\n', "app:v1 but for the greeting"),
        ("FROM app:v1\\nENV GREETING=\\'\\\\\"%s\\\\\"\\'\\n", "word for word"),
    ],
)
def test_another_app_or_another_greeting_is_said(graded: Graded, recipe: str, hint: str) -> None:
    verdict = graded("containers.image", f'mkdir -p $directory; printf "{recipe}" $greeting > $directory/Dockerfile')
    assert hint in hints(verdict)
    assert not verdict.facts[1].ok


@pytest.mark.full
def test_a_recipe_that_was_mended_is_to_be_built_again(graded: Graded) -> None:
    verdict = graded("containers.image", ENV, "sed -i s/v1/v2/ $directory/Dockerfile")
    assert "Build it again" in hints(verdict)


@pytest.mark.full
def test_a_recipe_that_needs_an_option_is_told_that_it_is_built_without(graded: Graded) -> None:
    script = ENV.replace('ENV GREETING="%s"', "ARG word=none\\nENV GREETING=$word").replace(
        "build -q", "build -q --build-arg word=$greeting"
    )
    verdict = graded("containers.image", script.replace("' $greeting >", "' >"))
    assert oks(verdict) == [True, False, False, False]
    assert "as the check does: of the directory, without options" in hints(verdict)


def test_a_recipe_that_can_not_be_built_leaves_nothing(graded: Graded, box: Box) -> None:
    verdict = graded("containers.image", "mkdir -p $directory; printf 'FROM app:v1\\nRUN false\\n' > $directory/Dockerfile")
    assert "false" in verdict.facts[0].saw
    assert "\x1b" not in verdict.facts[0].saw
    assert box.sh("ls /tmp/*-driven; docker images -qf dangling=true; docker ps -aq").stdout == ""


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


SUPERVISED = """
cat > /tmp/supervisor.py <<END
import os, socket, time
def up(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
while True:
    for port in ($first, $second):
        if not up(port):
            command = ["python3", "-I", "-S", "/srv/app/server.py"]
            os.spawnvpe(os.P_NOWAIT, "python3", command, dict(os.environ, PORT=str(port)))
    time.sleep(1)
END
docker create --name $container app:v1 python3 /srv/supervisor.py
docker cp /tmp/supervisor.py $container:/srv/supervisor.py && docker start $container
"""
"""It never collects those that died: they stay as zombies."""


def up(*_: object) -> dict[str, object]:
    return {"status": "Up"}


@pytest.mark.full
def test_the_words_of_docker_ps_will_do(graded: Graded) -> None:
    assert graded("containers.two-processes", CRASH, up).facts[0].ok


@pytest.mark.full
def test_both_dead_is_not_one_dead(graded: Graded) -> None:
    verdict = graded("containers.two-processes", "docker kill $broken", lambda *_: {"status": "exited"})
    assert verdict.score == 0
    assert "only one was to die" in hints(verdict)


@pytest.mark.full
def test_a_dead_child_that_nobody_collects_is_dead(graded: Graded) -> None:
    """BusyBox's shell becomes its last command, which is then the parent of the other."""
    script = f"docker run -d --name $container app:v1 sh -c 'PORT=$first {SERVICE} & PORT=$second {SERVICE}'"
    verdict = graded("containers.two-processes", script.replace("'", '"'))
    assert "was killed, and then" in hints(verdict)


@pytest.mark.parametrize(
    "way", [ALL_DIE, pytest.param(INIT, marks=pytest.mark.full), pytest.param(LOOPS, marks=pytest.mark.full), SUPERVISED]
)
def test_two_services_that_both_come_back(graded: Graded, way: str) -> None:
    verdict = graded("containers.two-processes", CRASH, running, way)
    assert verdict.score == 1, verdict.text()


UNDER_ANOTHER_NAME = """
cat > /tmp/Dockerfile <<END
FROM app:v1
RUN ln -s \\$(command -v python3) /usr/bin/shop
END
docker build -q -t $container /tmp
docker run -d --name $container $container sh -c "
  while :; do PORT=$first shop -I -S /srv/app/server.py; done &
  while :; do PORT=$second shop -I -S /srv/app/server.py; done"
"""
ONCE = f"""
docker run -d --name $container app:v1 sh -c "
  (PORT=$first {SERVICE}; PORT=$first {SERVICE}) &
  (PORT=$second {SERVICE}; PORT=$second {SERVICE}) &
  sleep infinity"
"""


def test_a_service_counts_whatever_it_is_called(graded: Graded) -> None:
    verdict = graded("containers.two-processes", CRASH, running, UNDER_ANOTHER_NAME)
    assert verdict.score == 1, verdict.text()


@pytest.mark.full
def test_who_comes_back_once_does_not_come_back(graded: Graded) -> None:
    verdict = graded("containers.two-processes", CRASH, running, ONCE)
    assert oks(verdict) == [True, True, True, False]


def test_a_status_that_was_not_seen_is_no_answer(graded: Graded) -> None:
    verdict = graded("containers.two-processes", running)
    assert verdict.score == 0
    assert "First let one die" in hints(verdict)


@pytest.mark.full
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
