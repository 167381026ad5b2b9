"""The containers of a pod reach each other on localhost; the only port that leads into the pod is published by pause."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.checks.pods.diagnosis import run_in_one_network
from autograder.checks.pods.members import PORT, Members, is_the_app, look, names, ports_of
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import OF_THE_MACHINE, listeners, page
from lab.box.machine import Machine

ROLES = ("pause", "app", "sidecar")
ASK = (
    "Ask by yourself, from where the sidecar is: docker exec, or nsenter --target PID --net.",
    "GREETING is the app's variable for what it says; docker logs tells why it does not.",
)
PUBLISH = (
    "docker ps has a column for ports.",
    "docker run -p BOX:INSIDE, for the one whose network it is; in a manifest, hostPort of a container's port.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """The names of three containers, a port of the box, and a word that the app says."""
    return {**names(key, *ROLES), "port": dice.ports(1)[0], "greeting": f"hello-{dice.nonce()}"}


@check("pods.localhost", kind="state", parts=4, draw=draw)
def localhost(machine: Machine, task: Task) -> Iterator[Fact]:
    """The sidecar reaches the app on localhost, and pause alone publishes a port."""
    pod = look(machine, task, *ROLES)
    yield run_in_one_network(machine, pod)
    if not pod.all_run:
        return
    yield _within(machine, task, pod)
    published = {member.role: member.published for member in pod.each}
    saw = ", ".join(f"{port} by {role}" for role, ports in published.items() for port in sorted(ports)) or "nothing"
    own = {role: {task.port} if role == "pause" else set() for role in ROLES}
    others = _other_ways_in(machine, task)
    saw += "".join(f", {port} by another container" for port in others)
    hint = f"Port {others[0]} of the box leads to your app, too." if others else _about_ports(task, published)
    yield Fact("what is published", published == own and not others, saw[:60], (hint, *PUBLISH))

    answer = page(machine, OF_THE_MACHINE, task.port, patience_s=5 if task.port in pod["pause"].published else 1)
    hint = f"Port {task.port} of the box leads nowhere." if not answer else f"Somebody answers at port {task.port}, not with your greeting."
    if not answer and not pod.joined("net"):
        hint = "A port that pause publishes leads into pause's network. Is the app in it?"
    elif not answer and task.port in pod["pause"].published:
        hint = f"The port is published, and nobody is behind it: the app listens on {PORT} unless it was told otherwise."
    saw = "your greeting" if task.greeting in answer else "another answer" if answer else "no answer"
    yield Fact(f"the box's port {task.port}", task.greeting in answer, saw, (hint, *PUBLISH))


def _other_ways_in(machine: Machine, task: Task) -> list[int]:
    """The ports that containers outside the pod publish, and at which the app answers."""
    own = {task.values[role] for role in ROLES}
    ports: set[int] = set()
    for it in machine.docker.api.containers():
        if not any(it["Names"][0].startswith(f"/{name}") for name in own):
            ports |= {port["PublicPort"] for port in it["Ports"] if "PublicPort" in port and port["Type"] == "tcp"}
    return sorted(port for port in ports - {task.port} if task.greeting in page(machine, OF_THE_MACHINE, port, patience_s=1))


def _within(machine: Machine, task: Task, pod: Members) -> Fact:
    app, sidecar = pod["app"], pod["sidecar"]
    what = f"localhost:{PORT} from the sidecar"
    if app.walls["net"] != sidecar.walls["net"]:
        hint = "The sidecar's localhost is another than the app's: the wall of the network stands between them."
        return Fact(what, ok=False, saw="a wall between them", hints=(hint, *ASK))
    answer = page(machine, sidecar.pid, PORT, patience_s=6)
    own = PORT in ports_of(app, listeners(machine, app.pid))
    if not answer:
        saw, hint = "no answer", f"Nobody answers at port {PORT} in there. Does your app run something that listens on it?"
    elif not own:
        saw, hint = "not from the app", f"Somebody answers, and it is not the container {app.name}."
    elif not is_the_app(machine, app):
        saw, hint = "from another program", f"{app.name} is to be a container of app:v1."
    elif task.greeting not in answer:
        saw, hint = "another greeting", f"The app answers; {task.greeting} is not in what it says."
    else:
        saw, hint = "your greeting", ""
    return Fact(what, not hint, saw, (hint, *ASK))


def _about_ports(task: Task, published: Mapping[str, set[int]]) -> str:
    ports = published["pause"]
    if any(its for role, its in published.items() if role != "pause"):
        return "Somebody else than pause publishes a port, so the network is not pause's, or there are two. Who owns it has its ports, too."
    if not ports:
        return "Nobody publishes anything. Who joins a network can't publish: the ports belong to whose network it is."
    if task.port in ports:
        return f"Only {task.port} is to lead into this pod; other ports do, too."
    return f"Another port of the box leads into the pod; it is to be {task.port}."
