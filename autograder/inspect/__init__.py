"""How a check looks: at containers and images, at web pages, at who listens on a port, and at what the learner has answered."""

from autograder.inspect.answers import number, said, text, words
from autograder.inspect.containers import addresses, container, goes_on, image, never_started, state, task_container_lost
from autograder.inspect.processes import Listener, kill, listeners
from autograder.inspect.waiting import look_until
from autograder.inspect.web import ASK, OF_THE_MACHINE, page

__all__ = [
    "ASK",
    "OF_THE_MACHINE",
    "Listener",
    "addresses",
    "container",
    "goes_on",
    "image",
    "kill",
    "listeners",
    "look_until",
    "never_started",
    "number",
    "page",
    "said",
    "state",
    "task_container_lost",
    "text",
    "words",
]
