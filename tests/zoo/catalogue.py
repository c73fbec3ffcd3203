"""All of the zoo."""

from __future__ import annotations

import math

import torch
from torch import nn

from lmviz.debug.patient import Patient
from tests.zoo import (
    annotated,
    huggingface_like,
    lecture,
    loops,
    mingpt_like,
    modern,
    nanogpt_like,
    torch_nn,
    trainings,
)
from tests.zoo.entry import Entry, loop, patient


def _spoiled(model: nn.Module, path: str, number: float) -> nn.Module:
    with torch.no_grad():
        model.get_parameter(path).view(-1)[3] = number
    return model


def _sharp(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for block in model.transformer.h:  # type: ignore[union-attr, operator]
            block.attn.c_attn.weight[:32] *= 4000.0
    return model


def _tied_to_a_wide_table() -> nn.Module:
    model = torch_nn.MultiheadLM()
    model.head.weight = model.token.weight  # N(0, 1), as nn.Embedding begins
    nn.init.normal_(model.token.weight, std=2.0)
    return model


def _in_loop(**parts: object) -> Patient:
    return patient(modern.Parallel(), loop(**parts))


HEALTHY = (
    Entry("nanoGPT, fused", lambda: patient(nanogpt_like.gpt())),
    Entry("nanoGPT, written out", lambda: patient(nanogpt_like.gpt(flash=False, dropout=0.2))),
    Entry("nanoGPT, without dropout and biases", lambda: patient(nanogpt_like.gpt(dropout=0.0, bias=False))),
    Entry("nanoGPT, its own loop", lambda: patient(nanogpt_like.gpt(), loop(train=nanogpt_like.train))),
    Entry("minGPT", lambda: patient(mingpt_like.GPT())),
    Entry("lecture: a table of pairs", lambda: patient(lecture.BigramLanguageModel())),
    Entry("lecture: GPT", lambda: patient(lecture.GPTLanguageModel())),
    Entry("transformers: named output", lambda: patient(huggingface_like.ForCausalLM())),
    Entry("transformers: a tuple", lambda: patient(huggingface_like.ForCausalLM(as_tuple=True))),
    Entry(
        "transformers: labels shifted inside",
        lambda: patient(
            huggingface_like.ForCausalLM(),
            loop(
                make_pairs=huggingface_like.make_pairs, Loss=huggingface_like.ShiftedLoss, train=huggingface_like.train
            ),
        ),
    ),
    Entry("nn.TransformerEncoder, mask of truths", lambda: patient(torch_nn.EncoderLM())),
    Entry("nn.TransformerEncoder, mask of numbers", lambda: patient(torch_nn.EncoderLM(mask="float", norm_first=True))),
    Entry(
        "nn.TransformerEncoder, mask by hand, fillers hidden",
        lambda: patient(torch_nn.EncoderLM(mask="zeros and ones", pads=True, activation="gelu")),
    ),
    Entry("sequence first", lambda: patient(torch_nn.SequenceFirst())),
    Entry("nn.MultiheadAttention", lambda: patient(torch_nn.MultiheadLM())),
    Entry("LSTM", lambda: patient(torch_nn.Recurrent())),
    Entry("GRU that returns its state", lambda: patient(torch_nn.Recurrent(nn.GRU, state=True))),
    Entry("RNN by hand", lambda: patient(torch_nn.RecurrentByHand())),
    Entry(
        "Annotated Transformer, log-probabilities",
        lambda: patient(annotated.LanguageModel(), loop(Loss=annotated.NegativeLogLikelihood)),
    ),
    Entry("einsum", lambda: patient(modern.EinsumTransformer())),
    Entry("Llama", lambda: patient(modern.Llama())),
    Entry("ALiBi", lambda: patient(modern.Alibi())),
    Entry("parallel blocks", lambda: patient(modern.Parallel())),
    Entry("state space", lambda: patient(modern.StateSpace())),
    Entry("convolutions", lambda: patient(modern.CausalConv())),
    Entry("one block, three times", lambda: patient(modern.SharedBlock())),
    Entry("named as BERT", lambda: patient(modern.NamedParts())),
    Entry("loop: gradient of two halves", lambda: _in_loop(train=loops.accumulated)),
    Entry("loop: schedule", lambda: _in_loop(train=loops.scheduled)),
    Entry("loop: a stream", lambda: _in_loop(make_pairs=loops.stream)),
    Entry(
        "loop: fillers of zero, left out", lambda: _in_loop(make_pairs=loops.filled_with_zero, Loss=loops.IgnoreZero)
    ),
    Entry("loop: smoothed labels", lambda: _in_loop(Loss=loops.Smoothed)),
    Entry("loop: a loss by hand", lambda: _in_loop(Loss=loops.ByHand)),
    Entry("loop: a sum over texts", lambda: _in_loop(Loss=loops.SumOverTexts)),
    Entry("loop: a penalty on logits", lambda: _in_loop(Loss=loops.WithPenalty)),
    Entry("training", trainings.healthy),
    Entry("training on single names", trainings.healthy_of_single_names),
    Entry("training by epochs", trainings.healthy_by_epochs),
)

BROKEN = (
    Entry("nanoGPT: not causal", lambda: patient(nanogpt_like.gpt(fault="not causal")), ("causality",)),
    Entry("nanoGPT: a mask in training only",
          lambda: patient(nanogpt_like.gpt(flash=False, fault="mask in training only")), ("causality",)),
    Entry("nanoGPT: heads joined wrongly", lambda: patient(nanogpt_like.gpt(fault="heads joined wrongly")), ("causality",)),
    Entry("nanoGPT: no activation", lambda: patient(nanogpt_like.gpt(fault="no activation")), ("bends",)),
    Entry("nanoGPT: detached", lambda: patient(nanogpt_like.gpt(fault="detached")), ("gradients_reach",)),
    Entry("nanoGPT: starts too large", lambda: patient(nanogpt_like.gpt(fault="starts too large")), ("first_loss",)),
    Entry("nanoGPT: no positions", lambda: patient(nanogpt_like.gpt(fault="no positions")), ("positions",)),
    Entry("minGPT: heads without transpose",
          lambda: patient(mingpt_like.GPT(fault="heads without transpose")), ("receptive_field",)),
    Entry("minGPT: no scale", lambda: patient(mingpt_like.GPT(fault="no scale")), ("scale",)),
    Entry("minGPT: mask after softmax", lambda: patient(mingpt_like.GPT(fault="mask after softmax")),
          ("pattern_rows", "causality")),
    Entry("minGPT: a table too short", lambda: patient(mingpt_like.GPT(fault="table too short")), ("whole_context",)),
    Entry("minGPT: NaN in a weight",
          lambda: patient(_spoiled(mingpt_like.GPT(), "transformer.h.1.mlp.c_fc.weight", math.nan)), ("finite",)),
    Entry("minGPT: sharp attention", lambda: patient(_sharp(mingpt_like.GPT())), ("entropy_collapse", "saturated_softmax")),
    Entry("lecture: scaled by the width", lambda: patient(lecture.GPTLanguageModel("scaled by the width")), ("scale",)),
    Entry("lecture: softmax over queries", lambda: patient(lecture.GPTLanguageModel("softmax over queries")),
          ("causality", "pattern_rows")),
    Entry("lecture: heads in a list", lambda: patient(lecture.GPTLanguageModel("heads in a list")), ("registered",)),
    Entry("lecture: no residual", lambda: patient(lecture.GPTLanguageModel("no residual")), ("stream",)),
    Entry("lecture: units that are off", lambda: patient(lecture.GPTLanguageModel("units that are off")), ("dead_units",)),
    Entry("lecture: softmax at the end", lambda: patient(lecture.GPTLanguageModel("softmax at the end")), ("double_softmax",)),
    Entry("transformers: a mask of −0.0001",
          lambda: patient(huggingface_like.ForCausalLM(fault="smallest number of another type")), ("causality",)),
    Entry("transformers: frozen", lambda: patient(huggingface_like.ForCausalLM(fault="frozen")), ("gradients_reach",)),
    Entry("nn.TransformerEncoder: no mask", lambda: patient(torch_nn.EncoderLM(mask="none")), ("causality",)),
    Entry("nn.TransformerEncoder: mask inverted", lambda: patient(torch_nn.EncoderLM(mask="inverted")), ("causality",)),
    Entry("nn.TransformerEncoder: itself hidden",
          lambda: patient(torch_nn.EncoderLM(mask="itself hidden")), ("sees_itself",)),
    Entry("nn.TransformerEncoder: numbers in place of a mask",
          lambda: patient(torch_nn.EncoderLM(mask="numbers in place of a mask")), ("causality", "finite")),
    Entry("positions taken for texts", lambda: patient(torch_nn.MixedUp()), ("texts_apart",)),
    Entry("GRU: positions taken for texts", lambda: patient(torch_nn.MixedUp("gru")), ("texts_apart",)),
    Entry("LSTM both ways", lambda: patient(torch_nn.Recurrent(bidirectional=True)), ("causality",)),
    Entry("a wide table, tied", lambda: patient(_tied_to_a_wide_table()), ("first_loss",)),
    Entry("Annotated Transformer: no positions", lambda: patient(annotated.LanguageModel(fault="no positions")), ("positions",)),
    Entry("Annotated Transformer: no residual", lambda: patient(annotated.LanguageModel(fault="no residual")), ("stream",)),
    Entry("Annotated Transformer: norm over positions",
          lambda: patient(annotated.LanguageModel(fault="norm over positions")), ("norm", "causality")),
    Entry("einsum: softmax over queries", lambda: patient(modern.EinsumTransformer("softmax over queries")),
          ("causality", "pattern_rows")),
    Entry("Llama: norm over positions", lambda: patient(modern.Llama("norm over positions")), ("causality",)),
    Entry("Llama: itself hidden", lambda: patient(modern.Llama("itself hidden")), ("finite",)),
    Entry("a norm over positions and width", lambda: patient(modern.WideNorm()), ("causality",)),
    Entry("deep without residuals", lambda: patient(modern.Plain()), ("layers", "stream")),
    Entry("loop: never zeroed", lambda: _in_loop(train=loops.never_zeroed), ("gradients_afresh",)),
    Entry("loop: not shifted", lambda: _in_loop(make_pairs=loops.not_shifted), ("targets_shifted",)),
    Entry("loop: the token before", lambda: _in_loop(make_pairs=loops.the_token_before), ("targets_shifted",)),
    Entry("loop: shifted twice", lambda: _in_loop(Loss=loops.ShiftsAgain), ("targets_shifted",)),
    Entry("loop: fillers count", lambda: _in_loop(Loss=loops.CountsFillers), ("padding",)),
    Entry("loop: transposed", lambda: _in_loop(Loss=loops.Transposed), ("cross_entropy",)),
    Entry("loop: viewed wrongly", lambda: _in_loop(Loss=loops.ViewedWrongly), ("cross_entropy",)),
    Entry("loop: softmax first", lambda: _in_loop(Loss=loops.SoftmaxFirst), ("double_softmax",)),
    Entry("loop: no softmax", lambda: _in_loop(Loss=loops.NoSoftmax), ("cross_entropy",)),
    Entry("loop: only the head", lambda: _in_loop(train=loops.only_the_head), ("all_move",)),
    Entry("loop: never steps", lambda: _in_loop(train=loops.never_steps), ("all_move",)),
    Entry("loop: uphill", lambda: _in_loop(train=loops.uphill), ("one_batch",)),
    Entry("training: rate too high", trainings.rate_too_high, ("falls", "stays_down", "stays_finite")),
    Entry("training: rate too low", trainings.rate_too_low, ("falls",)),
    Entry("training: learned by heart", trainings.learned_by_heart, ("generalises",)),
    Entry("training: overflows", trainings.overflows, ("half_precision",)),
    Entry("training: breaks", trainings.breaks, ("stays_finite",)),
)  # fmt: skip
