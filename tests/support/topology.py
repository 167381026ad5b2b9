"""The live picture on a page, as somebody sees it, and the hands that change what it shows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from lab.box.instances.box import Box

SOON_MS = 20_000
"""Within which the page shows what has happened."""
PLACES = """(root) => {
    const origin = root.querySelector('.stage').getBoundingClientRect();
    const place = (el) => {
        const { left, top, width } = el.getBoundingClientRect();
        return [left - origin.left, top - origin.top, width].map(Math.round);
    };
    const nodes = [...root.querySelectorAll('.node.pod, .node.container')].filter((el) => !el.matches('.is-gone'));
    return Object.fromEntries(nodes.map((el) => [el.querySelector(':scope > .head > b').textContent, place(el)]));
}"""
WALLS = "(el) => [...el.querySelectorAll(':scope > .walls > .wall')].map((wall) => [wall.textContent, wall.matches('.up')])"
BORDER = "(el) => { const style = getComputedStyle(el); return style.borderTopWidth + ' ' + style.borderTopStyle; }"
TOO_WIDE = """(root) => [root.closest('.jp-OutputArea-output'), document.documentElement, ...root.querySelectorAll('*')]
    .filter((el) => el.namespaceURI.endsWith('xhtml') && el.scrollWidth > el.clientWidth + 1 && getComputedStyle(el).display !== 'inline')
    .map((el) => `${el.tagName} ${el.className}: ${el.scrollWidth} in ${el.clientWidth}`)"""

LINES = r"""(root) => {
    const origin = root.querySelector('.stage').getBoundingClientRect(), bad = [];
    const units = [...root.querySelectorAll('.grid > .node, .deployment > .body > .node')].map((el) => {
        const { left, right, top, bottom } = el.getBoundingClientRect();
        return { left: left - origin.left, right: right - origin.left, top: top - origin.top, bottom: bottom - origin.top };
    });
    const ways = [...root.querySelectorAll('svg path')].flatMap((path) => {
        return [...path.getAttribute('d').matchAll(/M(\S+) (\S+)H(\S+)V([^M]+)/g)].map((way) => way.slice(1).map(Number));
    });
    for (const [x, y, side, end] of ways) {
        if (!units.some(({ left, top, bottom }) => Math.abs(left - x) < 1 && top < y && y < bottom)) bad.push(`nothing at ${x} ${y}`);
        for (const { left, right, top, bottom } of units) {
            const beside = side <= left || right <= side || bottom <= Math.min(y, end) || Math.max(y, end) <= top;
            if (!beside) bad.push(`a line through ${left} ${top}`);
        }
    }
    return [ways.length, ...bad];
}"""
FOCUSED = "() => document.activeElement?.matches('.node') ? document.activeElement.querySelector('b').textContent : ''"


@dataclass(frozen=True)
class View:
    """A live picture.

    Args:
        page: that has it.
        number: which one of those on the page.
    """

    page: Page
    number: int = 0

    @property
    def root(self) -> Locator:
        return self.page.locator(".kba").nth(self.number)

    @property
    def badge(self) -> Locator:
        return self.root.locator(".badge")

    @property
    def containers(self) -> Locator:
        return self.root.locator(".container:not(.is-gone)")

    def named(self, label: str) -> Locator:
        """The node with that label, such as ``web`` or ``pod web``."""
        return self.root.locator(f'.node:not(.is-gone):has(> .head > b:text-is("{label}"))')

    def says(self, label: str) -> Locator:
        """The line with its state."""
        return self.named(label).locator("> .head > span").first

    def shows(self, *labels: str) -> None:
        """Fails unless these are there soon."""
        for label in labels:
            expect(self.named(label)).to_be_visible(timeout=SOON_MS)

    def lacks(self, *labels: str) -> None:
        """Fails unless these are gone soon."""
        for label in labels:
            expect(self.named(label)).to_have_count(0, timeout=SOON_MS)

    def settled(self) -> None:
        """Wait until what has just changed is not marked any more, and what went has gone."""
        expect(self.root.locator(".is-gone, .is-new, .is-changed")).to_have_count(0)

    def places(self) -> dict[str, list[float]]:
        """Left, top and width of each pod and container, by label."""
        return dict(self.root.evaluate(PLACES))

    def walls(self, label: str) -> dict[str, bool]:
        """By kind, whether a wall is drawn between a container and those above it."""
        return dict(self.named(label).evaluate(WALLS))

    def border(self, label: str) -> str:
        """How a container's border is drawn, colour aside."""
        return str(self.named(label).locator("> .head").evaluate(BORDER))

    def too_wide(self) -> list[str]:
        """What does not fit: the page, or anything in the picture."""
        return list(self.root.evaluate(TOO_WIDE))

    def focused(self) -> str:
        """The label of the node that has the keyboard's focus; empty if none has."""
        return str(self.page.evaluate(FOCUSED))

    def lines(self) -> int:
        """How many lines there are; fails if one does not end at a pod or a container, or runs through one."""
        number, *bad = self.root.evaluate(LINES)
        assert bad == []
        return int(number)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)


def docker(box: Box, *args: str) -> str:
    """What the command line says when it is used from outside the box."""
    environment: Mapping[str, Any] = os.environ | {"DOCKER_HOST": box.docker_host}
    return subprocess.run(["docker", *args], env=environment, capture_output=True, text=True, check=True).stdout.strip()


def start(box: Box, name: str, *options: str, image: str = "base", command: tuple[str, ...] = ("sleep", "10000")) -> str:
    """Start a container, from outside the box; its id."""
    return docker(box, "run", "-d", "--name", name, *options, image, *command)


def clear(box: Box) -> None:
    """Remove all containers and networks."""
    if containers := docker(box, "ps", "-aq").split():
        docker(box, "rm", "-fv", *containers)
    docker(box, "network", "prune", "-f")
