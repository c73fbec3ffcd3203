"""Without the extra of `transformers`, all that has a lesson works, and what has none says what to install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lmviz.model import llama_folder
from lmviz.model.llama import LlamaConfig
from lmviz.model.tokenizer import Tokenizer
from lmviz.model.weights import tensors_as_file
from tests.conftest import PROMPTS, ROOT

pytestmark = pytest.mark.slow

INSTALL = 'pip install "lmviz[hf]"'
OPENING = """
import importlib.abc, json, sys

class NotInstalled(importlib.abc.MetaPathFinder):
    asked = []
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "transformers":
            self.asked.append(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, NotInstalled())

from functools import cache
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)

def opened(page, **query):
    NotInstalled.asked.clear()
    app = AppTest.from_file("streamlit_app.py", default_timeout=120)
    app.switch_page(f"pages/{page}.py")
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    return dict(
        page=page,
        query=query,
        asked=list(NotInstalled.asked),
        raised=[one.value for one in app.exception],
        errors=[one.value for one in app.error],
    )

print(json.dumps([opened(page, **query) for page, query in json.loads(sys.argv[1])]))
"""


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """A folder of an architecture that has no lesson here, and one of a variant that its lesson leaves out."""
    windows = {
        **llama_folder.write_config(LlamaConfig(8, 16, 1, 4, 1, 4)),
        "model_type": "mistral",
        "sliding_window": 5,
    }
    for name, config in {"other": {"model_type": "gpt_neox", "vocab_size": 8}, "variant": windows}.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "model.safetensors").write_bytes(tensors_as_file({"any.weight": torch.zeros(8, 4)}))
        Tokenizer.characters("abc").save(folder / "tokenizer.json")
    return tmp_path


@pytest.mark.nightly
def test_samples_open_on_all_pages_and_another_model_says_what_to_install(others: Path) -> None:
    pages = [path.stem for path in sorted((ROOT / "pages").glob("*.py"))]
    samples = [("step_through", {"model": name, "prompt": prompt}) for name, prompt in PROMPTS.items()]
    samples += [(page, {"model": "names-llama", "prompt": ".mar"}) for page in pages]
    wanted = [
        ("other", "en", "'gpt_neox' in config.json has no lesson here. The library"),
        ("other", "fr", "n’a pas de leçon ici. La bibliothèque"),
        ("variant", "en", "the lesson here has no layers that see the last tokens only. The library"),
        ("variant", "fr", "la leçon d’ici n’a pas de couches qui ne voient que les derniers tokens. La bibliothèque"),
    ]
    without = [("step_through", {"model": str(others / name), "lang": lang}) for name, lang, _ in wanted]
    done = subprocess.run(
        [sys.executable, "-c", OPENING, json.dumps([*samples, *without])],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LMVIZ_MODELS": str(others)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    opened = json.loads(done.stdout.splitlines()[-1])
    for one in opened[: len(samples)]:
        assert not one["asked"] and not one["raised"] and not one["errors"], one
    for one, (_, _, sentence) in zip(opened[len(samples) :], wanted, strict=True):
        assert not one["raised"] and len(one["errors"]) == 1, one
        error = one["errors"][0].replace("\\", "")  # which Markdown takes away
        assert sentence in error and error.endswith(f"{INSTALL}."), error
