"""Runs of main.py on their way to the end, a few at a time; what is left, and for how long."""

import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ending import end_with
from benchmarks.runs import start_main_py
from training.live.words import duration

NOT_STARTED = 75  # as main.py ends where it was stopped on request


@dataclass(frozen=True)
class Task:
    """Something that is done by main.py, once or several times in turn.

    Attributes:
        name: of the file of its output, and what it is called on the terminal.
        commands: main.py's flags, a list for each process; one that fails is the last.
    """

    name: str
    commands: Sequence[Sequence[str]]


@dataclass
class ManyRuns:
    """Does tasks, a few at a time, and says of each how it ended.

    Attributes:
        folder: where main.py runs; what it says goes to output/ there.
        parallel: how many tasks at a time.
        clock: seconds that never run backwards.
        failed: the exit codes of the tasks that did not come to their end, by their names.
    """

    folder: Path
    parallel: int
    clock: Callable[[], float] = time.monotonic
    failed: dict[str, int] = field(default_factory=dict)
    _under_way: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all tasks; on an interrupt those under way save first, and no other begins.

        Raises:
            KeyboardInterrupt: after the tasks under way have ended.
        """
        began = self.clock()
        with ThreadPoolExecutor(self.parallel) as executor:
            try:
                futures = {executor.submit(self._do, task): task for task in tasks}
                for number, future in enumerate(as_completed(futures), start=1):
                    elapsed = self.clock() - began
                    left = elapsed / number * (len(tasks) - number)
                    eta = f", about {duration(left)} left" if number < len(tasks) else ""
                    place = f"[{number}/{len(tasks)}, {duration(elapsed)}{eta}]"
                    self._say(place, futures[future].name, future.result())
            except KeyboardInterrupt:
                self._stop(executor)
                raise

    def output(self, name: str) -> Path:
        """Return the file of all that a task has said."""
        return self.folder / "output" / f"{name}.txt"

    def end(self) -> int:
        """Say which tasks failed, if any did; return the exit code."""
        if not self.failed:
            return 0
        return end_with(
            1,
            f"error: {len(self.failed)} failed ({', '.join(self.failed)}); what each said is in "
            f"{self.folder / 'output'}; the same command continues",
        )

    def _stop(self, executor: ThreadPoolExecutor) -> None:
        """Begin no further task and end those under way."""
        print("stopping; the runs under way save first", flush=True)
        # Set before the list is read: a run that is just starting looks at it after it is listed.
        self._stopping.set()
        executor.shutdown(wait=False, cancel_futures=True)
        for process in list(self._under_way.values()):
            process.terminate()

    def _do(self, task: Task) -> int:
        """Do a task; return the exit code of its last process."""
        for command in task.commands:
            code = self._run(task.name, command)
            if code:
                return code
        return 0

    def _run(self, name: str, command: Sequence[str]) -> int:
        if self._stopping.is_set():
            return NOT_STARTED
        process = start_main_py(command, self.folder, self.output(name))
        self._under_way[name] = process
        if self._stopping.is_set():
            process.terminate()
        code = process.wait()
        del self._under_way[name]
        return code

    def _say(self, place: str, name: str, code: int) -> None:
        if code == 0:
            print(f"{place} {name}: done", flush=True)
            return
        self.failed[name] = code
        output = self.output(name)
        last = (output.read_text(errors="replace").splitlines() or [""])[-1]
        print(f"{place} {name}: exit code {code}: {last} ({output})", flush=True)
