"""A container that says a greeting: the first task that a learner meets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from autograder.framework.dice import Dice
from autograder.framework.fact import Fact
from autograder.framework.register import check
from autograder.framework.task import Task, Value
from autograder.inspect import container, page, state
from lab.box.machine import Machine

PATIENCE_S = 5


def draw(dice: Dice, key: str) -> Mapping[str, Value]:
    """A name for a container, and what it is to say."""
    return {"container": f"{key}-app", "greeting": f"hello-{dice.nonce(4)}"}


@check("start.greeting", kind="state", parts=2, draw=draw, graded=False)
def greeting(machine: Machine, task: Task) -> Iterator[Fact]:
    """Start a container that says a greeting of your own."""
    found = container(machine, task.container)
    running = found is not None and state(found) == "running"
    hint = f"It is to be called {task.container}, and to go on running."
    name = ("The cell above that starts c00-hello does nearly the same.", "docker run -d --name NAME … app:v1")
    yield Fact("your container", running, state(found), (hint, *name))
    if not found or not running:
        return
    said = page(machine, int(found["State"]["Pid"]), 8080, patience_s=PATIENCE_S)
    words = dict(line.partition(": ")[::2] for line in said.splitlines()).get("greeting", "nothing")
    hint = "The app says what its variable GREETING holds. A container that runs keeps its variables: start another in its place."
    variable = ("docker run has an option for a variable; c00-hello got BOX that way.", "docker run -d --name NAME -e GREETING=WORD app:v1")
    yield Fact("what it says", words == task.greeting, words[:60], (hint, *variable))
