"""Lesson 06: one name for a group that changes, and four ways from it to a member."""

from autograder.checks.services import ready, sticky, vip

__all__ = ["ready", "sticky", "vip"]
