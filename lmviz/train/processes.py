"""The processes that train one model together, as `torchrun` starts them; without it, one that is alone.

Each takes its part of every batch, and torch's DistributedDataParallel adds their gradients up, so that every process
moves the same weights in the same way: the curve is that of one process with the whole batch.

Source: Li et al. 2020, "PyTorch distributed: experiences on accelerating data parallel training".
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from lmviz.train.data import IGNORED, Windows


class ProcessLost(Exception):
    """Another process of the training is gone; the step that was under way has moved no weight."""


@dataclass(frozen=True)
class Processes:
    """One process among `n_processes`."""

    rank: int = 0
    n_processes: int = 1
    device: torch.device = torch.device("cpu")  # noqa: RUF009 - it never changes

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def joined(self, model: nn.Module) -> nn.Module:
        """The model whose backward pass adds up the gradients of all processes; itself if this one is alone."""
        model.to(self.device)
        if self.n_processes == 1:
            return model
        with lost_processes_named():
            return nn.parallel.DistributedDataParallel(model)

    def part_of(self, batch: Windows) -> Windows:
        """Every so many-th window. Where there are fewer windows than processes: one in which nothing is asked."""
        part = batch[slice(self.rank, None, self.n_processes)]
        if not len(part):
            part = Windows(batch.inputs[:1], torch.full_like(batch.targets[:1], IGNORED))
        return part.to(self.device)

    def loss_of(self, logits: Tensor, targets: Tensor, n_targets: int) -> Tensor:
        """This process's part of the mean loss in nats over the batch's `n_targets` targets, times the processes.

        The factor is there because torch takes the mean of the processes' gradients.
        """
        total = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum")
        return total * (self.n_processes / n_targets)

    def mean(self, loss: Tensor) -> Tensor:
        """The mean over all processes of what each has measured."""
        found = loss.detach().clone()
        if self.n_processes > 1:
            distributed.all_reduce(found)
        return found / self.n_processes


ALONE = Processes()


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    """This process's place among those that `torchrun` started; on the graphics cards if there is one for each."""
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    local, n_local = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    on_cards = torch.cuda.is_available() and torch.cuda.device_count() >= n_local
    device = torch.device("cuda", local) if on_cards else torch.device("cpu")
    if on_cards:
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if on_cards else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        with contextlib.suppress(RuntimeError):  # the others may be gone
            distributed.destroy_process_group()


@contextlib.contextmanager
def lost_processes_named() -> Iterator[None]:
    """What torch raises when another process is gone, as a `ProcessLost`."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if isinstance(error, distributed.DistError) or "gloo" in text or "NCCL" in text:
            raise ProcessLost(text) from error
        raise
