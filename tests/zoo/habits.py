"""Small modules in the habits that people have, each with inputs, and the names that its steps should have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import einops
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tests.zoo import (
    annotated,
    huggingface_like,
    later_models,
    lecture,
    mingpt_like,
    modern,
    nanogpt_like,
    other_kinds,
    torch_nn,
)
from tests.zoo.entry import V

IDS = torch.arange(12).reshape(2, 6) % V


@dataclass(frozen=True)
class Habit:
    """A model and what it reads; `names` are addresses that its recording has, `stages` kinds that it has."""

    make: Callable[[], Callable[..., Any]]
    inputs: Callable[[], tuple[Any, ...]] = lambda: (IDS,)
    names: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    raises: bool = False


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.head = nn.Linear(48, 5)

    def forward(self, image):
        x = F.max_pool2d(F.relu(self.norm(self.conv(image))), 2)
        return self.head(x.flatten(1))


class Einops(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.qkv = nn.Embedding(V, 8), nn.Linear(8, 24, bias=False)

    def forward(self, ids):
        q, k, v = einops.rearrange(self.qkv(self.embed(ids)), "b t (n h d) -> n b h t d", n=3, h=2)
        scores = torch.einsum("bhqd,bhkd->bhqk", q, k) * 4**-0.5
        pattern = scores.masked_fill(torch.ones(6, 6).triu(1).bool(), float("-inf")).softmax(-1)
        return einops.rearrange(pattern @ v, "b h t d -> b t (h d)")


class Inline(nn.Module):
    """All in one forward, parameters in a dict, a loop over layers."""

    def __init__(self):
        super().__init__()
        self.w = nn.ParameterDict({name: nn.Parameter(torch.randn(8, 8) * 0.3) for name in ("q", "k", "v", "o")})
        self.table = nn.Parameter(torch.randn(V, 8))

    def forward(self, ids):
        x = self.table[ids]
        for _ in range(2):
            q, k, v = x @ self.w["q"], x @ self.w["k"], x @ self.w["v"]
            att = F.softmax(q @ k.mT / 8**0.5 + torch.full((6, 6), float("-inf")).triu(1), dim=-1)
            x = x + att @ v @ self.w["o"]
        return x @ self.table.T


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(V, 8), nn.Linear(8, V, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        return self.head(self.embed(ids))


def hooked():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    model[0].register_forward_hook(lambda module, given, out: out * 2)
    model[1].register_forward_pre_hook(lambda module, given: (given[0] + 1,))
    return model


class Symmetric(nn.Module):
    def forward(self, x):
        return x.triu() + x.triu(1).mT


def parametrized():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    parametrize.register_parametrization(model[1], "weight", Symmetric())
    return model


class Generating(nn.Module):
    """Layers from a generator, and results from a list comprehension."""

    def __init__(self):
        super().__init__()
        self.parts = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def walk(self, rows):
        for part in self.parts:
            rows = torch.tanh(part(rows))
            yield rows

    def forward(self, x):
        seen = [one for one in self.walk(x)]
        return torch.stack(seen).sum(0)


class Raises(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 3), nn.Linear(4, 2)

    def forward(self, x):
        hidden = self.first(x)
        return self.second(hidden)


class GivesUp(nn.Module):
    def forward(self, x):
        doubled = x * 2
        if doubled.shape[-1] != 3:
            raise ValueError("three, please")
        return doubled


def from_exec():
    names: dict[str, Any] = {"nn": nn, "torch": torch}
    exec("class Made(nn.Module):\n    def forward(self, x):\n        y = torch.exp(x)\n        return y - 1\n", names)
    return names["Made"]()


def function(x: Tensor, scale: Tensor) -> Tensor:
    scaled = x * scale
    return scaled.cumsum(-1)


class OfDicts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, batch, *, flag=True):
        hidden = self.layer(batch["x"]) if flag else batch["x"]
        return {"hidden": hidden, "mean": hidden.mean()}


class InPlace(nn.Module):
    def forward(self, x):
        x = x.clone()
        x += 1
        x[:, 0] = 0
        x.relu_().mul_(2)
        return x


class Counting(nn.Module):
    """A buffer that it changes, and a list that it keeps."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(()))
        self.seen = []

    def forward(self, x):
        self.seen.append(x)
        mean = x / x.sum()
        self.total += x.sum()
        return mean


