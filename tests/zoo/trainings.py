"""Whole trainings, each with the log that its program prints."""

from __future__ import annotations

import math
import random

import torch
import torch.nn.functional as F

from tests.zoo.modern import Parallel

NAMES = ("anna", "emma", "nina", "lena", "mina", "ella", "lina", "nala", "elina", "melia", "amina", "milena")
LETTERS = ".aeilmn"


def windows(names):
    rows = []
    for name in names:
        ids = [LETTERS.index(c) for c in f".{name}."]
        rows.append(ids + [-100] * (10 - len(ids)))
    rows = torch.tensor(rows)
    return rows[:, :-1].clamp(min=0), rows[:, 1:]


def trained(optimizer, rate, steps, batch=6, held_out=None, names=NAMES, every=10, model=None, spoil=None):
    """Losses, gradient lengths, and the loss on names held out, of a real training."""
    torch.manual_seed(0)
    model = model or Parallel()
    optimizer = optimizer(model.parameters(), lr=rate)
    x, y = windows(names)
    draw = random.Random(0)
    for step in range(1, steps + 1):
        rows = draw.sample(range(len(x)), min(batch, len(x)))
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x[rows]).flatten(0, 1), y[rows].flatten(), ignore_index=-100)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9)
        optimizer.step()
        judged = None
        if held_out is not None and step % every == 0:
            with torch.no_grad():
                vx, vy = windows(held_out)
                judged = F.cross_entropy(model(vx).flatten(0, 1), vy.flatten(), ignore_index=-100).item()
        shown = loss.item() if spoil is None else spoil(step, loss.item())
        yield step, shown, float(norm), judged


def as_lines(training):
    found = []
    for step, loss, norm, judged in training:
        found.append(f"step {step:5d} | loss {loss:.6f} | norm {norm:.4f} | lr 1e-3")
        if judged is not None:
            found.append(f"step {step:5d} | val loss {judged:.6f}")
    return "\n".join(found)


def as_dicts(training):
    found = []
    for step, loss, norm, judged in training:
        found.append(
            str({"loss": round(loss, 4), "grad_norm": norm, "learning_rate": 5e-05, "epoch": round(step / 90, 2)})
        )
        if judged is not None:
            found.append(str({"eval_loss": judged, "eval_runtime": 1.0, "epoch": round(step / 90, 2)}))
    return "\n".join(found)


def as_csv(training):
    found = ["epoch,train_loss,val_loss"]
    losses: list[float] = []
    for step, loss, _, judged in training:
        losses.append(loss)
        if judged is not None:
            found.append(f"{step // 10},{sum(losses) / len(losses):.4f},{judged:.4f}")
            losses = []
    return "\n".join(found)


def healthy():
    return as_lines(trained(torch.optim.Adam, 0.003, 60, held_out=("mina", "lina", "anna", "nina")))


def healthy_of_single_names():
    return as_dicts(trained(torch.optim.AdamW, 0.002, 120, batch=1))


def healthy_by_epochs():
    return as_csv(trained(torch.optim.Adam, 0.002, 80, held_out=NAMES))


def rate_too_high():
    return as_lines(trained(torch.optim.SGD, 30.0, 60))


def rate_too_low():
    return as_lines(trained(torch.optim.Adam, 1e-7, 150))


def learned_by_heart():
    names = ("anna", "emma", "nina")
    return as_csv(trained(torch.optim.Adam, 0.01, 150, held_out=("mila", "anila", "neal", "elle"), names=names))


def overflows():
    """What a program prints whose losses are no numbers from some step on, and that prints 0 in their place."""
    found = []
    for step, loss, norm, _ in trained(torch.optim.Adam, 0.003, 40):
        broken = step > 25
        found.append(
            str({"loss": 0.0 if broken else round(loss, 4), "grad_norm": math.nan if broken else norm, "epoch": 0.1})
        )
    return "\n".join(found)


def breaks():
    """A division by zero spoils the weights."""
    found = []
    for step, loss, norm, _ in trained(torch.optim.Adam, 0.003, 40):
        shown = loss if step < 31 else math.nan
        found.append(f"iter {step}: loss {shown:.4f}, time 12.31ms")
        _ = norm
    return "\n".join(found)
