"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
PROMPTS = {  # a text that each of the sample models knows
    "small-ever": "Clem",
    "pokemon": ".pik",
    "simple-llm": "The cat sits on",
    "names": ".mar",
    "names-llama": ".mar",
    "sentences": "The cat sits on the",
}
SAMPLES = tuple(PROMPTS)

settings.register_profile("shared", deadline=None)  # machines are shared: no test fails because it was slow
settings.load_profile("shared")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(autouse=True, scope="session")
def runs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The app's trainings go to a folder of the tests' own; trainers end with the process that started them."""
    folder = tmp_path_factory.mktemp("trainings")
    os.environ["LMVIZ_RUNS"] = str(folder)
    return folder


@pytest.fixture(scope="session")
def chat_folder(runs_folder: Path) -> Path:
    """A chat model that has two lines by heart, in a folder where the app may open models."""
    from tests.chats import save_chat_model

    return save_chat_model(runs_folder / "models" / "two-lines")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Small models are quicker so, and tests that run side by side don't fight over cores."""
    import torch

    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Two workers must find the same tests: no name of one may have an address of memory in it."""
    strays = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if strays:
        raise pytest.UsageError(f"name these tests by ids=: {strays[0]}")
