"""The web address of a machine's port: text for programs, and a link for whoever reads a notebook."""

from __future__ import annotations

import html
import os
from typing import Self

PAGES_VARIABLE = "COURSE_PAGES"
"""Where Jupyter passes requests on to machines, such as ``/user/ada/box/``; set by ``lab.jupyter.box_pages``."""


class Address(str):
    """A web address.

    Args:
        address: reaches the port from this computer.
        page: the machine's name and the port, such as ``box/8080/``: what is below Jupyter's address for it.
    """

    __slots__ = ("page",)
    page: str

    def __new__(cls, address: str, page: str) -> Self:  # noqa: D102  (text is made here, and not in __init__)
        made = super().__new__(cls, address)
        made.page = page
        return made

    def _repr_html_(self) -> str:
        """A link: the browser need not be on the computer where the notebook runs, but it has found Jupyter."""
        pages = os.environ.get(PAGES_VARIABLE)
        there = html.escape(pages + self.page if pages else self)
        return f'<a href="{there}" target="_blank" rel="noopener">{there}</a>'
