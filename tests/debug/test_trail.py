"""What the extension does for recordings: they are the same as those that were made by looking at everything."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import needle as ndl
from apps.mlp_resnet import MLPResNet
from needle import nn
from needle.backend_selection import stamp
from needle.debug import calls, extension, recorder
from needle.places import is_users
from tests.autograd.graphs import nd_only, tensor
from tests.debug.test_record import Cube

pytestmark = nd_only


def trail_from(depth: int, end: Any = None, ask: Any = is_users, opinion: Any = None) -> bytes:
    return extension.trail(sys._getframe(depth), end, opinion or object(), ask)


class Both(nn.Module):
    """A module of a user's, with modules of the library's and an op of the user's within."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = MLPResNet(4, hidden_dim=3, num_blocks=1, num_classes=2)

    def forward(self, x: Any) -> Any:
        y = self.inner(x)
        return Cube()(y) + (y if y.shape[0] > 1 else y * 2)


def program() -> None:
    """A bit of everything that is announced, in two threads."""
    np.random.seed(0)
    model = Both()
    optimizer = ndl.optim.Adam(model.parameters())
    for batch in (3, 3, 2):
        x = tensor(np.ones((batch, 4)), requires_grad=False)
        loss = nn.SoftmaxLoss()(model(x), tensor(np.zeros(batch), requires_grad=False))
        loss.backward(create_graph=batch == 2)
        optimizer.step()
    ndl.func.vmap(ndl.func.grad(lambda x: (x * x).sum()))(tensor([[1.0, 2.0], [3.0, 4.0]]))
    with ndl.lazy_mode():
        lazy = ndl.exp(tensor([1.0]))
    ndl.debug.name(lazy, "lazy")
    lazy.numpy()
    worker = threading.Thread(target=lambda: model(x).sum().backward())
    worker.start()
    worker.join()
    with pytest.raises(ValueError):
        tensor([1.0, 2.0]) @ tensor([1.0, 2.0, 3.0])


def test_a_recording_has_the_same_places_without_it(monkeypatch):
    with ndl.debug.record() as with_it:
        program()
    for module in (calls, recorder):
        monkeypatch.setattr(module, "trail", extension.nothing)
    monkeypatch.setattr(recorder, "numbers_of", extension.nothing)
    with ndl.debug.record() as without:
        program()
    assert len(with_it.events) == len(without.events) > 500
    for event, other in zip(with_it.events, without.events):
        event.seconds = other.seconds = None  # all else is the same
        assert event == other
    assert {str(event.place)[:13] for event in with_it.events} == {"test_trail.py", "test_record.p"}
    assert with_it.all_nodes == without.all_nodes


def frames_of(function: Any) -> int:
    """How many functions written in Python are entered."""
    entered = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal entered
        entered += event == "call"

    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(None)
    return entered


def test_recording_enters_few_functions_for_each_operation_and_looks_at_each_place_once(monkeypatch):
    looks: list[Any] = []
    look = calls.Calls.looked_at
    monkeypatch.setattr(calls.Calls, "looked_at", lambda *args: looks.append(args) or look(*args))
    x, n = tensor(np.ones((8, 8), "float32")), 100

    def chain() -> None:
        y = x
        for _ in range(n):
            y = y + 1.0 * y
        y.sum().backward(create_graph=False)

    eager = frames_of(chain)
    with ndl.debug.record() as trace:
        frames_of(chain)
        seen, events = len(looks), len(trace.events)
        recorded = frames_of(chain)
    assert len(trace.events) == 2 * events - 1 > 2 * 13 * n - 1  # `x` is seen once
    assert len(looks) == seen < 20
    assert recorded - eager < 18 * 2 * n  # for each operation, forward and back


