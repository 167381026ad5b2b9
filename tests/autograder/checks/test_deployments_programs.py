"""The programs of lesson 05, on real boxes: nothing is worth nothing, every right way all, and each common mistake is told what it is."""

from __future__ import annotations

import pytest

from autograder.testing import Graded, graded, hints, oks

__all__ = ["graded"]
pytestmark = [
    pytest.mark.usefixtures("box"),
    pytest.mark.parametrize("running", ["container", pytest.param("microvm", marks=pytest.mark.full)], indirect=True),
]


def left(text: str) -> str:
    """A script that leaves a program on the box."""
    return f"cat > $program <<'PROGRAM'\n{text}\nPROGRAM"


@pytest.mark.parametrize("task", ["reconcile", "rolling", "rollback"])
def test_no_program_is_worth_nothing(graded: Graded, task: str) -> None:
    verdict = graded(f"deployments.{task}")
    assert verdict.score == 0
    assert {len(list(filter(None, fact.hints))) for fact in verdict.facts} == {3}


def test_a_program_with_the_lines_of_another_system_is_told_so(graded: Graded) -> None:
    verdict = graded("deployments.rolling", "printf '#!/bin/sh\\r\\necho hello\\r\\n' > $program")
    assert verdict.score == 0
    assert "as on Windows" in hints(verdict)


DEPLOYMENT = """#!/usr/bin/python3
import os, signal, sys
from lab import connect
from lab.box.errors import WaitTimeout
from lab.objects.controller import Controller
from lab.objects.deployment import Deployment
from lab.objects.node import Node

def wish(image):
    labels = dict([os.environ["label"].split("=")])
    probe = {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1}
    pod = {"terminationGracePeriodSeconds": 5, "containers": [{"name": "app", "image": image, "readinessProbe": probe}]}
    spec = {
        "replicas": int(os.environ["replicas"]),
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
        "progressDeadlineSeconds": int(os.environ.get("patience", 60)),
        "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": os.environ["name"]}, "spec": spec}

node = Node("box", connect(), cpu="16", memory="4Gi")
"""
"""The course's own Deployment and Controller, in a program."""

# deployments.reconcile

LOOP = """#!/bin/bash
while sleep 0.5; do
  copies=$(docker ps -q --filter label=$label) || continue
  for more in $(seq $(($(echo $copies | wc -w) + 1)) $replicas); do docker run -d --label $label --name $name-$RANDOM $image; done
  echo "$copies" | tail -n +$((replicas + 1)) | xargs -r docker rm -f
done"""
TOLD_BY_EVENTS = """#!/usr/bin/python3
import os, time, uuid
import docker

label, image, replicas = os.environ["label"], os.environ["image"], int(os.environ["replicas"])

def reconcile(engine):
    copies = engine.containers.list(filters={"label": label})
    for _ in range(replicas - len(copies)):
        engine.containers.run(image, labels=dict([label.split("=")]), name=f"{os.environ['name']}-{uuid.uuid4().hex[:6]}", detach=True)
    for copy in copies[replicas:]:
        copy.remove(force=True)

while True:
    try:
        engine = docker.from_env()
        events = engine.events(filters={"type": "container", "event": ["start", "die"]}, decode=True)
        reconcile(engine)
        for _ in events:
            reconcile(engine)
    except (docker.errors.DockerException, OSError):
        time.sleep(0.5)
"""
CONTROLLER = f"""{DEPLOYMENT}
Deployment.apply(wish(os.environ["image"]), node)
with Controller(node):
    signal.pause()
"""
COMPOSE = """
printf 'services:\\n  copy: {image: "%s", labels: ["%s"]}\\n' $image $label > compose.yaml
while sleep 1; do docker compose -p $name up -d --no-recreate --scale copy=$replicas; done
"""


@pytest.mark.parametrize(
    "text",
    [LOOP, *(pytest.param(way, marks=pytest.mark.full) for way in (TOLD_BY_EVENTS, CONTROLLER, COMPOSE))],
    ids=["shell", "sdk", "controller", "compose"],
)
def test_a_loop_keeps_copies(graded: Graded, text: str) -> None:
    verdict = graded("deployments.reconcile", left(text))
    assert verdict.score == 1, verdict.text(hints=3)


ONCE = LOOP.replace("while sleep 0.5; do", "for once in 1; do").replace("|| continue", "")
ALL_ANEW = """#!/bin/bash
while sleep 0.5; do
  copies=$(docker ps -q --filter label=$label) || continue
  [ $(echo $copies | wc -w) = $replicas ] && continue
  docker rm -f $copies
  for more in $(seq $replicas); do docker run -d --label $label --name $name-$RANDOM $image; done
done"""


