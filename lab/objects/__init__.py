"""The objects of Kubernetes made by hand, small enough to be read in a lesson: a pod, a node, and a scheduler that decides what runs where.

A manifest's text is read (``manifest``) into a ``PodSpec`` (``spec``).  Its parts are ``metadata``, ``container`` (with ``env``,
``handler``, ``quantity`` and ``security``), ``volume``, and ``config``, which is a ConfigMap or a Secret.  ``options`` translates it for
the Docker Engine, ``volumes`` and ``pod`` make and remove it, a ``kubelet`` on the machine looks after it, and ``status`` tells how it is.
A lesson needs ``pod`` alone.

``node`` decides where pods go, without touching a machine; ``cluster`` carries out what was decided.

Two real tools are there to compare with: ``podman`` makes pods of the same manifests, and a ``swarm`` places them (``placement``).
"""
