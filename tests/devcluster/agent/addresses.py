"""Handing out pod addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network


class Pool:
    """Addresses of one network; the one that was freed longest ago comes first.

    A freshly freed address is not used at once: somebody may still hold a connection to it.
    """

    def __init__(self, network: str) -> None:
        self._network = IPv4Network(network)
        self._next = int(self._network.network_address) + 1
        self._free: dict[str, None] = {}
        self._used: set[str] = set()

    def take(self, wanted: str | None = None) -> str:
        """An unused address: the wanted one, which may lie outside the network, when nobody has it.

        Raises:
            RuntimeError: all are in use.
        """
        if wanted is not None and wanted not in self._used:
            self._free.pop(wanted, None)
            self._used.add(wanted)
            return wanted
        last = int(self._network.broadcast_address) - 1
        while self._next <= last:
            address = str(IPv4Address(self._next))
            self._next += 1
            if address not in self._used:
                self._used.add(address)
                return address
        if not self._free:
            raise RuntimeError(f"all addresses of {self._network} are in use")
        address = next(iter(self._free))
        del self._free[address]
        self._used.add(address)
        return address

    def give_back(self, address: str) -> None:
        """The address is free again."""
        if address in self._used:
            self._used.remove(address)
            if IPv4Address(address) in self._network:
                self._free[address] = None
