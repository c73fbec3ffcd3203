"""Stages of models that nobody wrote for this: what a step is follows from where its operands come from."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from lmviz.stages.navigation import Location, Navigator
from lmviz.stages.panels import panels_at
from lmviz.stages.stage import Stage
from lmviz.stages.stages import stages_of
from lmviz.trace.recorder import record
from tests.zoo.other_kinds import Alibi, FewTokens, Rwkv, Universal

IDS = torch.tensor([[1, 2, 3, 4]])


def stages(model: nn.Module) -> tuple[Stage, ...]:
    with torch.no_grad():
        return stages_of(record(model.eval(), IDS))


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    mask = torch.ones(q.shape[1], q.shape[1], dtype=torch.bool).triu(1)
    return scores.masked_fill(mask, float("-inf")).softmax(-1) @ v


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: Tensor) -> Tensor:
        return attend(*self.qkv(x).chunk(3, -1))


class Attend(nn.Module):
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(q, k, v)


class Apart(nn.Module):
    """Its softmax is in a part of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q, self.to_k, self.to_v, self.attend = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8), Attend()

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(self.to_q(x), self.to_k(x), self.to_v(x))


class Rotary(Attention):
    """Sums inside: turned by a table, and a low-rank path beside the projection (LoRA)."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(8, 2, bias=False), nn.Linear(2, 24, bias=False)
        self.register_buffer("cos", torch.rand(16, 8))
        self.register_buffer("sin", torch.rand(16, 8))

    def turn(self, x: Tensor) -> Tensor:
        a, b = x.chunk(2, -1)
        return x * self.cos[: x.shape[1]] + torch.cat((-b, a), -1) * self.sin[: x.shape[1]]

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (self.qkv(x) + self.up(self.down(x))).chunk(3, -1)
        return attend(self.turn(q), self.turn(k), v)


class Gelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3))))


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), Gelu(), nn.Linear(16, 8))


class Block(nn.Module):
    def __init__(self, attention: type[nn.Module]) -> None:
        super().__init__()
        self.norm_1, self.attn, self.norm_2, self.ff = nn.LayerNorm(8), attention(), nn.LayerNorm(8), mlp()

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm_1(x))
        return x + self.ff(self.norm_2(x))


class ByHand(Block):
    """Calls `forward` of its parts itself, and adds in place."""

    def forward(self, x: Tensor) -> Tensor:
        h = self.attn.forward(self.norm_1.forward(x))
        h += x
        return h + self.ff.forward(self.norm_2.forward(h))


class Parallel(Block):
    """Attention and MLP read the same stream (GPT-J)."""

    def forward(self, x: Tensor) -> Tensor:
        return x + self.attn(self.norm_1(x)) + self.ff(self.norm_2(x))


class Net(nn.Module):
    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.emb, self.pos, self.norm, self.head = (
            nn.Embedding(9, 8),
            nn.Embedding(9, 8),
            nn.LayerNorm(8),
            nn.Linear(8, 9),
        )
        self.blocks = nn.ModuleList(blocks)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids) + self.pos(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


BLOCK = ("norm", "qkv", "scores", "softmax", "mix", "residual", "norm", "mlp", "residual")


@pytest.mark.parametrize("attention", [Attention, Apart, Rotary])
@pytest.mark.parametrize("block", [Block, ByHand])
def test_a_block_has_its_nine_stages_however_it_is_written(block: type[Block], attention: type[nn.Module]) -> None:
    found = stages(Net([block(attention), block(attention)]))
    kinds = (*BLOCK[:2], "rotation", *BLOCK[2:]) if attention is Rotary else BLOCK
    assert tuple(stage.kind for stage in found) == ("tokenizer", "embeddings", *kinds, *kinds, "final_norm", "logits")
    assert [stage.block for stage in found[2:-2]] == [0] * len(kinds) + [1] * len(kinds)
    assert {stage.stack for stage in found} == {""}


class TurnsAsItGoes(Rotary):
    """Queries are turned before there are keys."""

    def forward(self, x: Tensor) -> Tensor:
        q = self.turn(self.qkv(x)[..., :8])
        k, v = self.qkv(x)[..., 8:].chunk(2, -1)
        return attend(q, self.turn(k), v)


class TurnsNobody(Attention):
    """A cosine that turns neither queries nor keys."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        waves = torch.arange(8.0).cos()
        return attend(q + waves, k, v)


