"""The stepping debugger: through building, computing and backward, forwards and back."""

from __future__ import annotations

import io
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import needle as ndl
from needle import nn
from needle.debug import frames
from needle.debug.console import Console
from needle.debug.gradcheck import gradcheck
from needle.debug.stepper import Quit, Stepper
from needle.debug.terminal import Terminal
from needle.debug.trace import Trace
from needle.listening import Listener, listeners, listening
from tests.autograd.graphs import counted_computations, nd_only, tensor

exact = pytest.mark.skipif(sys.version_info < (3, 11), reason="variables name tensors from Python 3.11 on")


def session(program: Callable[[], Any], *commands: str, keep: int = 2**28) -> str:
    """Run `program` under the debugger, which gets these commands at its stops; what it printed.

    It stops before the first event, and is left when the commands are at their end.
    """
    stepper, printed = debugger(commands, keep)
    try:
        with listening(stepper):
            stepper.stop([])
            program()
            stepper.front.ended(stepper)  # type: ignore[attr-defined]
    except Quit:
        pass
    return printed.getvalue()


def debugger(commands: tuple[str, ...] = (), keep: int = 2**28) -> tuple[Stepper, io.StringIO]:
    printed = io.StringIO()
    console = Console(io.StringIO("\n".join(commands) + "\n"), printed)
    return Stepper(Trace(keep), Terminal(console=console)), printed


def answers(text: str) -> list[str]:
    """What each command printed."""
    return [part.partition("\n")[2] for part in text.split("(needle) ")[1:]]


def stops(text: str) -> list[str]:
    """What happened at each stop."""
    return re.findall(r"^\[\d+\] (.*)$", text, re.MULTILINE)


class Square(ndl.TensorOp):
    """A student's op: `compute` and `gradient`, nothing else."""

    def compute(self, a: Any) -> Any:
        return a * a

    def gradient(self, out_grad: Any, node: Any) -> Any:
        return out_grad * node.inputs[0] * 2


def small() -> None:
    x = tensor([1.0, 3.0])
    y = x * x
    z = (y + x).sum()
    z.backward()


# Steps ------------------------------------------------------------------------------------------------------------


@exact
def test_steps_go_through_building_and_then_through_the_adjoints_one_by_one():
    seen = stops(session(small, *["s"] * 30))
    assert [text.split(" (")[0] for text in seen[:3]] == ["made #2 'y'", "made #3", "made #4 'z'"]
    assert seen[3] == "backward of #4 'z' begins"
    assert [re.sub(r",.*", "", text) for text in seen[4:9]] == [
        "#4 'z' Summation",
        "#3 EWiseAdd",
        "#3 EWiseAdd",
        "#2 'y' EWiseMul",
        "#2 'y' EWiseMul",
    ]
    assert seen[9] == "backward of #4 'z' has ended"


@exact
def test_each_adjoint_that_arrives_is_shown_with_the_sum_so_far():
    text = session(small, "break backward op=EWiseMul", "c", "c", "adjoint #1", "adjoint y")
    last, y = answers(text)[-3:-1]
    assert [re.sub(r"^.*\] |:.*", "", line) for line in last.splitlines()[:3]] == [
        "#7 from #3 EWiseAdd",
        "#8 from #2 'y' EWiseMul",
        "#9 from #2 'y' EWiseMul",
    ]
    assert "sum: min 3  max 7  mean 5" in last and "[3. 7.]" in last and "sum: min 1  max 1" in y
    assert "sum of 3 contributions so far: min 3  max 7  mean 5" in text
    assert "computed at elementwise.py:" in text


def test_stepi_also_enters_the_nodes_that_a_backward_pass_makes():
    plain, inner = (stops(session(small, *[command] * 60)) for command in ("s", "si"))
    made = [text for text in inner if text.startswith("made") and text not in plain]
    assert len(made) >= 3 and all("#" in text for text in made)
    assert [text for text in inner if text in plain] == plain


def model() -> nn.Module:
    np.random.seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def train() -> None:
    network = model()
    optimizer = ndl.optim.SGD(network.parameters(), lr=0.1)
    x = tensor(np.ones((5, 3)), requires_grad=False)
    loss = (network(x) ** 2).sum()
    loss.backward()
    optimizer.step()


