"""Whatever stands in the address bar, a page shows a place or says what of the link it left out: no page breaks."""

from __future__ import annotations

import json
import tomllib
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.examples import times
from tests.pages.conftest import Open
from tests.places import place_of

ODD = (
    "nan", "inf", "-1", "0", "1", "3", "1e400", "9" * 20, "null", "true", "[]", "{}", "[[]]", '["nan","nan"]', '["x"]',
    '["entropy 0.5","entropy 0.5"]', '[["x",[0]],["x",[0]]]', '["logits",[0,0,0]]', '["logits",[99,99,99]]', "[1,2]",
    '[["tok_embed.weight",[0,0],1],["tok_embed.weight",[0,0],2]]', '[["blocks.0.attn.pattern",[0]]]', "[" * 2000,
    '{"model.n_ctx": 2147483647}', '{"tokenizer.d_vocab": 2147483647, "tokenizer.kind": "bpe"}', '{"data.stride": 5}',
    '{"training.learning_rate": 1e-300}', '{"model.d_model": 1000000000, "model.n_heads": 1}', "é😀", "<b>", "\u202e",
    "![x](http://127.0.0.1:9/x)", "a" * 3000, "words", "bpe", "file", "own", "runs/0f3a@5", "runs/0f3a!5.9",
    "bug/no_mask@names", "puzzle/1/2", "moment/x", "../..", "/etc", "names", "blocks.0.attn.pattern", "loss",
)  # fmt: skip
PAGES = ("step_through", "generation", "tokenizer", "chat", "embeddings", "quantisation", "debugging", "training")


@pytest.mark.sampled(2)
@pytest.mark.parametrize("page", PAGES)
def test_no_link_breaks_a_page(open_page: Open, page: str) -> None:
    view = import_module(f"lmviz.ui.{page}.view")
    names = [one.name for one in fields(place_of(page))]
    shown = [value for value in vars(view).values() if isinstance(value, tuple)]
    choices = [word for words in shown for word in words if isinstance(word, str)]
    values = st.sampled_from(ODD) | st.sampled_from(choices or ["x"])
    app = open_page()
    app.switch_page(f"pages/{page}.py")

    @given(st.dictionaries(st.sampled_from(names), values, min_size=1, max_size=6))
    @settings(times(2), suppress_health_check=list(HealthCheck))
    def holds(query: dict[str, str]) -> None:
        app.query_params.clear()
        for name, value in query.items():
            app.query_params[name] = value
        app.run()
        assert not app.exception, query

    holds()


@pytest.mark.parametrize("stops", ['["nan","nan"]', '["above 1","above 1","nan"]', "[1]", '[["nan"]]', '"nan"'])
def test_a_breakpoint_that_a_link_has_twice_is_one(open_page: Open, stops: str) -> None:
    app = open_page(stops=stops)
    assert not app.exception
    shown = [button for button in app.button if button.label.startswith("●")]
    wanted = json.loads(stops)
    is_list = isinstance(wanted, list) and all(isinstance(one, str) for one in wanted)
    assert len(shown) == (len(set(wanted)) if is_list else 0)
    assert is_list == (not app.info)


def test_the_server_listens_on_this_machine_only_and_keeps_what_went_wrong_in_its_log(root: Path) -> None:
    config = tomllib.loads((root / ".streamlit/config.toml").read_text(encoding="utf-8"))
    assert config["server"]["address"] == "localhost"
    assert config["client"]["showErrorDetails"] == "none"
    assert not config["browser"]["gatherUsageStats"]
    assert {"enableXsrfProtection", "enableCORS"}.isdisjoint(config["server"])  # both are on where nothing is said