@pytest.mark.parametrize("attention", [TurnsAsItGoes, TurnsNobody])
def test_only_what_turns_queries_and_keys_is_a_rotation(attention: type[nn.Module]) -> None:
    kinds = [stage.kind for stage in stages(Net([Block(attention)]))]
    assert kinds.count("qkv") == 1
    assert kinds.count("rotation") == (attention is TurnsAsItGoes)


ANGLES = torch.arange(16)[:, None] * torch.tensor([1.0, 0.1])  # [pos, pair]


class Unnamed(Attention):
    """Neighbours are turned together, of half of each vector; the name of the table does not tell what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("lookup", torch.cat((ANGLES.sin(), ANGLES.cos()), -1).bfloat16().float())

    def turn(self, x: Tensor) -> Tensor:
        left, right = (t.repeat_interleave(2, -1) for t in self.lookup[: x.shape[1]].chunk(2, -1))
        part, rest = x[..., :4], x[..., 4:]
        quarter = torch.stack((-part[..., 1::2], part[..., ::2]), -1).flatten(-2)
        return torch.cat((part * right + quarter * left, rest), -1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return attend(self.turn(q), self.turn(k), v)


class Complex(Unnamed):
    """Pairs are complex numbers."""

    def turn(self, x: Tensor) -> Tensor:
        table = torch.view_as_complex(torch.stack(self.lookup[: x.shape[1]].chunk(2, -1), -1))
        pairs = torch.view_as_complex(x[..., :4].unflatten(-1, (2, 2)))
        return torch.cat((torch.view_as_real(pairs * table).flatten(-2), x[..., 4:]), -1)


class ProjectsLater(Unnamed):
    """The rest of a key is projected when a part of it is turned already (DeepSeek-V2)."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = self.turn(q), self.turn(k)
        return attend(q, k + self.up(v), v)


class Stretches(Unnamed):
    """Two tables, whose squares do not sum to one number."""

    def turn(self, x: Tensor) -> Tensor:
        return x * (1 + self.lookup.repeat(1, 2)[: x.shape[1]])


class StandsStill(Unnamed):
    """The same angle at each position tells nobody where a token stands."""

    def turn(self, x: Tensor) -> Tensor:
        return x * torch.full((x.shape[1], 8), 0.6) + x.roll(4, -1) * torch.full((x.shape[1], 8), 0.8)


@pytest.mark.parametrize(
    ("attention", "between"),
    [
        (Unnamed, ["qkv", "rotation", "scores"]),
        (Complex, ["qkv", "rotation", "scores"]),
        (ProjectsLater, ["qkv", "rotation", "qkv", "scores"]),
        (Stretches, ["qkv", "scores"]),
        (StandsStill, ["qkv", "scores"]),
    ],
)
def test_a_rotation_is_known_by_its_numbers(attention: type[nn.Module], between: list[str]) -> None:
    kinds = [stage.kind for stage in stages(Net([Block(attention)]))]
    assert kinds[kinds.index("qkv") : kinds.index("softmax")] == between


class SinusoidalNet(Net):
    """Positions as waves that are added to the stream (Vaswani et al. 2017, 3.5) are no rotation."""

    def forward(self, ids: Tensor) -> Tensor:
        angle = torch.arange(ids.shape[1])[:, None] * torch.tensor([1.0, 0.1, 0.01, 0.001])
        x = self.emb(ids) + torch.cat((angle.sin(), angle.cos()), dim=-1)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def test_waves_that_are_added_to_the_stream_are_part_of_the_embeddings() -> None:
    found = stages(SinusoidalNet([Block(Attention)]))
    assert tuple(stage.kind for stage in found) == ("tokenizer", "embeddings", *BLOCK, "final_norm", "logits")


def test_parallel_attention_and_mlp_are_added_to_one_stream() -> None:
    kinds = Counter(stage.kind for stage in stages(Net([Parallel(Attention)])))
    assert (kinds["residual"], kinds["mlp"], kinds["qkv"], kinds["norm"]) == (2, 1, 1, 2)


class Looped(Net):
    """Lists of lists, added in the loop over the layers (x-transformers)."""

    def __init__(self) -> None:
        super().__init__([])
        self.layers = nn.ModuleList([nn.ModuleList([nn.LayerNorm(8), Apart(), mlp()]) for _ in range(2)])

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        for norm, attn, ff in self.layers:
            x = attn(norm(x)) + x
            x = ff(x) + x
        return self.head(self.norm(x))


