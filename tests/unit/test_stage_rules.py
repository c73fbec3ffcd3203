"""Each rule by which a step's stage is found, on a model that was not written for it (`transformers`, the zoo).

A rule is taken out of its list: the step that it is for must then be of another kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor, nn

from lmviz.generate.readout import Readout
from lmviz.stages.rules import GROUP_RULES, STEP_RULES, Facts, kinds_of
from lmviz.trace.recorder import record
from lmviz.trace.step import Trace
from tests.zoo.catalogue import ENTRIES
from tests.zoo.other_kinds import FewTokens, HeadsByVmap, Perceiver, Rwkv, Universal

IDS = torch.tensor([[1, 2, 3, 4, 0]])
SIZES = {"vocab_size": 12, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def of_transformers(name: str, kind: str = "ForCausalLM", **settings: Any) -> nn.Module:
    transformers.logging.set_verbosity_error()
    ids = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
    config = getattr(transformers, f"{name}Config")(**SIZES, **ids, **settings, attn_implementation="eager")
    model: nn.Module = getattr(transformers, f"{name}{kind}")(config).eval()
    return model


def of_zoo(name: str) -> nn.Module:
    (entry,) = [entry for entry in ENTRIES if entry.name == name]
    return entry.make().model  # type: ignore[union-attr]


class NoName(nn.Module):
    """A norm, and nothing says so but its arithmetic."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.mix, self.second, self.ff = NoName(), nn.Linear(8, 8), NoName(), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.cumsum(self.mix(self.first(x)), dim=1)
        return x + self.ff(self.second(x))


