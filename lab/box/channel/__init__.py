"""The one way into a machine, and what goes through it: the Docker API, SSH, web pages, kernels.  No port listens without a key."""