def test_sums_in_the_loop_over_the_layers_belong_to_their_layer() -> None:
    found = [stage for stage in stages(Looped()) if stage.kind == "residual"]
    assert [stage.block for stage in found] == [0, 0, 1, 1]


class Output(nn.Module):
    """Adds and normalises, as BERT does."""

    def __init__(self) -> None:
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(8, 8), nn.LayerNorm(8)

    def forward(self, hidden: Tensor, given: Tensor) -> Tensor:
        return self.LayerNorm(self.dense(hidden) + given)


class PostNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attn, self.first, self.up, self.second = Attention(), Output(), nn.Linear(8, 8), Output()

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(self.attn(x), x)
        return self.second(torch.relu(self.up(x)), x)


def test_residuals_in_named_parts_are_seen() -> None:
    kinds = Counter(stage.kind for stage in stages(Net([PostNorm(), PostNorm()])))
    assert (kinds["residual"], kinds["norm"], kinds["final_norm"], kinds["qkv"], kinds["mlp"]) == (4, 4, 1, 2, 2)


class Mixing(nn.Module):
    """Lets positions see each other without attention, as Mamba and RWKV do."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.mix = nn.LayerNorm(8), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.cumsum(self.mix(self.norm(x)), dim=1)


def test_blocks_that_do_not_attend_are_blocks_and_no_mlps() -> None:
    found = stages(Net([Mixing(), Mixing()]))
    kinds = ("tokenizer", "embeddings", *("norm", "other", "residual") * 2, "final_norm", "logits")
    assert tuple(stage.kind for stage in found) == kinds
    assert [stage.block for stage in found[2:-2]] == [0] * 3 + [1] * 3


class TwoStacks(Net):
    def __init__(self) -> None:
        super().__init__([])
        self.encoder, self.decoder = nn.ModuleList([Block(Attention)]), nn.ModuleList([Block(Attention)])

    def forward(self, ids: Tensor) -> Tensor:
        x = self.encoder[0](self.emb(ids))
        return self.head(self.norm(self.decoder[0](self.emb(ids) + x.mean(1, keepdim=True))))


def test_two_stacks_of_blocks_have_their_names() -> None:
    found = [stage for stage in stages(TwoStacks()) if stage.kind == "softmax"]
    assert [stage.block_name for stage in found] == ["encoder.0", "decoder.0"]


class WrittenNorm(nn.Module):
    """No name says what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.g = nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * self.g


class Habits(Block):
    """Norms without names, a scaled branch, and a stream that is laid out and cast now and then."""

    def __init__(self, attention: type[nn.Module]) -> None:
        super().__init__(attention)
        self.a, self.b, self.gain = WrittenNorm(), WrittenNorm(), nn.Parameter(torch.ones(8))

    def forward(self, x: Tensor) -> Tensor:
        kept, shape = x, x.shape
        x = kept.to(torch.float64).to(torch.float32) + self.gain * self.attn(self.a(x.to(torch.float32)))
        x = x.reshape(-1, shape[-1])
        return (x + self.ff(self.b(x))).view(shape)


class Biased(Attention):
    """Scores are added to a bias in one call with their product, as BLOOM does."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        n_pos = x.shape[1]
        places = torch.arange(n_pos)
        bias = (-(places[:, None] - places).abs()).float()[None]
        scores = bias.baddbmm(batch1=q, batch2=k.transpose(1, 2), beta=1.0, alpha=0.35)
        mask = torch.ones(n_pos, n_pos, dtype=torch.bool).triu(1)
        return torch.bmm(scores.masked_fill(mask, float("-inf")).softmax(-1), v)


@pytest.mark.parametrize("attention", [Attention, Biased])
def test_layouts_and_factors_are_no_mlp_and_a_norm_needs_no_name(attention: type[nn.Module]) -> None:
    found = stages(Net([Habits(attention), Habits(attention)]))
    assert tuple(stage.kind for stage in found) == ("tokenizer", "embeddings", *BLOCK, *BLOCK, "final_norm", "logits")


class Cast(Mixing):
    """Adds onto the stream as it was before a cast that changed nothing (Mamba)."""

    def forward(self, x: Tensor) -> Tensor:
        mixed = torch.cumsum(self.mix(self.norm(x.to(torch.float32))), dim=1)
        return x.to(torch.float32) + mixed


def test_a_stream_that_was_cast_is_the_same_stream() -> None:
    kinds = Counter(stage.kind for stage in stages(Net([Cast(), Cast()])))
    assert (kinds["residual"], kinds["norm"], kinds["final_norm"]) == (2, 2, 1)


class Experts(nn.Module):
    """Counts how many tokens go to which expert."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up = nn.Linear(8, 2), nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.gate(x).argmax(-1)
        ends = torch.bincount(chosen.flatten(), minlength=2).cumsum(0)
        return self.up(x) * (ends[chosen] > 0)[..., None]


