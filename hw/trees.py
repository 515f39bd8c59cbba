"""Trees: which one this is, what was released in it, and its own environment, never mixed up with another Needle.

A released tree has ``.needle-hw/manifest.json``, which says what was released, and ``.needle-hw/released/``, an
untouched copy of all of it. This module needs nothing but the standard library: ``setup`` runs before anything is
installed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from . import UsageError

FOLDER = ".needle-hw"
MANIFEST = f"{FOLDER}/manifest.json"
RELEASED = f"{FOLDER}/released"

EXTENSION = "needle.backend_ndarray.ndarray_backend_cpu"

#: What a tree's environment holds; with the C++ build also what that needs.
PACKAGES = ("numpy>=2.1", "pytest>=7.4", "debugpy>=1.8", "tomli>=2.0; python_version < '3.11'")
BUILD_PACKAGES = ("cmake>=3.18", "ninja>=1.10", "pybind11>=2.13")


def root() -> Path:
    """The tree that is meant: the one around the current folder, or else the one that this file is part of."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_tree(folder):
            return folder
    return home()


def home() -> Path:
    """The tree that this file is part of."""
    return Path(__file__).resolve().parents[1]


def is_tree(folder: Path) -> bool:
    """Whether a folder is the root of the project or of a released tree."""
    return (folder / "hw" / "__main__.py").is_file() and (folder / "pyproject.toml").is_file()


def manifest(root: Path) -> dict[str, Any] | None:
    """What was released into a tree; None in the project itself."""
    path = root / MANIFEST
    if not path.is_file():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path} is damaged ({error}); release the assignment again.") from None
    if not isinstance(found, dict) or "files" not in found:
        raise UsageError(f"{path} is damaged; release the assignment again.")
    return found


def released_manifest(root: Path) -> dict[str, Any]:
    """What was released into a tree, which must be a released one."""
    found = manifest(root)
    if found is None:
        raise UsageError(f"{root} is not a released tree: it has no {MANIFEST}.")
    return found


def sha256(path: Path) -> str:
    """The digest of a file; line ends count as written, but for those of text, which editors and git change."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def clean_copy(root: Path, target: Path) -> None:
    """Make a tree as it was released, in a new folder; answers to earlier assignments are the student's own."""
    released = released_manifest(root)
    shutil.copytree(root / RELEASED, target)
    (target / FOLDER).mkdir()
    shutil.copyfile(root / MANIFEST, target / MANIFEST)
    for file in {name.partition(":")[0] for name in released["carried"]} - set(released["submitted"]):
        shutil.copyfile(root / file, target / file)


def environment(root: Path, backend: str) -> dict[str, str]:
    """The environment variables for a program that uses a tree's Needle: its own folders first, no fused kernels."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join([str(root / "python"), str(root)]),
        "NEEDLE_BACKEND": backend,
        "NEEDLE_FUSED": "0",
    }


def prefer(root: Path) -> None:
    """Let this process import `needle`, `apps` and `hw` from a tree, whatever is installed.

    An editable install redirects the import of its package before any path is searched. Finders that would import
    another Needle are taken out.
    """
    first = [str(root / "python"), str(root)]
    sys.path[:] = first + [folder for folder in sys.path if folder not in first]
    for finder in list(sys.meta_path):
        for name, path in ((EXTENSION.partition(".")[0], None), (EXTENSION, extension_path(root))):
            try:
                spec = finder.find_spec(name, path)
            except (AttributeError, ImportError):
                spec = None
            if spec is not None and finder is not PathFinder and is_foreign(origin(spec), root):
                sys.meta_path.remove(finder)
                break


def count_as_students(root: Path) -> None:
    """Let what a student writes count as the user's code, not the library's, where Needle tells of places."""
    from needle.places import count_as_users

    released = released_manifest(root)
    for function in released["blank"]:
        file, _, name = function.partition(":")
        if file.startswith("python/needle/"):
            count_as_users(file.removeprefix("python/needle/"), name)


def found(root: Path) -> dict[str, str]:
    """Where this process would import Needle and its extension from; nothing is imported."""
    places = {}
    for name, path in (("needle", None), (EXTENSION, extension_path(root))):
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path) if hasattr(finder, "find_spec") else None
            if spec is not None:
                places[name] = origin(spec)
                break
    return places


def holds_needle(root: Path) -> bool:
    """Whether the library is part of a tree."""
    released = manifest(root)
    return released is None or "python/needle/__init__.py" in released["files"]


def extensions(root: Path) -> list[Path]:
    """The extensions that were built in a released tree."""
    compiled = (path for folder in ("python", "hw") for path in sorted((root / folder).rglob("*")))
    return [path for path in compiled if path.suffix in (".so", ".pyd")]


def extension_path(root: Path) -> list[str]:
    """The folder in which a tree's extension is."""
    return [str(root / "python" / "needle" / "backend_ndarray")]


