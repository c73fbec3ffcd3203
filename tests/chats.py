"""A tiny chat model: a GPT-2 that has learned two lines by heart in ChatML, with the app's own training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmviz.model.checkpoint import Checkpoint, save
from lmviz.model.gpt2 import GPT2, GPT2Config
from lmviz.model.tokenizer import Tokenizer
from lmviz.random_state import seeded
from lmviz.tokens.template import CHATML, Message, chatml
from lmviz.train.data import batches_of, windows
from lmviz.train.loop import train
from lmviz.train.recipe import TrainingRecipe

MARKS = ("<|im_start|>", "<|im_end|>")
ASKED, ANSWERED = "Hi", "Hello you"
AGAIN, SAID = "Bye", "So long"
SYSTEM = "Be kind"  # what the template says first, if nobody else does
LEARNED = [Message("system", SYSTEM), Message("user", ASKED), Message("assistant", ANSWERED)]
LEARNED += [Message("user", AGAIN), Message("assistant", SAID)]
DEFAULT_SYSTEM = (  # ChatML with a system message of its own
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}" + CHATML
)


def save_chat_model(folder: Path, **generation_config: Any) -> Path:
    """Train the model and lay out its folder: template in tokenizer_config.json, no word on what ends a text."""
    text = chatml(LEARNED)
    tokenizer = with_specials(Tokenizer.characters(text, MARKS))
    ids = tokenizer.encode(text).ids
    config = GPT2Config(len(tokenizer), n_ctx=192, n_layers=1, d_model=32, n_heads=2, d_mlp=64)
    with seeded(0):
        model = GPT2(config)
        recipe = TrainingRecipe(steps=100, learning_rate=0.01)
        list(train(model, batches_of(windows([ids], 192, 192), recipe), recipe))
    save(Checkpoint(model.eval(), tokenizer, config), folder)
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "chat_template": DEFAULT_SYSTEM}))
    if generation_config:
        (folder / "generation_config.json").write_text(json.dumps(generation_config))
    return folder


def with_specials(tokenizer: Tokenizer) -> Tokenizer:
    """The same, its marks special."""
    content = json.loads(tokenizer.text())
    content["added_tokens"] = [
        {
            "id": tokenizer.id(mark),
            "content": mark,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for mark in MARKS
    ]
    return Tokenizer.parse(json.dumps(content))
