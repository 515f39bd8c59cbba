"""The thread pool: how many threads, many callers at once, forked children, and the end of the process."""

import multiprocessing
import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

from needle.backend_ndarray import ndarray_backend_cpu as cpu

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses Linux's scheduler calls")

# A product large enough to be cut for the pool, and checked.
WORK = """
import numpy as np
from needle.backend_ndarray import ndarray_backend_cpu as cpu

def work():
    a, b, out = (cpu.View.alloc((300, 300)) for _ in range(3))
    cpu.fill(a, 2), cpu.fill(b, 3), cpu.matmul(a, b, out)
    assert (out.as_numpy() == 1800).all()
"""


def python(script, **environment):
    """Run `script` after WORK in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", WORK + textwrap.dedent(script)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def printed(script, **environment):
    """Return what `script` prints; it must end well."""
    run = python(script, **environment)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


# How many -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def threads():
    before = cpu.num_threads()
    yield
    cpu.set_num_threads(before)


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_environment_sets_the_number_of_threads(n):
    assert printed("work(); print(cpu.num_threads())", NEEDLE_NUM_THREADS=str(n)) == str(n)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "2x", "100000"])
def test_a_wrong_number_of_threads_in_the_environment_is_refused_at_import(text):
    run = python("", NEEDLE_NUM_THREADS=text)
    assert run.returncode != 0
    assert f"NEEDLE_NUM_THREADS is '{text}'; it must be a whole number" in run.stderr


@linux
def test_by_default_there_are_as_many_threads_as_cores_this_process_may_use():
    script = """
    import os, subprocess, sys
    print(cpu.num_threads() <= len(os.sched_getaffinity(0)))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    one = "from needle.backend_ndarray import ndarray_backend_cpu as cpu; print(cpu.num_threads())"
    print(subprocess.run([sys.executable, "-c", one], capture_output=True, text=True).stdout.strip())
    """
    assert printed(script, NEEDLE_NUM_THREADS="").split() == ["True", "1"]


@pytest.mark.parametrize("n", [0, -3, 1025])
def test_an_impossible_number_of_threads_is_refused(n, threads):
    before = cpu.num_threads()
    with pytest.raises(ValueError, match="the number of threads must be from 1 to 1024"):
        cpu.set_num_threads(n)
    assert cpu.num_threads() == before


# Callers and the interpreter ------------------------------------------------------------------------------------------


def test_many_python_threads_may_call_kernels_at_once(threads):
    cpu.set_num_threads(3)
    wrong = []

    def call(seed):
        x, y = np.random.default_rng(seed).integers(0, 5, (2, 200, 200)).astype("float32")
        a, b, out = (cpu.View.alloc((200, 200)) for _ in range(3))
        cpu.from_numpy(x, a), cpu.from_numpy(y, b)
        for _ in range(30):
            cpu.matmul(a, b, out)
            wrong.extend([seed] * (not np.array_equal(out.as_numpy(), x @ y)))
            cpu.ewise_add(a, cpu.View(b.handle, (200, 200), (1, 200)), out)
            wrong.extend([seed] * (not np.array_equal(out.as_numpy(), x + y.T)))

    callers = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not wrong


def test_other_python_threads_run_during_a_long_kernel():
    a, out = cpu.View.alloc((700, 700)), cpu.View.alloc((700, 700))
    cpu.fill(a, 1)
    begun, ended, ticks = threading.Event(), threading.Event(), []

    def tick():
        begun.set()
        while not ended.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    other.start()
    begun.wait()
    start = time.perf_counter()
    cpu.matmul_naive(a, a, out)  # hundreds of milliseconds, in one call
    end = time.perf_counter()
    ended.set()
    other.join()
    middle = [t for t in ticks if start + 0.2 * (end - start) < t < start + 0.8 * (end - start)]
    assert len(middle) >= 3, f"{len(ticks)} ticks, none while the kernel ran for {end - start:.3f} s"


def test_idle_workers_sleep():
    script = """
    import time
    work()
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.5)
    print(time.process_time() - before)
    """
    assert float(printed(script, NEEDLE_NUM_THREADS="4")) < 0.05


# Children and the end -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["os._exit(7)", "sys.exit(7)"])
@pytest.mark.parametrize("before", ["", "work()"])
def test_a_forked_child_computes_and_so_does_its_parent(before, end):
    script = f"""
    import os, sys
    {before}
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            work()
            cpu.set_num_threads(2)
            work()
            {end}
        children.append(pid)
    work()
    print([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children], cpu.num_threads())
    """
    assert printed(script, NEEDLE_NUM_THREADS="3") == "[7, 7, 7] 3"


def test_a_fork_while_other_threads_compute():
    script = """
    import os, threading
    stop = threading.Event()
    def busy():
        while not stop.is_set():
            work()
    callers = [threading.Thread(target=busy) for _ in range(2)]
    for caller in callers: caller.start()
    codes = []
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            work()
            os._exit(0)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    for caller in callers: caller.join()
    print(set(codes))
    """
    assert printed(script, NEEDLE_NUM_THREADS="3") == "{0}"


def _square_sum(n):
    a, out = cpu.View.alloc((n, n)), cpu.View.alloc((n, n))
    cpu.fill(a, 1)
    cpu.matmul(a, a, out)
    return float(out.as_numpy().sum())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_multiprocessing(method):
    _square_sum(256)
    with multiprocessing.get_context(method).Pool(2) as pool:
        results = pool.map_async(_square_sum, [64, 256, 300]).get(timeout=60)
    assert results == [n**3 for n in (64, 256, 300)]


@pytest.mark.parametrize(
    "script, code",
    [
        ("work()", 0),
        ("import time; work(); time.sleep(0.2)", 0),
        ("import os; work(); os._exit(3)", 3),
        ("work(); raise SystemExit(4)", 4),
        (
            """
            import threading
            def forever():
                while True: work()
            threading.Thread(target=forever, daemon=True).start()
            work()
            """,
            0,
        ),
    ],
)
def test_the_process_ends_promptly_and_cleanly(script, code):
    start = time.perf_counter()
    for _ in range(3):
        run = python(script, NEEDLE_NUM_THREADS="4")
        assert (run.returncode, run.stderr) == (code, "")
    assert time.perf_counter() - start < 20
