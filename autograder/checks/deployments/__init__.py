"""Lesson 05: a template, a number of copies, and a loop that makes it so."""

from autograder.checks.deployments import reconcile, rollback, rolling

__all__ = ["reconcile", "rollback", "rolling"]
