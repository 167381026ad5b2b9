"""Firewall rules that drop packets, and whom they concern.  No input and no output: what ``iptables-save -c`` and ``nft`` print is given.

A rule that names addresses or network cards concerns whoever has one of them; one that names none concerns everybody.  The rules by which
engines keep their own networks apart count only once they have dropped something.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Collection, Iterator

RULES = "iptables-save -c; echo ++; nft list ruleset"
"""For a shell: prints what ``dropping`` takes."""
ENGINES_OWN = re.compile(r"(?!DOCKER-USER)(DOCKER|NETAVARK|CNI)")
"""How the names of chains begin that an engine fills."""
ADDRESS = re.compile(r"\b\d+\.\d+\.\d+\.\d+(?:/\d+)?\b")


def dropping(printed: str, addresses: Collection[str] | None = None, cards: Collection[str] | None = None) -> list[str]:
    """The rules that drop or reject what somebody sends or is sent.

    Args:
        printed: by ``RULES``.
        addresses: IPv4, that it has; nothing where it has all of them, since the rules are those of its own network.
        cards: names of network cards through which it is reached; likewise.

    Returns:
        Each as it stands there, with how many packets it has dropped.
    """
    saved, _, nft = printed.partition("++\n")
    whom = _Whom(addresses, cards)
    return [*_of_iptables(saved, whom), *_of_nft(nft, whom)]


class _Whom:
    """Those whom a rule may concern."""

    def __init__(self, addresses: Collection[str] | None, cards: Collection[str] | None) -> None:
        self._addresses = None if addresses is None else [ipaddress.ip_address(address) for address in addresses]
        self._cards = cards

    def has_address(self, network: str, *, outside: bool = False) -> bool:
        """Whether it has an address in a network, or outside of it."""
        within = ipaddress.ip_network(network, strict=False)
        return self._addresses is None or any((address in within) != outside for address in self._addresses)

    def has_card(self, name: str, *, outside: bool = False) -> bool:
        """Whether it is reached through a card, or through another one."""
        return self._cards is None or any((card == name) != outside for card in self._cards)


def _of_iptables(saved: str, whom: _Whom) -> Iterator[str]:
    for line in saved.splitlines():
        if policy := re.match(r":(\S+) DROP \[(\d+):", line):
            yield _counted(f"{policy[1]}: whatever no rule accepts", int(policy[2]))
        rule = re.match(r"\[(\d+):\d+\] (-A (\S+).* -j (?:DROP|REJECT)\b.*)", line)
        if rule and (int(rule[1]) or not ENGINES_OWN.match(rule[3])) and _concerns(shlex.split(rule[2]), whom):
            yield _counted(rule[2], int(rule[1]))


def _concerns(words: list[str], whom: _Whom) -> bool:
    named = {"-s": whom.has_address, "-d": whom.has_address, "-i": whom.has_card, "-o": whom.has_card}
    found: dict[bool, list[bool]] = {True: [], False: []}
    for before, option, value in zip(["", *words], words, words[1:], strict=False):
        if option in named:
            found[option in ("-s", "-d")].append(named[option](value, outside=before == "!"))
    return all(any(answers) for answers in found.values() if answers)


def _of_nft(printed: str, whom: _Whom) -> Iterator[str]:
    table, chain = "", ""
    for line in map(str.strip, printed.splitlines()):
        if heading := re.match(r"(table|chain) (.*) \{", line):
            table, chain = (heading[2], "") if heading[1] == "table" else (table, heading[2])
        elif re.search(r"\b(drop|reject)\b", line):
            counted = re.search(r"packets (\d+)", line)
            addresses, cards = ADDRESS.findall(line), re.findall(r'[io]ifname "([^"]+)"', line)
            concerned = [any(map(whom.has_address, addresses))] * bool(addresses) + [any(map(whom.has_card, cards))] * bool(cards)
            if all(concerned) and "netavark" not in table:
                yield _counted(f"{table} {chain}: {line}", int(counted[1]) if counted else None)


def _counted(rule: str, packets: int | None) -> str:
    return rule if packets is None else f"{rule}  ({packets} packet{'' if packets == 1 else 's'} so far)"
