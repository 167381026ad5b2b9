"""Start a process that goes on when its starter ends: ``detach.py LOG PROGRAM ARGUMENT…`` prints its process id and ends.

Its parent is then the system's init, which collects it when it ends, whoever ended it.  It has a session of its own, so neither Ctrl-C nor
a closed terminal reaches it, and inherits the descriptors that were passed here.
"""

import os
import sys

if __name__ == "__main__":
    log, program = sys.argv[1:3]
    outputs = [(os.POSIX_SPAWN_OPEN, fd, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) for fd in (1, 2)]
    actions = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), *outputs]
    print(os.posix_spawn(program, sys.argv[2:], os.environ, file_actions=actions, setsid=True))  # noqa: T201
