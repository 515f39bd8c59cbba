"""Downloading MNIST, from servers on the loopback interface that behave well and badly."""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from needle.data import MNIST, MiniMNIST, download

pytest.importorskip("pooch")


class Mirror:
    """A server for the files in a folder; `answer` may be replaced to misbehave."""

    def __init__(self, folder: Path) -> None:
        self.requested: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler, bytes], None] = send
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                mirror.requested.append(self.path.rsplit("/", 1)[1])
                mirror.answer(self, (folder / mirror.requested[-1]).read_bytes())

            def do_HEAD(self) -> None:
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/mnist/"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def send(handler: BaseHTTPRequestHandler, content: bytes, announced: int | None = None) -> None:
    """Answer with `content`, or with an announced length that is another."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content) if announced is None else announced))
    handler.end_headers()
    handler.wfile.write(content)


def wrong_content(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, content[:-1] + b"?")


def truncated(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    send(handler, content[: len(content) // 2], announced=len(content))


def cut_without_a_length(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])


def not_found(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_error(404)


def dropped(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.connection.close()


def dripping(handler: BaseHTTPRequestHandler, content: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    try:
        for _ in range(100):
            handler.wfile.write(b"x" * download._CHUNK)
            time.sleep(0.05)
    except OSError:
        pass


@pytest.fixture
def mirrors(mini_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Mirror]]:
    """Two mirrors with MiniMNIST's files, whose checksums are taken for the right ones."""
    servers = [Mirror(mini_folder), Mirror(mini_folder)]
    hashes = {name: hashlib.sha256((mini_folder / name).read_bytes()).hexdigest() for name in download.SHA256}
    monkeypatch.setattr(download, "SHA256", hashes)
    monkeypatch.setattr(download, "MIRRORS", [server.url for server in servers])
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    yield servers
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}


def test_what_no_folder_holds_is_downloaded_once_into_the_cache(mirrors, no_mnist: Path, mini_folder: Path) -> None:
    np.testing.assert_array_equal(MNIST(train=False).images, MiniMNIST(train=False).images)
    assert contents(no_mnist) == {name: (mini_folder / name).read_bytes() for name in download.SHA256}
    assert sorted(mirrors[0].requested) == sorted(download.SHA256)
    assert len(MNIST(train=True)) == 9000
    assert len(mirrors[0].requested) == 4
    assert mirrors[1].requested == []


def test_a_root_that_is_given_is_where_the_files_go(mirrors, no_mnist: Path, tmp_path: Path) -> None:
    MNIST(tmp_path / "here")
    assert set(contents(tmp_path / "here")) == set(download.SHA256)
    assert not no_mnist.exists()


@pytest.mark.parametrize("bad", [wrong_content, truncated, cut_without_a_length, not_found, dropped])
def test_another_mirror_serves_when_one_fails(mirrors, no_mnist: Path, mini_folder: Path, bad) -> None:
    mirrors[0].answer = bad
    assert len(MNIST(train=False)) == 1000
    assert contents(no_mnist) == {name: (mini_folder / name).read_bytes() for name in download.SHA256}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (wrong_content, "does not match"),
        (truncated, "IncompleteRead"),
        (cut_without_a_length, "does not match"),
        (not_found, "404"),
        (dropped, "onnection"),
    ],
)
def test_a_failed_download_leaves_nothing_and_says_how_to_do_without(mirrors, no_mnist: Path, bad, says: str) -> None:
    for mirror in mirrors:
        mirror.answer = bad
    with pytest.raises(OSError, match=says) as error:
        MNIST()
    assert contents(no_mnist) == {}
    for hint in (*download.MIRRORS, *download.SHA256, str(no_mnist), "by hand", "NEEDLE_DATA", "MiniMNIST"):
        assert hint in str(error.value)


def test_an_interrupted_download_keeps_whole_files_only(
    mirrors, no_mnist: Path, mini_folder: Path, monkeypatch
) -> None:
    def interrupt(self, size: int) -> None:
        if len(mirrors[0].requested) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(download._Progress, "update", interrupt)
    with pytest.raises(KeyboardInterrupt):
        MNIST()
    whole = mirrors[0].requested[:2]
    assert contents(no_mnist) == {name: (mini_folder / name).read_bytes() for name in whole}
    monkeypatch.undo()


def test_only_missing_files_are_fetched_and_those_that_are_there_are_left_alone(mirrors, no_mnist: Path) -> None:
    no_mnist.mkdir(parents=True)
    (no_mnist / "train-images-idx3-ubyte.gz").write_bytes(b"the user's own")
    (no_mnist / "t10k-labels-idx1-ubyte").write_bytes(b"not gzipped")
    download.download_mnist()
    assert sorted(mirrors[0].requested) == ["t10k-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"]
    assert contents(no_mnist)["train-images-idx3-ubyte.gz"] == b"the user's own"


def test_a_download_with_a_limit_of_time_succeeds_within_it(mirrors, no_mnist: Path) -> None:
    assert download.download_mnist(seconds=30) == no_mnist
    assert set(contents(no_mnist)) == set(download.SHA256)


def test_a_download_that_takes_too_long_is_given_up_and_leaves_nothing(mirrors, no_mnist: Path) -> None:
    for mirror in mirrors:
        mirror.answer = dripping
    started = time.monotonic()
    with pytest.raises(OSError, match="takes too long"):
        download.download_mnist(seconds=0.3)
    assert time.monotonic() - started < 3
    assert contents(no_mnist) == {}


def test_a_server_that_never_answers_is_given_up_in_time(mirrors, no_mnist: Path, monkeypatch) -> None:
    import requests

    monkeypatch.setattr(requests, "head", lambda *_, **__: time.sleep(5))
    started = time.monotonic()
    with pytest.raises(OSError, match=r"no answer within 0\.2 s"):
        download.download_mnist(seconds=0.4)
    assert time.monotonic() - started < 2
    assert mirrors[0].requested == mirrors[1].requested == []


def test_a_folder_that_cannot_be_made_is_an_os_error(mirrors, no_mnist: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not be downloaded"):
        MNIST(tmp_path / "file" / "below")


def test_without_pooch_the_message_names_the_extra_and_the_way_by_hand(no_mnist: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"needs pooch.*pip install 'needle-dl\[apps\]'") as error:
        MNIST()
    assert "by hand" in str(error.value)


def test_with_download_off_nothing_is_fetched(mirrors, no_mnist: Path) -> None:
    with pytest.raises(FileNotFoundError, match="was not found"):
        MNIST(download=False)
    assert mirrors[0].requested == []
