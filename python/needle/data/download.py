"""Fetching MNIST's files from their public mirrors: whole and verified, or not at all."""

from __future__ import annotations

import textwrap
import threading
import time
from pathlib import Path
from typing import Any

from .idx import PathLike
from .mnist import by_hand, cache_folder, missing_files

MIRRORS = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/")

SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

_READ_TIMEOUT = 30.0
_CHUNK = 1 << 16


def download_mnist(folder: PathLike | None = None, *, seconds: float | None = None) -> Path:
    """Download those of MNIST's four files that `folder` lacks.

    Each file goes into a temporary file first, and takes its name only when its SHA-256 is right; whatever goes wrong,
    nothing half-written stays behind.

    Parameters
    ----------
    folder : path, optional
        Where to put the files; the user's cache folder if not given.
    seconds : float, optional
        Give up when this time has passed. No limit if not given.

    Returns
    -------
    Path
        The folder, which now holds all four files.

    Raises
    ------
    OSError
        If no mirror gives the files. The message says why, and how to supply them by hand.
    ImportError
        If `pooch` is not installed.
    """
    target = Path(folder).expanduser() if folder else cache_folder()
    pooch = _import_pooch(target)
    deadline = time.monotonic() + seconds if seconds is not None else None
    failures = []
    for mirror in MIRRORS:
        try:
            for name in missing_files(target):
                _fetch(pooch, mirror, name, target, deadline)
            return target
        except (OSError, ValueError) as error:
            failures.append(f"{mirror}: {_reason(error)}")
    raise OSError(f"MNIST could not be downloaded ({'; '.join(failures)}).\n{by_hand(target)}")


def _fetch(pooch: Any, mirror: str, name: str, folder: Path, deadline: float | None) -> None:
    """Download one file from one mirror into `folder`, verified."""
    timeout = _READ_TIMEOUT
    if deadline is not None:
        timeout = min(timeout, max(0.1, (deadline - time.monotonic()) / 2))
        _require_answer(mirror + name, timeout)
    progress = _Progress(name, deadline)
    downloader = pooch.HTTPDownloader(progressbar=progress, chunk_size=_CHUNK, timeout=timeout)
    source = pooch.create(path=folder, base_url=mirror, registry={name: f"sha256:{SHA256[name]}"})
    try:
        source.fetch(name, downloader=downloader)
    finally:
        progress.close()


def _require_answer(url: str, seconds: float) -> None:
    """Raise an OSError unless a server answers for `url` within `seconds`.

    Resolving a name and trying one address of it after the other have no common limit of time, so a thread does it, and
    is left behind if it takes too long.
    """
    import requests  # type: ignore[import-untyped, unused-ignore]

    errors: list[OSError] = []

    def ask() -> None:
        try:
            requests.head(url, timeout=seconds, allow_redirects=True)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no answer within {seconds:.1f} s")
    if errors:
        raise errors[0]


def _reason(error: BaseException) -> str:
    """Say in a line what went wrong at the root: "Name or service not known", rather than what that led to."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return textwrap.shorten(str(error), 160)


class _Progress:
    """What `pooch` reports the progress of a download to: a bar on a terminal, and the deadline."""

    def __init__(self, name: str, deadline: float | None) -> None:
        from tqdm import tqdm  # type: ignore[import-untyped, unused-ignore]

        self.total = 0
        self._deadline = deadline
        self._bar = tqdm(desc=name, unit="B", unit_scale=True, disable=None, leave=False, dynamic_ncols=True)

    def update(self, size: int) -> None:
        """Count `size` more bytes; raise TimeoutError after the deadline, which ends the download."""
        if self._deadline is not None and time.monotonic() > self._deadline:
            raise TimeoutError("the download takes too long")
        self._bar.total = self.total
        self._bar.update(min(size, max(0, self.total - self._bar.n)))

    def reset(self) -> None:
        """Begin to count anew."""
        self._bar.reset()

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


def _import_pooch(folder: Path) -> Any:
    """Import `pooch`, which only a download needs."""
    try:
        import pooch  # type: ignore[import-untyped, unused-ignore]
        import tqdm  # noqa: F401
    except ImportError as error:
        needs = f"downloading MNIST needs {error.name}, of the extra 'apps': pip install 'needle-dl[apps]'."
        raise ImportError(f"{needs}\n{by_hand(folder)}") from error
    pooch.get_logger().setLevel("WARNING")
    return pooch
