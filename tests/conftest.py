"""What all tests share."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

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

settings.register_profile("some", deadline=None, max_examples=6)  # machines are shared: none fails because it was slow
settings.register_profile("all", deadline=None, max_examples=100)
settings.load_profile("some")


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


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all-cases", action="store_true", help="also what `sampled` and `nightly` leave out")


def pytest_configure(config: pytest.Config) -> None:
    settings.load_profile("all" if config.getoption("--all-cases") else "some")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What is tested, and in which order.

    Two workers must find the same tests: no name of one may have an address of memory in it.
    """
    strays = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if strays:
        raise pytest.UsageError(f"name these tests by ids=: {strays[0]}")
    if not config.getoption("--all-cases"):
        left_out = {*_left_out(items), *_nightly(items, config.args)}
        config.hook.pytest_deselected(items=[item for item in items if item in left_out])
        items[:] = [item for item in items if item not in left_out]
    items.sort(key=lambda item: item.path.parent.name != "browser")  # they take longest, on one worker


class ByFile(LoadScopeScheduling):
    """A worker takes whole files, and one of them all that have a browser: its server and its browser stay warm."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "browser" if file.startswith("tests/browser/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    config.option.loadscopereorder = False  # the browser's first, and not the file that has most
    return ByFile(config, log)


def pytest_collection_finish() -> None:
    """What importing has made stays: no collection looks at it again, as on the server."""
    gc.collect()
    gc.freeze()


def _left_out(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of each table of cases that is marked `sampled(n)`, all but one in n, along a diagonal of rows and columns."""
    tables: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("sampled"):
            tables.setdefault(item.nodeid.partition("[")[0], []).append(item)
    found = []
    for cases in tables.values():
        if len(cases) > 1:  # one that is asked for by its name is run
            (n,) = cases[0].get_closest_marker("sampled").args  # type: ignore[union-attr]
            found += [case for i, case in enumerate(cases) if (i + i // n) % n]
    return found


def _nightly(items: list[pytest.Item], arguments: list[str]) -> list[pytest.Item]:
    """What takes long, but for a test that is asked for by its name."""
    names = {argument.partition("::")[2].partition("[")[0] for argument in arguments}
    return [item for item in items if item.get_closest_marker("nightly") and item.name.partition("[")[0] not in names]