@exact
def test_next_goes_over_the_call_of_a_module_and_over_a_backward_pass():
    seen = stops(session(train, *["n"] * 12))
    assert seen[:2] == ["entered Sequential", "left Sequential"]
    begins = seen.index("backward of #14 'loss' begins")
    assert seen[begins + 1] == "backward of #14 'loss' has ended" and seen[10] == "SGD has changed its parameters"
    inside = stops(session(train, "s", "s", "n", "n"))
    assert inside == [
        "entered Sequential",
        "entered Linear modules.0",
        "left Linear modules.0",
        "entered ReLU modules.1",
    ]


def test_until_goes_to_the_end_of_the_module_to_an_event_to_a_node_or_to_a_condition():
    assert stops(session(train, "s", "s", "s", "unt"))[-1] == "left Linear modules.0"
    at = re.findall(r"^\[(\d+)\]", session(train, "unt 17"), re.MULTILINE)[-1]
    assert int(at) >= 17
    assert stops(session(train, "unt op=ReLU"))[-1].startswith("made #9 (5, 4) float32 = ReLU(#8)")
    seen = stops(session(train, "unt op=ReLU", "unt #9", "s"))
    assert seen[-2].startswith("made #10 (5, 2) float32 = MatMul(#9, #3)")


# Breakpoints ------------------------------------------------------------------------------------------------------

LINE = train.__code__.co_firstlineno + 5


@exact
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("op=ReLU", ["made #9 (5, 4) float32 = ReLU(#8) in modules.1"]),
        ("name=loss", ["made #14 'loss' () float32 = Summation(#13, axes=None, keepdims=False)"]),
        ("shape=(5,2) op=EWiseAdd", ["made #12 (5, 2) float32 = EWiseAdd(#10, #11) in modules.2"]),
        (
            "module=modules.1",
            ["entered ReLU modules.1", "made #9 (5, 4) float32 = ReLU(#8) in modules.1", "left ReLU modules.1"],
        ),
        (f"test_stepping.py:{LINE}", ["backward of #14 'loss' begins"]),
        ("stepped", ["SGD has changed its parameters"]),
        ("backward op=ReLU", [f"#9 ReLU, made at test_stepping.py:{LINE - 1}"]),
        ("backward name=modules.2.weight", [f"#10 MatMul, made at test_stepping.py:{LINE - 1}"]),
        ("replaced name=modules.0.bias", ["#2 'modules.0.bias' got other data"]),
        ("op=Conv", []),
    ],
)  # fmt: skip
def test_a_breakpoint_stops_where_it_says_and_nowhere_else(condition: str, expected: list[str]):
    text = session(train, f"break {condition}", *["c"] * 8)
    assert stops(text)[: text.count(", hit ")] == expected


def test_a_line_in_a_loop_is_come_to_each_time():
    w = tensor(np.eye(2))

    def program() -> None:
        x = tensor([[1.0], [2.0]])
        layer = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
        for _ in range(3):
            x = w @ x + 1
        for _ in range(3):
            x = x * 2
        for _ in range(3):
            x = layer(x)

    first = program.__code__.co_firstlineno + 4
    for line in (first, first + 2, first + 4):
        text = session(program, f"break test_stepping.py:{line}", *["c"] * 6)
        assert text.count("breakpoint 1: test_stepping.py") == 4, line  # when it was made, and three times
        assert len(re.findall(rf"^> test_stepping.py:{line} in program", text, re.MULTILINE)) == 3


@exact
def test_one_of_the_nodes_of_a_model_gets_the_name_of_its_output_and_a_breakpoint_finds_it():
    def program() -> None:
        logits = model()(tensor(np.ones((5, 3))))
        assert logits.shape == (5, 2)

    text = session(program, "break name=logits", "c", "node logits", "c")
    assert stops(text)[0] == "left Sequential" and len(re.findall("breakpoint 1: name=logits, hit", text)) == 1
    assert "'logits' (5, 2) float32 = EWiseAdd(" in answers(text)[2]
    text = session(program, "unt op=ReLU", "node", "events 30")
    assert "logits" not in text.replace("logits = model", "")


def test_a_temporary_breakpoint_goes_also_in_the_past_and_steps_can_be_counted():
    text = session(train, "c", "goto 0", "tbreak op=MatMul", "c", "c", "break")
    assert answers(text)[5] == "no breakpoints\n" and text.count("hit 1 time") == 1
    assert stops(session(train, "step 5"))[0] == stops(session(train, *["s"] * 5))[4]


