"""Lesson 06: one name for a group that changes, and the ways from it to a member."""

from autograder.checks.services import dns, proxy, ready, roster, stale, sticky, vip

__all__ = ["dns", "proxy", "ready", "roster", "stale", "sticky", "vip"]
