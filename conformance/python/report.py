"""Which operations passed: a pytest plugin that counts the tests marked with `covers`."""

import json
import os
from pathlib import Path

import pytest

from settings import SETTINGS

FOLDER = Path(__file__).resolve().parent.parent
KINDS = ("sync", "aio")


def covers(*operations: str) -> pytest.MarkDecorator:
    """Marks a test with the contract ids of the operations that it proves."""
    unknown = set(operations) - OPERATIONS.keys()
    assert not unknown, f"not in operations.txt: {sorted(unknown)}"
    return pytest.mark.covers(*operations)


def _operations() -> dict[str, str]:
    lines = (FOLDER / "operations.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    return {row[0]: row[1] for row in rows}


OPERATIONS = _operations()


class Coverage:
    """Gathers results, writes the report and fails the run when an operation is not proven."""

    def __init__(self, whole: bool) -> None:
        self.whole = whole
        self.passed: set[tuple[str, str]] = set()
        self.failed: set[str] = set()
        self.skipped = 0
        self.tests = 0

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item, call):
        report = (yield).get_result()
        params = item.callspec.params if hasattr(item, "callspec") else {}
        operations = [operation for mark in item.iter_markers("covers") for operation in mark.args]
        if report.skipped:
            self.skipped += 1
        elif report.failed:
            self.failed.update(operations)
        elif report.when == "call":
            self.tests += 1
            kinds = [params["api"]] if "api" in params else []
            self.passed.update((operation, kind) for operation in operations for kind in kinds)

    def result(self, operation: str) -> str:
        """`passed` only when tests of both packages passed and none failed."""
        if operation in self.failed:
            return "failed"
        return "passed" if all((operation, kind) in self.passed for kind in KINDS) else "uncovered"

    def problems(self) -> list[str]:
        """Why the run fails although no test did."""
        problems = []
        uncovered = [op for op in OPERATIONS if self.result(op) == "uncovered"]
        if self.whole and uncovered:
            problems.append("not covered by passing tests of both packages: " + " ".join(uncovered))
        if os.environ.get("CI") == "true":
            if self.skipped:
                problems.append(f"{self.skipped} skipped, which CI does not accept")
            if not self.tests:
                problems.append("no test ran")
        return problems

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session, exitstatus):
        if session.config.option.collectonly:
            return
        if self.whole:
            folder = FOLDER / "report"
            folder.mkdir(exist_ok=True)
            results = {operation: self.result(operation) for operation in OPERATIONS}
            text = json.dumps({"language": "python", "mode": SETTINGS.mode, "operations": results}, indent=2)
            (folder / f"python-{SETTINGS.mode}.json").write_text(text + "\n", encoding="utf-8")
        if self.problems() and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter):
        proven = sum(self.result(operation) == "passed" for operation in OPERATIONS)
        terminalreporter.write_line(f"operations proven ({SETTINGS.mode}): {proven} of {len(OPERATIONS)}")
        for problem in self.problems():
            terminalreporter.write_line(f"FAILED: {problem}", red=True)
