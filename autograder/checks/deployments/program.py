"""Running the learner's program on the box, with one word or number behind its name.

It may be a script for the shell, or any program that begins with ``#!``.  In Python it can use the course's own ``lab``, which is
therefore brought to the box.
"""

from __future__ import annotations

from collections.abc import Mapping

from autograder import inspect
from autograder.inspect import Ran
from lab.box.core.inside import inside_a_box
from lab.box.machine import Machine

RUN_S = 200
"""Seconds that a program may take: an emulated box needs four for each container."""


def bring_the_course(machine: Machine) -> None:
    """Copy the course's own code to the box, so that a program can import it; inside a box it is there."""
    if not inside_a_box():
        from lab.box.channel.kernel import put_course  # noqa: PLC0415  (what reaches a box from outside is not there inside one)

        put_course(machine)


def run(machine: Machine, program: str, argument: str | int, variables: Mapping[str, str]) -> Ran:
    """Run a program to its end, with one word or number behind its name, and variables that it finds set."""
    return inspect.run(machine, program, variables, RUN_S, argument=argument)


def in_words(ran: Ran) -> str:
    """What went wrong, in a sentence for the learner; empty if nothing."""
    if ran.hung:
        return f"It did not end within {RUN_S} s. What waits for something that never comes?"
    return f"It ended with {ran.code}, and said last: {ran.said or 'nothing'}" if ran.code else ""
