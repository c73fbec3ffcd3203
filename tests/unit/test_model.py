"""What the two architectures promise: their sizes, their causality, the names that the rest of lmviz goes by."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmviz.errors import UserError
from lmviz.model import gpt2, mini_llm
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.mini_llm import MiniLLM, MiniLLMConfig

SMALL = GPT2Config(d_vocab=7, n_ctx=6, n_layers=2, d_model=8, n_heads=2, d_mlp=12)
LARGER_MINI = MiniLLMConfig(d_vocab=7, n_ctx=6, n_layers=3, d_model=12, n_heads=4, d_mlp=5)


def drawn(model: nn.Module) -> nn.Module:
    """The model with all weights from N(0, 1), biases and norms included."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model.eval()


MODELS = [
    pytest.param(lambda: drawn(GPT2(SMALL)), id="gpt2"),
    pytest.param(lambda: drawn(MiniLLM(LARGER_MINI)), id="mini_llm"),
]


def n_parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_the_lesson_has_2832_parameters() -> None:
    assert n_parameters(MiniLLM(MiniLLMConfig())) == 2832


def test_small_ever_has_112_parameters() -> None:
    assert n_parameters(GPT2(GPT2Config(d_vocab=4, n_ctx=13, n_layers=1, d_model=2, n_heads=1, d_mlp=8))) == 112


def test_gpt2_small_has_124_million_parameters() -> None:
    with torch.device("meta"):
        model = GPT2(GPT2Config(d_vocab=50257, n_ctx=1024, n_layers=12, d_model=768, n_heads=12, d_mlp=3072))
    assert n_parameters(model) == 124_439_808


@pytest.mark.parametrize("make", MODELS)
def test_logits_have_one_row_per_token(make: Callable[[], nn.Module]) -> None:
    assert make()(torch.zeros(3, 5, dtype=torch.long)).shape == (3, 5, 7)


@pytest.mark.parametrize("make", MODELS)
def test_nothing_sees_the_future(make: Callable[[], nn.Module]) -> None:
    model, ids = make(), torch.tensor([[1, 2, 3, 4, 5, 6]])
    logits = model(ids)
    for pos in range(5):
        changed = ids.clone()
        changed[0, pos + 1 :] = 0
        assert torch.equal(model(changed)[0, : pos + 1], logits[0, : pos + 1])
        assert not torch.equal(model(changed)[0, pos + 1], logits[0, pos + 1])


@pytest.mark.parametrize("make", MODELS)
def test_every_position_sees_its_whole_past(make: Callable[[], nn.Module]) -> None:
    model, ids = make(), torch.tensor([[1, 2, 3, 4, 5, 6]])
    for pos in range(6):
        changed = ids.clone()
        changed[0, pos] = 0
        assert (model(changed) - model(ids)).abs()[0, pos:].sum(-1).min() > 1e-6


