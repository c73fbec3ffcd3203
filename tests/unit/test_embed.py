"""Embeddings: look-ups, sums, distances, maps, and vectors of words learned from their neighbours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lmviz.embed.answers import answer_distances, final_vectors, text_vector
from lmviz.embed.distances import distances, nearest, neighbours
from lmviz.embed.fasttext import gram_index, ngrams, word_sum
from lmviz.embed.lookup import EmbeddingSum, OneHotLookup, embedding_sum, random_embedding_sum
from lmviz.embed.pca import pca
from lmviz.embed.ten_words import NextWord, next_words, train_embedding, vocabulary
from lmviz.embed.texts import TEXTS
from lmviz.embed.word2vec import Word2VecSettings, loss_of, train_vectors
from lmviz.embed.words import Example, cbow_examples, read_words, skip_gram_examples
from lmviz.errors import UserError
from lmviz.model.checkpoint import Checkpoint
from lmviz.trace.recorder import record

SAMPLES = Path(__file__).parents[2] / "sample_models"


# -- look-ups and sums -------------------------------------------------------------------------------------------------


def test_one_hot_times_matrix_is_the_row(names: Checkpoint) -> None:
    weight = names.model.tok_embed.weight
    found = record(OneHotLookup(weight), torch.tensor([[3, 0, 3]]))
    one_hot, rows = (found[name].outputs[0].array[0] for name in ("one_hot", "rows"))
    assert one_hot.sum(axis=1).tolist() == [1, 1, 1]
    assert np.array_equal(rows, weight.detach().numpy()[[3, 0, 3]])
    assert np.array_equal(one_hot @ weight.detach().numpy(), rows)


def test_the_parts_make_up_what_enters_the_first_block(names: Checkpoint) -> None:
    seen: list[torch.Tensor] = []
    handle = names.model.blocks[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        names.model(torch.tensor([[0, 13, 1]]))
    handle.remove()
    summed = record(embedding_sum(names), torch.tensor([[0, 13, 1]]))
    tok, pos, x = (summed[name].outputs[0].array for name in ("tok", "pos", "x"))
    assert np.array_equal(x, seen[0].numpy())
    assert np.array_equal(tok + pos, x)
    assert "seg" not in summed


def test_segments_are_added_as_bert_adds_them() -> None:
    module = random_embedding_sum(d_vocab=7, n_ctx=9, d_model=4, seed=1)
    ids = torch.tensor([[1, 2, 3, 1, 2]])
    summed = record(module, ids, torch.tensor([[0, 0, 0, 1, 1]]))
    tok, pos, seg, x = (summed[name].outputs[0].array for name in ("tok", "pos", "seg", "x_seg"))
    assert np.array_equal((tok + pos) + seg, x)
    assert np.array_equal(seg[0, 0], seg[0, 2])
    assert not np.array_equal(seg[0, 2], seg[0, 3])
    assert np.array_equal(record(random_embedding_sum(7, 9, 4, seed=1), ids)["tok"].outputs[0].array, tok)
    no_positions = record(EmbeddingSum(module.tok_embed, None), ids)
    assert [step.address for step in no_positions] == ["tok"]


# -- ten words ---------------------------------------------------------------------------------------------------------


def test_the_embedding_of_the_course_is_drawn_from_a_normal_distribution() -> None:
    first, again = (next(train_embedding(seed=3)).embedding for _ in range(2))
    assert first.shape == (10, 3)
    assert np.array_equal(first, again)
    torch.manual_seed(0)
    drawn = NextWord(2000, 50).embed.weight.detach()
    assert float(drawn.mean()) == pytest.approx(0, abs=0.01)
    assert float(drawn.std()) == pytest.approx(1, abs=0.01)


def test_drawing_leaves_torch_random_numbers_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    next(train_embedding())
    assert torch.equal(torch.rand(1), expected)


def test_training_moves_words_together_that_have_the_same_work() -> None:
    snapshots = list(train_embedding(seed=0))
    before, after = snapshots[0], snapshots[-1]
    words = vocabulary()
    assert len(words) == 10
    assert [snapshot.step for snapshot in snapshots] == list(range(201))
    torch.manual_seed(0)
    assert np.array_equal(before.embedding, torch.nn.Embedding(10, 3).weight.detach().numpy())
    assert after.loss < 0.7 < 2 < before.loss
    cat, dog, mat = (words.index(word) for word in ("cat", "dog", "mat"))
    near = [distances(s.embedding[cat], s.embedding[dog], "cosine")[0, 0] for s in (before, after)]
    assert near[1] < 0.1 < near[0]
    assert np.array_equal(before.embedding[mat], after.embedding[mat])  # nothing follows it: no gradient, no move
    assert not before.gradient[mat].any()


def test_the_gradient_shown_is_that_of_the_loss() -> None:
    first = next(iter(train_embedding()))
    inputs, targets = torch.tensor(next_words()).T
    torch.manual_seed(0)
    embed, unembed = torch.nn.Embedding(10, 3), torch.nn.Linear(3, 10, bias=False)
    loss = torch.nn.functional.cross_entropy(unembed(embed(inputs)), targets)
    (gradient,) = torch.autograd.grad(loss, embed.weight)
    assert np.array_equal(first.gradient, gradient.numpy())


def test_a_text_without_pairs_is_refused() -> None:
    for text in ("", "one\ntwo", "a b " * 9000):
        with pytest.raises(UserError, match="two words"):
            next(iter(train_embedding(text)))


# -- distances ---------------------------------------------------------------------------------------------------------


def test_distances_by_hand() -> None:
    a, b = [[1, 0]], [[2, 0], [0, 3], [-1, 0], [1, 1]]
    assert distances(a, b)[0] == pytest.approx([0, 1, 2, 1 - 1 / np.sqrt(2)])
    assert distances(a, b, "euclidean")[0] == pytest.approx([1, np.sqrt(10), 2, 1])
    assert np.isnan(distances(a, [[0, 0]])).all()
    with pytest.raises(UserError, match="cosine, euclidean"):
        distances(a, b, "manhattan")


def test_neighbours_are_in_order_and_not_the_word_itself() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0, 0], [5, 0]])
    assert [n.id for n in neighbours(vectors, 0, 9)] == [4, 1, 2, 3]
    assert [n.id for n in neighbours(vectors, 0, 2, "euclidean")] == [1, 3]
    assert nearest(vectors, [0, 9], 1)[0].id == 2


def test_the_average_distance_of_the_course(names: Checkpoint) -> None:
    found = answer_distances(names, [".maria", ".marie", ".bob"])
    assert found.average == pytest.approx(sum(found.to_first) / 2)
    assert found.to_first[0] < found.to_first[1]
    assert found.all.shape == (3, 3)
    assert np.allclose(np.diag(found.all), 0, atol=1e-12)
    assert answer_distances(names, [".ann", ".ann"]).average == pytest.approx(0, abs=1e-12)
    with pytest.raises(UserError, match="two answers"):
        answer_distances(names, [".ann"])
    with pytest.raises(UserError, match="no token"):
        text_vector(names, "!!!")


def test_final_vectors_are_what_is_unembedded(names: Checkpoint) -> None:
    ids = [0, 13, 1]
    with torch.no_grad():
        logits = names.model(torch.tensor([ids]))[0].double().numpy()
    unembedding = names.model.unembed.weight.detach().double().numpy()
    assert final_vectors(names, ids) @ unembedding.T == pytest.approx(logits, abs=1e-4)
    assert np.array_equal(text_vector(names, ".ma"), final_vectors(names, ids).mean(axis=0))
    assert np.array_equal(text_vector(names, ".a" * 50), text_vector(names, ".a" * 8))  # of a long text, its end


# -- maps --------------------------------------------------------------------------------------------------------------


def test_a_map_keeps_what_spreads_out_most() -> None:
    spread = np.outer([-2.0, -1, 0, 1, 2], [3, 4]) + 7
    found = pca(spread)
    assert found.kept == pytest.approx((1, 0))
    assert found.axes[0] == pytest.approx([0.6, 0.8])
    assert found.points[:, 0] == pytest.approx([-10, -5, 0, 5, 10])
    assert found.place([[10, 11]])[0] == pytest.approx([5, 0])


def test_a_map_of_few_or_equal_vectors() -> None:
    assert pca(np.ones((3, 4))).kept == (0, 0)
    assert pca([[0, 0, 0], [1, 0, 0]]).kept == pytest.approx((1, 0))
    for wrong in ([[1, 2]], [[np.nan, 0], [1, 1]], [[1], [2]]):
        with pytest.raises(UserError, match="A map"):
            pca(wrong)


# -- words -------------------------------------------------------------------------------------------------------------


def test_a_text_is_read_as_sentences_of_words() -> None:
    text = read_words("The cat sat. The dog, l’été!\n\nAujourd'hui")
    assert text.words[0] == "the"
    assert text.counts[0] == 2
    assert [[text.words[id] for id in sentence] for sentence in text.sentences] == [
        ["the", "cat", "sat"],
        ["the", "dog", "l’été"],
        ["aujourd'hui"],
    ]
    assert text.id("CAT") == text.words.index("cat")
    assert text.id("cow") is None


def test_examples_are_the_neighbours_within_the_window() -> None:
    sentences = [(0, 1, 2, 3), (4,)]
    pairs = [(example.inputs[0], example.target) for example in skip_gram_examples(sentences, 1)]
    assert pairs == [(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)]
    assert list(cbow_examples(sentences, 2))[1] == Example((0, 2, 3), 1, 0, 1)
    assert len(list(cbow_examples(sentences, 2))) == 4


def test_losses_are_those_of_the_papers() -> None:
    logits = torch.tensor([[0.5, -1.0, 2.0], [0.1, 0.2, 0.3]])
    batch = [Example((0,), 2, 0, 0), Example((1,), 0, 0, 1)]
    none = torch.zeros(2, 0, dtype=torch.long)
    full = -(logits.log_softmax(-1)[0, 2] + logits.log_softmax(-1)[1, 0]) / 2
    assert float(loss_of(logits, batch, none)) == pytest.approx(float(full))
    sigmoid = 1 / (1 + np.exp(-logits.numpy().astype(float)))
    negatives = torch.tensor([[0, 1], [2, 0]])  # the last one is the target itself, and does not count
    by_hand = np.log(sigmoid[0, 2]) + np.log(1 - sigmoid[0, 0]) + np.log(1 - sigmoid[0, 1])
    by_hand += np.log(sigmoid[1, 0]) + np.log(1 - sigmoid[1, 2])
    assert float(loss_of(logits, batch, negatives)) == pytest.approx(-by_hand / 2)


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("kind", "grams", "n_negatives"),
    [
        ("skip-gram", None, 0),
        ("skip-gram", None, 5),
        ("cbow", None, 0),
        ("skip-gram", (3, 6), 0),
        ("cbow", (5, 5), 0),
    ],
)
def test_words_in_the_same_places_become_neighbours(kind: str, grams: tuple[int, int] | None, n_negatives: int) -> None:
    text = read_words(TEXTS["en"])
    snapshots = list(train_vectors(text, Word2VecSettings(kind, grams, n_negatives=n_negatives, steps=200)))
    assert len(snapshots) == 201
    assert snapshots[-1].loss < 0.7 * snapshots[1].loss
    king, queen = text.words.index("king"), text.words.index("queen")
    assert neighbours(snapshots[-1].vectors, king, 1)[0].id == queen
    assert len(snapshots[5].examples) == 64
    assert {len(drawn) for drawn in snapshots[5].negatives} == {n_negatives}


def test_the_same_seed_learns_the_same_vectors() -> None:
    text = read_words(TEXTS["fr"])
    runs = [list(train_vectors(text, Word2VecSettings(steps=3, seed=seed)))[-1].vectors for seed in (1, 1, 2)]
    assert np.array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_a_word_is_the_sum_of_its_ngrams_seen_or_not() -> None:
    assert ngrams("where", 3, 3) == ("<wh", "whe", "her", "ere", "re>", "<where>")  # Bojanowski et al. 2017, 3.2
    text = read_words(TEXTS["en"])
    last = list(train_vectors(text, Word2VecSettings(grams=(3, 6), steps=60)))[-1]
    rows, _ = gram_index(text.words)
    king = word_sum("king", rows, last.table)
    assert king.unknown == ()
    assert king.vector == pytest.approx(last.vectors[text.words.index("king")], abs=1e-5)
    assert king.vector == pytest.approx(king.parts.sum(axis=0))
    kings = word_sum("kings", rows, last.table)
    assert "ngs" in kings.grams[0] or kings.unknown
    assert text.words[nearest(last.vectors, kings.vector, 1)[0].id] == "king"
    assert word_sum("xyz", rows, last.table).vector.tolist() == [0] * 16


@pytest.mark.parametrize(
    "wrong", [{"kind": "glove"}, {"window": 0}, {"grams": (5, 3)}, {"d_embed": 0}, {"steps": 10**6}, {"seed": -1}]
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Word2VecSettings(**wrong)  # type: ignore[arg-type]


def test_texts_without_words_or_too_long_are_refused() -> None:
    for text in ("", "word", "..."):
        with pytest.raises(UserError, match="2 to 3000 different words"):
            read_words(text)
    with pytest.raises(UserError, match="characters at most"):
        read_words("a " * 50_000)
    with pytest.raises(UserError, match="sentence of two words"):
        next(iter(train_vectors(read_words("one. two."), Word2VecSettings())))
