"""A picture of what is really on a machine, and what keeps it up to date.

A picture is made in three steps.  ``snapshot`` looks at machines, and has what it found as plain data.  ``graph`` makes a networkx graph of
that: what is inside what, and what leads where.  ``elements``, ``svg`` and ``text`` draw the graph: for a browser, as a still picture, and
in words.  From the snapshot on there is no input and no output, so a new thing to draw can be tested without a machine.

``feed`` follows the engine's events (``events``) and takes a new snapshot whenever something has changed.  The live picture of these parts
is a widget, one layer up: ``lab.widgets.topology``.
"""
