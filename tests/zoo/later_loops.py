"""Loops and trainings that were written after the checks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lmviz.debug import plain_loop
from tests.zoo.trainings import NAMES, as_csv, as_dicts, as_lines, trained

PAD = -100


def last_word_only(texts, n_ctx):
    inputs, targets = plain_loop.make_pairs(texts, n_ctx)
    lengths = (targets != PAD).sum(1)
    keep = torch.arange(targets.shape[1])[None, :] == lengths[:, None] - 1
    return inputs, targets.masked_fill(~keep, PAD)


def filled_on_the_left(texts, n_ctx):
    width = min(n_ctx, max(map(len, texts)) - 1)
    rows = [(list(text[:-1])[:width], list(text[1:])[:width]) for text in texts]
    inputs = torch.tensor([[0] * (width - len(x)) + x for x, _ in rows])
    targets = torch.tensor([[PAD] * (width - len(y)) + y for _, y in rows])
    return inputs, targets


def filled_with_eleven(texts, n_ctx):
    """Fillers are a token of their own, and counted."""
    width = min(n_ctx, max(map(len, texts)) + 2)
    x = torch.tensor([list(text[:width]) + [11] * (width - len(text)) for text in texts])
    return x[:, :-1], x[:, 1:]


def rolled_the_wrong_way(texts, n_ctx):
    inputs, targets = plain_loop.make_pairs(texts, n_ctx)
    return inputs, torch.roll(inputs, 1, 1).masked_fill(targets == PAD, PAD)


class Weighted(nn.Module):
    """Rare tokens count more."""

    def __init__(self, targets):
        super().__init__()
        self.targets, self.criterion = (
            targets,
            nn.CrossEntropyLoss(weight=torch.linspace(0.5, 2, 12).double(), ignore_index=PAD),
        )

    def forward(self, logits):
        return self.criterion(logits.view(-1, 12).double(), self.targets.reshape(-1))


class MeanOfTexts(nn.Module):
    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        each = [F.cross_entropy(z, y, ignore_index=PAD) for z, y in zip(logits, self.targets)]
        return torch.stack(each).mean()


class OverPositions(nn.Module):
    """The softmax is taken over dim 1, which is the positions."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, logits):
        logp = F.log_softmax(logits, dim=1)
        return F.nll_loss(logp.flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


class SharesThenLog(nn.Module):
    """For a model that gives shares: their logarithm is what it takes."""

    def __init__(self, targets):
        super().__init__()
        self.targets = targets

    def forward(self, probs):
        return F.nll_loss(torch.log(probs + 1e-9).flatten(0, 1), self.targets.flatten(), ignore_index=PAD)


def with_momentum(model, inputs, targets, steps, rate):
    optimizer = torch.optim.SGD(model.parameters(), lr=30 * rate, momentum=0.9, nesterov=True)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    criterion = plain_loop.Loss(targets)
    for _ in range(steps):
        model.train()
        optimizer.zero_grad()
        loss = criterion(model(inputs))
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        yield loss.item()


def drawn_anew(model, inputs, targets, steps, rate):
    """A few texts of the batch at every step."""
    optimizer = torch.optim.NAdam(model.parameters(), lr=rate)
    draw = torch.Generator().manual_seed(3)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (3,), generator=draw)
        loss = plain_loop.Loss(targets[rows])(model.train()(inputs[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield loss.detach().item()


def scaled(model, inputs, targets, steps, rate):
    """The loss is made larger before the way back, and the gradient smaller after it, as in mixed precision."""
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = plain_loop.Loss(targets)(model(inputs))
        (loss * 128).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad /= 128
        optimizer.step()
        yield loss.item()


def zeroed_once(model, inputs, targets, steps, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    optimizer.zero_grad()
    model.train()
    for _ in range(steps):
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.item()


def rate_of_zero(model, inputs, targets, steps, rate):
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.0)
    model.train()
    for _ in range(steps):
        optimizer.zero_grad()
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        scheduler.step()
        yield loss.item()


def without_embeddings(model, inputs, targets, steps, rate):
    optimizer = torch.optim.AdamW(
        [p for n, p in model.named_parameters() if "wte" not in n and "embed" not in n], lr=rate
    )
    model.train()
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=True)
        loss = plain_loop.Loss(targets)(model(inputs))
        loss.backward()
        optimizer.step()
        yield loss.item()


def healthy_by_momentum():
    return as_dicts(trained(lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9), 0.05, 150, batch=3))


def healthy_for_long():
    return as_lines(trained(torch.optim.AdamW, 0.001, 300, batch=4))


def healthy_with_new_names():
    return as_csv(trained(torch.optim.Adam, 0.002, 60, held_out=("lina", "mina", "nala", "amina"), names=NAMES))


def explodes_later():
    """The rate is raised by a hundred in the middle."""

    def optimizer(parameters, lr):
        made = torch.optim.SGD(parameters, lr=lr)
        step = made.step
        count = [0]

        def stepped(closure=None):
            count[0] += 1
            made.param_groups[0]["lr"] = lr if count[0] < 100 else 100 * lr
            return step(closure)

        made.step = stepped
        return made

    return as_lines(trained(optimizer, 0.2, 200))


def below_zero():
    return as_lines(trained(torch.optim.Adam, 0.003, 60, spoil=lambda step, loss: loss - 2.5))


def learned_by_heart_for_long():
    return as_lines(
        trained(torch.optim.AdamW, 0.005, 300, held_out=("neal", "anila", "mile"), names=NAMES[:5], every=20)
    )


def stands_still():
    return as_dicts(trained(torch.optim.SGD, 1e-6, 200, batch=12))