class NamesAgain(nn.Module):
    """Its input, a weight and a buffer have their names taken by what is made of them."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((4,), 2.0))
        self.heads = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.register_buffer("count", torch.zeros(4))

    def forward(self, x, heads):
        y = x * heads
        x = y + 1
        weight = self.weight.exp()
        self.count += 1
        heads = (x * weight + self.count).chunk(2, dim=-1)
        heads = [part(head) for part, head in zip(self.heads, heads)]
        x.add_(1)
        return torch.cat(heads, dim=-1) * x * weight


class GrowingCache(nn.Module):
    """A cache of keys that is empty at first."""

    def __init__(self):
        super().__init__()
        self.key = nn.Linear(4, 4)

    def forward(self, x):
        cache = torch.zeros(1, 2, 0, 2)
        nothing = torch.empty(0)
        k = self.key(x).view(1, 3, 2, 2).transpose(1, 2)
        cache = torch.cat([cache, k], dim=2)
        none = cache[:, :0]
        scores = cache @ cache.mT
        return torch.cat([none, scores.softmax(-1) @ cache], dim=1), nothing


ROWS = lambda: (torch.linspace(-1, 1, 12).reshape(3, 4),)
LM = ("embeddings", "probabilities")
HABITS: dict[str, Habit] = {
    "fused attention": Habit(nanogpt_like.gpt, stages=("embeddings", "scores", "softmax", "mlp")),
    "written-out attention": Habit(lambda: nanogpt_like.gpt(flash=False), stages=("embeddings", "scores", "softmax")),
    "minGPT": Habit(mingpt_like.GPT, stages=("softmax", *LM)),
    "heads in a list": Habit(lecture.GPTLanguageModel, stages=("softmax", *LM)),
    "bigrams": Habit(lecture.BigramLanguageModel),
    "transformers, named output": Habit(huggingface_like.ForCausalLM, stages=LM),
    "transformers, a tuple": Habit(lambda: huggingface_like.ForCausalLM(as_tuple=True), stages=LM),
    "nn.TransformerEncoder": Habit(torch_nn.EncoderLM, stages=("softmax", *LM)),
    "nn.MultiheadAttention": Habit(torch_nn.MultiheadLM, stages=("softmax", *LM)),
    "LSTM": Habit(torch_nn.Recurrent, stages=LM),
    "RNN by hand": Habit(torch_nn.RecurrentByHand, stages=LM),
    "Annotated Transformer": Habit(annotated.LanguageModel, stages=("softmax", *LM)),
    "einsum": Habit(modern.EinsumTransformer, stages=("softmax", *LM)),
    "einops": Habit(Einops, names=("q", "scores", "pattern"), stages=("scores", "softmax")),
    "Llama": Habit(modern.Llama, stages=("softmax", "norm", *LM)),
    "state space": Habit(modern.StateSpace, stages=LM),
    "one block, three times": Habit(modern.SharedBlock, stages=LM),
    "experts": Habit(later_models.Mixture, stages=LM),
    "all in one forward": Habit(Inline, names=("q", "att", "att#2"), stages=("scores", "softmax", "probabilities")),
    "tied weights": Habit(Tied, names=("embed", "head")),
    "a convolutional net": Habit(
        Conv, lambda: (torch.linspace(-1, 1, 64).reshape(1, 1, 8, 8),), ("conv", "norm", "x", "head")
    ),
    "hooks": Habit(hooked, ROWS, ("0", "1")),
    "parametrizations": Habit(parametrized, ROWS, ("1",)),
    "generators": Habit(Generating, ROWS, ("parts.0", "parts.2")),
    "a layer that does not fit": Habit(Raises, ROWS, ("hidden",), raises=True),
    "Python that raises": Habit(GivesUp, ROWS, ("doubled",), raises=True),
    "from exec": Habit(from_exec, ROWS),
    "a function": Habit(lambda: function, lambda: (*ROWS(), torch.tensor(2.0)), ("scaled",)),
    "dicts": Habit(OfDicts, lambda: ({"x": ROWS()[0]},), ("hidden",)),
    "in place": Habit(InPlace, ROWS, ("x",)),
    "state of its own": Habit(Counting, ROWS),
    "names given again": Habit(NamesAgain, lambda: (*ROWS(), torch.ones(3, 4)), ("x", "x#2", "weight#2")),
    "a cache that is empty at first": Habit(GrowingCache, ROWS, ("cache", "cache#2"), stages=("scores", "softmax")),
    "diffusion": Habit(
        other_kinds.Denoiser, lambda: (torch.linspace(-1, 1, 16).reshape(2, 1, 8), torch.tensor([3, 70])), ("norm", "h")
    ),
    "joint embeddings": Habit(
        other_kinds.Jepa,
        lambda: (torch.linspace(-1, 1, 16).reshape(1, 1, 4, 4), torch.tensor([0, 3])),
        ("goal", "pred"),
        ("qkv", "scores", "softmax", "residual", "norm", "mlp"),
    ),
    "RWKV": Habit(other_kinds.Rwkv, stages=("residual", "logits", *LM)),
    "ALiBi": Habit(other_kinds.Alibi, names=("y.masked",), stages=("qkv", "scores", "residual", "logits", *LM)),
    "mixture of depths": Habit(other_kinds.FewTokens, stages=("norm", "residual", "logits", *LM)),
    "learned queries": Habit(other_kinds.Perceiver, stages=LM),
    "heads by vmap": Habit(other_kinds.HeadsByVmap, names=("scores", "pattern"), stages=LM),
    "a bias that layers share": Habit(
        other_kinds.SharedBias,
        lambda: (torch.tensor([[1, 2, 3, 4]]),),  # of one text the scores have the shape of the bias
        ("scores#4",),
        ("qkv", "scores", "residual", "mlp", "logits", *LM),
    ),
    "one layer until it halts": Habit(other_kinds.Universal, stages=("qkv", "residual", "mlp", "logits", *LM)),
}
