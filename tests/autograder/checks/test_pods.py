"""The tasks of lesson 03, on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from autograder.checks.pods import programs
from autograder.checks.pods.port_clash import APPS
from autograder.framework.register import find
from autograder.framework.run import begin, judge
from autograder.framework.task import give
from autograder.testing import Graded, graded, hints, oks
from lab.objects.pod import Pod

if TYPE_CHECKING:
    from autograder.framework.task import Task
    from lab.box.instances.box import Box
    from lab.box.machine import Machine

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]
TASKS = ("shared-walls", "localhost", "port-clash", "sidecar-logs", "init", "shared-pid", "lifecycle")
JOIN = 'join="--network container:$pause --ipc container:$pause"\n'
IDLE = "sh -c 'while :; do sleep 1; done'"
NOTHING: Mapping[str, str] = {}
SERVE = "exec python3 -I -S /srv/app/server.py"


@pytest.mark.parametrize("task", TASKS)
def test_an_empty_answer_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"pods.{task}")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


def container(name: str, image: str, *command: str, env: Mapping[str, str] = NOTHING, **more: object) -> dict[str, Any]:
    """For a manifest."""
    settings = [{"name": key, "value": value} for key, value in env.items()]
    return {"name": name, "image": image, **({"command": list(command)} if command else {}), "env": settings, **more}


def pod(machine: Machine, task: Task, *containers: dict[str, Any], **more: object) -> None:
    """As a learner does it who has lesson 03."""
    spec = {"containers": list(containers), "terminationGracePeriodSeconds": 1, **more}
    Pod.create(machine, {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": task.pod}, "spec": spec}).start()


def compose(services: str) -> str:
    """A script that writes a file for compose, and has it made; in the file, the script's variables are filled in."""
    return f"mkdir -p /root/$pod && cd /root/$pod && cat > compose.yaml <<END\nservices:\n{services}\nEND\ndocker compose up -d 2>&1"


RUBBISH = """
docker run -d --name $pod-old $more app:v1; docker run -d --name $app-of-mine pause; docker create --name $pod-app-ab12-old base
docker run --name $pod-ended base false; docker run -d -p 9099:8080 --name $pod-stranger app:v2
"""
"""Containers that have nothing to do with it, under names that look as if they had."""

# pods.shared-walls

THREE = f"""
docker run -d --name $pause --ipc shareable --hostname $hostname pause
{JOIN}
docker run -d --name $app $join app:v1
docker run -d --name $sidecar $join base {IDLE}
"""
OTHER_IMAGES = THREE.replace(" pause\n", f" base {IDLE}\n").replace("app:v1", "proxy").replace("base sh", "tools sh")


def three_by_manifest(machine: Machine, task: Task) -> None:
    pod(machine, task, container("app", "app:v1"), container("sidecar", "tools"), hostname=task.hostname)


def three_by_sdk(machine: Machine, task: Task) -> None:
    run = machine.docker.containers.run
    run("pause", name=task.pause, hostname=task.hostname, ipc_mode="shareable", detach=True)
    joined = f"container:{task.pause}"
    for name in (task.app, task.sidecar):
        run("app:v2", name=name, network_mode=joined, ipc_mode=joined, environment={"PORT": str(9000 + len(name))}, detach=True)


THREE_BY_COMPOSE = compose("""
  pause: {image: pause, hostname: $hostname, ipc: shareable}
  app: {image: "app:v1", network_mode: "service:pause", ipc: "service:pause"}
  sidecar: {image: tools, network_mode: "service:pause", ipc: "service:pause"}
""")


