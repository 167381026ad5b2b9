"""Lesson 04: one machine runs many pods, and stops mattering."""

from autograder.checks.nodes import density, drain, failure, packing

__all__ = ["density", "drain", "failure", "packing"]
