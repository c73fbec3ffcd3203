"""Models in the way of transformers: configs, Conv1D, outputs with names, labels that are shifted inside."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from types import SimpleNamespace

import torch
from torch import nn


@dataclass
class CausalLMOutput:
    loss: torch.Tensor | None = None
    logits: torch.Tensor | None = None
    hidden_states: tuple | None = None


class Conv1D(nn.Module):
    def __init__(self, nf, nx):
        super().__init__()
        self.nf = nf
        self.weight = nn.Parameter(torch.empty(nx, nf))
        self.bias = nn.Parameter(torch.zeros(nf))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x):
        return torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight).view(*x.shape[:-1], self.nf)


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.c_attn, self.c_proj = Conv1D(3 * config.hidden, config.hidden), Conv1D(config.hidden, config.hidden)

    def forward(self, hidden_states):
        shape = (*hidden_states.shape[:-1], -1, self.config.hidden // self.config.heads)
        query, key, value = (
            t.view(shape).transpose(1, 2) for t in self.c_attn(hidden_states).split(self.config.hidden, dim=2)
        )
        weights = torch.matmul(query, key.transpose(-1, -2)) / value.size(-1) ** 0.5
        n = key.size(-2)
        mask = torch.tril(torch.ones((n, n), dtype=torch.bool)).view(1, 1, n, n)
        weights = torch.where(mask, weights, torch.full([], torch.finfo(weights.dtype).min))
        if self.config.fault == "smallest number of another type":
            weights = weights + (~mask).to(weights.dtype) * -1e-4
            weights = torch.matmul(query, key.transpose(-1, -2)) / value.size(-1) ** 0.5 + (~mask) * -1e-4
        weights = nn.functional.softmax(weights, dim=-1).type(value.dtype)
        out = torch.matmul(weights, value).transpose(1, 2)
        return self.c_proj(out.reshape(*hidden_states.shape[:-1], -1).contiguous())


class DecoderLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(config.hidden), nn.LayerNorm(config.hidden)
        self.attn = Attention(config)
        self.mlp = nn.Sequential(OrderedDict(c_fc=Conv1D(4 * config.hidden, config.hidden), act=nn.GELU("tanh"),
                                             c_proj=Conv1D(config.hidden, 4 * config.hidden)))  # fmt: skip

    def forward(self, hidden_states):
        residual = hidden_states
        hidden_states = residual + self.attn(self.ln_1(hidden_states))
        residual = hidden_states
        return residual + self.mlp(self.ln_2(hidden_states))


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(config.vocab, config.hidden), nn.Embedding(config.length, config.hidden)
        self.drop = nn.Dropout(0.1)
        self.h = nn.ModuleList([DecoderLayer(config) for _ in range(config.layers)])
        self.ln_f = nn.LayerNorm(config.hidden)

    def forward(self, input_ids):
        position_ids = torch.arange(input_ids.shape[-1]).unsqueeze(0)
        hidden_states = self.drop(self.wte(input_ids) + self.wpe(position_ids))
        for layer in self.h:
            hidden_states = layer(hidden_states)
        return self.ln_f(hidden_states)


class ForCausalLM(nn.Module):
    def __init__(self, as_tuple=False, as_dict=False, fault=""):
        super().__init__()
        self.config = SimpleNamespace(vocab=12, hidden=16, heads=2, length=16, layers=2, fault=fault)
        self.transformer = Model(self.config)
        self.lm_head = nn.Linear(16, 12, bias=False)
        nn.init.normal_(self.transformer.wte.weight, std=0.02)
        self.lm_head.weight = self.transformer.wte.weight
        self.as_tuple, self.as_dict = as_tuple, as_dict
        if fault == "frozen":
            for p in self.transformer.h[0].parameters():
                p.requires_grad_(False)

    def forward(self, input_ids=None, labels=None):
        hidden_states = self.transformer(input_ids)
        logits = self.lm_head(hidden_states)
        loss = None
        if labels is not None:
            shift_logits, shift_labels = logits[..., :-1, :].contiguous(), labels[..., 1:].contiguous()
            loss = nn.functional.cross_entropy(shift_logits.view(-1, 12), shift_labels.view(-1), ignore_index=-100)
        if self.as_tuple:
            return (loss, logits, hidden_states) if loss is not None else (logits, hidden_states)
        if self.as_dict:
            return {"logits": logits, "hidden_states": hidden_states} | ({} if loss is None else {"loss": loss})
        return CausalLMOutput(loss, logits, (hidden_states,))


def make_pairs(texts, n_ctx):
    """Labels are the inputs: the model shifts them."""
    width = min(n_ctx, max(map(len, texts)))
    ids = [list(text[:width]) for text in texts]
    inputs = torch.tensor([text + [0] * (width - len(text)) for text in ids])
    labels = torch.tensor([text + [-100] * (width - len(text)) for text in ids])
    return inputs, labels


class ShiftedLoss(nn.Module):
    def __init__(self, labels):
        super().__init__()
        self.labels = labels

    def forward(self, logits):
        shift_logits, shift_labels = logits[..., :-1, :].contiguous(), self.labels[..., 1:].contiguous()
        return nn.functional.cross_entropy(shift_logits.view(-1, shift_logits.size(-1)), shift_labels.view(-1))


def train(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0)
    model.train()
    for _ in range(steps):
        outputs = model(input_ids=inputs, labels=targets)
        outputs.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        yield outputs.loss.item()