@pytest.mark.parametrize(
    "way", [THREE, RUBBISH + OTHER_IMAGES, three_by_manifest, three_by_sdk, pytest.param(THREE_BY_COMPOSE, marks=pytest.mark.full)]
)
def test_three_without_some_walls(graded: Graded, way: object) -> None:
    verdict = graded("pods.shared-walls", way)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (THREE.replace("--ipc container:$pause", ""), [True, True, False, True, True], "Each has one of its own"),
        (THREE.replace("--hostname $hostname", ""), [True, True, True, True, False], "Docker can't join this wall"),
        (THREE.replace("app $join", "app $join --pid container:$pause"), [True, True, True, False, True], "One process tree for all"),
        (THREE.replace("app $join", "app $join --uts host"), [True, True, True, True, False], "the name of the box"),
        (
            THREE.replace("--ipc shareable", "--network host --ipc host").replace("--hostname $hostname", ""),
            [True, False, False, False, False],
            "host takes the wall towards the box away",
        ),
        (THREE.replace("$join", ""), [True, False, False, False, False], "that wall stands"),
        (THREE.replace("sidecar $join", "sidecar"), [True, False, False, False, False], "Two of them share it"),
    ],
)
def test_a_wall_too_many_or_too_few_is_named(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.shared-walls", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "saw", "hint"),
    [
        (THREE.replace(IDLE, ""), "sidecar exited (0)", "base has none"),
        (THREE.replace("--ipc shareable", ""), "app created", "never ran. The engine said: …"),
        (THREE + "docker rm -f $sidecar", "sidecar missing", "which is what the task calls sidecar"),
        (THREE + "docker pause $app", "app paused", "docker unpause"),
        (THREE.replace("$join base", "$join app:v1 #") + "docker wait $sidecar", "sidecar exited (1)", "Port 8080 is in use"),
    ],
)
def test_who_does_not_run_is_told_why(graded: Graded, script: str, saw: str, hint: str) -> None:
    verdict = graded("pods.shared-walls", script)
    assert verdict.score == 0
    assert saw in verdict.facts[0].saw
    assert hint in hints(verdict)


# pods.localhost

PUBLISHED = f"""
docker run -d --name $pause --ipc shareable -p $port:8080 pause
{JOIN}
docker run -d --name $app $join -e GREETING=$greeting app:v1
docker run -d --name $sidecar $join tools
"""


def published_by_manifest(machine: Machine, task: Task) -> None:
    ports = [{"containerPort": 8080, "hostPort": task.port}]
    app = container("app", "app:v1", env={"GREETING": task.greeting}, ports=ports)
    pod(machine, task, container("sidecar", "base", "sleep", "1000"), app)


PUBLISHED_BY_COMPOSE = compose("""
  pause: {image: pause, ports: ["127.0.0.1:$port:8080"]}
  app: {image: "app:v1", network_mode: "service:pause", environment: {GREETING: $greeting}}
  sidecar: {image: tools, network_mode: "service:pause"}
""")


