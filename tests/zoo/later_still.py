"""A third lot of what was written after the checks, in habits that were not thought of before."""

from __future__ import annotations

from collections import namedtuple

import torch
import torch.nn.functional as F
from torch import nn

from lmviz.debug import plain_loop

Out = namedtuple("Out", "loss logits")


class BothHalves(nn.Module):
    """torch's whole transformer, encoder and decoder, each with its mask."""

    def __init__(self):
        super().__init__()
        self.e, self.p = nn.Embedding(12, 16), nn.Embedding(16, 16)
        self.t = nn.Transformer(16, 2, 1, 1, 32, dropout=0.1, batch_first=True)
        self.o = nn.Linear(16, 12)

    def forward(self, ids):
        m = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        x = self.e(ids) + self.p(torch.arange(ids.shape[1]))
        return self.o(self.t(x, x, src_mask=m, tgt_mask=m, memory_mask=m))


class Neox(nn.Module):
    """Queries, keys and values side by side in every head; attention and MLP at once."""

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.input_layernorm, self.post_attention_layernorm = nn.LayerNorm(16), nn.LayerNorm(16)
            self.query_key_value, self.dense = nn.Linear(16, 48), nn.Linear(16, 16)
            self.dense_h_to_4h, self.dense_4h_to_h = nn.Linear(16, 64), nn.Linear(64, 16)

        def forward(self, x):
            b, n, _ = x.shape
            qkv = self.query_key_value(self.input_layernorm(x)).view(b, n, 2, 24)
            q, k, v = qkv[..., :8].transpose(1, 2), qkv[..., 8:16].transpose(1, 2), qkv[..., 16:].transpose(1, 2)
            angle = torch.outer(torch.arange(n).float(), 100.0 ** -(torch.arange(2) / 2)).repeat(1, 2)
            turn = lambda t: torch.cat(
                (t[..., :4] * angle.cos() + torch.cat((-t[..., 2:4], t[..., :2]), -1) * angle.sin(), t[..., 4:]), -1
            )
            attn = F.scaled_dot_product_attention(turn(q), turn(k), v, attn_mask=torch.ones(n, n).tril().bool())
            attn = self.dense(attn.transpose(1, 2).reshape(b, n, 16))
            return x + attn + self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(self.post_attention_layernorm(x))))

    def __init__(self):
        super().__init__()
        self.embed_in, self.layers = nn.Embedding(12, 16), nn.ModuleList(Neox.Layer() for _ in range(2))
        self.final_layer_norm, self.embed_out = nn.LayerNorm(16), nn.Linear(16, 12, bias=False)

    def forward(self, ids):
        x = self.embed_in(ids)
        for layer in self.layers:
            x = layer(x)
        return Out(None, self.embed_out(self.final_layer_norm(x)))


class LongFilter(nn.Module):
    """Convolutions as long as the text, by Fourier transform."""

    def __init__(self, around=False):
        super().__init__()
        self.emb, self.filters = nn.Embedding(12, 16), nn.Parameter(torch.randn(2, 16, 16) * 0.3)
        self.gates, self.outs = (
            nn.ModuleList(nn.Linear(16, 16) for _ in range(2)),
            nn.ModuleList(nn.Linear(16, 16) for _ in range(2)),
        )
        self.head, self.around = nn.Linear(16, 12), around

    def forward(self, ids):
        x, n = self.emb(ids), ids.shape[1]
        for h, gate, out in zip(self.filters, self.gates, self.outs):
            size = n if self.around else 2 * n
            spectrum = torch.fft.rfft(x, n=size, dim=1) * torch.fft.rfft(h[:n], n=size, dim=0)
            y = torch.fft.irfft(spectrum, n=size, dim=1)[:, :n]
            x = x + out(y * torch.sigmoid(gate(x)))
        return self.head(x)


class MinimalGru(nn.Module):
    """Gates that do not see the state; a scan written as a loop."""

    def __init__(self, dim=1, turned=False):
        super().__init__()
        self.emb, self.z, self.h, self.out = (
            nn.Embedding(12, 24),
            nn.Linear(24, 24),
            nn.Linear(24, 24),
            nn.Linear(24, 12),
        )
        self.dim, self.turned = dim, turned

    def forward(self, ids):
        x = self.emb(ids)
        if self.turned:
            x = x.flip(1)
        z, c = torch.sigmoid(self.z(x)), self.h(x)
        state, states = torch.zeros_like(c.select(self.dim, 0)), []
        for zt, ct in zip(z.unbind(self.dim), c.unbind(self.dim)):
            state = (1 - zt) * state + zt * ct
            states.append(state)
        y = torch.stack(states, self.dim)
        return self.out(y.flip(1) if self.turned else y)


class AdaptiveSoftmax(nn.Module):
    """Rare tokens in a group of their own; log-probabilities are what it gives."""

    def __init__(self):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(12, 16), nn.GRU(16, 16, batch_first=True)
        self.crit = nn.AdaptiveLogSoftmaxWithLoss(16, 12, cutoffs=[6], div_value=2.0)

    def forward(self, ids):
        y, _ = self.rnn(self.emb(ids))
        return self.crit.log_prob(y.flatten(0, 1)).view(*ids.shape, 12)


