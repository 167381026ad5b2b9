"""Lesson 03: a pod is containers that lack some of the walls between them, and live as one."""

from autograder.checks.pods import init, lifecycle, localhost, manifest, port_clash, shared_pid, shared_walls, sidecar_logs

__all__ = ["init", "lifecycle", "localhost", "manifest", "port_clash", "shared_pid", "shared_walls", "sidecar_logs"]
