"""What the judge in a child process and the grader outside it say to each other: sealed lines of JSON.

The judge writes one line a record: a seal, a space, JSON. The seal is an HMAC of the record's number and its text, with
a key that the child reads from its standard input before any student's code runs. Lines without a right seal (printed
by somebody else, or repeated) do not count.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from .testing import Stranger

#: The longest line that is read.
LONGEST = 16 << 20


def sealer(key: bytes) -> Callable[[dict[str, Any]], bytes]:
    """A function from a record to its sealed line. The key itself is kept nowhere."""
    begun = hmac.new(key, digestmod=hashlib.sha256)
    count = 0

    def seal(record: dict[str, Any]) -> bytes:
        nonlocal count
        text = json.dumps(record, separators=(",", ":")).encode()
        mac = begun.copy()
        mac.update(b"%d:" % count + text)
        count += 1
        return mac.hexdigest().encode() + b" " + text + b"\n"

    return seal


def opened(lines: bytes, key: bytes) -> tuple[list[dict[str, Any]], int]:
    """The records in what a judge wrote, and how many lines were not its own."""
    records: list[dict[str, Any]] = []
    strange = 0
    *whole, rest = lines.split(b"\n")
    for line in whole:
        seal, _, text = line.partition(b" ")
        right = hmac.new(key, b"%d:" % len(records) + text, hashlib.sha256).hexdigest().encode()
        if len(line) <= LONGEST and hmac.compare_digest(seal, right):
            records.append(json.loads(text))
        else:
            strange += 1
    return records, strange + bool(rest)


def encode(value: Any) -> Any:
    """A plain value (see `hw.testing.plain`) as JSON has it."""
    if isinstance(value, np.ndarray):
        data = base64.b64encode(value.tobytes()).decode()
        return {"dtype": value.dtype.str, "shape": list(value.shape), "data": data}
    if isinstance(value, list):
        return {"list": [encode(each) for each in value]}
    if isinstance(value, dict):
        return {"dict": {key: encode(each) for key, each in value.items()}}
    if isinstance(value, Stranger):
        return {"stranger": value.kind}
    return value


def decode(value: Any) -> Any:
    """The plain value again.

    Raises
    ------
    ValueError
        If this is nothing that `encode` makes.
    """
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict) or not value:
        raise ValueError("not an encoded value")
    kind = next(iter(value))
    if kind == "list":
        return [decode(each) for each in value["list"]]
    if kind == "dict":
        return {str(key): decode(each) for key, each in value["dict"].items()}
    if kind == "stranger":
        return Stranger(str(value["stranger"]))
    dtype, shape = np.dtype(str(value["dtype"])), tuple(int(n) for n in value["shape"])
    data = base64.b64decode(value["data"], validate=True)
    if dtype.kind not in "biufc" or any(n < 0 for n in shape) or len(data) != dtype.itemsize * prod(shape):
        raise ValueError("not an encoded array")
    return np.frombuffer(data, dtype=dtype).reshape(shape)
