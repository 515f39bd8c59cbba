"""What VS Code shows: its debugger is driven through the Debug Adapter Protocol, as the editor drives it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from needle.places import PACKAGE
from tests.autograd.graphs import nd_only
from tests.debug.test_pdb import PRODUCT, SCRIPT, USER, kernel_line

pytest.importorskip("debugpy", reason="debugpy is not installed")

SECONDS = 20


class Editor:
    """A client of the Debug Adapter Protocol: JSON messages, each with its length in front."""

    def __init__(self, port: int) -> None:
        self.socket = self._connected(port)
        self.stream = self.socket.makefile("rb")
        self.sent = 0
        self.events: list[dict[str, Any]] = []

    def _connected(self, port: int) -> socket.socket:
        end = time.monotonic() + SECONDS
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)
            except ConnectionRefusedError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.02)

    def send(self, command: str, **arguments: Any) -> int:
        """Send a request, and give its number."""
        self.sent += 1
        body = json.dumps({"seq": self.sent, "type": "request", "command": command, "arguments": arguments}).encode()
        self.socket.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return self.sent

    def ask(self, command: str, **arguments: Any) -> Any:
        """Send a request, and give the body of the answer."""
        return self.answer(self.send(command, **arguments))

    def answer(self, number: int) -> Any:
        while True:
            message = self._read()
            if message["type"] == "event":
                self.events.append(message)
            elif message["type"] == "response" and message["request_seq"] == number:
                assert message["success"], message
                return message.get("body")

    def event(self, name: str) -> Any:
        """Wait for an event, and give its body."""
        while True:
            for message in self.events:
                if message["event"] == name:
                    self.events.remove(message)
                    return message.get("body")
            message = self._read()
            if message["type"] == "event":
                self.events.append(message)

    def _read(self) -> dict[str, Any]:
        length = 0
        while line := self.stream.readline().strip():
            name, _, value = line.partition(b":")
            length = int(value) if name == b"Content-Length" else length
        assert length, "the debugger has gone"
        message: dict[str, Any] = json.loads(self.stream.read(length))
        return message

    def breakpoints(self, path: str, *lines: int) -> None:
        given = [{"line": line} for line in lines]
        found = self.ask("setBreakpoints", source={"path": path}, breakpoints=given)["breakpoints"]
        assert all(breakpoint["verified"] for breakpoint in found)

    def stopped(self, command: str = "", thread: int = 0) -> tuple[int, list[dict[str, Any]]]:
        """Go on by `command`, if one is given, until the program has stopped: the thread and its frames."""
        if command:
            self.ask(command, threadId=thread)
        thread = self.event("stopped")["threadId"]
        return thread, self.ask("stackTrace", threadId=thread)["stackFrames"]

    def variables(self, frame: dict[str, Any]) -> dict[str, dict[str, Any]]:
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        (local,) = [scope for scope in scopes if scope["name"] == "Locals"]
        return self.children(local)

    def children(self, of: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = self.ask("variables", variablesReference=of["variablesReference"])["variables"]
        return {variable["name"]: variable for variable in found}

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


@pytest.fixture
def attached(tmp_path: Path) -> Iterator[tuple[Editor, str]]:
    """An editor that is attached to the script, which has stopped at the product in `user`."""
    script = tmp_path / "student.py"
    script.write_text(SCRIPT)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [sys.executable, "-Xfrozen_modules=off", "-m", "debugpy", "--listen", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        [*command, "--wait-for-client", str(script)],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"PYDEVD_DISABLE_FILE_VALIDATION": "1"},
    )
    try:
        editor = Editor(port)
        try:
            editor.ask("initialize", clientID="test", adapterID="debugpy", pathFormat="path")
            attaching = editor.send("attach", justMyCode=False)
            editor.event("initialized")
            editor.breakpoints(str(script), USER)
            editor.ask("configurationDone")
            editor.answer(attaching)
            yield editor, str(script)
        finally:
            editor.close()
    finally:
        process.kill()
        process.wait()


@nd_only
def test_an_editor_steps_from_a_product_to_the_kernel_and_sees_values_that_stay_lazy(attached):
    editor, script = attached
    thread, frames = editor.stopped()
    assert (frames[0]["name"], frames[0]["line"]) == ("user", USER)
    depth = len(frames)

    shown = editor.variables(frames[0])
    assert shown["x"]["value"].startswith("Tensor (30, 30) float32 [1") and len(shown["x"]["value"]) < 120
    assert "MatMul" in shown["lazy"]["value"] and shown["lazy"]["value"].endswith("lazy")
    expanded = editor.children(shown["lazy"])
    assert expanded["cached_data"]["value"] == "None" and expanded["data"]["value"].endswith("lazy")
    editor.children(expanded["data"])
    inputs = editor.children(expanded["inputs"])
    editor.children(next(child for child in inputs.values() if "Exp" in child["value"]))

    thread, frames = editor.stopped("stepIn", thread)
    assert frames[0]["name"] == "__matmul__" and frames[0]["source"]["path"].endswith("tensor.py")
    array = str(Path(PACKAGE) / "backend_ndarray" / "ndarray.py")
    editor.breakpoints(array, kernel_line())
    thread, frames = editor.stopped("continue", thread)
    way = [frame["name"] for frame in reversed(frames)][depth - 1 :]
    assert way == ["user", "__matmul__", "__call__", "make_from_op", "compute", "__matmul__"]
    assert all(Path(frame["source"]["path"]).is_file() for frame in frames[: len(way)])
    assert editor.variables(frames[0])["a"]["value"].startswith("NDArray")

    editor.breakpoints(script, PRODUCT)
    editor.breakpoints(array)
    thread, frames = editor.stopped("continue", thread)
    assert editor.variables(frames[0])["product"]["value"].startswith("Tensor (30, 30) float32 [30")
    still = editor.ask("evaluate", expression="(lazy.cached_data, lazy.inputs[0].cached_data)", frameId=frames[0]["id"])
    assert still["result"] == "(None, None)"


def test_the_launch_file_for_the_editor_starts_what_there_is_and_steps_into_the_library():
    file = Path(__file__).parents[2] / "docs" / "vscode" / "launch.json"
    configurations = json.loads(file.read_text())["configurations"]
    assert [configuration.get("module", configuration.get("program")) for configuration in configurations] == [
        "${file}",
        "pytest",
        "needle.debug",
    ]
    for configuration in configurations:
        assert configuration["type"] == "debugpy" and configuration["request"] == "launch"
        assert configuration.get("noDebug") or configuration["justMyCode"] is False
        if "module" in configuration:
            assert find_spec(configuration["module"]) is not None
