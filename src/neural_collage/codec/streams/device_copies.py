"""Copies of a network on other devices."""

from copy import deepcopy
from typing import Generic, TypeVar

from torch import nn

M = TypeVar("M", bound=nn.Module)


class DeviceCopies(Generic[M]):
    """A network on the CPU, copied to each other device when it is first used there."""

    def __init__(self, network: M) -> None:
        self._copies = {"cpu": network}

    def on(self, device: str) -> M:
        """The network on a device."""
        if device not in self._copies:
            self._copies[device] = deepcopy(self._copies["cpu"]).to(device)
        return self._copies[device]
