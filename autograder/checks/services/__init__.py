"""Lesson 06: one name for a group, and the ways to it."""

from autograder.checks.services import dns, proxy, roster, stale

__all__ = ["dns", "proxy", "roster", "stale"]
