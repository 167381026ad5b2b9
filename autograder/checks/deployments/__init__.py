"""Lesson 05: a template, a number of copies, and a loop that makes it so."""

from autograder.checks.deployments import canary, manifest, reconcile, rollback, rolling, scale, template

__all__ = ["canary", "manifest", "reconcile", "rollback", "rolling", "scale", "template"]
