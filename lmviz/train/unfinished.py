"""A training that was cut short: its weights and the optimiser's memory, in the folder that it would have made."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from lmviz.errors import UserError
from lmviz.model.files import read_bytes, write_whole
from lmviz.model.weights import SINGLE_FILE
from lmviz.train.state import restore, tensors_of
from lmviz.train.store.files import digest, read_tensors, tensors_as_bytes

NAME = "unfinished.safetensors"


@dataclass(frozen=True)
class Unfinished:
    """Where the state of one training is kept between two sittings."""

    path: Path
    recipe: str  # the digest of the recipe's text: another recipe can't go on from here

    @classmethod
    def of(cls, recipe: Path, out: Path) -> Unfinished:
        return cls(out / NAME, digest(read_bytes(recipe)))

    def write(self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, process: int = 0) -> None:
        """Keep what `step` left behind; whole or not at all, whichever of several processes writes it."""
        facts = {"step": str(step), "recipe": self.recipe}
        own = self.path.with_name(f"{process}.{NAME}")
        write_whole(own, tensors_as_bytes(tensors_of(model, optimizer), facts))
        os.replace(own, self.path)

    def read(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> int:
        """Put the state back; returns the number of steps that are done.

        Raises:
            UserError: there is none, it is damaged, or it is that of another recipe.
        """
        if not self.path.is_file():
            if (self.path.parent / SINGLE_FILE).is_file():
                raise UserError(
                    "There is nothing left to go on with: the model in {folder} is finished. To train it on, name that "
                    "folder as start in the [model] of a recipe; to train it anew, leave --resume out.",
                    folder=self.path.parent.absolute(),
                )
            raise UserError(
                "There is no training to go on with: {file} does not exist. Start without --resume.", file=self.path
            )
        tensors, facts = read_tensors(self.path)
        if facts.get("recipe") != self.recipe:
            raise UserError(
                "{file} must be of this very recipe, to go on with it; it is of another: take that one, or delete the "
                "file.",
                file=self.path,
            )
        restore(model, tensors, optimizer)
        return int(facts["step"])

    def check_absent(self) -> None:
        """Raises a UserError if a training that was cut short would be lost."""
        if self.path.exists():
            raise UserError(
                "A training that was cut short lies in {file}: go on with --resume, or delete the file to begin anew.",
                file=self.path,
            )

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
