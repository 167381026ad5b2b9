"""One folder for each topic; a check looks at a machine and yields facts.

A teacher's private folder may hold checks, and a copy of ``nbgrader_config.py``, that were written when the framework's modules stood in
this folder.  So its former names still lead to them.
"""

import sys

from autograder import inspect
from autograder.framework import dice, fact, register, run, task

FORMER_NAMES = {"dice": dice, "fact": fact, "register": register, "run": run, "task": task, "tools": inspect}
sys.modules.update({f"{__name__}.{name}": module for name, module in FORMER_NAMES.items()})