def test_a_command_that_fails_says_so_and_the_program_goes_on():
    ended: list[int] = []
    text = session(lambda: (small(), ended.append(1)), "s", "save /nonexistent/x.json", "view /nonexistent/x.html", "c")
    assert text.count("*** FileNotFoundError") == 2 and ended == [1]


@exact
def test_a_recording_is_saved_and_shown_from_the_prompt(tmp_path: Path):
    text = session(small, "c", f"save {tmp_path}/small.json", f"view {tmp_path}/small.html", "save", "quit")
    trace = ndl.debug.Trace.load(tmp_path / "small.json")
    assert [node.op for node in trace.all_nodes[:4]] == ["", "EWiseMul", "EWiseAdd", "Summation"]
    assert "EWiseMul" in (tmp_path / "small.html").read_text() and f"wrote {tmp_path}/small.html" in text
    Path("trace.json").unlink()


def test_set_trace_where_nothing_can_be_read_says_what_to_do_and_leaves(monkeypatch: pytest.MonkeyPatch):
    class Captured(io.StringIO):
        def readline(self, *args: Any) -> str:
            raise OSError("reading from stdin while output is captured")

    monkeypatch.setattr(sys, "stdin", Captured())
    before = list(listeners)
    with pytest.raises(OSError, match=r"Run pytest with -s, or as python -m needle\.debug -m pytest"):
        ndl.debug.set_trace()
    assert listeners == before


def test_pm_shows_the_recording_out_of_which_the_error_came_and_no_other(monkeypatch: pytest.MonkeyPatch):
    with ndl.debug.record() as other:
        ndl.tanh(tensor([1.0]))
    printed = []
    for recording in (ndl.debug.record, nullcontext):
        shown = io.StringIO()
        monkeypatch.setattr(sys, "stdin", io.StringIO("events 30\nback\ngraph h\nq\n"))
        monkeypatch.setattr(sys, "stdout", shown)
        try:
            with recording():
                h = ndl.exp(tensor([1.0]))
                h = h * 2
                raise ArithmeticError("too much")
        except ArithmeticError as error:
            ndl.debug.pm(error)
        printed.append(shown.getvalue())
    monkeypatch.undo()
    with_past, without = printed
    assert all("ArithmeticError: too much" in text and "MulScalar" in text and "Tanh" not in text for text in printed)
    assert "made #3 = MulScalar(#2)" in with_past and "made" not in without and len(other.nodes("Tanh")) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_leaving_in_a_thread_ends_the_program():
    after: list[str] = []
    thread = threading.Thread(target=lambda: after.append(str(tensor([1.0]) * 2)))
    # A program that was started in the background ignores SIGINT; the tests may be one.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)

    def program() -> None:
        thread.start()
        for _ in range(100):
            time.sleep(0.05)
        after.append("the end")

    try:
        with pytest.raises(KeyboardInterrupt):
            session(program, "b op=MulScalar", "c", "q")
    finally:
        signal.signal(signal.SIGINT, handler)
    thread.join()
    assert not after


def test_a_variable_of_the_program_finds_its_node():
    text = session(small, "until name=z", "adjoint x", "node x", "graph x 1")
    assert "#1 has received no adjoint yet" in text and "needed by: #2, #3" in text
    assert answers(text)[3].splitlines()[-1].startswith("    └─ #3")


def test_threads_stop_one_after_the_other_each_at_its_own_event():
    def work(factor: float) -> None:
        (tensor([factor]) * factor).sum().backward()

    def program() -> None:
        threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    text = session(program, "b op=MulScalar", *["c"] * 8)
    assert len(re.findall("breakpoint 1: op=MulScalar, hit", text)) == 4
    assert all("MulScalar" in line for line in stops(text)[:4])


def test_functions_that_an_assignment_leaves_to_students_count_as_the_users():
    from needle import places

    try:
        places.count_as_users("ops/elementwise.py", "EWiseMul.gradient")
        with ndl.debug.record() as trace:
            small()
        lines = {event.place.user.function for event in trace.events if event.kind == "made"}
        assert "gradient" in lines and "small" in lines

        class Calls(Listener):
            def __init__(self) -> None:
                self.seen: list[list[str]] = []

            def made(self, node: Any, op: Any, inputs: Any) -> None:
                self.seen.append([line.function for line in frames.calls(sys._getframe(1))][-2:])

        with listening(Calls()) as listener:
            small()
        assert ["small", "gradient"] in listener.seen and ["small", "gradient_as_tuple"] not in listener.seen
    finally:
        places._students.clear()
        places._users.clear()
        places._places.clear()