def test_counting_tokens_lets_no_position_see_another() -> None:
    block = Block(Attention)
    block.ff = Experts()
    assert "mlp" in {stage.kind for stage in stages(Net([block]))}


class Body(Net):
    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


class Sliced(nn.Module):
    """The last positions of what a body gave go on to the head (transformers)."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.body, self.head = Body(blocks), nn.Linear(8, 9)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.body(ids)[:, slice(-2, None), :])


def test_what_is_taken_from_the_last_norm_is_no_second_norm() -> None:
    kinds = Counter(stage.kind for stage in stages(Sliced([Block(Attention)])))
    assert (kinds["final_norm"], kinds["logits"]) == (1, 1)


class Shares(Mixing):
    """Its activation is a part that all layers share, and that stands at none of them."""

    act = Gelu()

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.cumsum(self.act(self.mix(self.norm(x))), dim=1)


def test_a_part_that_layers_share_is_in_the_layer_that_calls_it() -> None:
    found = stages(Net([Shares(), Shares()]))
    assert [stage.block for stage in found[2:-2]] == [0] * 3 + [1] * 3


def test_every_step_is_in_one_stage() -> None:
    for model in (
        Net([Block(Rotary)]),
        Looped(),
        TwoStacks(),
        Net([Mixing()]),
        Net([Habits(Biased)]),
        Sliced([Cast()]),
    ):
        found = stages(model)[1:]
        assert [stage.first for stage in found[1:]] == [stage.last + 1 for stage in found[:-1]]
        assert found[0].first == 0


class AnglesRest(nn.Module):
    """Angles as complex numbers, which every block brings to the device that they are on already (Llama 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.qkv = nn.Embedding(9, 8), nn.ModuleList(nn.Linear(8, 24) for _ in range(2))

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        freqs = torch.polar(torch.ones(ids.shape[1], 4), ANGLES[: ids.shape[1]].repeat(1, 2))
        for qkv in self.qkv:
            q, k, v = qkv(x).chunk(3, -1)
            here = freqs.to(x.device)
            turned_q = torch.view_as_real(torch.view_as_complex(q.unflatten(-1, (4, 2))) * here).flatten(-2)
            turned_k = torch.view_as_real(torch.view_as_complex(k.unflatten(-1, (4, 2))) * here).flatten(-2)
            x = x + attend(turned_q, turned_k, v)
        return x


def test_the_angles_are_no_result_of_a_rotation() -> None:
    trace = record(AnglesRest(), torch.arange(5)[None])
    navigator = Navigator(trace)
    stage = next(
        one for one in navigator.stages if one.kind == "rotation" and trace[one.last].outputs[0].shape[-1] == 8
    )
    results = [panel.name for panel in panels_at(navigator, Location("stage", stage.index)) if panel.is_result]
    assert results == ["turned_q", "turned_k"]


class Shared(nn.Module):
    """One layer for all depths (universal transformer), whose MLP is an `nn.Sequential`."""

    def __init__(self) -> None:
        super().__init__()
        self.emb, self.attn, self.norm_1, self.norm_2 = (
            nn.Embedding(9, 8),
            Attention(),
            nn.LayerNorm(8),
            nn.LayerNorm(8),
        )
        self.ff, self.norm = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)), nn.LayerNorm(8)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.emb(ids)
        for _ in range(2):
            x = x + self.attn(self.norm_1(x))
            x = x + self.ff(self.norm_2(x))
        return self.norm(x) @ self.emb.weight.T


