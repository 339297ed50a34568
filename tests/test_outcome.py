"""What results.json says of the code that made it."""

import subprocess

from adjax import outcome
from adjax.outcome import commit


def test_the_commit_is_named_and_changes_show(tmp_path):
    git = ["git", "-C", tmp_path, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    package = tmp_path / "adjax"
    package.mkdir()
    assert commit(package) == "unknown"
    (package / "code.py").write_text("x = 1\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "Begin"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert commit(package) == head[:12]
    (package / "code.py").write_text("x = 2\n")
    assert commit(package) == f"{head[:12]}-dirty"


def test_results_name_the_commit_that_was_loaded(monkeypatch):
    first = outcome.loaded()
    monkeypatch.setattr(outcome, "commit", None)  # whatever it would say by now
    assert outcome.versions()["commit"] == first