def test_faults_stop_where_they_arise():
    def broken() -> None:
        x = tensor([0.0, 1e30])
        y = ndl.log(x)
        (y * 0 + x * 1e4).sum().backward()

    def first(condition: str) -> str:
        text = session(broken, f"tbreak {condition}", "c")
        assert ", hit 1 time" in text
        return stops(text)[0]

    assert "= Log(#1)" in first("inf") and "= MulScalar(#2, scalar=0)" in first("nan")
    assert "MulScalar" in first("grad>1e3") and "Summation" in first("grad<2")


def test_a_gradient_that_does_not_fit_is_shown_before_the_program_fails():
    class Turned(Square):
        def gradient(self, out_grad: Any, node: Any) -> Any:
            return ndl.transpose(out_grad * node.inputs[0] * 2)

    def program() -> None:
        Turned()(tensor(np.ones((2, 3)))).sum().backward()

    text = session(program, "break grad-shape", "c", "where", "gradcheck #2", "q")
    assert "which does not fit: (3, 2) for an input of shape (2, 3)" in text
    line = Turned.gradient.__code__.co_firstlineno + 1
    assert f"computed at test_stepping.py:{line}: return ndl.transpose(" in text
    assert "Turned.gradient raises ValueError" in text


@exact
def test_an_operator_that_fails_forward_or_in_its_gradient_is_stopped_at_before_the_program_fails():
    class Halved(Square):
        def gradient(self, out_grad: Any, node: Any) -> Any:
            half = ndl.reshape(out_grad, (1,))
            return half * node.inputs[0]

    def program() -> None:
        x = tensor([1.0, 2.0])
        y = Halved()(x)
        for attempt in (lambda: y.sum().backward(), lambda: x @ x @ x):
            with pytest.raises(ValueError):
                attempt()

    text = session(program, "b error", "c", "p out_grad.shape", "c", "inputs", "gradcheck", "c")
    line = Halved.gradient.__code__.co_firstlineno + 1
    assert f"> test_stepping.py:{line} in gradient" in text and answers(text)[2] == "(2,)\n"
    first, second, third = stops(text)[:3]
    assert first.startswith("Reshape(#") and second == "the gradient of #2 'y' Halved(#1 (2,)) failed"
    assert "min 1  max 2" in answers(text)[4] and "Halved.gradient raises ValueError" in answers(text)[5]
    assert third.startswith("MatMul(")


def test_breakpoints_are_listed_and_cleared_and_a_wrong_one_is_explained():
    text = session(
        small, "break op=Exp", "break name=q", "break", "clear 1", "break", "clear 7", "break what", "clear", "b"
    )
    listed = answers(text)
    assert listed[2] == "1: op=Exp\n2: name=q\n" and listed[4] == "2: name=q\n" and listed[8] == "no breakpoints\n"
    assert "no operator" not in listed[0] and "no operator Nope so far" in session(small, "b op=Nope")
    assert "no breakpoint 7" in listed[5] and "'what' is no condition" in listed[6] and "grad-shape" in listed[6]


@exact
def test_watch_stops_at_all_that_happens_to_a_node():
    text = session(train, "unt name=loss", "watch #14", "c", "c", "c", "c")
    assert [x.split(",")[0] for x in stops(text)[:5]] == [
        "made #14 'loss' () float32 = Summation(#13",
        "backward of #14 'loss' begins",
        "#14 'loss' Summation",
        "backward of #14 'loss' has ended",
        "SGD has changed its parameters",
    ]
    text = session(train, "unt name=loss", "watch #13", "c", "c")
    assert stops(text)[1].startswith("#14 'loss' Summation") and stops(text)[2].startswith("#13 PowerScalar")


# Back -------------------------------------------------------------------------------------------------------------


