"""What is installed: the same dependencies wherever they are named, pinned and hashed, and all the data."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from labhelpers.course.chapters import clone_root

ROOT = clone_root()
LOCK = (ROOT / "labhelpers" / "requirements.lock").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.11", "3.12", "3.13")
USERS_LIST = ("jupyterlab", "ipywidgets", "papermill", "nbval", "plotly", "pandas", "fabric", "psycopg")


def named_in_pyproject() -> set[str]:
    project = PYPROJECT["project"]
    extras = [item for items in project["optional-dependencies"].values() for item in items]
    return {str(Requirement(item)) for item in [*project["dependencies"], *extras]}


def locked() -> dict[str, tuple[str, list[str]]]:
    """Each package of the lock with its version and hashes."""
    found = {}
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        match = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", entry)
        assert match, entry[:80]
        found[canonicalize_name(match[1])] = (match[2], re.findall(r"--hash=sha256:[0-9a-f]{64}", entry))
    return found


def test_environment_yml_and_pyproject_name_the_same_dependencies():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = [item for item in listed if isinstance(item, str)]
    pip = [item for group in listed if isinstance(group, dict) for item in group["pip"]]
    python = next(item for item in conda if item.startswith("python>") or item.startswith("python="))
    assert python.removeprefix("python") == PYPROJECT["project"]["requires-python"]
    named = {str(Requirement(item)) for item in [*conda, *pip] if item not in (python, "pip")}
    assert named == named_in_pyproject()


def test_lock_pins_every_dependency_with_hashes():
    packages = locked()
    for item in named_in_pyproject():
        requirement = Requirement(item)
        version, hashes = packages[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), item
        assert hashes
    assert all(hashes for _, hashes in packages.values())


def test_lock_names_no_host():
    assert "://" not in LOCK
    assert not re.search(r"^\s*--(index|extra|find|trusted)", LOCK, re.MULTILINE)


def locked_for(python: str) -> dict[str, str]:
    """Each package that the lock has for that Python, by its whole entry: version and hashes, without the marker."""
    environment = {**default_environment(), "python_version": python, "python_full_version": f"{python}.5"}
    found = {}
    for entry in re.split(r"\n(?=\S)", LOCK.strip()):
        line, _, hashes = entry.partition("\\\n")
        requirement = Requirement(line.strip())
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name not in found, f"{name} is there twice for Python {python}"
            requirement.marker = None
            found[name] = f"{requirement} \\\n{hashes}"
    return found


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_has_every_dependency_for_each_python_of_the_project(python):
    assert SpecifierSet(PYPROJECT["project"]["requires-python"]).contains(f"{python}.0")
    packages = locked_for(python)
    for item in named_in_pyproject():
        requirement = Requirement(item)
        entry = packages.get(canonicalize_name(requirement.name))
        assert entry, f"{item} is not locked for Python {python}"
        [version] = Requirement(entry.partition("\\")[0]).specifier
        assert requirement.specifier.contains(version.version, prereleases=True), item


def test_project_allows_no_other_python_than_the_lock_is_made_for():
    allowed = SpecifierSet(PYPROJECT["project"]["requires-python"])
    assert [f"3.{minor}" for minor in range(8, 20) if f"3.{minor}.5" in allowed] == list(PYTHONS)


@pytest.mark.parametrize("python", PYTHONS)
def test_lock_leaves_out_what_makes_each_start_slow(python):
    """CONTRIBUTING.md says why, and how the lock is made without them."""
    assert not locked_for(python).keys() & {"rfc3987-syntax", "lark"}


@pytest.mark.long
@pytest.mark.parametrize("python", PYTHONS)
def test_lock_can_be_installed_without_a_compiler(python, tmp_path):
    """pip reads markers for the Python that it runs on, so it gets the entries of the other one without them."""
    entries = tmp_path / "requirements.txt"
    entries.write_text("\n".join(locked_for(python).values()) + "\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed", "--no-deps",
         "--require-hashes", "--only-binary=:all:", "--python-version", python, "--target", str(tmp_path / "site"),
         "-r", str(entries)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_packages_of_the_users_list_are_dependencies_and_used():
    dependencies = {canonicalize_name(Requirement(item).name) for item in PYPROJECT["project"]["dependencies"]}
    assert dependencies >= set(USERS_LIST)
    code = "\n".join(
        path.read_text(encoding="utf-8") for top in ("labhelpers", "tests") for path in (ROOT / top).rglob("*.py")
    )
    for package in USERS_LIST:
        assert re.search(rf"^\s*(import|from) {package}\b", code, re.MULTILINE), package


def test_wheel_carries_the_packages_data(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [wheel] = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    playbook = {str(path.relative_to(ROOT)) for path in (ROOT / "labhelpers" / "playbook").rglob("*") if path.is_file()}
    playbook = {name for name in playbook if "__pycache__" not in name}
    assert playbook
    assert names >= playbook
    assert {
        "labhelpers/py.typed",
        "labhelpers/course/templates/report.html.j2",
        "labhelpers/requirements.lock",
    } <= names
    assert any(name.endswith("entry_points.txt") for name in names)


def test_bootstrap_is_an_executable_posix_script():
    script = ROOT / "workshop"
    assert script.stat().st_mode & 0o111 == 0o111
    assert script.read_text(encoding="utf-8").startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", str(script)], check=True)


def test_bootstrap_says_which_python_it_needs(tmp_path):
    fake = tmp_path / "python3"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    (tmp_path / "labhelpers").mkdir()
    for name in ("workshop", "pyproject.toml", "labhelpers/requirements.lock"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    done = subprocess.run(
        ["sh", str(tmp_path / "workshop"), "--help"],
        env={"PATH": "/usr/bin:/bin", "WORKSHOP_PYTHON": str(fake)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "is not a Python from 3.11 to 3.13" in done.stderr
    assert not (tmp_path / ".venv").exists()


def test_generated_notebooks_agree_with_their_sources():
    from labhelpers.course.chapters import notebooks_directory, read_course
    from labhelpers.course.generate import differences

    directory = notebooks_directory()
    differing = [str(Path(path).relative_to(ROOT)) for path in differences(read_course(directory), directory)]
    assert differing == []
