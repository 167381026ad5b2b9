"""The objects of Kubernetes made by hand, small enough to be read in a lesson: a pod, a node, and a scheduler that decides what runs where.

A manifest's text becomes a mapping (``manifest``).  That is read field by field (``fields``, with the ``position`` of each) into a
``PodSpec`` (``spec``, with ``container`` and ``quantity``).  ``options`` translates it for the Docker Engine, ``pod`` makes and removes the
pod, and ``status`` tells how it is.  A lesson needs ``pod`` alone.

``node`` decides where pods go, without touching a machine; ``cluster`` carries out what was decided.

Two real tools are there to compare with: ``podman`` makes pods of the same manifests, and a ``swarm`` places them (``placement``).
"""
