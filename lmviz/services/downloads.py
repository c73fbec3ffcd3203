"""Models on their way from the Hub to this machine, each in a thread of its own."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from lmviz.errors import UserError
from lmviz.model import hub
from lmviz.registry.hub import HubModel


@dataclass(eq=False)
class Download:
    """One model on its way."""

    model: HubModel
    listing: hub.Listing | None = None  # None until the Hub has said what there is
    error: UserError | None = None
    thread: threading.Thread | None = field(default=None, repr=False)

    @property
    def is_done(self) -> bool:
        return self.thread is not None and not self.thread.is_alive()

    @property
    def share(self) -> float:
        """How much of it has arrived, from 0 to 1."""
        if self.listing is None or not self.listing.n_bytes:
            return 0.0
        return min(1.0, hub.arrived(self.model.repo) / self.listing.n_bytes)


class Downloads:
    """Shared by all sessions; safe to use from several threads."""

    def __init__(self) -> None:
        self._all: dict[HubModel, Download] = {}
        self._lock = threading.Lock()

    def get(self, model: HubModel) -> Download | None:
        """The download of a model that was begun here, also one that has ended."""
        return self._all.get(model)

    def begin(self, model: HubModel) -> None:
        """Download a model, unless that is being done; one that failed is tried again."""
        with self._lock:
            known = self._all.get(model)
            if known is None or known.is_done:
                download = self._all[model] = Download(model)
                download.thread = threading.Thread(target=_bring, args=(download,), daemon=True)
                download.thread.start()


def _bring(download: Download) -> None:
    model = download.model
    try:
        download.listing = hub.listing(model.repo, model.revision)
        hub.download(model.repo, download.listing, model.revision)
    except UserError as error:
        download.error = error
