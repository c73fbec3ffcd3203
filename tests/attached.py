"""Files of one's own, as somebody writes them, for what attaches to them."""

from __future__ import annotations

MODEL = """
import torch
from torch import nn


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(12, 8)
        self.first = nn.Linear(8, 16)
        self.second = nn.Linear(16, 12)

    def forward(self, ids):
        x = self.embed(ids)  # [batch, pos, d_model]
        hidden = torch.relu(self.first(x))
        logits = self.second(hidden)
        return logits


torch.manual_seed(0)
model = Tiny()
inputs = torch.tensor([[1, 2, 3, 4]])
tokenizer = "abcdefghijkl"
"""
LOSS = """

def loss(logits):
    return logits.pow(2).mean()
"""
