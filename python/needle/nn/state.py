"""Checking a saved state against what is expected, before anything is changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def check_state(owner: str, expected: Mapping[str, tuple[int, ...]], state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Give the entries of `state` as NumPy arrays, if they are the expected ones.

    Parameters
    ----------
    owner : str
        Whose state it is, for the error message.
    expected : mapping of str to tuple of int
        The names that must be there, and the shape of each; numbers have shape ``()``.
    state : mapping of str to array, Tensor or number
        What was given.

    Raises
    ------
    ValueError
        If names are missing or unexpected, shapes differ, or something is not numeric. One message lists it all.
    """
    arrays = {name: np.asarray(x.numpy() if hasattr(x, "numpy") else x) for name, x in state.items()}
    problems = []
    for name, shape in expected.items():
        if name not in arrays:
            problems.append(f"missing: {name!r} of shape {shape}")
        elif arrays[name].dtype.kind not in "biuf":
            problems.append(f"not numeric: {name!r} has dtype {arrays[name].dtype}")
        elif arrays[name].shape != shape:
            problems.append(f"wrong shape: {name!r} has shape {arrays[name].shape}; it must have {shape}")
    problems += [f"unexpected: {name!r} of shape {arrays[name].shape}" for name in arrays if name not in expected]
    if problems:
        raise ValueError(
            f"load_state_dict: the state does not fit this {owner}; nothing was changed.\n  " + "\n  ".join(problems)
        )
    return arrays