def test_the_parts_of_an_mlp_are_no_blocks_and_the_last_norm_is_the_last() -> None:
    found = stages(Shared())
    assert {stage.block for stage in found} == {None}
    assert [stage.kind for stage in found if "norm" in stage.kind] == [*["norm"] * 4, "final_norm"]


def panels(model: nn.Module, *inputs: Tensor) -> dict[str, list[tuple[str, bool]]]:
    """The names of the pictures of each kind of stage, the first of its kind, and which are results."""
    with torch.no_grad():
        navigator = Navigator(record(model.eval(), *inputs or (IDS,)))
    found: dict[str, list[tuple[str, bool]]] = {}
    for stage in navigator.stages:
        shown = panels_at(navigator, Location("stage", stage.index))
        found.setdefault(stage.kind, [(panel.name, panel.is_result) for panel in shown])
    return found


def test_the_stages_in_a_fused_call_show_its_parts_and_not_its_end() -> None:
    found = panels(Alibi())
    assert found["qkv"] == [("x", False), *((name, True) for name in "qkv")]  # and no bias, made right behind them
    assert found["scores"] == [("q", False), ("k", False), ("masked", True)]


def test_a_fused_call_that_projects_too_has_queries_keys_and_values() -> None:
    found = panels(Universal())
    assert found["qkv"] == [("query", False), ("q", True), ("k", True), ("v", True)]
    assert found["scores"] == [("q", False), ("k", False), ("masked", True)]
    encoder = panels(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), torch.rand(1, 3, 8))
    assert encoder["qkv"][1:] == [("q", True), ("k", True), ("v", True)]


def test_without_blocks_there_are_sums_and_logits_too() -> None:
    kinds = [stage.kind for stage in stages(Rwkv())]
    assert kinds == ["tokenizer", "embeddings", "other", "residual", "logits"]
    kinds = [stage.kind for stage in stages(FewTokens())]
    layer = ["other", "norm", "mlp", "residual"]
    assert kinds == ["tokenizer", "embeddings", *layer, *layer, "logits"]
    assert kinds.count("norm") == 2  # neither is the last of a stream that blocks add to


class ChoosesKeys(nn.Module):
    """A second, smaller product says which keys are read at all: its answer is a mask (a sparse attention's index)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.qkv, self.pick, self.head = (
            nn.Embedding(9, 8),
            nn.Linear(8, 24),
            nn.Linear(8, 4),
            nn.Linear(8, 9),
        )

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        q, k, v = self.qkv(x).chunk(3, -1)
        small = self.pick(x)
        index = small @ small.mT
        kept = index.topk(2, dim=-1).indices
        mask = torch.ones_like(index).scatter(-1, kept, 0).bool()
        scores = (q @ k.mT).masked_fill(mask, float("-inf"))
        return self.head(x + scores.softmax(-1) @ v)


def test_what_says_which_keys_are_read_belongs_to_the_scores() -> None:
    found = panels(ChoosesKeys())
    assert found["qkv"] == [("x", False), ("q", True), ("k", True), ("v", True)]
    assert found["scores"] == [("q", False), ("k", False), ("scores", True)]


class WithOwnLoss(nn.Module):
    """Works its loss out itself, as models of transformers do that are given labels."""

    def __init__(self, by_hand: bool) -> None:
        super().__init__()
        self.by_hand = by_hand
        self.embed, self.attention = nn.Embedding(12, 8), nn.ModuleList(Attention() for _ in range(2))
        self.norm, self.head = nn.LayerNorm(8), nn.Linear(8, 12)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        x = self.embed(ids)
        for attention in self.attention:
            x = x + attention(x)
        logits = torch.tanh(self.head(self.norm(x)) / 30) * 30
        labels = ids.clone()
        if self.by_hand:
            return -logits.log_softmax(-1).gather(-1, labels[..., None]).view(-1).mean(), logits
        return nn.functional.cross_entropy(logits.view(-1, 12), labels.view(-1)), logits


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_loss_of_the_models_own_is_no_part_of_the_logits(by_hand: bool) -> None:
    with torch.no_grad():
        trace = record(WithOwnLoss(by_hand).eval(), IDS)
    *_, logits, rest = stages_of(trace)
    assert (logits.kind, rest.kind) == ("logits", "other")
    assert trace[logits.first].op == "linear" and "logits" in trace[logits.last].address
    assert trace[rest.last].outputs[0].shape == ()