@pytest.mark.parametrize("way", [RUBBISH + PUBLISHED, published_by_manifest, pytest.param(PUBLISHED_BY_COMPOSE, marks=pytest.mark.full)])
def test_localhost_and_one_way_in(graded: Graded, way: object) -> None:
    verdict = graded("pods.localhost", way)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (PUBLISHED.replace("-p $port:8080", ""), [True, True, False, False], "Nobody publishes anything"),
        (PUBLISHED.replace("-p $port:8080", "-p 9098:8080"), [True, True, False, False], "it is to be"),
        (PUBLISHED.replace("-p $port:8080", "-p $port:8080 -p 9098:9090"), [True, True, False, True], "other ports do, too"),
        (PUBLISHED.replace("-p $port:8080", "-p $port:80"), [True, True, True, False], "nobody is behind it"),
        (PUBLISHED.replace("-e GREETING=$greeting", ""), [True, False, True, False], "is not in what it says"),
        (PUBLISHED.replace("app:v1", "-e PORT=9090 app:v1"), [True, False, True, False], "Nobody answers at port 8080"),
        (PUBLISHED.replace("app:v1", f"base {IDLE}").replace("tools", "app:v1"), [True, False, True, False], "it is not the container"),
        (
            PUBLISHED.replace("app $join", "app -p 9098:8080").replace("sidecar $join", "sidecar"),
            [False, False, False, False],
            "Somebody else than pause publishes",
        ),
    ],
)
def test_who_is_reached_and_who_publishes_is_told(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.localhost", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


SERVES_A_PAGE = "mkdir /w; echo $PAGE > /w/index.html; exec busybox httpd -f -p 8080 -h /w"
IMITATION = PUBLISHED.replace("app:v1", f"-e PAGE=$greeting base sh -c '{SERVES_A_PAGE}'")
WAY_ROUND = """
address=$(docker inspect -f '{{.NetworkSettings.IPAddress}}' $pause)
docker run -d --name stranger -p 9098:8080 base python3 -c "
import http.server, urllib.request
class Forwards(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(urllib.request.urlopen('http://$address:8080/').read())
http.server.HTTPServer(('', 8080), Forwards).serve_forever()"
sleep 1
"""


@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (IMITATION, [True, False, True, True], "is to be a container of app:v1"),
        (PUBLISHED + WAY_ROUND, [True, True, False, True], "Port 9098 of the box leads to your app, too"),
    ],
    ids=["another program", "another way in"],
)
def test_what_looks_like_it_and_is_not_it(graded: Graded, box: Box, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.localhost", script)
    box.sh("docker rm -f stranger")
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
def test_two_in_one_network_and_one_outside(graded: Graded) -> None:
    verdict = graded("pods.localhost", PUBLISHED.replace("sidecar $join", "sidecar"))
    assert oks(verdict) == [False, False, True, True]
    assert "another than the app's" in hints(verdict)
    assert "Not all of them are in the same network" in hints(verdict)


# pods.port-clash

START = """
for app in $first $second $third $fourth; do
  docker start $app; for look in $(seq 100); do docker logs $app 2>&1 | grep -q port -i && break; sleep 0.1; done
done; sleep 0.5
"""
"""One after the other: the app says that it listens, or that it can't."""
EACH = "for app in $first $second $third $fourth; do [ $(docker inspect -f '{{.State.Status}}' $app) = exited ] || continue;"
MOVED = f"""
{EACH} docker rm $app
port=$((port + 7001)); docker run -d --name $app --network container:$pause -e PORT=$port app:v1; done
"""

STUBBORN = f"""
{EACH} port=$(docker inspect -f '{{{{json .Config.Env}}}}' $app | grep -o 'PORT=[0-9]*' | cut -d= -f2)
docker rm $app; docker run -d --restart always --name $app --network container:$pause -e PORT=$port app:v1; done; sleep 1
"""


def ended(task: Task) -> list[str]:
    return [app for number, app in enumerate(APPS) if task.ports[number] in task.ports[:number]]


def too_late(_: Machine, task: Task) -> dict[str, object]:
    return {"ended": [task.values[app] for app in ended(task)]}


def too_late_in_words(_: Machine, task: Task) -> dict[str, object]:
    """By what they are in the pod, as one text."""
    return {"ended": ", ".join(ended(task))}


def moved_by_sdk(machine: Machine, task: Task) -> None:
    for port, app in enumerate(ended(task), 7001):
        name, joined = str(task.values[app]), f"container:{task.pause}"
        machine.docker.containers.get(name).remove(force=True)
        machine.docker.containers.run("app:v2", name=name, network_mode=joined, environment=[f"PORT={port}"], detach=True)


@pytest.mark.parametrize(("said", "repair"), [(too_late, MOVED), (too_late_in_words, moved_by_sdk)])
def test_who_came_too_late_moves(graded: Graded, said: object, repair: object) -> None:
    verdict = graded("pods.port-clash", said, START, repair)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.parametrize(
    ("repair", "seen", "hint"),
    [
        ("", [True, False], "is in use"),
        (f"{EACH} docker rm $app; docker run -d --name $app app:v1; done", [True, False], "no pod"),
        (MOVED.replace("app:v1", f"base {IDLE}"), [True, True, False, True], "Nothing listens for"),
        ("docker rm -f $pause", [False], "again=True"),
    ],
)
def test_a_repair_that_is_none_is_told_why(graded: Graded, repair: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.port-clash", too_late, START, repair)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
def test_who_comes_too_late_again_and_again_does_not_run(graded: Graded) -> None:
    verdict = graded("pods.port-clash", too_late, START, STUBBORN)
    assert oks(verdict)[:2] == [True, False], verdict.text(hints=3)


@pytest.mark.full
def test_who_was_first_keeps_the_port(graded: Graded) -> None:
    everyone = MOVED.replace(EACH, "for app in $first $second $third $fourth; do").replace("docker rm", "docker rm -f")
    verdict = graded("pods.port-clash", too_late, everyone)
    assert oks(verdict) == [True, True, True, False]
    assert "Only those that came too late" in hints(verdict)


def test_a_wrong_prediction_is_told_why(box: Box) -> None:
    task = begin(box, find("pods.port-clash"), again=True)
    wrong = {
        "every port of the pod is free": [[task.first], [task.values[app] for app in APPS]],
        "a port to itself": [[*ended(task), *[app for app in APPS[1:] if app not in ended(task)][:1]]],
        "none of the four": [task.pause],
        "by their names": [8080, []],
    }
    for hint, answers in wrong.items():
        for answer in answers:
            give(box, task.name, {"ended": answer})
            verdict = judge(box, find(task.name))
            assert verdict.score == 0, answer
            assert hint in hints(verdict), answer
    task.clear(box)


# pods.sidecar-logs

SHIPPED = """
docker run -d --name $pod-pause pause
join="--network container:$pod-pause"
docker run -d --name $app $join -v $pod-log:/log -e PORT=$port -e ACCESS_LOG=/log/access app:v1
docker run -d --name $sidecar $join -v $pod-log:/log base tail -F /log/access
"""
BOUND = """
docker run -d --name $app -v /root/$pod/all:/srv/all -e PORT=$port -e ACCESS_LOG=/srv/all/log/it app:v2
loop="while :; do cat /var/log/it; sleep 1; done"; mkdir -p /root/$pod/all/log
docker run -d --name $sidecar --network container:$app -v /root/$pod/all/log:/var/log:ro tools bash -c "$loop"
docker restart $app $sidecar -t 1
"""
"""A directory of the box, and one within it; restarted in an order that keeps them together.  The whole log is printed again and again."""


def shipped_by_manifest(machine: Machine, task: Task) -> None:
    mount: dict[str, Any] = {"volumeMounts": [{"name": "log", "mountPath": "/log"}]}
    app = container("app", "app:v1", env={"PORT": str(task.port), "ACCESS_LOG": "/log/a"}, **mount)
    pod(machine, task, app, container("sidecar", "base", "tail", "-F", "/log/a", **mount), volumes=[{"name": "log", "emptyDir": {}}])


SHIPPED_BY_COMPOSE = compose("""
  app: {image: "app:v1", environment: {PORT: $port, ACCESS_LOG: /log/a}, volumes: ["log:/log"]}
  sidecar: {image: base, network_mode: "service:app", volumes: ["log:/log"], command: tail -F /log/a}
volumes: {log: {}}
""")


@pytest.mark.parametrize("way", [RUBBISH + SHIPPED, BOUND, shipped_by_manifest, pytest.param(SHIPPED_BY_COMPOSE, marks=pytest.mark.full)])
def test_a_request_is_shipped(graded: Graded, way: object) -> None:
    verdict = graded("pods.sidecar-logs", way)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (SHIPPED.replace("$pod-log:/log -e", "$pod-other:/log -e"), [True, False, True, False], "mnt is a wall that stands"),
        (SHIPPED.replace("-e ACCESS_LOG=/log/access", ""), [True, True, True, False], "not to a file in the directory that both see"),
        (SHIPPED.replace("tail -F /log/access", "tail -F /log/other"), [True, True, True, False], "was not printed"),
        (SHIPPED.replace("-e PORT=$port", ""), [True, True, False, False], "PORT tells it so"),
        (SHIPPED.replace("tail -F /log/access", "cat /log/access"), [False], "has ended"),
    ],
)
def test_how_far_a_request_has_come_is_told(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.sidecar-logs", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


@pytest.mark.full
def test_two_containers_are_no_pod(graded: Graded) -> None:
    verdict = graded("pods.sidecar-logs", SHIPPED.replace("$join", ""))
    assert oks(verdict) == [False, True, True, True]
    assert "each has a network of its own" in hints(verdict)


@pytest.mark.full
def test_a_sidecar_that_says_nothing_to_the_engine_is_told(graded: Graded) -> None:
    verdict = graded("pods.sidecar-logs", SHIPPED.replace("--name $sidecar", "--name $sidecar --log-driver none"))
    assert oks(verdict) == [True, True, True, False]


# pods.init

PREPARED = f"""
docker run --name $init -v $pod-data:/data base sh -c "sleep 0.2; echo $word > /data/word"
docker run -d --name $app -v $pod-data:/data app:v1 sh -c 'GREETING=$(cat /data/word) {SERVE}'
"""
ENDLESS = (
    PREPARED.replace("run --name $init", "run -d --name $init")
    .replace('word"', 'word; sleep 999"')
    .replace("\ndocker", "\nsleep 1; docker")
)
PAGE = """
docker run --name $init -v /root/$pod:/data base sh -c "echo $word > /data/index.html"
docker run -d --name $app -v /root/$pod:/www:ro base busybox httpd -f -p 8080 -h /www
"""


ONE_FILE = f"""
mkdir -p /root/$pod; touch /root/$pod/word
docker run --name $init -v /root/$pod/word:/word base sh -c "echo $word > /word"
docker run -d --name $app -v /root/$pod/word:/word:ro app:v1 sh -c 'GREETING=$(cat /word) {SERVE}'
"""


def prepared_by_manifest(machine: Machine, task: Task) -> None:
    mount: dict[str, Any] = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    first = container("init", "base", "sh", "-c", f"echo {task.word} > /data/word", **mount)
    app = container("app", "app:v1", "sh", "-c", f"GREETING=$(cat /data/word) {SERVE}", **mount)
    pod(machine, task, app, initContainers=[first], volumes=[{"name": "data", "emptyDir": {}}])


PREPARED_BY_COMPOSE = compose(f"""
  init: {{image: base, command: ["sh", "-c", "echo $word > /data/word"], volumes: ["data:/data"]}}
  app:
    image: app:v1
    command: ["sh", "-c", "GREETING=\\$\\$(cat /data/word) {SERVE}"]
    volumes: ["data:/data"]
    depends_on: {{init: {{condition: service_completed_successfully}}}}
volumes: {{data: {{}}}}
""")


@pytest.mark.parametrize(
    "way",
    [
        RUBBISH.replace("$sidecar", "") + PREPARED,
        PAGE,
        ONE_FILE,
        prepared_by_manifest,
        pytest.param(PREPARED_BY_COMPOSE, marks=pytest.mark.full),
    ],
)
def test_first_this_then_that(graded: Graded, way: object) -> None:
    verdict = graded("pods.init", way)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (PREPARED.replace("run --name", "run --rm --name"), [False, False, False, False], "--rm is gone"),
        (
            PREPARED.replace("run --name", "run -d --name").replace("sleep 0.2;", "sleep 60;"),
            [False, False, True, False],
            "init has not ended",
        ),
        (ENDLESS, [False, False, True, True], "a sidecar"),
        (PREPARED.replace('word"', 'word; exit 3"'), [False, False, True, True], "It has failed"),
        (PREPARED + "docker start -a $init", [True, False, True, True], "the app was there already"),
        (PREPARED.replace("$pod-data:/data base", "$pod-x:/data base"), [True, True, False, False], "is in its own file system"),
        (
            PREPARED.replace("run -d", "run -d -e GREETING=$word").replace("sh -c 'G", "#"),
            [True, True, True, False],
            "own command or variables",
        ),
        (PREPARED.replace("cat /data/word", "cat /data/wrod"), [True, True, True, False], "read that file"),
        (PREPARED.replace("GREETING=", "false || exit; GREETING=") + "sleep 1", [True, False], "has ended"),
        (PREPARED.partition("docker run -d")[0], [True, False], "There is no container"),
    ],
)
def test_what_went_wrong_before_the_app_is_told(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.init", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


BAKED = f"""
docker run --name $init -v $pod-data:/data base true
mkdir -p /root/$pod; cd /root/$pod; echo "GREETING=$word {SERVE}" > start
printf 'FROM app:v1\\nCOPY start /start\\nCMD ["sh", "/start"]\\n' > Dockerfile; docker build -q -t $pod .
docker run -d --name $app -v $pod-data:/data $pod
"""
BY_HAND = "docker run --rm -v $pod-data:/data base sh -c 'echo '$word' > /data/word'; sleep 3" + PREPARED.replace(
    "echo $word > /data/word", "true"
)
IMPATIENT = f"""
docker run -d --name $init -v $pod-data:/data base sh -c "sleep 4; echo $word > /data/word"
again='--restart always --name'
docker run -d $again $app -v $pod-data:/data app:v1 sh -c 'GREETING=$(cat /data/word) || exit 1; export GREETING; {SERVE}'
sleep 8
"""


@pytest.mark.parametrize(
    ("script", "wrong", "hint"),
    [
        (BAKED, "the word, from elsewhere", "init has left no file with it"),
        pytest.param(BY_HAND, "the word, from elsewhere", "init has left no file with it", marks=pytest.mark.full),
        pytest.param(IMPATIENT, "began before its end", "while init was still at work", marks=pytest.mark.full),
    ],
    ids=["baked into the image", "written by hand", "started until it went"],
)
def test_what_only_looks_as_if_it_had_waited(graded: Graded, script: str, wrong: str, hint: str) -> None:
    verdict = graded("pods.init", script)
    assert wrong in [fact.saw for fact in verdict.facts if not fact.ok], verdict.text(hints=3)
    assert hint in hints(verdict)


# pods.shared-pid

TREE = f"""
docker run -d --name $pause --ipc shareable pause
join="--network container:$pause --pid container:$pause"
docker run -d --name $app $join app:v1
docker run -d --name $sidecar $join base {IDLE}
"""
OWNED_BY_THE_APP = f"""
docker run -d --name $app app:v1; join="--network container:$app --pid container:$app"
docker run -d --name $pause $join pause
docker run -d --name $sidecar $join base {IDLE}
"""


def tree_by_manifest(machine: Machine, task: Task) -> None:
    pod(machine, task, container("app", "proxy"), container("sidecar", "tools"), shareProcessNamespace=True)


TREE_BY_COMPOSE = compose("""
  pause: {image: tools}
  app: {image: "app:v1", network_mode: "service:pause", pid: "service:pause"}
  sidecar: {image: base, network_mode: "service:pause", pid: "service:pause", command: sleep 1000}
""")


@pytest.mark.parametrize(
    "way",
    [RUBBISH + TREE, tree_by_manifest, TREE_BY_COMPOSE, TREE.replace("shareable pause", "shareable --init base sleep 1000")],
)
def test_one_tree_that_is_looked_after(graded: Graded, way: object) -> None:
    verdict = graded("pods.shared-pid", way)
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "seen", "hint"),
    [
        (TREE.replace("shareable pause", "shareable base sleep 1000"), [True, True, True, False], "as a zombie"),
        (TREE.replace(" --pid container:$pause", ""), [True, False, False, False], "each sees its own alone"),
        (TREE.replace("sidecar $join", "sidecar --network container:$pause"), [True, False, False, False], "one is not"),
        (TREE.replace("--pid container:$pause", "--pid host"), [True, False, False, False], "the tree of the box itself"),
        (OWNED_BY_THE_APP, [True, True, False, False], "Number 1 is app"),
        (TREE.replace("--network container:$pause", ""), [False, True, True, True], "each has a network of its own"),
    ],
)
def test_whose_tree_it_is_is_told(graded: Graded, script: str, seen: list[bool], hint: str) -> None:
    verdict = graded("pods.shared-pid", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


# pods.lifecycle

ONE = f"""
mkdir -p /root/$pod; [ $policy = Always ] && restart=always || restart=on-failure
cat > $create <<'END'
docker run -d --name $pause pause
join="--restart POLICY --network container:$pause --pid container:$pause"
docker run -d --name $app $join app:v1
docker run -d --name $sidecar $join base {IDLE}
END
sed -i s/POLICY/$restart/ $create
echo 'docker rm -fv $app $sidecar $pause' > $delete
"""
BY_COMPOSE = """
mkdir -p /root/$pod; [ $policy = Always ] && restart=always || restart=on-failure
cat > /root/$pod/compose.yaml <<END
services:
  pause: {image: pause}
  app: {image: "app:v1", network_mode: "service:pause", pid: "service:pause", restart: $restart, volumes: ["log:/log"]}
  sidecar: {image: base, network_mode: "service:pause", pid: "service:pause", restart: $restart, command: sleep 1000}
volumes: {log: {}}
END
printf '#!/bin/sh\\ndocker compose up -d\\n' > $create
printf '#!/bin/sh\\ndocker compose down -v -t 1\\n' > $delete
"""


@pytest.fixture
def bystanders(box: Box) -> Iterator[None]:
    """What the learner has beside the pod, and keeps."""
    box.sh("docker run -d --name bystander -p 8080:8080 app:v2 && docker volume create bystander", check=True)
    yield
    box.sh("docker rm -fv bystander && docker volume rm bystander", check=True)


@pytest.mark.usefixtures("bystanders")
@pytest.mark.parametrize("way", [ONE, BY_COMPOSE])
def test_a_pod_that_is_one_thing(graded: Graded, way: str) -> None:
    verdict = graded("pods.lifecycle", way)
    assert verdict.score == 1, verdict.text(hints=3)


COUNTED_BY_NOBODY = (
    ONE.replace("--restart POLICY", "")
    + """
echo 'for again in $(seq 60); do sleep 0.5; docker start $app; done >/dev/null 2>&1 &' >> $create
"""
)
COMES_BACK = ONE.replace("--name $pause pause", "--restart always --name $pause pause").replace(" --pid container:$pause", "")


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "seen", "wrong"),
    [
        (
            ONE.replace("--restart POLICY", "") + "sed -i s/.sidecar// $delete",
            [True, False, False, True, False],
            ("nobody has started it again", "Something is left"),
        ),
        (
            ONE.replace("= Always", "!= Always").replace(" --pid container:$pause", ""),
            [True, True, False, False, True],
            ("means", "in a network that nobody owns any more"),
        ),
        (
            COMES_BACK + "echo 'docker rm -f $(docker ps -aq)' > $delete",
            [True, True, True, False, False],
            ("half a pod", "somebody else"),
        ),
        (COUNTED_BY_NOBODY, [True, False, False, True, True], ("counted nothing", "means")),
        (ONE.replace("app:v1", "-v /data app:v1").replace("-fv", "-f"), [True, True, True, True, False], ("Something is left: volume",)),
        (
            ONE + "printf 'set -e\\ndocker inspect $app\\ndocker rm -f $sidecar $app $pause\\n' > $delete",
            [True] * 4 + [False],
            ("ended with 1",),
        ),
        (ONE + "echo 'docker container prune -f' >> $delete", [True] * 4 + [False], ("somebody else",)),
        (ONE + "echo 'docker rm -f $(docker ps -aqf ancestor=app:v1)' >> $delete", [True] * 4 + [False], ("somebody else",)),
        (ONE + "sed -i '1i docker inspect $pause >/dev/null || exit 0' $delete", [True] * 4 + [False], ("Something is left",)),
        (ONE + "sed -i s/app:v1/app:v2/ $create", [False] + [True] * 4, ("The app is to be app:v1",)),
    ],
)
def test_what_is_not_one_thing_is_told(graded: Graded, script: str, seen: list[bool], wrong: tuple[str, ...]) -> None:
    verdict = graded("pods.lifecycle", script)
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert [hint for hint in wrong if hint not in hints(verdict)] == []


@pytest.mark.full
@pytest.mark.parametrize(
    ("script", "hint"),
    [
        (ONE + "echo exit 3 > $create", "ended with 3"),
        (ONE + "bash $create; docker kill $app $sidecar $pause; echo true > $delete", "it does not remove all"),
        (ONE + "sed -i s/app:v1/base/ $create", "base has none that goes on"),
    ],
)
def test_what_does_not_make_a_pod_is_told(graded: Graded, script: str, hint: str) -> None:
    verdict = graded("pods.lifecycle", script)
    assert not verdict.facts[0].ok
    assert hint in hints(verdict)


@pytest.mark.full
def test_a_program_that_does_not_end_is_ended(graded: Graded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "RUN_S", 3)
    for script in ("sed -i s/-d// $create", "echo sleep 9 >> $create"):
        verdict = graded("pods.lifecycle", ONE + script)
        assert not verdict.facts[0].ok
        assert "docker run without -d waits" in hints(verdict)
    assert all(oks(verdict)[1:])
