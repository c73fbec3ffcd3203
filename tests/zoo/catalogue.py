"""All of the zoo."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from lmviz.debug.subject import Subject
from tests.zoo import (
    annotated,
    huggingface_like,
    later_loops,
    later_models,
    later_more,
    later_still,
    lecture,
    loops,
    mingpt_like,
    modern,
    nanogpt_like,
    strangers,
    torch_nn,
    trainings,
)
from tests.zoo.entry import TEXTS, Entry, T, V, loop, subject


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


def _in_loop(**parts: object) -> Subject:
    return subject(modern.Parallel(), loop(**parts))


HEALTHY = (
    Entry("nanoGPT, fused", lambda: subject(nanogpt_like.gpt())),
    Entry("nanoGPT, written out", lambda: subject(nanogpt_like.gpt(flash=False, dropout=0.2))),
    Entry("nanoGPT, without dropout and biases", lambda: subject(nanogpt_like.gpt(dropout=0.0, bias=False))),
    Entry("nanoGPT, its own loop", lambda: subject(nanogpt_like.gpt(), loop(train=nanogpt_like.train))),
    Entry("minGPT", lambda: subject(mingpt_like.GPT())),
    Entry("lecture: a table of pairs", lambda: subject(lecture.BigramLanguageModel())),
    Entry("lecture: GPT", lambda: subject(lecture.GPTLanguageModel())),
    Entry("transformers: named output", lambda: subject(huggingface_like.ForCausalLM())),
    Entry("transformers: a tuple", lambda: subject(huggingface_like.ForCausalLM(as_tuple=True))),
    Entry(
        "transformers: labels shifted inside",
        lambda: subject(
            huggingface_like.ForCausalLM(),
            loop(
                make_pairs=huggingface_like.make_pairs, Loss=huggingface_like.ShiftedLoss, train=huggingface_like.train
            ),
        ),
    ),
    Entry("nn.TransformerEncoder, mask of truths", lambda: subject(torch_nn.EncoderLM())),
    Entry("nn.TransformerEncoder, mask of numbers", lambda: subject(torch_nn.EncoderLM(mask="float", norm_first=True))),
    Entry(
        "nn.TransformerEncoder, mask by hand, fillers hidden",
        lambda: subject(torch_nn.EncoderLM(mask="zeros and ones", pads=True, activation="gelu")),
    ),
    Entry("sequence first", lambda: subject(torch_nn.SequenceFirst())),
    Entry("nn.MultiheadAttention", lambda: subject(torch_nn.MultiheadLM())),
    Entry("LSTM", lambda: subject(torch_nn.Recurrent())),
    Entry("GRU that returns its state", lambda: subject(torch_nn.Recurrent(nn.GRU, state=True))),
    Entry("RNN by hand", lambda: subject(torch_nn.RecurrentByHand())),
    Entry(
        "Annotated Transformer, log-probabilities",
        lambda: subject(annotated.LanguageModel(), loop(Loss=annotated.NegativeLogLikelihood)),
    ),
    Entry("einsum", lambda: subject(modern.EinsumTransformer())),
    Entry("Llama", lambda: subject(modern.Llama())),
    Entry("ALiBi", lambda: subject(modern.Alibi())),
    Entry("parallel blocks", lambda: subject(modern.Parallel())),
    Entry("state space", lambda: subject(modern.StateSpace())),
    Entry("convolutions", lambda: subject(modern.CausalConv())),
    Entry("one block, three times", lambda: subject(modern.SharedBlock())),
    Entry("named as BERT", lambda: subject(modern.NamedParts())),
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
    Entry("nanoGPT: not causal", lambda: subject(nanogpt_like.gpt(fault="not causal")), ("causality",)),
    Entry("nanoGPT: a mask in training only",
          lambda: subject(nanogpt_like.gpt(flash=False, fault="mask in training only")), ("causality",)),
    Entry("nanoGPT: heads joined wrongly", lambda: subject(nanogpt_like.gpt(fault="heads joined wrongly")), ("causality",)),
    Entry("nanoGPT: no activation", lambda: subject(nanogpt_like.gpt(fault="no activation")), ("bends",)),
    Entry("nanoGPT: detached", lambda: subject(nanogpt_like.gpt(fault="detached")), ("gradients_reach",)),
    Entry("nanoGPT: starts too large", lambda: subject(nanogpt_like.gpt(fault="starts too large")), ("first_loss",)),
    Entry("nanoGPT: no positions", lambda: subject(nanogpt_like.gpt(fault="no positions")), ("positions",)),
    Entry("minGPT: heads without transpose",
          lambda: subject(mingpt_like.GPT(fault="heads without transpose")), ("receptive_field",)),
    Entry("minGPT: no scale", lambda: subject(mingpt_like.GPT(fault="no scale")), ("scale",)),
    Entry("minGPT: mask after softmax", lambda: subject(mingpt_like.GPT(fault="mask after softmax")),
          ("pattern_rows", "causality")),
    Entry("minGPT: a table too short", lambda: subject(mingpt_like.GPT(fault="table too short")), ("whole_context",)),
    Entry("minGPT: NaN in a weight",
          lambda: subject(_spoiled(mingpt_like.GPT(), "transformer.h.1.mlp.c_fc.weight", math.nan)), ("finite",)),
    Entry("minGPT: sharp attention", lambda: subject(_sharp(mingpt_like.GPT())), ("entropy_collapse", "saturated_softmax")),
    Entry("lecture: scaled by the width", lambda: subject(lecture.GPTLanguageModel("scaled by the width")), ("scale",)),
    Entry("lecture: softmax over queries", lambda: subject(lecture.GPTLanguageModel("softmax over queries")),
          ("causality", "pattern_rows")),
    Entry("lecture: heads in a list", lambda: subject(lecture.GPTLanguageModel("heads in a list")), ("registered",)),
    Entry("lecture: no residual", lambda: subject(lecture.GPTLanguageModel("no residual")), ("stream",)),
    Entry("lecture: units that are off", lambda: subject(lecture.GPTLanguageModel("units that are off")), ("dead_units",)),
    Entry("lecture: softmax at the end", lambda: subject(lecture.GPTLanguageModel("softmax at the end")), ("double_softmax",)),
    Entry("transformers: a mask of −0.0001",
          lambda: subject(huggingface_like.ForCausalLM(fault="smallest number of another type")), ("causality",)),
    Entry("transformers: frozen", lambda: subject(huggingface_like.ForCausalLM(fault="frozen")), ("gradients_reach",)),
    Entry("nn.TransformerEncoder: no mask", lambda: subject(torch_nn.EncoderLM(mask="none")), ("causality",)),
    Entry("nn.TransformerEncoder: mask inverted", lambda: subject(torch_nn.EncoderLM(mask="inverted")), ("causality",)),
    Entry("nn.TransformerEncoder: itself hidden",
          lambda: subject(torch_nn.EncoderLM(mask="itself hidden")), ("sees_itself",)),
    Entry("nn.TransformerEncoder: numbers in place of a mask",
          lambda: subject(torch_nn.EncoderLM(mask="numbers in place of a mask")), ("causality", "finite")),
    Entry("positions taken for texts", lambda: subject(torch_nn.MixedUp()), ("texts_apart",)),
    Entry("GRU: positions taken for texts", lambda: subject(torch_nn.MixedUp("gru")), ("texts_apart",)),
    Entry("LSTM both ways", lambda: subject(torch_nn.Recurrent(bidirectional=True)), ("causality",)),
    Entry("a wide table, tied", lambda: subject(_tied_to_a_wide_table()), ("first_loss",)),
    Entry("Annotated Transformer: no positions", lambda: subject(annotated.LanguageModel(fault="no positions")), ("positions",)),
    Entry("Annotated Transformer: no residual", lambda: subject(annotated.LanguageModel(fault="no residual")), ("stream",)),
    Entry("Annotated Transformer: norm over positions",
          lambda: subject(annotated.LanguageModel(fault="norm over positions")), ("norm", "causality")),
    Entry("einsum: softmax over queries", lambda: subject(modern.EinsumTransformer("softmax over queries")),
          ("causality", "pattern_rows")),
    Entry("Llama: norm over positions", lambda: subject(modern.Llama("norm over positions")), ("causality",)),
    Entry("Llama: itself hidden", lambda: subject(modern.Llama("itself hidden")), ("finite",)),
    Entry("a norm over positions and width", lambda: subject(modern.WideNorm()), ("causality",)),
    Entry("deep without residuals", lambda: subject(modern.Plain()), ("layers", "stream")),
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


def _later(name: str, make: Callable[[], Subject | str], *fault: str) -> Entry:
    return Entry(name, make, fault, later=True)


def _broken(fault: str) -> Callable[[], Subject]:
    return lambda: subject(later_models.Broken(fault))


LATER_HEALTHY = (
    _later("no positions on purpose", lambda: subject(later_models.NoPositions())),
    _later("T5", lambda: subject(later_models.Relative())),
    _later("RWKV", lambda: subject(later_models.Rwkv())),
    _later("experts", lambda: subject(later_models.Mixture())),
    _later("a sliding window", lambda: subject(later_models.Sliding())),
    _later("a network on three tokens", lambda: subject(later_models.Trigram())),
    _later("norms before and after", lambda: subject(later_models.Sandwich())),
    _later("linear attention", lambda: subject(later_models.LinearAttention())),
    _later("matrices that start at 0", lambda: subject(later_models.ZeroStart())),
    _later("nn.TransformerDecoder, sines not trained", lambda: subject(later_models.FrozenSines())),
    _later("a cache", lambda: subject(later_models.Cached())),
    _later("sinks", lambda: subject(later_models.Sinks())),
    _later("transformers: a dict", lambda: subject(huggingface_like.ForCausalLM(as_dict=True))),
    _later("loop: last word only", lambda: _in_loop(make_pairs=later_loops.last_word_only)),
    _later("loop: filled on the left", lambda: _in_loop(make_pairs=later_loops.filled_on_the_left)),
    _later("loop: weights of tokens", lambda: _in_loop(Loss=later_loops.Weighted)),
    _later("loop: mean of texts", lambda: _in_loop(Loss=later_loops.MeanOfTexts)),
    _later("loop: momentum", lambda: _in_loop(train=later_loops.with_momentum)),
    _later("loop: drawn anew", lambda: _in_loop(train=later_loops.drawn_anew)),
    _later("loop: scaled", lambda: _in_loop(train=later_loops.scaled)),
    _later(
        "loop: shares and their logarithm",
        lambda: subject(later_models.Broken("shares"), loop(Loss=later_loops.SharesThenLog)),
    ),
    _later("training by momentum", later_loops.healthy_by_momentum),
    _later("training for long", later_loops.healthy_for_long),
    _later("training with new names", later_loops.healthy_with_new_names),
)
LATER_BROKEN = (
    _later("RWKV: shifted the wrong way", lambda: subject(later_models.Rwkv("shifted the wrong way")), "causality"),
    _later("experts: routed over tokens", lambda: subject(later_models.Mixture("routed over tokens")), "causality", "texts_apart"),
    _later("convolutions on both sides", lambda: subject(later_models.BothSides()), "causality"),
    _later("rotations too short", lambda: subject(later_models.ShortRotations()), "whole_context"),
    _later("blocks in a dict", _broken("blocks in a dict"), "registered"),
    _later("a wide head", _broken("a wide head"), "first_loss"),
    _later("places of texts", _broken("places of texts"), "positions"),
    _later("no gradient for tokens", _broken("no gradient for tokens"), "gradients_reach"),
    _later("dropout by hand", _broken("dropout by hand"), "repeatable"),
    _later("normed along the text", _broken("normed along the text"), "causality", "norm"),
    _later("shares", _broken("shares"), "double_softmax"),
    _later("only dropout between", _broken("only dropout between"), "bends"),
    _later("multiplied by the root", _broken("multiplied by the root"), "scale"),
    _later("a mask of one column", _broken("a mask of one column"), "causality"),
    _later("a softmax by hand that overflows", _broken("a softmax by hand that overflows"), "finite"),
    _later("attention replaces", _broken("attention replaces"), "stream"),
    _later("attention as data", _broken("attention as data"), "gradients_reach"),
    _later("a tie that came apart", lambda: replace(_in_loop(), model=_untied(), tied=True), "tied"),
    _later("loop: fillers of eleven", lambda: _in_loop(make_pairs=later_loops.filled_with_eleven), "padding"),
    _later("loop: rolled the wrong way", lambda: _in_loop(make_pairs=later_loops.rolled_the_wrong_way), "targets_shifted"),
    _later("loop: shuffled apart", lambda: _in_loop(make_pairs=loops.shuffled_apart), "targets_shifted"),
    _later("loop: softmax over positions", lambda: _in_loop(Loss=later_loops.OverPositions), "cross_entropy"),
    _later("loop: first text only, and unzeroed", lambda: _in_loop(train=later_loops.zeroed_once), "gradients_afresh"),
    _later("loop: a rate of 0", lambda: _in_loop(train=later_loops.rate_of_zero), "all_move"),
    _later("loop: without embeddings", lambda: _in_loop(train=later_loops.without_embeddings), "all_move"),
    _later("loop: optimiser of a copy", lambda: _in_loop(train=loops.optimizer_of_a_copy), "all_move"),
    _later("loop: zeroed before the step", lambda: _in_loop(train=loops.zeroed_before_the_step), "all_move"),
    _later("training: explodes later", later_loops.explodes_later, "stays_down", "stays_finite", "falls"),
    _later("training: below zero", later_loops.below_zero, "never_negative"),
    _later("training: by heart, for long", later_loops.learned_by_heart_for_long, "generalises"),
    _later("training: stands still", later_loops.stands_still, "falls"),
)  # fmt: skip


def _net(kind: str) -> Callable[[], Subject]:
    return lambda: subject(later_more.Net(kind))


MORE_HEALTHY = (
    _later("still in training", lambda: Subject(later_more.Net().train(), V, T, TEXTS)),
    _later("more logits than tokens", lambda: subject(later_more.Net(vocab=16))),
    _later("talking heads", _net("talking heads")),
    _later("differences of patterns", _net("difference")),
    _later("fillers are masked", _net("padding")),
    _later("layer scale", _net("layer scale")),
    _later("a head for values", _net("value head")),
    _later("two heads", _net("two heads")),
    _later("weight norm", _net("weight norm")),
    _later("LSTM, tied and locked", lambda: subject(later_more.Locked())),
    _later("a chain", lambda: subject(later_more.Chain())),
    _later("loop: slow start", lambda: _in_loop(train=later_more.slow_start)),
    _later("loop: sixteen to a step", lambda: _in_loop(train=later_more.sixteen_to_a_step)),
    _later("loop: a class", lambda: _in_loop(train=later_more.by_a_class)),
    _later("loop: focal", lambda: _in_loop(Loss=later_more.Focal)),
    _later("loop: one-hot", lambda: _in_loop(Loss=later_more.OneHot)),
    _later("loop: one end", lambda: _in_loop(make_pairs=later_more.one_end)),
)
MORE_BROKEN = (
    _later("heads for places", _net("heads for places"), "receptive_field"),
    _later("one too far", _net("one too far"), "causality"),
    _later("mask the wrong way round", _net("mask the wrong way round"), "causality"),
    _later("softmax over heads", _net("over heads"), "pattern_rows", "causality"),
    _later("dropout that stays", _net("dropout that stays"), "repeatable"),
    _later("the first place only", _net("first place only"), "positions"),
    _later("loop: targets turned", lambda: _in_loop(Loss=later_more.TargetsTurned), "targets_shifted"),
    _later("loop: ends are fillers", lambda: _in_loop(make_pairs=later_more.ends_are_fillers), "padding"),
)


STILL_HEALTHY = (
    _later("nn.Transformer, both halves", lambda: subject(later_still.BothHalves())),
    _later("NeoX", lambda: subject(later_still.Neox())),
    _later("filters as long as the text", lambda: subject(later_still.LongFilter())),
    _later("a minimal GRU", lambda: subject(later_still.MinimalGru())),
    _later(
        "an adaptive softmax",
        lambda: subject(later_still.AdaptiveSoftmax(), loop(Loss=annotated.NegativeLogLikelihood)),
    ),
    _later("one-hot tokens, cosines", lambda: subject(later_still.OneHot())),
    _later("a BatchNorm", lambda: subject(later_still.NormedBatch())),
    _later("a token before the text", lambda: subject(later_still.Begins())),
    _later("loop: a new optimiser each time", lambda: _in_loop(train=later_still.a_new_optimizer_each_time)),
    _later("loop: half precision", lambda: _in_loop(train=later_still.in_half_precision)),
)
STILL_BROKEN = (
    _later("filters that go around", lambda: subject(later_still.LongFilter(around=True)), "causality"),
    _later("a scan over texts", lambda: subject(later_still.MinimalGru(dim=0)), "texts_apart"),
    _later("a scan from the end", lambda: subject(later_still.MinimalGru(turned=True)), "causality"),
    _later("a token before the text: the wrong place taken away", lambda: subject(later_still.Begins("first")), "receptive_field"),
    _later("a layer made anew", lambda: subject(later_still.MadeAnew()), "repeatable"),
    _later("attention under no_grad", lambda: subject(later_still.Decorated()), "gradients_reach"),
    _later("a softmax over texts", lambda: subject(later_still.NoDim()), "texts_apart", "pattern_rows", "causality"),
    _later("loop: decays all away", lambda: _in_loop(train=later_still.decays_all_away), "one_batch"),
    _later("loop: clipped to nothing", lambda: _in_loop(train=later_still.clipped_to_nothing), "one_batch"),
    _later("loop: shuffled places", lambda: _in_loop(Loss=later_still.ShuffledPlaces), "targets_shifted"),
)  # fmt: skip


def _of_strangers(kind: str) -> Callable[[], Subject]:
    return lambda: subject(strangers.Gpt(kind))


STRANGERS_HEALTHY = (
    _later("gates that start closed", _of_strangers("gates")),
    _later("loop: smoothed by hand", lambda: _in_loop(Loss=strangers.SmoothedByHand)),
    _later("loop: a reward for being unsure", lambda: _in_loop(Loss=strangers.Unsure)),
    _later("loop: in bits", lambda: _in_loop(Loss=strangers.InBits)),
)
STRANGERS_BROKEN = (
    _later("masked at rest only", _of_strangers("masked at rest"), "causality"),
    _later("clamped off", _of_strangers("clamped off"), "dead_units"),
    _later("a logarithm of nothing", _of_strangers("logarithm of nothing"), "finite"),
    _later("loop: squashed first", lambda: _in_loop(Loss=strangers.SquashedFirst), "cross_entropy"),
    _later("loop: no logarithm", lambda: _in_loop(Loss=strangers.NoLogarithm), "cross_entropy"),
    _later("loop: a squared distance", lambda: _in_loop(Loss=strangers.SquaredDistance), "cross_entropy"),
    _later("loop: each token by itself", lambda: _in_loop(Loss=strangers.EachTokenByItself), "cross_entropy"),
)


def _untied() -> nn.Module:
    model = mingpt_like.GPT()
    model.lm_head.weight = nn.Parameter(model.transformer.wte.weight.detach().clone())
    return model.eval()


ENTRIES = (
    *HEALTHY,
    *BROKEN,
    *LATER_HEALTHY,
    *LATER_BROKEN,
    *MORE_HEALTHY,
    *MORE_BROKEN,
    *STILL_HEALTHY,
    *STILL_BROKEN,
    *STRANGERS_HEALTHY,
    *STRANGERS_BROKEN,
)
