"""Deployment patterns by hand, small enough to be read in a lesson: a pod, a node, and what decides which runs where.

A manifest's text becomes a mapping (``manifest``), and that, read by its ``fields``, a ``PodSpec`` (``spec``, with ``container`` and
``quantity``).  ``options`` says it in the engine's words, ``pod`` makes it and is all that a lesson needs to know, ``status`` is how it is.
``node`` decides where pods go, without touching a machine; ``cluster`` does what was decided.  Engines that exist, to compare with:
``podman`` plays the manifests, and a ``swarm`` places the pods (``placed``).
"""
