"""Our mini-LLM against the arithmetic of the lesson, written out here in loops over plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig

Vector = list[float]
Matrix = list[Vector]


def times(matrix: Matrix, vector: Vector) -> Vector:
    return [math.fsum(weight * number for weight, number in zip(row, vector, strict=True)) for row in matrix]


def plus(*vectors: Vector) -> Vector:
    return [math.fsum(numbers) for numbers in zip(*vectors, strict=True)]


def shares(scores: Vector) -> Vector:
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / math.fsum(powers) for power in powers]


def next_letter(weights: dict[str, Matrix], ids: list[int]) -> Vector:
    """The lesson's forward pass: one head, one block, the last position only."""
    stream = [plus(weights["tok_embed.weight"][id], weights["pos_embed.weight"][pos]) for pos, id in enumerate(ids)]
    query = times(weights["blocks.0.attn.w_q.weight"], stream[-1])
    keys = [times(weights["blocks.0.attn.w_k.weight"], x) for x in stream]
    values = [times(weights["blocks.0.attn.w_v.weight"], x) for x in stream]
    attention = shares([math.fsum(q * k for q, k in zip(query, key, strict=True)) / math.sqrt(16) for key in keys])
    mixed = plus(*([share * v for v in value] for share, value in zip(attention, values, strict=True)))
    x = plus(stream[-1], mixed)
    pre = plus(times(weights["blocks.0.mlp.w_in.weight"], x), weights["blocks.0.mlp.w_in.bias"])
    hidden = [max(0.0, number) for number in pre]
    x = plus(x, times(weights["blocks.0.mlp.w_out.weight"], hidden), weights["blocks.0.mlp.w_out.bias"])
    return shares(times(weights["unembed.weight"], x))


@pytest.mark.parametrize("ids", [[0], [0, 16, 9, 11], [5, 5, 5, 5, 5, 5, 5, 5], [26, 1, 0, 13, 2, 0, 7]])
def test_the_last_position_is_computed_as_in_the_lesson(ids: list[int]) -> None:
    torch.manual_seed(0)
    model = MiniLLM(MiniLLMConfig()).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.7)
        probabilities = model(torch.tensor([ids])).softmax(-1)[0]
    weights = {name: tensor.tolist() for name, tensor in model.state_dict().items()}
    assert max(probabilities[-1]) > 0.1  # uneven enough to tell
    for n_pos in range(1, len(ids) + 1):  # the causal mask makes every position the last of its own prefix
        assert probabilities[n_pos - 1].tolist() == pytest.approx(next_letter(weights, ids[:n_pos]), abs=1e-6)
