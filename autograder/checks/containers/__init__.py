"""Lesson 02: a container is not a small machine, but the environment of one program."""

from autograder.checks.containers import graceful_stop, image, limits, process, two_processes, walls

__all__ = ["graceful_stop", "image", "limits", "process", "two_processes", "walls"]
