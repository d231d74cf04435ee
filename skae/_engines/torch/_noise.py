"""Noise of an objective, and of layers that draw their own."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

_TURN = threading.Lock()


class Requests(dict):
    """What noise a step asks for. It gets zeros."""

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self._device = device

    def __missing__(self, request: tuple) -> torch.Tensor:
        self[request] = torch.zeros(request[1], device=self._device)
        return self[request]


def drawn(requests: list[tuple], device: torch.device, *seed: int) -> list:
    """Return the noise of a batch: a tensor for each kind, shape and stream."""
    noise = []
    for kind, shape, stream in requests:
        generator = torch.Generator(device).manual_seed(_number(*seed, stream))
        draw = torch.randn if kind == "normal" else torch.rand
        noise.append(draw(shape, generator=generator, device=device))
    return noise


@contextmanager
def seeded_layers(device: torch.device, *seed: int) -> Iterator[None]:
    """Seed the layers that draw noise inside. Leave PyTorch's generators as they were.

    Keras' dropout draws from these. Threads take turns, because they share them.
    """
    devices: list[Any] = [] if device.type == "cpu" else [device]
    with _TURN, torch.random.fork_rng(devices, device_type=device.type):
        torch.manual_seed(_number(*seed))
        yield


def _number(*seed: int) -> int:
    """Return one well mixed number."""
    return int(np.random.SeedSequence(seed).generate_state(1)[0])