class WithoutNames(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.emb, self.layers, self.last = nn.Embedding(12, 8), nn.ModuleList([Layer(), Layer()]), NoName()

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        for layer in self.layers:
            x = layer(x)
        return self.last(x) @ self.emb.weight.T


class NormsBehindBlocks(WithoutNames):
    """A norm, a convolution and the last norm behind the blocks, as in a U-Net."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.conv, self.end = nn.LayerNorm(8), nn.Conv1d(8, 8, 3, padding=1), nn.LayerNorm(8)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        for layer in self.layers:
            x = layer(x)
        seen = self.conv(self.norm(x).mT).mT
        return self.end(seen) @ self.emb.weight.T


gpt2 = partial(of_transformers, "GPT2", "LMHeadModel")
phi = partial(of_transformers, "Phi")
bert = partial(of_transformers, "Bert", "Model")
gemma = partial(of_transformers, "Gemma2", num_key_value_heads=1, head_dim=8)
llama = partial(of_transformers, "Llama")
EXPERTS = {
    "num_key_value_heads": 1,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "experts_implementation": "eager",
}
mixtral = partial(of_transformers, "Mixtral", **EXPERTS)
mamba = partial(of_transformers, "Mamba", state_size=4)


@cache
def facts(make: Callable[[], nn.Module]) -> Facts:
    """A model, its loss and its readout, recorded."""
    torch.manual_seed(0)
    trace = record(make(), IDS, backward=lambda out: _logits(out).logsumexp(-1).mean())
    if not isinstance(logits := _logits(trace.output), Tensor):
        return Facts(trace)
    return Facts(record(Readout(0.5), logits[:, -1:], follows=trace, prefix="readout"))


def _logits(out: Any) -> Tensor:
    return out if isinstance(out, Tensor) else next(iter(out.values())) if hasattr(out, "values") else out[0]


@dataclass(frozen=True)
class Case:
    rule: str
    make: Callable[[], nn.Module]
    address: str  # of a step that it is for
    otherwise: str  # its kind if there were no such rule


CASES = (
    Case("readout", gpt2, "readout.probs", "other"),
    Case("loss", gpt2, "loss.mean", "other"),
    Case("sum onto the stream", gpt2, "transformer.h.0.hidden_states#2", "mix"),
    Case("projections", bert, "encoder.layer.0.attention.self.query", "mlp"),
    Case("rotation", llama, "model.layers.0.self_attn.q_embed", "qkv"),
    Case("sharing", gemma, "model.layers.0.self_attn.hidden_states", "rotation"),
    Case("scores", llama, "model.layers.0.self_attn.attn_weights.transpose", "other"),
    Case("softmax", llama, "model.layers.0.self_attn.attn_weights.softmax", "scores"),
    Case("mix", llama, "model.layers.0.self_attn.attn_weights#3", "other"),
    Case("norm", llama, "model.layers.0.input_layernorm.hidden_states", "final_norm"),
    Case("norm with another behind it", NormsBehindBlocks, "norm", "final_norm"),
    Case("last norm", gpt2, "transformer.hidden_states#5", "other"),
    Case("dropout of the mix", phi, "model.layers.0.attn_outputs", "mlp"),
    Case("rest of a block", gpt2, "transformer.h.0.mlp.c_fc.x.view", "other"),
    Case("angles", llama, "model.rotary_emb.emb", "embeddings"),
    Case("before the blocks", bert, "embeddings.position_ids#2", "other"),
    Case("product behind the blocks", gemma, "logits", "final_norm"),
    Case("product that scores the table", Rwkv, "head", "other"),
    Case("rest of the logits", gemma, "logits#2", "other"),
    Case("rest of the last norm", gpt2, "transformer.hidden_states#6", "other"),
    Case("lookup in a table", lambda: of_zoo("lecture: a table of pairs"), "logits", "other"),
    Case("choice of experts", mixtral, "model.layers.0.mlp.gate.router_probs", "mlp"),
    Case("positions that see each other", mamba, "backbone.layers.0.residual", "mlp"),
    Case("weights, for each position by itself", llama, "model.layers.0.mlp.gate_proj", "norm"),
    Case("weights on a way beside the stream", Universal, "ff.0", "other"),
    Case("norm that is written out", WithoutNames, "layers.0.second", "residual"),
    Case("last norm that is written out", WithoutNames, "last", "other"),
)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_without_a_rule_its_step_is_of_another_kind(case: Case) -> None:
    (rule,) = [rule for rule in (*STEP_RULES, *GROUP_RULES) if rule.name == case.rule]
    found = facts(case.make)
    index = found.trace[case.address].index
    step_rules = tuple(other for other in STEP_RULES if other is not rule)
    group_rules = tuple(other for other in GROUP_RULES if other is not rule)
    assert (kinds_of(found)[index], kinds_of(found, step_rules, group_rules)[index]) == (rule.kind, case.otherwise)


def test_every_rule_has_its_case_and_the_last_holds_for_all() -> None:
    *names, last = [rule.name for rule in STEP_RULES]
    assert [*names, *(rule.name for rule in GROUP_RULES)] == [case.rule for case in CASES]
    assert last == "anything else"


class LooksUpLater(WithoutNames):
    def forward(self, ids: Tensor) -> Tensor:
        x = self.layers[0](self.emb(ids))
        return torch.relu(x) + self.emb(ids)


def test_a_lookup_behind_the_blocks_is_no_embedding_of_the_text() -> None:
    found = facts(LooksUpLater)
    steps = [step for step in found.trace if step.op == "embedding"]
    assert [kinds_of(found)[step.index] for step in steps] == ["embeddings", "other"]


def test_a_weight_that_is_computed_belongs_to_what_reads_it() -> None:
    model = gpt2()
    torch.nn.utils.parametrizations.weight_norm(model.lm_head)
    found = Facts(record(model, IDS))
    kinds = {kinds_of(found)[step.index] for step in found.trace if step.module.startswith("lm_head.parametrizations")}
    assert kinds == {"logits"}


def test_a_norm_that_is_written_out_before_an_mlp_is_apart_from_it() -> None:
    found = facts(WithoutNames)
    kinds = kinds_of(found)
    assert kinds[found.trace["layers.0.second"].index] == "norm"
    assert kinds[found.trace["layers.0.ff"].index] == "mlp"


def _kinds(trace: Trace) -> set[str]:
    return set(kinds_of(Facts(trace)))


def test_a_model_of_which_nothing_is_known_is_of_kind_other() -> None:
    assert _kinds(record(nn.Sequential(nn.Flatten(), nn.ReLU()), torch.rand(2, 3, 4))) == {"other"}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (
            Perceiver,
            {
                "reads.q": "qkv",
                "reads.scores": "scores",
                "reads.pattern": "softmax",
                "reads.out": "mix",
                "z#2": "residual",
                "layers.0.scores": "scores",
                "is_read.scores": "scores",
                "x#2": "residual",
                "ff.0": "norm",
                "ff.1": "mlp",
                "x#3": "residual",
                "norm": "final_norm",
                "head": "logits",
            },
        ),
        (HeadsByVmap, {"pattern": "other", "x#3": "residual"}),  # no position is by itself there
        (FewTokens, {"mlp.0.0": "norm", "mlp.0.1": "mlp", "x#2": "residual", "x#3": "residual"}),
    ],
)
def test_learned_queries_layers_beside_the_blocks_and_sums_onto_some_tokens(
    make: Callable[[], nn.Module], expected: dict[str, str]
) -> None:
    torch.manual_seed(0)
    found = Facts(record(make(), IDS))
    kinds = kinds_of(found)
    assert {address: kinds[found.trace[address].index] for address in expected} == expected
