"""Lesson 01: a machine of its own was the unit of deployment, and what that cost."""

from autograder.checks.vms import box, cost, fleet, golden_image

__all__ = ["box", "cost", "fleet", "golden_image"]