def origin(spec: ModuleSpec) -> str:
    """The file or the folder that a module would be imported from."""
    return spec.origin or next(iter(spec.submodule_search_locations or []), "")


def is_foreign(place: str, root: Path) -> bool:
    """Whether a file lies outside of a tree, links followed."""
    return not Path(place).resolve().is_relative_to(root.resolve())


def refuse_foreign(root: Path, python: str = sys.executable) -> None:
    """Stop, printing both paths, if a program under `python` would use another Needle than the tree's.

    Raises
    ------
    SystemExit
        If `needle`, its extension or this tool lies outside of `root`, or if there is no Needle at all.
    """
    if manifest(home()) is not None and is_foreign(__file__, root):  # the project's tool grades any tree
        stop_foreign("The course tool", __file__, root)
    ask = "import json, sys; sys.path.insert(0, sys.argv[2]); from hw import trees; from pathlib import Path"
    ask += "; tree = Path(sys.argv[1]); trees.prefer(tree); print(json.dumps(trees.found(tree)))"
    command = [python, "-c", ask, str(root), str(home())]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(root, "np"), check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1]
        raise SystemExit(f"{python} cannot say which Needle it would import:\n  {last}")
    places = json.loads(done.stdout.strip().splitlines()[-1])
    if not holds_needle(root):
        places.pop("needle", None)
    elif "needle" not in places:
        raise SystemExit(f"There is no Needle in {root / 'python'}; release the assignment again.")
    for name, place in places.items():
        if is_foreign(place, root):
            stop_foreign("Needle" if name == "needle" else "Needle's extension", place, root)


def stop_foreign(what: str, place: str, root: Path) -> None:
    """End with both paths."""
    raise SystemExit(
        f"{what} would come from outside of this tree:\n  found: {place}\n  tree:  {root}\n"
        "Run `python -m hw setup` in the tree, and use its .venv."
    )


def venv_python(root: Path) -> Path:
    """The Python of a tree's own environment, whether it is there or not."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def in_own_environment(root: Path) -> bool:
    """Whether this process runs in the tree's own environment."""
    return Path(sys.prefix).resolve() == (root / ".venv").resolve()


def run_setup(args: argparse.Namespace) -> int:
    """``setup``: make .venv in the tree, install what is needed there, and let it find the tree's Needle."""
    tree = root()
    released = released_manifest(tree)
    if in_own_environment(tree):
        print("This is the tree's own Python already; installing what is missing.")
    elif not venv_python(tree).exists():
        print(f"Making an environment in {tree / '.venv'} ...", flush=True)
        # Not by the module venv in this process: the interpreter may be an environment's own.
        made = subprocess.run([sys.executable, "-m", "venv", str(tree / ".venv")], check=False)
        if made.returncode != 0:
            shutil.rmtree(tree / ".venv", ignore_errors=True)
            raise UsageError("The environment could not be made; on Debian and Ubuntu, `apt install python3-venv`.")
    packages = [*PACKAGES, *(BUILD_PACKAGES if released["build"] else ())]
    print("Installing " + ", ".join(p.partition(">")[0] for p in packages if ";" not in p) + " ...", flush=True)
    python = str(venv_python(tree))
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
    if subprocess.run(command, check=False).returncode != 0:
        raise UsageError("pip could not install everything; if this goes on, delete .venv and run setup again.")
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    Path(site, "needle_course.pth").write_text(path_file(tree, released["backend"]), encoding="utf-8")
    print("Done. " + ("Next: python -m hw build" if released["build"] else "Next: python -m hw check"))
    return 0


