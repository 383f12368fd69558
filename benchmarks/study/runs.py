"""The study's runs on their way to the end, a few at a time."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field

from benchmarks.runs import start_main_py
from benchmarks.study.plan import Job, Plan

NOT_STARTED = 75  # as main.py ends where it was stopped on request


@dataclass
class Runner:
    """Runs what is not done yet, a few runs at a time.

    Attributes:
        plan: what to run.
        parallel: how many at a time.
        failed: the exit codes of the runs that did not come to their end.
    """

    plan: Plan
    parallel: int
    failed: dict[Job, int] = field(default_factory=dict)
    _under_way: dict[Job, subprocess.Popen[bytes]] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Run all, and say of each how it ended; on an interrupt the runs under way save first.

        Raises:
            KeyboardInterrupt: after the runs under way have ended.
        """
        waiting = [job for job in self.plan.jobs if not self.plan.is_done(job)]
        print(f"{len(self.plan.jobs)} runs, {len(waiting)} of them still to do", flush=True)
        with ThreadPoolExecutor(self.parallel) as executor:
            try:
                futures = {executor.submit(self._run_one, job): job for job in waiting}
                for number, future in enumerate(as_completed(futures), start=1):
                    code, job = future.result(), futures[future]
                    self._say(f"[{number}/{len(waiting)}]", job, code)
            except KeyboardInterrupt:
                self._stop(executor)
                raise

    def _stop(self, executor: ThreadPoolExecutor) -> None:
        """Begin no further run and end those under way."""
        print("stopping; the runs under way save first", flush=True)
        # Set before the list is read: a run that is just starting looks at it after it is listed.
        self._stopping.set()
        executor.shutdown(wait=False, cancel_futures=True)
        for process in list(self._under_way.values()):
            process.terminate()

    def _run_one(self, job: Job) -> int:
        """Run a job to its end; return the exit code."""
        output = self.plan.folder / "output" / f"{job.name}.txt"
        if self._stopping.is_set():
            return NOT_STARTED
        process = start_main_py(self.plan.arguments(job), self.plan.folder, output)
        self._under_way[job] = process
        if self._stopping.is_set():
            process.terminate()
        code = process.wait()
        del self._under_way[job]
        return code

    def _say(self, count: str, job: Job, code: int) -> None:
        if code == 0:
            print(f"{count} {job.name}: done", flush=True)
            return
        self.failed[job] = code
        output = self.plan.folder / "output" / f"{job.name}.txt"
        last = (output.read_text(errors="replace").splitlines() or [""])[-1]
        print(f"{count} {job.name}: exit code {code}: {last} ({output})", flush=True)
