"""The rubric that lessons are held to, as far as it can be counted: ``make rubric``.

``lesson`` has a lesson as it stands in its notebook, ``tasks`` and ``widgets`` what can be told of its checks and its widgets, ``points``
the measures.  They look at text and at classes, and run nothing.  It stands above the layers: nothing of the course imports it.
"""
