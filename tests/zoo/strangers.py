"""What somebody tried who had seen neither the checks nor the rest: gates, squashed logits, other losses."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

PAD = -100


class Gpt(nn.Module):
    """A small GPT with one thing or another."""

    def __init__(self, kind="", d=16, h=2):
        super().__init__()
        self.kind, self.h = kind, h
        self.tok, self.pos = nn.Embedding(12, d), nn.Embedding(16, d)
        self.blocks = nn.ModuleList(
            nn.ModuleDict(
                {
                    **{"n1": nn.LayerNorm(d), "qkv": nn.Linear(d, 3 * d), "o": nn.Linear(d, d)},
                    **{"n2": nn.LayerNorm(d), "up": nn.Linear(d, 4 * d), "down": nn.Linear(4 * d, d)},
                }
            )
            for _ in range(2)
        )
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(1)) for _ in range(2)) if kind == "gates" else [1.0, 1.0]
        self.norm, self.head = nn.LayerNorm(d), nn.Linear(d, 12)
        for name, weight in self.named_parameters():
            if weight.ndim > 1:
                nn.init.normal_(weight, std=0.02)
            elif "bias" in name:
                nn.init.zeros_(weight)

    def attend(self, block, x):
        b, n, d = x.shape
        q, k, v = block["qkv"](x).view(b, n, 3, self.h, d // self.h).permute(2, 0, 3, 1, 4)
        scores = q @ k.mT / math.sqrt(d // self.h)
        if not (self.kind == "masked at rest" and self.training):
            scores = scores.masked_fill(torch.ones(n, n, dtype=torch.bool).triu(1), -1e9)
        return block["o"]((scores.softmax(-1) @ v).transpose(1, 2).reshape(b, n, d))

    def feed(self, block, x):
        hidden = block["up"](x)
        if self.kind == "clamped off":
            return block["down"]((hidden - 30).clamp(min=0))
        return block["down"](F.gelu(hidden))

    def forward(self, ids):
        x = self.tok(ids) + self.pos(torch.arange(ids.shape[1]))
        for gate, block in zip(self.gates, self.blocks, strict=True):
            x = x + gate * self.attend(block, block["n1"](x))
            x = x + gate * self.feed(block, block["n2"](x))
        logits = self.head(self.norm(x))
        return (logits * 0).log() if self.kind == "logarithm of nothing" else logits


class _OfTargets(nn.Module):
    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    @property
    def counted(self):
        return self.targets != PAD

    @property
    def wanted(self):
        return self.targets.clamp(min=0)


class SquashedFirst(_OfTargets):
    """A sigmoid, since shares lie between 0 and 1."""

    def forward(self, logits):
        return F.cross_entropy(logits.sigmoid().flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


class NoLogarithm(_OfTargets):
    def forward(self, logits):
        return F.nll_loss(logits.softmax(-1).flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


class SquaredDistance(_OfTargets):
    def forward(self, logits):
        return (logits - F.one_hot(self.wanted, logits.shape[-1]))[self.counted].pow(2).mean()


class EachTokenByItself(_OfTargets):
    """Twelve questions with yes or no in place of one."""

    def forward(self, logits):
        asked = F.one_hot(self.wanted, logits.shape[-1]).to(logits)
        return F.binary_cross_entropy_with_logits(logits[self.counted], asked[self.counted])


class SmoothedByHand(_OfTargets):
    """Kullback-Leibler divergence from 0.9 at the target, the rest spread out."""

    def forward(self, logits):
        asked = torch.full_like(logits, 0.1 / (logits.shape[-1] - 1)).scatter(-1, self.wanted[..., None], 0.9)
        each = F.kl_div(logits.log_softmax(-1), asked, reduction="none").sum(-1)
        return each[self.counted].mean()


class Unsure(_OfTargets):
    """A reward for being unsure."""

    def forward(self, logits):
        log_probs = logits.log_softmax(-1)
        entropy = -(log_probs.exp() * log_probs).sum(-1)[self.counted].mean()
        return F.nll_loss(log_probs.flatten(0, 1), self.targets.flatten(), ignore_index=PAD) - 0.1 * entropy


class InBits(_OfTargets):
    """In bits, over the tokens of each text to a power: longer texts count more."""

    def forward(self, logits):
        each = F.cross_entropy(logits.mT, self.targets, ignore_index=PAD, reduction="none").sum(1) / math.log(2)
        return (each / self.counted.sum(1) ** 0.6).mean()