@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        (ONCE, [False], "A loop goes on until somebody ends it"),
        (ALL_ANEW, [True, False, False, True, False, False], "that were well had to go"),
        pytest.param(
            LOOP.replace("docker ps -q", "docker ps -aq"), [True, False, True, False, True, True], "it does not run", marks=pytest.mark.full
        ),
        pytest.param(
            LOOP.replace("#!/bin/bash", "#!/bin/bash -e").replace(" || continue", ""),
            [True, True, True, False, True, True],
            "it ended with",
            marks=pytest.mark.full,
        ),
    ],
    ids=["once", "all anew", "the dead are counted", "set -e"],
)
def test_a_loop_that_keeps_too_little_is_told_what(graded: Graded, text: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.reconcile", left(text))
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


STRANGERS_GO = f"""{LOOP[:-4]}
  docker ps -q --filter ancestor=$image | grep -vxF "$(docker ps -q --filter label=$label)" | xargs -r docker rm -f
done"""
BLIND = LOOP.replace("while", "for more in $(seq $replicas); do docker run -d --label $label --name $name-$RANDOM $image; done\nwhile")


@pytest.mark.full
@pytest.mark.parametrize(
    ("text", "wrong", "hint"),
    [
        (LOOP.replace("  echo", "  : echo"), 5, "nobody removes one"),
        (LOOP.replace("--filter label=$label", "--filter name=$name"), 0, "are they counted?"),
        (STRANGERS_GO, 2, "has not the label"),
        (BLIND, 4, "In between there were"),
        (LOOP.replace("--name $name-$RANDOM", "--name $name-$more"), 1, "keeps its name"),
    ],
    ids=["none is removed", "counted by name", "strangers go", "begins blindly", "fixed names"],
)
def test_a_common_mistake_has_a_hint_of_its_own(graded: Graded, text: str, wrong: int, hint: str) -> None:
    verdict = graded("deployments.reconcile", left(text))
    assert not oks(verdict)[wrong], verdict.text(hints=3)
    assert hint in " ".join(verdict.facts[wrong].hints), verdict.text(hints=3)


# deployments.rolling

ROLL = """
of() { docker ps -q --filter label=$label --filter ancestor=$1; }
begin() {
  copy=$(docker run -d --label $label --name $name-$RANDOM $1)
  address=$(docker inspect -f "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}" $copy)
  for look in $(seq $((${patience:-60} * 5))); do curl -sf $address:8080/ready && return; sleep 0.2; done
  return 1
}
roll() {
  for old in $(docker ps -q --filter label=$label | grep -vxF "$(of $1)"); do
    [ $(of $1 | wc -w) -lt $replicas ] && { begin $1 || exit 1; }
    docker stop $old && docker rm $old
  done
  for more in $(seq $(($(of $1 | wc -w) + 1)) $replicas); do begin $1 || exit 1; done
}
"""
UPDATE = f"#!/bin/bash\n{ROLL}\nroll $image"
UPDATE_BY_SDK = """#!/usr/bin/python3
import os, time, urllib.request
import docker

engine = docker.from_env()
label, image, replicas = os.environ["label"], os.environ["image"], int(os.environ["replicas"])

def begin():
    copy = engine.containers.run(image, labels=dict([label.split("=")]), detach=True)
    copy.reload()
    while True:
        try:
            urllib.request.urlopen(f"http://{copy.attrs['NetworkSettings']['Networks']['bridge']['IPAddress']}:8080/ready")
            return
        except OSError:
            time.sleep(0.2)

old = [copy for copy in engine.containers.list(filters={"label": label}) if image not in copy.image.tags]
for number in range(replicas):
    if old:  # one less, then one more
        old.pop().stop()
    begin()
time.sleep(10000)
"""
UPDATE_BY_CONTROLLER = f"""{DEPLOYMENT}
web = Deployment.apply(wish(os.environ["image"]), node)
with Controller(node):
    print(web.wait())
"""


@pytest.mark.parametrize(
    "text",
    [UPDATE, *(pytest.param(way, marks=pytest.mark.full) for way in (UPDATE_BY_SDK, UPDATE_BY_CONTROLLER))],
    ids=["shell", "sdk", "controller"],
)
def test_an_update_that_nobody_notices(graded: Graded, text: str) -> None:
    verdict = graded("deployments.rolling", left(text))
    assert verdict.score == 1, verdict.text(hints=3)


RUN = "docker run -d --label $label --name $name-$RANDOM $image"
AT_ONCE = f"""#!/bin/bash
{ROLL}
old=$(docker ps -q --filter label=$label)
for more in $(seq $replicas); do begin $image & done
wait
[ ! "$old" ] || docker stop $old"""


@pytest.mark.full
@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        (UPDATE.replace("docker stop $old && docker rm", "docker rm -f"), [True, True, False, True, True], "let them finish"),
        (AT_ONCE, [True, True, True, True, False], "More than one new copy was started"),
        (UPDATE.replace("roll $image", "roll ${image%:*}:v1"), [True, False, False, False, False], "No copy is of v2"),
    ],
    ids=["killed", "all at once", "always v1"],
)
def test_an_update_that_is_noticed_is_told_why(graded: Graded, text: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.rolling", left(text))
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


def test_an_update_that_does_not_wait_is_told_so(graded: Graded) -> None:
    verdict = graded("deployments.rolling", left(UPDATE.replace("curl -sf $address:8080/ready", "true")))
    complete, updated, _, ready, number = oks(verdict)  # whether a request fails depends on how long nobody is ready
    assert (complete, updated, ready, number) == (True, True, False, True), verdict.text(hints=3)
    assert "ready later" in hints(verdict)


@pytest.mark.full
def test_an_update_that_leaves_the_old_is_half_of_one(graded: Graded) -> None:
    verdict = graded(
        "deployments.rolling", left(f"{RUN}; sleep 5\n" + UPDATE[12:].replace("roll $image", "[ ${image#*:} = v2 ] || roll $image"))
    )
    assert oks(verdict) == [True, False, True, True, True], verdict.text(hints=3)
    assert "of v1 are left" in hints(verdict)


# deployments.rollback

ROLLOUT = f"""#!/bin/bash
{ROLL}
case $1 in
deploy) echo $2 >> revisions; roll $2 ;;
undo) image=$(tail -n 2 revisions | head -n 1); echo $image >> revisions; roll $image ;;
history) cat -n revisions ;;
esac
"""
ROLLOUT_BY_CONTROLLER = f"""{DEPLOYMENT}
if sys.argv[1] == "history":
    print(open("revisions").read())
    sys.exit()
web = Deployment.apply(wish(sys.argv[2]), node) if sys.argv[1] == "deploy" else Deployment(os.environ["name"], node)
if sys.argv[1] == "undo":
    web.undo()
with open("revisions", "a") as revisions:
    print(web.spec.template["spec"]["containers"][0]["image"], file=revisions)
with Controller(node):
    try:
        web.wait()
    except WaitTimeout as error:
        sys.exit(str(error))
"""


GOES_ON = ROLLOUT.replace("begin $1 || exit 1", "begin $1").replace("$((${patience:-60} * 5))", "10")


@pytest.mark.parametrize("text", [ROLLOUT, pytest.param(ROLLOUT_BY_CONTROLLER, marks=pytest.mark.full)], ids=["shell", "controller"])
def test_a_way_back(graded: Graded, text: str) -> None:
    verdict = graded("deployments.rollback", left(text))
    assert verdict.score == 1, verdict.text(hints=3)


@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        pytest.param(
            GOES_ON,
            [True, False, False, False, True, True],
            "went on with the next one",
            marks=pytest.mark.full,
        ),
        (ROLLOUT.replace("exit 1", "exit 0"), [True, False, True, True, True, True], "as if all were well"),
        pytest.param(
            ROLLOUT.replace("echo $image >> revisions", "sed -i '$d' revisions"),
            [True, True, True, True, True, False],
            "is history, too",
            marks=pytest.mark.full,
        ),
        pytest.param(
            ROLLOUT.replace("echo $image >> revisions;", "", 1),
            [True, True, True, True, True, False],
            "a revision of its own",
            marks=pytest.mark.full,
        ),
    ],
    ids=["goes on", "ends with 0", "forgets", "undo is not noted"],
)
def test_a_way_back_that_is_none_is_told_why(graded: Graded, text: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.rollback", left(text))
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)


