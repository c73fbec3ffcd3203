"""Training loops in other habits, healthy and broken."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lmviz.debug import plain_loop

PAD = -100


class _OfTargets(nn.Module):
    def __init__(self, targets):
        super().__init__()
        self.targets = targets


# -- pairs -----------------------------------------------------------------------------------------------------------


def stream(texts, n_ctx):
    """All texts in one row, cut into pieces; a target may belong to the next text."""
    ids = torch.tensor([token for text in texts for token in text])
    n = min(8, n_ctx)
    starts = range(0, len(ids) - n, n)
    return torch.stack([ids[i : i + n] for i in starts]), torch.stack([ids[i + 1 : i + n + 1] for i in starts])


def filled_with_zero(texts, n_ctx):
    """Fillers are token 0 in inputs and in targets; the loss must leave them out."""
    width = min(n_ctx, max(map(len, texts)) - 1)
    rows = [list(text[: width + 1]) + [0] * (width + 1 - len(text)) for text in texts]
    x = torch.tensor(rows)
    return x[:, :-1], x[:, 1:]


def not_shifted(texts, n_ctx):
    inputs, _ = plain_loop.make_pairs(texts, n_ctx)
    return inputs, inputs.clone()


def the_token_before(texts, n_ctx):
    inputs, targets = plain_loop.make_pairs(texts, n_ctx)
    return inputs, torch.cat([inputs[:, :1], inputs[:, :-1]], dim=1).masked_fill(targets < 0, PAD)


def two_ahead(texts, n_ctx):
    """Shifted here, and by the loss once more."""
    inputs, targets = plain_loop.make_pairs(texts, n_ctx)
    return inputs, targets


def shuffled_apart(texts, n_ctx):
    """Inputs and targets are shuffled, each in an order of its own."""
    inputs, targets = plain_loop.make_pairs(texts, n_ctx)
    return inputs, targets[torch.randperm(len(targets), generator=torch.Generator().manual_seed(1))]


# -- losses ----------------------------------------------------------------------------------------------------------


class IgnoreZero(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), self.targets.reshape(-1), ignore_index=0)


class CountsFillers(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), self.targets.clamp(min=0).reshape(-1))


class Smoothed(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(logits.transpose(1, 2), self.targets, ignore_index=PAD, label_smoothing=0.1)


class ByHand(_OfTargets):
    def forward(self, logits):
        logp = torch.log_softmax(logits, dim=-1)
        counted = self.targets >= 0
        picked = logp.gather(-1, self.targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        return -(picked * counted).sum() / counted.sum()


class SumOverTexts(_OfTargets):
    def forward(self, logits):
        loss = F.cross_entropy(logits.permute(0, 2, 1), self.targets, ignore_index=PAD, reduction="none")
        return loss.sum(dim=1).mean()


class WithPenalty(_OfTargets):
    """Logits are kept from growing, as in larger trainings."""

    def forward(self, logits):
        loss = F.cross_entropy(logits.flatten(0, 1), self.targets.flatten(), ignore_index=PAD)
        return loss + 1e-4 * logits.logsumexp(-1).pow(2).mean()


class ShiftsAgain(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), self.targets[:, 1:].flatten(), ignore_index=PAD)


class Transposed(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(
            logits.transpose(1, 2).reshape(-1, logits.shape[-1]), self.targets.reshape(-1), ignore_index=PAD
        )


class ViewedWrongly(_OfTargets):
    """[batch, pos, d_vocab] is read as [batch, d_vocab, pos]."""

    def forward(self, logits):
        b, n, v = logits.shape
        return F.cross_entropy(logits.reshape(b, v, n), self.targets, ignore_index=PAD)


class SoftmaxFirst(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(F.softmax(logits, dim=-1).flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


class NoSoftmax(_OfTargets):
    """nll_loss wants log-probabilities, and is given logits."""

    def forward(self, logits):
        return F.nll_loss(logits.flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


class FirstTextOnly(_OfTargets):
    def forward(self, logits):
        return F.cross_entropy(logits[0], self.targets[0], ignore_index=PAD)


# -- training --------------------------------------------------------------------------------------------------------


def accumulated(model, inputs, targets, steps, rate, loss_class=plain_loop.Loss):
    """Two halves of a batch, one step, a clipped gradient."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    model.train()
    for _ in range(steps):
        total = 0.0
        optimizer.zero_grad(set_to_none=True)
        for x, y in zip(inputs.chunk(2), targets.chunk(2), strict=True):
            loss = loss_class(y)(model(x)) / 2
            loss.backward()
            total += loss.item()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        yield total


def scheduled(model, inputs, targets, steps, rate):
    """Warm-up, a cosine, the gradient put to zero after the step."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, betas=(0.9, 0.98))
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 5))
    criterion = plain_loop.Loss(targets)
    model.train()
    for _ in range(steps):
        loss = criterion(model(inputs))
        loss.backward()
        optimizer.step()
        scheduler.step()
        for p in model.parameters():
            p.grad = None
        yield float(loss)


def never_zeroed(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.item()


def only_the_head(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW([p for n, p in model.named_parameters() if "head" in n or "output" in n], lr=rate)
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.item()


def never_steps(model, inputs, targets, steps, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        yield loss.item()


def uphill(model, inputs, targets, steps, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, maximize=True)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.item()


def optimizer_of_a_copy(model, inputs, targets, steps, rate):
    """The optimiser was made from another model."""
    import copy

    optimizer = torch.optim.Adam(copy.deepcopy(model).parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.item()


def zeroed_before_the_step(model, inputs, targets, steps, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        yield loss.item()