class OneHot(nn.Module):
    """Tokens as ones and zeros, a matrix in place of a table; scores are cosines with a temperature that is learned."""

    def __init__(self):
        super().__init__()
        self.W, self.P = nn.Parameter(torch.randn(12, 16) * 0.5), nn.Parameter(torch.randn(16, 16) * 0.5)
        self.q, self.k, self.v, self.o = (nn.Parameter(torch.randn(16, 16) / 4) for _ in range(4))
        self.temperature, self.U = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.randn(16, 12) * 0.1)
        self.w1, self.w2 = nn.Parameter(torch.randn(16, 64) / 4), nn.Parameter(torch.randn(64, 16) / 8)

    def forward(self, ids):
        n = ids.shape[1]
        x = F.one_hot(ids, 12).to(self.W.dtype) @ self.W + self.P[:n]
        q, k = F.normalize(x @ self.q, dim=-1), F.normalize(x @ self.k, dim=-1)
        s = self.temperature * torch.einsum("bie,bje->bij", q, k)
        s = s - 1e4 * torch.ones(n, n).triu(1)
        x = x + s.softmax(-1) @ (x @ self.v) @ self.o
        x = x + torch.tanh(x @ self.w1) @ self.w2
        return x @ self.U


class NormedBatch(nn.Module):
    """Three tokens, joined; a BatchNorm before the tanh."""

    def __init__(self):
        super().__init__()
        self.emb, self.l1, self.bn, self.l2 = (
            nn.Embedding(13, 6),
            nn.Linear(18, 40, bias=False),
            nn.BatchNorm1d(40),
            nn.Linear(40, 12),
        )

    def forward(self, ids):
        padded = F.pad(ids, (2, 0), value=12)
        x = torch.stack([padded[:, i : i + ids.shape[1]] for i in range(3)], -1)
        h = self.l1(self.emb(x).flatten(2))
        h = torch.tanh(self.bn(h.transpose(1, 2)).transpose(1, 2))
        return self.l2(h)


class Begins(nn.Module):
    """A token of its own is put before the text, and its place is taken away again."""

    def __init__(self, kept="last"):
        super().__init__()
        self.bos, self.emb, self.pos = nn.Parameter(torch.zeros(1, 1, 16)), nn.Embedding(12, 16), nn.Embedding(17, 16)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, 0.0, F.gelu, batch_first=True, norm_first=True) for _ in range(2)
        )
        self.out, self.kept = nn.Linear(16, 12), kept

    def forward(self, ids):
        x = torch.cat([self.bos.expand(len(ids), -1, -1), self.emb(ids)], 1)
        x = x + self.pos(torch.arange(x.shape[1]))
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1])
        for layer in self.layers:
            x = layer(x, src_mask=mask, is_causal=True)
        return self.out(x[:, 1:] if self.kept == "last" else x[:, :-1])


class MadeAnew(nn.Module):
    """A layer that is made in forward: other weights at every call."""

    def __init__(self):
        super().__init__()
        self.emb, self.rnn = nn.Embedding(12, 16), nn.GRU(16, 16, batch_first=True)

    def forward(self, ids):
        y, _ = self.rnn(self.emb(ids))
        return nn.Linear(16, 12).to(y.dtype)(y)


class Decorated(nn.Module):
    """Attention under no_grad, as it was copied from a script that only generates."""

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.c_attn, self.c_proj = nn.Linear(16, 48), nn.Linear(16, 16)

        @torch.no_grad()
        def forward(self, x):
            q, k, v = self.c_attn(x).chunk(3, -1)
            return self.c_proj(F.scaled_dot_product_attention(q, k, v, is_causal=True))

    def __init__(self):
        super().__init__()
        self.emb, self.pos, self.attend, self.ln = (
            nn.Embedding(12, 16),
            nn.Embedding(16, 16),
            Decorated.Attend(),
            nn.LayerNorm(16),
        )
        self.ff, self.head = (
            nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 16)),
            nn.Linear(16, 12),
        )

    def forward(self, ids):
        x = self.emb(ids) + self.pos(torch.arange(ids.shape[1]))
        x = x + self.attend(self.ln(x))
        return self.head(x + self.ff(x))


class NoDim(nn.Module):
    """A softmax whose axis torch has to guess."""

    def __init__(self):
        super().__init__()
        self.emb, self.pos, self.qkv, self.head = (
            nn.Embedding(12, 16),
            nn.Embedding(16, 16),
            nn.Linear(16, 48),
            nn.Linear(16, 12),
        )

    def forward(self, ids):
        x = self.emb(ids) + self.pos(torch.arange(ids.shape[1]))
        q, k, v = self.qkv(x).chunk(3, -1)
        s = (q @ k.transpose(1, 2) / 4).masked_fill(torch.ones(ids.shape[1], ids.shape[1]).triu(1).bool(), -1e9)
        return self.head(x + torch.nn.Softmax(dim=0)(s) @ v)


# -- loops -----------------------------------------------------------------------------------------------------------


def decays_all_away(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=60.0)
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def clipped_to_nothing(model, inputs, targets, steps, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
        optimizer.step()
        yield loss.item()


def a_new_optimizer_each_time(model, inputs, targets, steps, rate):
    """It forgets its memory, but it learns."""
    model.train()
    for _ in range(steps):
        optimizer = torch.optim.Adam(model.parameters(), lr=rate / 3)
        loss = plain_loop.Loss(targets)(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def in_half_precision(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.float().item()


class ShuffledPlaces(nn.Module):
    """Logits are sorted by the length of their texts, targets are not."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        order = (self.targets >= 0).sum(1).argsort(descending=True, stable=True)
        return F.cross_entropy(logits[order].flatten(0, 1), self.targets.flatten(), ignore_index=-100)
