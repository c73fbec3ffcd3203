"""Without the extra of `transformers`, all that has a lesson works, and what has none says what to install."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

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
def other(tmp_path: Path) -> Path:
    """A folder of an architecture that has no lesson here."""
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"model_type": "gpt_neox", "vocab_size": 8}))
    (folder / "model.safetensors").write_bytes(tensors_as_file({"gpt_neox.embed_in.weight": torch.zeros(8, 4)}))
    Tokenizer.characters("abc").save(folder / "tokenizer.json")
    return folder


def test_samples_open_on_all_pages_and_another_model_says_what_to_install(other: Path) -> None:
    pages = [path.stem for path in sorted((ROOT / "pages").glob("*.py"))]
    samples = [("step_through", {"model": name, "prompt": prompt}) for name, prompt in PROMPTS.items()]
    samples += [(page, {"model": "names-llama", "prompt": ".mar"}) for page in pages]
    others = [("step_through", {"model": str(other), "lang": lang}) for lang in ("en", "fr")]
    done = subprocess.run(
        [sys.executable, "-c", OPENING, json.dumps([*samples, *others])],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LMVIZ_MODELS": str(other.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *opened, english, french = json.loads(done.stdout.splitlines()[-1])
    for one in opened:
        assert not one["asked"] and not one["raised"] and not one["errors"], one
    for one, sentence in ((english, "has no lesson here"), (french, "n’a pas de leçon ici")):
        assert not one["raised"] and len(one["errors"]) == 1, one
        error = one["errors"][0].replace("\\", "")  # which Markdown takes away
        assert sentence in error and INSTALL in error and "gpt_neox" in error
