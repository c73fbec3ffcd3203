"""Language models from torch's own parts, as in its tutorials and on forums."""

from __future__ import annotations

import math

import torch
from torch import nn


class PositionalEncoding(nn.Module):
    def __init__(self, d_model, dropout=0.1, max_len=64, batch_first=True):
        super().__init__()
        self.dropout, self.batch_first = nn.Dropout(p=dropout), batch_first
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe.unsqueeze(0 if batch_first else 1))

    def forward(self, x):
        return self.dropout(x + (self.pe[:, : x.size(1)] if self.batch_first else self.pe[: x.size(0)]))


class EncoderLM(nn.Module):
    """nn.TransformerEncoder with a mask."""

    def __init__(self, norm_first=False, mask="bool", dropout=0.1, pads=False, activation="relu"):
        super().__init__()
        self.embed, self.pos = nn.Embedding(12, 16), PositionalEncoding(16, dropout)
        layer = nn.TransformerEncoderLayer(
            16, 2, 32, dropout, activation=activation, batch_first=True, norm_first=norm_first
        )
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(16, 12)
        self.kind, self.pads = mask, pads
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.uniform_(p, -0.1, 0.1)

    def mask(self, n):
        match self.kind:
            case "bool":
                return torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=1)
            case "float":
                return nn.Transformer.generate_square_subsequent_mask(n)
            case "zeros and ones":
                return (
                    torch.tril(torch.ones(n, n))
                    .masked_fill(torch.tril(torch.ones(n, n)) == 0, float("-inf"))
                    .masked_fill(torch.tril(torch.ones(n, n)) == 1, 0.0)
                )
            case "inverted":
                return torch.tril(torch.ones(n, n, dtype=torch.bool), diagonal=-1)
            case "itself hidden":
                mask = torch.triu(torch.ones(n, n, dtype=torch.bool), diagonal=0)
                mask[0, 0] = False
                return mask
            case "numbers in place of a mask":
                return torch.tril(torch.ones(n, n))
        return None

    def forward(self, src):
        x = self.pos(self.embed(src) * math.sqrt(16))
        hidden = (src == 0).cumsum(1) > 1 if self.pads else None  # what follows the first end is filler
        x = self.encoder(x, mask=self.mask(src.size(1)), src_key_padding_mask=hidden)
        return self.out(x)


class SequenceFirst(nn.Module):
    """As in the tutorial on word language models: [pos, batch] in, [pos, batch, d_vocab] out."""

    def __init__(self):
        super().__init__()
        self.encoder, self.pos_encoder = nn.Embedding(12, 16), PositionalEncoding(16, batch_first=False)
        self.transformer = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(16, 2, 32, 0.1), 2, enable_nested_tensor=False
        )
        self.decoder = nn.Linear(16, 12)
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)
        nn.init.uniform_(self.decoder.weight, -0.1, 0.1)

    def forward(self, src):
        mask = torch.log(torch.tril(torch.ones(len(src), len(src))))
        x = self.pos_encoder(self.encoder(src) * math.sqrt(16))
        return self.decoder(self.transformer(x, mask=mask))


class MixedUp(nn.Module):
    """Text first in, text first out, and a part in the middle that takes positions for texts."""

    def __init__(self, kind="encoder"):
        super().__init__()
        self.embed, self.pos = nn.Embedding(12, 16), nn.Embedding(16, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False) if kind == "encoder" else nn.GRU(16, 16)
        self.out = nn.Linear(16, 12)
        self.kind = kind

    def forward(self, ids):
        x = self.embed(ids) + self.pos(torch.arange(ids.shape[1]))
        if self.kind == "encoder":
            return self.out(self.body(x, mask=torch.triu(torch.ones(len(ids), len(ids), dtype=torch.bool), 1)))
        return self.out(self.body(x)[0])


class MultiheadBlock(nn.Module):
    def __init__(self, d, heads, fault=""):
        super().__init__()
        self.attn = nn.MultiheadAttention(d, heads, dropout=0.1, batch_first=True)
        self.norm1 = nn.LayerNorm(d)
        self.norm2 = nn.LayerNorm(d)
        self.ff = nn.Sequential(nn.Linear(d, 4 * d), nn.ReLU(), nn.Linear(4 * d, d), nn.Dropout(0.1))
        self.fault = fault

    def forward(self, x):
        n = x.size(1)
        h = self.norm1(x)
        mask = nn.Transformer.generate_square_subsequent_mask(n)
        if self.fault == "no mask":
            mask = None
        a, _ = self.attn(h, h, h, attn_mask=mask, need_weights=False)
        x = x + a
        return x + self.ff(self.norm2(x))


class MultiheadLM(nn.Module):
    def __init__(self, fault=""):
        super().__init__()
        self.token, self.position = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.layers = nn.ModuleList(MultiheadBlock(16, 4, fault) for _ in range(2))
        self.norm, self.head = nn.LayerNorm(16), nn.Linear(16, 12)

    def forward(self, ids):
        x = self.token(ids) + self.position.weight[: ids.size(1)]
        for layer in self.layers:
            x = layer(x)
        return self.head(self.norm(x))


class Recurrent(nn.Module):
    """LSTM, GRU or plain, batch first; with or without the state in what it returns."""

    def __init__(self, kind=nn.LSTM, state=False, bidirectional=False, layers=2):
        super().__init__()
        self.embed = nn.Embedding(12, 16)
        self.rnn = kind(
            16, 24, layers, batch_first=True, dropout=0.1 if layers > 1 else 0.0, bidirectional=bidirectional
        )
        self.fc = nn.Linear(48 if bidirectional else 24, 12)
        self.state = state

    def forward(self, x, hidden=None):
        out, hidden = self.rnn(self.embed(x), hidden)
        logits = self.fc(out)
        return (logits, hidden) if self.state else logits


class RecurrentByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.C = nn.Embedding(12, 8)
        self.i2h, self.h2o = nn.Linear(8 + 24, 24), nn.Linear(24, 12)
        self.h0 = nn.Parameter(torch.zeros(1, 24))

    def forward(self, x):
        h, outs = self.h0.expand(x.shape[0], -1), []
        for t in range(x.shape[1]):
            h = torch.tanh(self.i2h(torch.cat([self.C(x[:, t]), h], dim=1)))
            outs.append(self.h2o(h))
        return torch.stack(outs, dim=1)
