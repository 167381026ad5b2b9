"""Lesson 00: what a check is, on the smallest thing that there is to check."""

from autograder.checks.start import greeting

__all__ = ["greeting"]
