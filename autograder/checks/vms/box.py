"""A machine that runs an app, a proxy and an agent, and an init that starts each of them again when it dies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from autograder.checks.vms.ports import CONTAINED, Port, Ports, end, look_at, look_when_started, prepare, why_nobody
from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import look_until
from lab.box.machine import Machine

BACK_S = 20
SLACK_S = 2.5
MANY = 20
"""Numbers that an answer may have beside the one that is asked for: `uptime` says eight."""
CROWD = 4
"""More programs than this on one port mean that init took each for dead, and started the next."""
WITHOUT_THE_APP = r"""
kill -STOP $stopped
curl -s --noproxy '*' --max-time 2 "http://127.0.0.1:$port/"
kill -CONT $stopped
"""
"""What the proxy's port says while the app is stopped: nothing, if it is a proxy and not another app."""
APP = ("The app is told by variables of its environment where to listen and what to say.", "/usr/bin/env PORT=… GREETING=… python3 …")
PROXY = ("haproxy is there: a frontend that binds the port, a backend with one server.", "haproxy -c -f FILE tells what is wrong.")
AGENT = ("/proc/uptime has the number.", "socat can listen on a port, fork, and EXEC a program for whoever asks.")
RESPAWN = (
    "init adopts whoever is left alone; it starts again only who is on its list.",
    "A line ::respawn: in /etc/inittab, and kill -HUP 1 so that init reads it.",
)


def draw(dice: Dice, key: str) -> Mapping[str, Value]:  # noqa: ARG001
    """Three ports, and what the app is to say."""
    port, app, agent = dice.ports(3)
    return {"port": port, "app_port": app, "agent_port": agent, "greeting": f"hello-{dice.nonce()}"}


@check("vms.box", kind="program", parts=6, draw=draw, prepare=prepare, machines=("web",))
def box(machine: Machine, task: Task) -> Iterator[Fact]:  # noqa: ARG001
    """Run the app, a proxy in front of it and an agent beside it on one machine, so that each of them comes back when it dies."""
    web = task.machines["web"]
    ports = (task.app_port, task.port, task.agent_port)
    found = look_when_started(web, *ports, good=lambda seen: all(_good(task, port, seen[port]) for port in ports))
    app, proxy, agent = (found[port] for port in ports)
    serves = app.page("greeting") == task.greeting and not app.contained
    yield Fact("the app", serves, app.words, (_about_app(task, app, named=found.named), *APP))
    passes = serves and proxy.page("greeting") == task.greeting and not app.processes & proxy.processes and not proxy.contained
    stopped = " ".join(map(str, app.processes))
    alone = passes and task.greeting in web.sh(f"stopped='{stopped}' port={task.port}\n{WITHOUT_THE_APP}").stdout
    yield Fact("the proxy", passes and not alone, proxy.words, (_about_proxy(task, app, proxy, alone=alone), *PROXY))
    fresh, hint = _uptime(agent)
    saw = f"says {' '.join(agent.said[:-1])[:40] or 'nothing'}" if agent.processes else agent.words
    yield Fact("the agent", fresh, saw, (hint.format(port=task.agent_port), *AGENT))

    good = {"the app": serves, "the proxy": passes and not alone, "the agent": fresh}
    yield from _killed(web, task, good, found)


def _killed(web: Machine, task: Task, good: Mapping[str, bool], before: Ports) -> Iterator[Fact]:
    """Kill those of the three that are good, all at once, and wait until each is there again."""
    ports = {"the app": task.app_port, "the proxy": task.port, "the agent": task.agent_port}
    tried = [ports[name] for name, there in good.items() if there]
    back: set[int] = set()
    seen = before
    if tried:
        end(web, *tried)
        seen = _back(web, task, tried, before)
        back = {port for port in tried if _is_back(task, port, seen, before)}
    for name, port in ports.items():
        crowd = len(before[port].processes) > CROWD
        saw = "is back" if port in back else "stays dead" if good[name] else "not tried"
        if crowd:
            saw, hint = (
                f"{len(before[port].processes)} of them",
                "It goes into the background, so init takes it for dead, and starts another.",
            )
        elif good[name] and port not in back and seen[port].processes - before[port].processes:
            saw, hint = "is back, and says something else", f"{name.capitalize()} was started again, and does not say what it is to say."
            if name == "the agent":
                hint = f"{hint} {_uptime(seen[port])[1].format(port=port)}"
        elif good[name]:
            hint = f"{name.capitalize()} was killed, and {BACK_S} s later nobody had brought it back."
        else:
            hint = f"First, {name} is to be there."
        yield Fact(f"{name} is killed", port in back and not crowd, saw, (hint, *RESPAWN))


def _back(web: Machine, task: Task, ports: list[int], before: Ports) -> Ports:
    """The ports once all are good again, with other processes than before, or when the time is up."""

    def all_back(seen: Ports) -> bool:
        return all(_is_back(task, port, seen, before) for port in ports)

    return look_until("the programs to be back", all_back, lambda: look_at(web, *ports), timeout_s=BACK_S, every_s=0.5)


def _is_back(task: Task, port: int, seen: Ports, before: Ports) -> bool:
    return _good(task, port, seen[port]) and not seen[port].processes & before[port].processes


def _good(task: Task, port: int, seen: Port) -> bool:
    return _uptime(seen)[0] if port == task.agent_port else seen.page("greeting") == task.greeting


def _uptime(agent: Port) -> tuple[bool, str]:
    """Whether the agent says for how many seconds the machine has been up; and a hint where it does not."""
    if not agent.processes:
        return False, "Nobody listens on port {port} of the machine."
    numbers = [float(number) for line in agent.said[:-1] for number in re.findall(r"\d+(?:\.\d+)?", line)]
    if len(numbers) > MANY:
        return False, "It says so many numbers that one of them would be right at any time."
    if agent.contained:
        return False, CONTAINED
    if any(agent.up_s - SLACK_S <= number <= agent.up_s + SLACK_S for number in numbers):
        return True, ""
    if len(numbers) <= 2 and any(agent.up_s - 3600 <= number <= agent.up_s for number in numbers):
        return False, "That is how long the machine was up a while ago. It is to look each time that it is asked."
    return False, "It is to say for how many seconds the machine is up, whatever it is asked."


def _about_app(task: Task, app: Port, *, named: bool) -> str:
    if not app.processes or app.contained:
        return why_nobody(task.app_port, named=named, container=app.contained)
    if app.page("greeting"):
        return "It runs, and says something else. A process has the environment of who started it, and init has hardly any."
    return f"Whoever listens on port {task.app_port} is not the app, or can't answer."


def _about_proxy(task: Task, app: Port, proxy: Port, *, alone: bool) -> str:
    if not proxy.processes or proxy.contained:
        return why_nobody(task.port, named=False, container=proxy.contained)
    if alone or app.processes & proxy.processes:
        return "The app was stopped for a moment, and this port answered all the same: it is another app, and no proxy in front of one."
    if proxy.page("status").startswith("5"):
        return f"It is there, and does not reach the app: that listens on port {task.app_port}."
    return f"Behind port {task.port} there is to be the app of port {task.app_port}, with its greeting."
