"""How many numbers a model is made of, part by part; and how many the well-known ones are."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lmviz.model.gpt2 import GPT2Config
from lmviz.model.mini_llm import MiniLLMConfig

Config = GPT2Config | MiniLLMConfig


@dataclass(frozen=True)
class Part:
    """Weights of one kind: so many tensors of one shape."""

    name: str  # tok_embed, pos_embed, w_qkv, w_o, w_in, w_out, biases, norms, unembed
    times: int
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return self.times * math.prod(self.shape)


@dataclass(frozen=True)
class KnownModel:
    """A model that people have heard of, and where its size was published."""

    name: str
    year: int
    n_parameters: int
    source: str
    is_estimate: bool = False  # by others: who made it has never said


KNOWN_MODELS = (
    KnownModel("GPT-2 small", 2019, 124_439_808, "openai-community/gpt2, counted from its weights"),
    KnownModel("GPT-2 XL", 2019, 1_557_611_200, "openai-community/gpt2-xl, counted from its weights"),
    KnownModel("BERT base", 2018, 110_000_000, "Devlin et al. 2018, section 3"),
    KnownModel("GPT-3", 2020, 175_000_000_000, "Brown et al. 2020, table 2.1"),
    KnownModel("Llama 2 7B", 2023, 6_738_415_616, "meta-llama/Llama-2-7b-hf, counted from its weights"),
    KnownModel("Llama 3.1 405B", 2024, 405_000_000_000, "Grattafiori et al. 2024, table 3"),
    KnownModel("GPT-4 (ChatGPT)", 2023, 1_800_000_000_000, "as the lesson estimates it; OpenAI has never said", True),
)
COMPARED = (KNOWN_MODELS[0], KNOWN_MODELS[-1])  # that a new model is compared with at once


def parts(config: Config) -> tuple[Part, ...]:
    """All weights of a model, each in one part, as the lesson counts them. A tied unembedding is no part of its own."""
    d_model, d_mlp, d_vocab, n_layers = config.d_model, config.d_mlp, config.d_vocab, config.n_layers
    embeddings = (Part("tok_embed", 1, (d_vocab, d_model)), Part("pos_embed", 1, (config.n_ctx, d_model)))
    qkv = Part("w_qkv", 3 * n_layers, (d_model, d_model))
    mlp = (Part("w_in", n_layers, (d_model, d_mlp)), Part("w_out", n_layers, (d_mlp, d_model)))
    unembed = Part("unembed", 1, (d_model, d_vocab))
    if isinstance(config, MiniLLMConfig):
        return (*embeddings, qkv, *mlp, Part("biases", n_layers, (d_mlp + d_model,)), unembed)
    return (
        *embeddings,
        qkv,
        Part("w_o", n_layers, (d_model, d_model)),
        *mlp,
        Part("biases", n_layers, (4 * d_model + d_mlp + d_model,)),  # of q, k, v, o; of w_in; of w_out
        Part("norms", 2 * (2 * n_layers + 1), (d_model,)),  # a scale and a shift; two norms a block, one at the end
        *(() if config.tied else (unembed,)),
    )


def n_parameters(config: Config) -> int:
    return sum(part.count for part in parts(config))
