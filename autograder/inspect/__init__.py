"""How a check looks: at containers and images, web pages, listeners, what a program does, and what the learner has answered."""

from autograder.inspect.answers import number, said, text, words
from autograder.inspect.containers import addresses, container, goes_on, image, never_started, state, task_container_lost
from autograder.inspect.processes import Listener, kill, listeners
from autograder.inspect.program import Ran, is_there, run
from autograder.inspect.waiting import look_until
from autograder.inspect.web import ASK, OF_THE_MACHINE, page

__all__ = [
    "ASK",
    "OF_THE_MACHINE",
    "Listener",
    "Ran",
    "addresses",
    "container",
    "goes_on",
    "image",
    "is_there",
    "kill",
    "listeners",
    "look_until",
    "never_started",
    "number",
    "page",
    "run",
    "said",
    "state",
    "task_container_lost",
    "text",
    "words",
]
