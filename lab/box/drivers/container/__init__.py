"""The ``container`` backend: one container per machine, on a Docker engine that the learner already has."""
