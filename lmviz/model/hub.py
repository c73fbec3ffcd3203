"""Models of the Hugging Face Hub by their name: what the cache on this machine holds, and how to download the rest."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from lmviz.errors import UserError

NAME = re.compile(r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@(?P<revision>\w[\w.-]{0,99}))?")
_WANTED = (  # the files that a folder is opened from; no code, and no pickle
    "config.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.json",
    "chat_template.jinja",
    "README.md",
)
PATIENCE = 10.0  # seconds until the Hub must have answered


@dataclass(frozen=True)
class Listing:
    """What a download will bring."""

    commit: str
    sizes: dict[str, int]  # bytes of each file

    @property
    def n_bytes(self) -> int:
        return sum(self.sizes.values())


def cached(repo: str, revision: str = "") -> Path | None:
    """The folder of a model that was downloaded before, whole; None if there is none. Asks nothing of the network."""
    from huggingface_hub import snapshot_download  # a sixth of a second to import

    try:
        found = snapshot_download(
            repo, revision=revision or None, cache_dir=_cache(), allow_patterns=list(_WANTED), local_files_only=True
        )
    except Exception:  # whatever is wrong with the cache: it holds no such model
        return None
    folder = Path(found)
    return folder if (folder / "config.json").exists() else None


def cached_names() -> list[str]:
    """The models that the cache holds, by name."""
    folders = sorted(Path(_cache()).glob("models--*--*/snapshots/*/config.json"))
    names = {"/".join(path.parents[2].name.split("--")[1:]) for path in folders}
    return sorted(name for name in names if NAME.fullmatch(name))


def listing(repo: str, revision: str = "") -> Listing:
    """What a model's files are and how large, as the Hub says.

    Raises:
        UserError: there is no such model, it is private or gated, has no safetensors, or the Hub can't be reached.
    """
    with _errors_as_sentences(repo, revision):
        found = _api().model_info(repo, revision=revision or None, files_metadata=True, timeout=PATIENCE)
    sizes = {
        one.rfilename: one.size or 0
        for one in found.siblings or ()
        if any(fnmatch(one.rfilename, pattern) for pattern in _WANTED)
    }
    if not any(name.endswith(".safetensors") for name in sizes) or "config.json" not in sizes:
        raise UserError(
            "{repo} has no config.json with weights in safetensors, from which a model is opened here: take another.",
            repo=repo,
        )
    return Listing(str(found.sha), sizes)


def download(repo: str, listed: Listing, revision: str = "") -> Path:
    """Bring a model into the cache; returns its folder. What has come already is not asked for again.

    Args:
        revision: what the commit of the listing is called from now on; empty: the main branch.

    Raises:
        UserError: there is no room, or the Hub gave up on the way.
    """
    from huggingface_hub import snapshot_download

    cache = _cache()
    os.makedirs(cache, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if listed.n_bytes > free:
        raise UserError(
            "{repo} takes {needed} bytes on disk, and {free} are free: make room, or take a smaller model.",
            repo=repo,
            needed=listed.n_bytes,
            free=free,
        )
    with _errors_as_sentences(repo, listed.commit):
        found = snapshot_download(
            repo,
            revision=listed.commit,
            cache_dir=cache,
            allow_patterns=list(listed.sizes),
            etag_timeout=PATIENCE,
            endpoint=os.environ.get("HF_ENDPOINT"),
            tqdm_class=_silent(),
        )
        _name(repo, listed.commit, revision or "main")
    return Path(found)


def arrived(repo: str) -> int:
    """Bytes of a model's files that are on disk, whole or not yet."""
    total = 0
    for path in (_folder(repo) / "blobs").glob("*"):
        with contextlib.suppress(OSError):  # renamed, because it is whole now
            total += path.stat().st_size
    return total


def _name(repo: str, commit: str, revision: str) -> None:
    """What is asked for by a branch or a tag is found without the Hub from now on."""
    if revision != commit:
        ref = _folder(repo) / "refs" / revision
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit, encoding="utf-8")


def _folder(repo: str) -> Path:
    return Path(_cache()) / f"models--{repo.replace('/', '--')}"


def _cache() -> str:
    """Where the library keeps what it downloads. Read now and not at its import."""
    home = os.environ.get("HF_HOME", os.path.join(os.path.expanduser("~"), ".cache", "huggingface"))
    return os.environ.get("HF_HUB_CACHE", os.path.join(home, "hub"))


def _api() -> Any:
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"))


def _silent() -> Any:
    """A progress bar that says nothing: the page has its own."""
    from huggingface_hub.utils.tqdm import tqdm

    class Silent(tqdm):
        def __init__(self, *given: Any, **settings: Any) -> None:
            super().__init__(*given, **{**settings, "disable": True})

    return Silent


@contextlib.contextmanager
def _errors_as_sentences(repo: str, revision: str) -> Iterator[None]:
    """What the library raises, as sentences."""
    from huggingface_hub import errors

    try:
        yield
    except errors.GatedRepoError:
        raise UserError(
            "{repo} is given only to those who accepted its terms on the Hub: accept them, and put your token into the "
            "environment variable HF_TOKEN.",
            repo=repo,
        ) from None
    except errors.RevisionNotFoundError:
        raise UserError("{repo} has no revision {revision}.", repo=repo, revision=revision) from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise UserError(
            "There is no model {repo} on the Hub, or it is private: check the name, or put your token into the "
            "environment variable HF_TOKEN.",
            repo=repo,
        ) from None
    except UserError:
        raise
    except Exception as error:  # no network, a proxy, a full disk: the library has a dozen of its own for these
        raise UserError(
            "{repo} could not be downloaded: {reason:code}. What the cache on this machine holds opens without the "
            "Hub.",
            repo=repo,
            reason=str(error).strip().split("\n")[0][:200] or type(error).__name__,
        ) from None
