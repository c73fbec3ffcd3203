"""More of what was written after the checks."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from lmviz.debug import plain_loop

PAD = -100


class Attn(nn.Module):
    def __init__(self, d=16, h=2, kind=""):
        super().__init__()
        self.h, self.kind = h, kind
        self.wqkv, self.wo = nn.Linear(d, 3 * d, bias=False), nn.Linear(d, d, bias=False)
        self.mix_before, self.mix_after = nn.Linear(h, h, bias=False), nn.Linear(h, h, bias=False)
        self.lam = nn.Parameter(torch.tensor(0.3))

    def forward(self, x, key_mask=None):
        b, n, d = x.shape
        q, k, v = self.wqkv(x).view(b, n, 3, self.h, d // self.h).unbind(2)
        if self.kind == "heads for places":  # a transpose is missing
            return self.wo(F.scaled_dot_product_attention(q, k, v, is_causal=True).reshape(b, n, d))
        q, k, v = (t.transpose(1, 2) for t in (q, k, v))
        scores = torch.einsum("bhid,bhjd->bhij", q, k) / math.sqrt(d // self.h)
        seen = torch.ones(n, n, dtype=torch.bool).tril(1 if self.kind == "one too far" else 0)
        if self.kind == "mask the wrong way round":
            seen = ~seen.T | torch.eye(n, dtype=torch.bool)
            seen = ~torch.ones(n, n, dtype=torch.bool).tril(-1)
        if key_mask is not None:
            seen = seen & (key_mask[:, None, None, :] | torch.eye(n, dtype=torch.bool))
        if self.kind == "talking heads":
            scores = self.mix_before(scores.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        scores = scores.masked_fill(~seen, -torch.finfo(scores.dtype).max)
        probs = scores.softmax(dim=1 if self.kind == "over heads" else -1)
        if self.kind == "talking heads":
            probs = self.mix_after(probs.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        if self.kind == "difference":
            other = torch.einsum("bhid,bhjd->bhij", q.flip(-1), k).masked_fill(~seen, -1e9).softmax(-1)
            probs = probs - self.lam * other
        if self.kind == "dropout that stays":
            probs = F.dropout(probs, 0.2)
        return self.wo(torch.einsum("bhij,bhjd->bhid", probs, v).transpose(1, 2).reshape(b, n, d))


class Net(nn.Module):
    """A GPT with one thing or another."""

    def __init__(self, kind="", vocab=12):
        super().__init__()
        self.kind = kind
        self.embed, self.pos = nn.Embedding(12, 16, padding_idx=0 if kind == "padding" else None), nn.Embedding(16, 16)
        self.attns, self.ln1s, self.ln2s = (
            nn.ModuleList(make() for _ in range(2))
            for make in (lambda: Attn(kind=kind), lambda: nn.LayerNorm(16), lambda: nn.LayerNorm(16))
        )
        self.ffs = nn.ModuleList(
            nn.Sequential(nn.Linear(16, 48), nn.ELU(), nn.Dropout(0.3), nn.Linear(48, 16)) for _ in range(2)
        )
        self.gammas = (
            nn.ParameterList(nn.Parameter(1e-2 * torch.ones(16)) for _ in range(4)) if kind == "layer scale" else None
        )
        self.norm, self.lm_head = nn.LayerNorm(16), nn.Linear(16, vocab)
        if kind == "value head":
            self.value_head = nn.Linear(16, 1)
        if kind == "two heads":
            self.lm_head2 = nn.Linear(16, vocab)
        if kind == "weight norm":
            for ff in self.ffs:
                weight_norm(ff[0])

    def forward(self, ids):
        n = ids.shape[1]
        pos = self.pos(torch.arange(n))
        if self.kind == "first place only":
            pos = torch.cat([pos[:1], torch.zeros(n - 1, 16, dtype=pos.dtype)])
            x = self.embed(ids)
        else:
            x = self.embed(ids) + pos
        mask = ids != 0 if self.kind == "padding" else None
        for i, (attn, ff) in enumerate(zip(self.attns, self.ffs)):
            a = attn(self.ln1s[i](x), mask)
            x = x + (a * self.gammas[2 * i] if self.gammas is not None else a)
            f = ff(self.ln2s[i](x))
            x = x + (f * self.gammas[2 * i + 1] if self.gammas is not None else f)
        x = self.norm(x)
        if self.kind == "two heads":
            return self.lm_head(x), self.lm_head2(x)
        return self.lm_head(x)


class Locked(nn.Module):
    """An LSTM with a tie and the same dropout at every place."""

    def __init__(self):
        super().__init__()
        self.encoder, self.rnns = (
            nn.Embedding(12, 20),
            nn.ModuleList(nn.LSTM(20, 20, batch_first=True) for _ in range(2)),
        )
        self.decoder = nn.Linear(20, 12)
        self.decoder.weight = self.encoder.weight
        nn.init.uniform_(self.encoder.weight, -0.1, 0.1)

    def forward(self, input):
        x = self.encoder(input)
        for rnn in self.rnns:
            if self.training:
                x = x * torch.bernoulli(torch.full((x.shape[0], 1, x.shape[2]), 0.8)) / 0.8
            x, _ = rnn(x)
        return self.decoder(x)


class Chain(nn.Sequential):
    """Nothing but a chain of parts."""

    class Residual(nn.Module):
        def __init__(self, *parts):
            super().__init__()
            self.fn = nn.Sequential(*parts)

        def forward(self, x):
            return self.fn(x) + x

    class Sum(nn.Module):
        """Every place gets the mean of what came before."""

        def __init__(self):
            super().__init__()
            self.v = nn.Linear(16, 16)

        def forward(self, x):
            return self.v(x).cumsum(1) / torch.arange(1, x.shape[1] + 1)[:, None]

    class Places(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Parameter(torch.randn(1, 16, 16) * 0.1)

        def forward(self, x):
            return x + self.table[:, : x.shape[1]]

    def __init__(self):
        block = lambda: Chain.Residual(nn.LayerNorm(16), Chain.Sum())
        mlp = lambda: Chain.Residual(nn.LayerNorm(16), nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 16))
        super().__init__(
            nn.Embedding(12, 16), Chain.Places(), block(), mlp(), block(), mlp(), nn.LayerNorm(16), nn.Linear(16, 12)
        )


# -- loops -----------------------------------------------------------------------------------------------------------


def slow_start(model, inputs, targets, steps, rate):
    """The rate is 0 at the first step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.1)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, step / 10))
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def sixteen_to_a_step(model, inputs, targets, steps, rate):
    """A step of the optimiser after sixteen batches."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=4 * rate)
    model.train()
    for i in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        (loss / 16).backward()
        if i % 16 == 15:
            optimizer.step()
            optimizer.zero_grad()
        yield loss.item()


class Trainer:
    """Everything in a class."""

    def __init__(self, model, lr):
        self.model, self.optim = model, torch.optim.RAdam(model.parameters(), lr=lr)

    def run(self, batch, labels):
        self.model.train()
        self.optim.zero_grad(set_to_none=True)
        loss = plain_loop.Loss(labels)(self.model(batch))
        loss.backward()
        torch.nn.utils.clip_grad_value_(self.model.parameters(), 0.5)
        self.optim.step()
        return float(loss.detach())


def by_a_class(model, inputs, targets, steps, rate):
    trainer = Trainer(model, 2 * rate)
    for _ in range(steps):
        yield trainer.run(inputs, targets)


class Focal(nn.Module):
    """What is easy counts less."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        ce = F.cross_entropy(logits.flatten(0, 1), self.targets.flatten(), ignore_index=PAD, reduction="none")
        return ((1 - torch.exp(-ce)) ** 2 * ce).sum() / (self.targets != PAD).sum()


class OneHot(nn.Module):
    """A divergence from shares that are 1 at the target."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        counted = self.targets != PAD
        wanted = F.one_hot(self.targets[counted], 12).to(logits.dtype)
        return F.kl_div(logits[counted].log_softmax(-1), wanted, reduction="batchmean")


class TargetsTurned(nn.Module):
    """Targets are read along the batch, logits along the text."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), self.targets.T.reshape(-1), ignore_index=PAD)


def ends_are_fillers(texts, n_ctx):
    """One filler after each text is an end; here all of them are asked for."""
    width = min(n_ctx, max(map(len, texts)) + 1)
    x = torch.tensor([(list(text) + [0] * width)[:width] for text in texts])
    return x[:, :-1], x[:, 1:]


def one_end(texts, n_ctx):
    """An end token after each text, and nothing after that."""
    width = min(n_ctx, max(map(len, texts)) + 1)
    rows = [[*text, 11] + [PAD] * (width - len(text) - 1) for text in texts]
    x = torch.tensor([row[:width] for row in rows])
    return x[:, :-1].masked_fill(x[:, :-1] < 0, 11), x[:, 1:]