def path_file(tree: Path, backend: str) -> str:
    """The .pth file that puts a tree on the path of its environment, with the settings of the course."""
    settings = f"os.environ.setdefault('NEEDLE_BACKEND', {backend!r}); os.environ.setdefault('NEEDLE_FUSED', '0')"
    return f"{tree / 'python'}\n{tree}\nimport os; {settings}\n"


def run_build(args: argparse.Namespace) -> int:
    """``build``: compile the C++ of the tree into it."""
    tree = root()
    released = released_manifest(tree)
    if not released["build"]:
        print(f"{released['assignment']} needs no build: it runs on NumPy's arrays.")
        return 0
    error = build(tree)
    if error:
        print(error, file=sys.stderr)
        return 1
    print("Built.")
    return 0


def build(tree: Path, python: str = sys.executable) -> str:
    """Compile the extension of a tree, in place; what changed since the last time.

    Returns
    -------
    str
        Nothing, or what the compiler said, from its first error on.
    """
    environment, cmake, options = tools(python)
    folder = tree / "build"
    configure = [cmake, "-S", str(tree), "-B", str(folder), "-DCMAKE_BUILD_TYPE=Release", *options]
    commands = [
        [cmake, "--build", str(folder), "--config", "Release"],
        [cmake, "--install", str(folder), "--config", "Release", "--prefix", str(tree)],
    ]
    # Once is enough, since the build sees when CMakeLists.txt has changed; but not for another Python, or in a tree
    # that was moved, of which CMake must not know what it knew.
    configured, how = folder / "configured", "\n".join(configure)
    if not configured.is_file() or configured.read_text() != how:
        (folder / "CMakeCache.txt").unlink(missing_ok=True)
        shutil.rmtree(folder / "CMakeFiles", ignore_errors=True)
        commands.insert(0, configure)
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if done.returncode != 0:
            return first_error(done.stdout + done.stderr)
        if command is configure:
            configured.write_text(how)
    return ""


def tools(python: str) -> tuple[dict[str, str], str, list[str]]:
    """What a build needs: the environment in which its tools are found, CMake, and what CMake is told of the others."""
    ask = "import pybind11; print(pybind11.get_cmake_dir())"
    pybind = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    if pybind.returncode != 0:
        raise UsageError(f"pybind11 is not installed for {python}; run: python -m hw setup")
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([str(Path(python).parent), scripts, os.environ.get("PATH", "")])
    cmake = shutil.which("cmake", path=path)
    if cmake is None:
        raise UsageError("CMake is not installed; run: python -m hw setup")
    options = [f"-Dpybind11_DIR={pybind.stdout.strip()}", f"-DPython_EXECUTABLE={python}"]
    if shutil.which("ninja", path=path) and (os.name != "nt" or shutil.which("cl", path=path)):
        options += ["-G", "Ninja"]
    # Of two builds within a second CMake would install the first alone.
    return os.environ | {"PATH": path, "CMAKE_INSTALL_ALWAYS": "1"}, cmake, options


def first_error(output: str) -> str:
    """What a compiler said, from its first error on, thirty lines at most."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if "error:" in line or "CMake Error" in line), 0)
    return "\n".join(lines[first : first + 30])