@exact
def test_back_shows_the_graph_the_values_and_the_adjoints_as_they_were():
    def program() -> None:
        x = tensor([1.0, 2.0])
        y = x * 3
        x.data = tensor([10.0, 20.0])
        z = (x + y).sum()
        z.backward()

    text = session(
        program, "c", "value #1", "adjoint #1", "goto 2", "value #1", "graph #1", "adjoint #1", "p 1 + 1", "s", "c"
    )
    now, then = answers(text)[1], answers(text)[4]
    assert "[10. 20.]" in now and "[1. 2.]" in then
    graph = answers(text)[5]
    assert "#2 'y'" in graph and "EWiseAdd" not in graph
    assert "received no adjoint yet" in answers(text)[6]
    assert "(the present, not the past that is shown)\n2" in answers(text)[7]
    assert "in the past: the present is" in answers(text)[8] and "back in the present" in answers(text)[9]


@exact
def test_a_value_that_was_dropped_is_said_to_be_and_its_statistics_stay():
    text = session(small, "c", "goto 2", "value y", keep=16)
    assert "was dropped" in text and "min 1  max 9  mean 5" in text


def test_breakpoints_hold_in_the_past_too():
    text = session(train, "c", "goto 0", "break op=ReLU", "c")
    assert stops(text)[-1].startswith("made #9 (5, 4) float32 = ReLU(#8)")


def test_back_after_ten_thousand_events_takes_a_moment():
    stepper, _ = debugger()
    stepper.wanted = lambda stepper, step: False
    x = tensor([1.0])
    with listening(stepper):
        y = x
        for i in range(2500):
            y = y * 1.0 if i % 2 else y + 1.0
        y.backward()
    assert len(stepper.trace.events) > 10_000
    terminal: Any = stepper.front
    terminal.stepper = stepper
    stepper.position = len(stepper.steps) - 1
    began = time.perf_counter()
    terminal.do_back("4000")
    terminal.do_value("#100")
    terminal.do_adjoint("#100")
    seconds = time.perf_counter() - began
    assert not stepper.is_present and stepper.trace.value(101, terminal.at()) == 51
    assert seconds < 1  # on a quiet machine a twentieth of that; see docs/debugging.md


# Looking ----------------------------------------------------------------------------------------------------------


@exact
def test_a_node_its_inputs_its_source_and_its_neighbourhood_are_shown():
    text = session(small, "s", "s", "node", "inputs", "list", "graph", "where", "events 2", "node #9", "node q")
    node, inputs, source, graph, where, events, *wrong = answers(text)[2:]
    assert "#3 (2,) float32 = EWiseAdd(#2, #1)" in node and "requires_grad: True" in node and "alive now: yes" in node
    assert "0: #2 'y' (2,) float32 = EWiseMul(#1, #1)\n   min 1  max 9  mean 5" in inputs
    line = small.__code__.co_firstlineno + 3
    assert f"{line:5d} ->     z = (y + x).sum()" in source
    assert graph.splitlines()[-1] == "==> #3 (2,) float32 = EWiseAdd(#2, #1)" and "├─ #2 'y'" in graph
    assert f"test_stepping.py:{line} in small" in where and "in __add__" in where
    assert len(events.splitlines()) == 2
    assert "there is no node #9" in wrong[0] and "no node of the recording has the name 'q'" in wrong[1]


@exact
def test_expressions_are_evaluated_in_the_frame_of_the_program_and_errors_said_in_a_line():
    text = session(small, "s", "s", "p x.shape", "!y", "p 1 / 0", "p nonsense", "hello")
    shape, y, division, name, command = answers(text)[2:7]
    assert shape == "(2,)\n" and y.startswith(
        "Tensor #2 'y' (2,) float32 [1, 9] = EWiseMul(#1, #1), at test_stepping.py:"
    )
    assert "ZeroDivisionError" in division and "NameError" in name and "no command 'hello'" in command


def test_in_lazy_mode_nothing_is_computed_but_what_is_asked_for():
    def program() -> None:
        with ndl.lazy_mode():
            x = tensor([1.0, 2.0])
            y = ndl.exp(x)
            z = y * 2
            w = z + 1
            assert w.cached_data is None and z.cached_data is not None and y.cached_data is not None

    with counted_computations() as counts:
        looking = [
            "value",
            "node",
            "inputs",
            "graph",
            "where",
            "list",
            "p y",
            "holders",
            "events",
            "back",
            "s",
            "adjoint",
        ]
        text = session(program, "s", *looking, "realize #3", "c", "q")
    assert sum(counts.values()) == 2, counts  # exp and the product
    assert "not computed" in answers(text)[1] and "computed #3 'z'" not in text.split("realize")[0]
    assert "[ 5.4366 14.7781]" in text


