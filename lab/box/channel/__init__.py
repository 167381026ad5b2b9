"""The way from the learner's computer into a machine: the Docker API, SSH, web pages and kernels, over unix sockets in a private directory.

The only TCP ports are for web pages: on 127.0.0.1, each with a password.
"""
