"""A whole model in fewer bits, after its training (PTQ): every matrix quantised, and measured against what it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace

from torch import Tensor, nn

from lmviz.model.checkpoint import Checkpoint
from lmviz.quantise.packing import bytes_on_disk
from lmviz.quantise.quantised import Quantised, quantise
from lmviz.quantise.scheme import Scheme


@dataclass(frozen=True, eq=False)
class QuantisedModel:
    """A model that computes in FP32 with the numbers that come back from the codes."""

    scheme: Scheme
    checkpoint: Checkpoint  # ready to run, generate, record
    weights: Mapping[str, Quantised]  # by the name of the parameter
    kept: Mapping[str, Tensor]  # what stays in FP32: for whole-number formats biases, scales and shifts

    @property
    def n_bytes(self) -> int:
        """By formula: the quantised weights, and 4 bytes for each number that is kept as it was."""
        return sum(weight.n_bytes for weight in self.weights.values()) + 4 * sum(t.numel() for t in self.kept.values())

    @property
    def n_bytes_before(self) -> int:
        """By formula: 4 bytes for each number."""
        return 4 * sum(tensor.numel() for tensor in (*(w.original for w in self.weights.values()), *self.kept.values()))

    def stored(self) -> dict[str, Tensor]:
        """The tensors of a file that holds this model."""
        parts = {f"{name}.{part}": t for name, weight in self.weights.items() for part, t in weight.stored().items()}
        return {**parts, **self.kept}

    def measured_bytes(self) -> int:
        """The length of that file, names and shapes included."""
        return bytes_on_disk(self.stored())


def quantise_model(checkpoint: Checkpoint, scheme: Scheme) -> QuantisedModel:
    """Quantise a copy of a model; the original is left as it is. Tied matrices are one, and stay so.

    Formats of whole numbers take matrices only, embeddings included: the few other numbers matter more than they weigh.
    """
    model = deepcopy(checkpoint.model)
    weights: dict[str, Quantised] = {}
    kept: dict[str, Tensor] = {}
    copies = dict(model.named_parameters())
    for name, parameter in checkpoint.model.named_parameters():
        if _is_quantised(parameter, scheme):
            weights[name] = quantise(parameter, scheme)
            copies[name].data = weights[name].restored.to(parameter.dtype)  # one memory for both: models can be large
        else:
            kept[name] = parameter.detach().float()
    return QuantisedModel(scheme, replace(checkpoint, model=model), weights, kept)


def _is_quantised(parameter: Tensor, scheme: Scheme) -> bool:
    return parameter.ndim > 1 or not scheme.is_integer


def matrices(model: nn.Module) -> Iterator[tuple[nn.Module, str]]:
    """Every module with the name of each matrix of its own: tied ones come up in each module that has them."""
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.ndim > 1:
                yield module, name
