"""The tests. Processes of pytest-xdist share the cores among them; tests of threads ask for the number they want."""

import os

if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    cores, workers = os.cpu_count() or 1, int(os.environ["PYTEST_XDIST_WORKER_COUNT"])
    os.environ.setdefault("NEEDLE_NUM_THREADS", str(max(1, cores // workers)))
