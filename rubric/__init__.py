"""Measures how well each lesson keeps the rubric, the list of points that a good lesson has; ``make rubric`` prints the result.

``lesson`` reads a lesson from its notebook.  ``tasks`` finds out what checks and their tests cover, ``widgets`` what the widgets lack.
``points`` measures each point.  All of it looks at source text and at classes, and runs nothing.  Nothing of the course imports this
package.
"""