@nd_only
def test_a_session_is_the_same_on_every_device():
    def on(device: Any) -> str:
        def program() -> None:
            x = ndl.Tensor([1.0, 3.0], device=device)
            y = Square()(x)
            z = (y + x).sum()
            z.backward()

        commands = ["value", "inputs", "gradcheck", "adjoint #1", "node", "graph"]
        return session(program, "s", *commands, "b backward op=Square", "c", *commands, "back 3", *commands, "c", "c")

    assert "right in all 2 entries" in on(ndl.cpu()) and "sum: min 3  max 7" in on(ndl.cpu())
    assert on(ndl.cpu()) == on(ndl.cpu_numpy())


def test_gradcheck_says_which_input_has_a_wrong_gradient_and_where():
    class Wrong(ndl.TensorOp):
        def compute(self, a: Any, b: Any) -> Any:
            return a * b

        def gradient(self, out_grad: Any, node: Any) -> Any:
            _, b = node.inputs
            return out_grad * b, out_grad * b

    text = session(lambda: Wrong()(tensor([1.0, 2.0]), tensor([2.0, 3.0])), "s", "gradcheck")
    right, wrong = answers(text)[1].splitlines()
    assert right == "input 0 (2,): right in all 2 entries"
    assert wrong.startswith("input 1 (2,): WRONG in 2 of all 2 entries; at (")
    for wrong_use in ((ndl.matmul, (tensor([1.0]),)), (Square(), (3.0,))):
        with pytest.raises(TypeError, match="gradcheck: the"):
            gradcheck(*wrong_use)
    a = tensor(np.random.default_rng(0).normal(size=(20, 30)))
    for op, inputs in [
        (Square(), (a,)),
        (ndl.ops.MatMul(), (a, ndl.transpose(a))),
        (ndl.ops.Split(0), (tensor(np.ones((2, 3))),)),
        (ndl.ops.Summation((0,)), (a.astype("float32"),)),
    ]:
        assert all("right" in line for line in gradcheck(op, inputs)), op


def test_the_debugger_touches_neither_modes_nor_gradients():
    def program() -> tuple[Any, ...]:
        x = tensor([1.0, 2.0])
        with ndl.no_grad():
            y = ndl.exp(x)
        z = ndl.exp(x) * y
        z.sum().backward()
        return y.requires_grad, x.grad.numpy().tolist(), ndl.autograd.LAZY_MODE

    expected, given = program(), []
    session(lambda: given.append(program()), *["s", "gradcheck", "p x * 2"] * 30, "c")
    assert given == [expected]


@exact
def test_pdb_steps_on_from_the_prompt_and_comes_back():
    after: list[str] = []

    def program() -> None:
        x = tensor([1.0, 2.0])
        y = x * 2
        z = y + 1
        w = z * y
        after.append(f"{x} {w}")

    first = program.__code__.co_firstlineno
    text = session(program, "s", "pdb", "p 6 * 7", "c", "pdb", "n", "p y.shape", "c", "c")
    assert "(Pdb) 42" in text and "(Pdb) (2,)" in text
    assert f"test_stepping.py({first + 3})program()" in text  # pdb stands at the line after that of y
    assert [line.split(" = ")[0] for line in stops(text)[:2]] == [
        "made #2 'y' (2,) float32",
        "made #3 'z' (2,) float32",
    ]
    assert len(after) == 1 and sys.gettrace() is None
    text = session(program, "s", "pdb", f"b {first + 4}", "c", "p z.shape", "q", "c")
    assert "Breakpoint 1 at" in text and "(Pdb) (2,)" in text and len(after) == 2
    assert "made #4 'w'" in text and sys.gettrace() is None  # leaving pdb comes back, too


def test_quit_ends_the_program_and_detach_lets_it_go_on():
    after: list[str] = []
    session(lambda: (small(), after.append("end")), "q")
    assert not after
    text = session(lambda: (small(), after.append("end")), "detach")
    assert after == ["end"] and not stops(text)


def test_help_names_every_command_in_80_columns():
    text = session(small, "help", "help break", "h stepi")
    lines = answers(text)[0].splitlines()
    assert {line.split(":")[0].split()[0] for line in lines} >= {
        "step",
        "back",
        "gradcheck",
        "holders",
        "realize",
        "pdb",
    }
    assert "grad-shape" in answers(text)[1] and "stepi" in answers(text)[2]
    assert max(map(len, text.splitlines())) <= 80