@pytest.mark.parametrize("make", MODELS)
def test_a_row_of_a_batch_is_computed_as_if_alone(make: Callable[[], nn.Module]) -> None:
    model, ids = make(), torch.tensor([[1, 2, 3], [6, 5, 4]])
    torch.testing.assert_close(model(ids)[1:], model(ids[1:]))


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("shape", [(1, 7), (1, 0), (3,)])
def test_a_length_that_does_not_fit_is_refused_in_a_sentence(
    make: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    with pytest.raises(UserError, match=r"1 to 6 tokens|two axes"):
        make()(torch.zeros(shape, dtype=torch.long))


def test_the_norm_is_torchs_own_spelled_out() -> None:
    norm = gpt2.LayerNorm(SMALL)
    drawn(norm)
    x = torch.randn(2, 3, 8)
    torch.testing.assert_close(norm(x), F.layer_norm(x, (8,), norm.weight, norm.bias, SMALL.norm_eps))


def test_attention_is_torchs_fused_one_spelled_out() -> None:
    attn = gpt2.Attention(SMALL)
    drawn(attn)
    x = torch.randn(2, 5, 8)

    def heads(projected: Tensor) -> Tensor:
        return projected.view(2, 5, 2, 4).transpose(1, 2)

    fused = F.scaled_dot_product_attention(*(heads(w(x)) for w in (attn.w_q, attn.w_k, attn.w_v)), is_causal=True)
    torch.testing.assert_close(attn(x), attn.w_o(fused.transpose(1, 2).reshape(2, 5, 8)), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", gpt2.ACTIVATIONS)
def test_each_activation_is_the_one_it_is_named_after(name: str) -> None:
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    formulas = {
        "gelu_tanh": lambda x: x / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
        "gelu": lambda x: x / 2 * (1 + math.erf(x / math.sqrt(2))),
        "relu": lambda x: max(x, 0.0),
        "silu": lambda x: x / (1 + math.exp(-x)),
        "tanh": math.tanh,
    }
    assert gpt2.ACTIVATIONS[name](x).tolist() == pytest.approx([formulas[name](number) for number in x.tolist()])


def test_a_tied_unembedding_is_the_token_embedding() -> None:
    model = GPT2(SMALL)
    assert model.unembed.weight is model.tok_embed.weight


class TestDropout:
    config = GPT2Config(d_vocab=7, n_ctx=6, n_layers=2, d_model=8, n_heads=2, d_mlp=12, dropout=0.5)
    ids = torch.tensor([[1, 2, 3, 4]])

    def test_changes_every_forward_in_training(self) -> None:
        model = drawn(GPT2(self.config)).train()
        assert not torch.equal(model(self.ids), model(self.ids))

    def test_is_off_in_eval_mode_and_absent_from_the_weights(self) -> None:
        model, plain = drawn(GPT2(self.config)), drawn(GPT2(SMALL))
        plain.load_state_dict(model.state_dict())
        assert torch.equal(model(self.ids), plain(self.ids))

    def test_is_nowhere_in_the_source_of_a_model_without(self) -> None:
        assert {type(block) for block in GPT2(SMALL).blocks} == {gpt2.Block}
        assert "dropout" not in inspect.getsource(gpt2.Block.forward)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"n_heads": 3}, "multiple of n_heads.*d_model=8, n_heads=3"),
        ({"d_model": 0}, "d_model must be a whole number, 1 or more; got 0"),
        ({"n_layers": True}, "n_layers must be a whole number"),
        ({"d_mlp": 1.5}, "d_mlp must be a whole number"),
        ({"activation": "sine"}, "activation must be one of gelu_tanh, .*; got 'sine'"),
        ({"norm_eps": 0.0}, "norm_eps must be a finite number above 0"),
        ({"norm_eps": math.nan}, "norm_eps must be a finite number above 0"),
        ({"dropout": 1.0}, "dropout must be a number from 0 up to, but not including, 1"),
    ],
)
def test_sizes_that_fit_no_model_are_refused_in_a_sentence(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        GPT2Config(**{**vars(SMALL), **change})


# The names below are addresses: links, pages, explanations and other tests go by them.
ATTENTION = "n_pos heads q k v scores masked pattern z joined"
BLOCK = "attn_out x_mid mlp_out x_out"
NAMES = {
    gpt2: {
        "LayerNorm": "mean centred variance normed scaled",
        "Attention": f"{ATTENTION} attn_out",
        "MLP": "pre hidden mlp_out",
        "Block": BLOCK,
        "DropoutBlock": "attn_out attn_kept x_mid mlp_out mlp_kept x_out",
        "GPT2": "tok pos x x final logits",
    },
    mini_llm: {
        "Attention": ATTENTION,
        "MLP": "pre hidden mlp_out",
        "Block": BLOCK,
        "MiniLLM": "tok pos x x logits",
    },
}


def forwards(module: ModuleType) -> dict[str, ast.FunctionDef]:
    """The forward method of every class of a module, by the name of the class."""
    tree = ast.parse(inspect.getsource(module))
    return {
        part.name: method
        for part in tree.body
        if isinstance(part, ast.ClassDef)
        for method in part.body
        if isinstance(method, ast.FunctionDef) and method.name == "forward"
    }


def assigned_names(forward: ast.FunctionDef) -> str:
    """In the order of the source; only `x`, which runs through the blocks, may come twice."""
    assignments = (node for node in ast.walk(forward) if isinstance(node, ast.Assign))
    return " ".join(ast.unparse(node.targets[0]) for node in sorted(assignments, key=lambda node: node.lineno))


@pytest.mark.parametrize("module", [gpt2, mini_llm])
def test_every_result_in_the_lesson_has_the_name_it_is_known_by(module: ModuleType) -> None:
    assert {part: assigned_names(forward) for part, forward in forwards(module).items()} == NAMES[module]


@pytest.mark.parametrize("module", [gpt2, mini_llm])
def test_the_lesson_overwrites_no_tensor(module: ModuleType) -> None:
    for forward in forwards(module).values():
        assert not [node for node in ast.walk(forward) if isinstance(node, ast.AugAssign)]
        methods = [node.attr for node in ast.walk(forward) if isinstance(node, ast.Attribute)]
        assert not [name for name in methods if name.endswith("_")]
