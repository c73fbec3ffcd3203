"""A stand-in for the Hub on this machine: it lists and gives the files of a folder as the real one does."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def stand_in(repo: str, folder: Path, slow: float = 0.0) -> Iterator[tuple[str, list[str]]]:
    """Its address, and what it was asked for so far. Other names are unknown, `org/gated` is gated."""
    asked: list[str] = []

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, with_body: bool) -> None:
            path = unquote(urlparse(self.path).path)
            asked.append(f"{self.command} {path}")
            if path.startswith("/api/models/org/gated"):
                return self._send(403, b"{}", {"X-Error-Code": "GatedRepo"}, with_body)
            if path.startswith(f"/api/models/{repo}"):
                revision = path.split("/revision/")[1] if "/revision/" in path else "main"
                if revision not in ("main", COMMIT):
                    return self._send(404, b"{}", {"X-Error-Code": "RevisionNotFound"}, with_body)
                return self._send(200, json.dumps(self._described(path)).encode(), {}, with_body)
            if path.startswith(f"/{repo}/resolve/"):
                return self._file(path.split("/resolve/")[1].split("/", 1)[1], with_body)
            return self._send(404, b"{}", {"X-Error-Code": "RepoNotFound"}, with_body)

        def _described(self, path: str) -> object:
            files = sorted(one for one in folder.iterdir() if one.is_file())
            if "/tree/" in path:
                return [
                    {"type": "file", "path": one.name, "size": one.stat().st_size, "oid": _oid(one)} for one in files
                ]
            siblings = [{"rfilename": one.name, "size": one.stat().st_size} for one in files]
            return {"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}

        def _file(self, name: str, with_body: bool) -> None:
            content = (folder / name).read_bytes()
            headers = {"ETag": f'"{_oid(folder / name)}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
            self._send(200, content, headers, with_body)

        def _send(self, status: int, content: bytes, headers: dict[str, str], with_body: bool) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if not with_body:
                return
            for start in range(0, len(content), 1024):
                self.wfile.write(content[start : start + 1024])
                if slow:
                    threading.Event().wait(slow)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def empty_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the cache an empty folder, and the Hub an address at which nobody is."""
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return folder / "hub"


def lay_out(cache: Path, repo: str, folder: Path, revision: str = "main") -> Path:
    """Put a model into a cache as the library does: blobs, a snapshot of links to them, and a ref to its commit."""
    root = cache / f"models--{repo.replace('/', '--')}"
    snapshot = root / "snapshots" / COMMIT
    for part in (root / "blobs", snapshot, root / "refs"):
        part.mkdir(parents=True, exist_ok=True)
    (root / "refs" / revision).write_text(COMMIT)
    for one in folder.iterdir():
        blob = root / "blobs" / _oid(one)
        blob.write_bytes(one.read_bytes())
        (snapshot / one.name).symlink_to(Path("../..") / "blobs" / blob.name)
    return snapshot


def _oid(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