UNDO_ANEW = ROLLOUT.replace(
    "echo $image >> revisions; roll $image",
    """echo $image >> revisions
  docker stop $(docker ps -q --filter label=$label | grep -vxF "$(of $image)")
  for old in $(of $image); do begin $image; docker stop $old; done""",
)


@pytest.mark.full
@pytest.mark.parametrize(
    ("text", "seen", "hint"),
    [
        (ROLLOUT.replace("${patience:-60}", "10000"), [True, False, True, True, True, True], "it still waits"),
        (UNDO_ANEW, [True, True, True, True, False, True], "Who is well stays"),
        (f"{ROLLOUT}\nsleep 10000", [False, True, True, True, False, True], "goes on"),
        (
            ROLLOUT.replace("deploy) ", "deploy) [ ${2#*:} = v2 ] && exit 1; "),
            [True, False, False, False, False, False],
            "No copy of v2 was there",
        ),
    ],
    ids=["waits for ever", "all anew", "does not end", "not tried"],
)
def test_a_rollout_that_is_half_done_is_told_which_half(graded: Graded, text: str, seen: list[bool], hint: str) -> None:
    verdict = graded("deployments.rollback", left(text))
    assert oks(verdict) == seen, verdict.text(hints=3)
    assert hint in hints(verdict)