def test_what_becomes_the_users_ends_the_ways_that_go_through_it():
    code = """
import needle as ndl
from needle.places import count_as_users
def step(): (ndl.Tensor([1.0]) * 2).backward()
with ndl.debug.record() as trace:
    step()
    count_as_users("ops/elementwise.py", "MulScalar.gradient")
    step()
print(*[e.place for e in trace.events if e.op == "MulScalar" and e.kind == "computed"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, its_gradient, second, gradient_now = done.stdout.split()
    assert (first, its_gradient, second) == ("<string>:4",) * 3 and gradient_now.startswith("elementwise.py:")


def test_a_trail_is_the_same_at_the_same_instructions_and_no_other():
    def asked() -> bytes:
        return trail_from(2)

    a, b = asked(), asked()
    again = [asked() for _ in range(2)]
    assert a != b and again[0] == again[1] and again[0] not in (a, b)


def test_it_begins_at_a_frame_and_ends_at_one_or_at_the_users():
    here = sys._getframe().f_code

    def asked(depth: int, ask: Any, end: Any = None) -> int:
        return len(trail_from(depth, end, ask)) // np.dtype("p").itemsize

    def is_no_test(code: Any) -> bool:
        return code.co_filename != __file__

    of_frame, flag = 2, 1
    assert asked(0, is_users) == of_frame + flag  # the first is the user's
    assert asked(0, is_no_test) == 4 * of_frame + flag  # the fourth called this test
    assert asked(1, is_no_test) == 3 * of_frame + flag
    assert asked(0, is_no_test, end=sys._getframe()) == 2 * of_frame + flag
    assert asked(0, lambda code: code is here) == 3 * of_frame + flag


def test_it_asks_once_for_each_code_and_opinion():
    codes: list[Any] = []

    def ask(code: Any) -> bool:
        codes.append(code)
        return code is ask.__code__

    mine, others = object(), object()
    first = trail_from(0, None, ask, mine)
    known = list(codes)
    assert len(known) == len(set(known)) > 1
    assert trail_from(0, None, ask, mine) != first  # of another line
    assert codes == known
    trail_from(0, None, ask, others)
    assert codes == [*known, *known]


def test_what_it_cannot_use_is_said():
    with pytest.raises(TypeError, match="begins at a frame"):
        extension.trail(None, None, None, is_users)
    with pytest.raises(TypeError, match="takes 4 positional arguments"):
        extension.trail(None)

    def fails(code: Any) -> bool:
        raise LookupError("no")

    with pytest.raises(LookupError, match="no"):
        trail_from(0, None, fails)


def test_nodes_have_their_numbers_if_all_are_known():
    x, y = tensor([1.0]), tensor([2.0])
    numbers = {id(x): 1, id(y): 1000}
    assert extension.numbers_of((x, y, x), numbers, {}) == (1, 1000, 1)
    assert extension.numbers_of((), numbers, {}) == ()
    assert extension.numbers_of((x, tensor([3.0])), numbers, {}) is None


def test_nodes_have_no_numbers_if_data_was_written_or_replaced_since_it_had_its_stamp():
    x, y = tensor([1.0]), tensor([2.0])
    numbers = {id(x): 1, id(y): 2}
    stamps = {2: stamp(y.cached_data)}
    assert extension.numbers_of((x, y), numbers, stamps) == (1, 2)
    x.cached_data[0] = 3.0
    assert extension.numbers_of((x, y), numbers, stamps) == (1, 2)  # x had no stamp
    y.cached_data[0] = 3.0
    assert extension.numbers_of((x, y), numbers, stamps) is None
    stamps[2] = stamp(y.cached_data)
    assert extension.numbers_of((x, y), numbers, stamps) == (1, 2)
    y.data = tensor([4.0])
    assert extension.numbers_of((x, y), numbers, stamps) is None
    y.cached_data = None  # one of a lazy node, or a tuple, takes a longer look
    assert extension.numbers_of((x, y), numbers, stamps) is None


def test_asking_for_numbers_keeps_nothing_alive():
    x = tensor([1.0])
    many, mark = 10**6, object()
    numbers, stamps = {id(x): many}, {many: mark}
    before = [sys.getrefcount(thing) for thing in (x, many, mark, numbers, stamps)]
    for _ in range(100):
        extension.numbers_of((x, x), numbers, {})
        extension.numbers_of((x, tensor([1.0])), numbers, stamps)
    assert [sys.getrefcount(thing) for thing in (x, many, mark, numbers, stamps)] == before


def test_numbers_are_asked_with_a_tuple_and_two_dicts():
    for wrong in (([], {}, {}), ((), [], {}), ((), {}, None)):
        with pytest.raises(TypeError, match="takes a tuple and two dicts"):
            extension.numbers_of(*wrong)
    with pytest.raises(TypeError, match="takes 3 positional arguments"):
        extension.numbers_of(())
