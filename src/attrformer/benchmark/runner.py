"""Carries out the runs of a plan, each in a process of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import attrformer
from attrformer import earlier_names
from attrformer.benchmark import environment, execute, options
from attrformer.benchmark.execute import ACCELERATOR, CONFIGURATION, LINE, MEMORY, SESSIONS
from attrformer.benchmark.files import LOCK, append_line, claim, read_lines, read_object
from attrformer.benchmark.jobs import Job
from attrformer.benchmark.options import MACHINE, flat, is_same, nested
from attrformer.benchmark.workers import carry_out
from attrformer.config import from_dict, to_dict
from attrformer.io import write_atomically, write_json
from attrformer.recommender import Config
from attrformer.recommender.run_folder import RunFolder

LOG: Final = "log.txt"
EVALUATIONS: Final = "evaluations"
DONE, BEFORE, ELSEWHERE, FAILED = "done", "done before", "being run by another process", "failed"
OUTCOMES: Final = (DONE, BEFORE, ELSEWHERE, FAILED)
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Runner:
    """Carries out jobs.

    Args:
        results: file of JSON lines; ranks go to the folder `evaluations` beside it.
        unimportant: files and folders whose changes do not make the source dirty.
        allow_dirty: whether source with changes may run.
        threads: CPU threads of a run; None leaves them to the run.
        again: whether finished jobs are run again.
        say: where to tell what happens.
    """

    results: Path
    unimportant: tuple[Path, ...] = ()
    allow_dirty: bool = False
    threads: int | None = None
    again: bool = False
    say: Say = field(default=print)

    def __call__(self, jobs: Sequence[Job], side: int = 1) -> dict[str, list[Job]]:
        """Carries out the jobs; one that fails does not end the others.

        Args:
            jobs: in the order in which they are begun.
            side: jobs at a time.

        Returns:
            The jobs by what became of them.

        Raises:
            ConfigurationError: the source has changes.
            KeyboardInterrupt: after an interrupt, once the jobs that were running have saved their state.
        """
        titled = [(job, f"[{number}/{len(jobs)}] {job}") for number, job in enumerate(jobs, start=1)]
        outcomes: dict[str, list[Job]] = {what: [] for what in OUTCOMES}
        for job, outcome in zip(jobs, carry_out(self._titled, titled, side), strict=True):
            outcomes[outcome].append(job)
        return outcomes

    def _titled(self, titled: tuple[Job, str]) -> str:
        return self.one(*titled)

    def one(self, job: Job, title: str) -> str:
        """Carries out one job; returns what became of it."""
        if self.finished(job) is not None and not self.again:
            return BEFORE
        commit = environment.commit(self.unimportant)
        if not self.allow_dirty:
            environment.check_clean(commit)
        with claim(job.folder) as descriptor:
            if descriptor is None:
                self.say(f"{title}: {ELSEWHERE}")
                return ELSEWHERE
            # Another process may have come to its end while this one looked.
            if not self.again and self.finished(job) is not None:
                return BEFORE
            if self.again:
                _empty(job.folder)
            if not self.again and self._take_over(job):
                return DONE
            if not (job.folder / execute.LINE).is_file():
                self.say(f"{title}: {job.folder}")
                if not self.again and not (job.folder / execute.CONFIGURATION).is_file():
                    earlier = begin_from_earlier(job)
                    if earlier is not None:
                        self.say(f"  goes on from {earlier}")
                write_json(job.folder / execute.JOB, _description(job, commit))
                code = self._child(job, descriptor)
                if code != 0:
                    self.say(f"{title}: {FAILED}, see {job.folder / LOG}")
                    return FAILED
            self._keep(job)
        self.say(f"{title}: {DONE}")
        return DONE

    def finished(self, job: Job) -> dict[str, Any] | None:
        """The line of a job that came to its end, the latest where there are several."""
        asked = {"row": job.row.name, "dataset": job.source, "seed": job.seed}
        lines = [line for line in read_lines(self.results) if all(line.get(key) == asked[key] for key in asked)]
        return next((line for line in reversed(lines) if options.is_run_of(line, job.config)), None)

    def _take_over(self, job: Job) -> bool:
        """Takes the line of another row whose finished run had the same options; whether there is one."""
        lines = [line for line in read_lines(self.results) if "test" in line and "configuration" in line]
        mine = {"dataset": job.source, "seed": job.seed}
        for line in reversed(lines if job.part == "test" else []):
            ranks = self.results.parent / EVALUATIONS / f"{line['key']}.npz"
            same = all(line[name] == value for name, value in mine.items()) and options.is_run_of(line, job.config)
            if same and ranks.is_file():
                self.say(f"{job} is what {line['row']} was")
                _copy(ranks, ranks.with_name(f"{job.key}.npz"))
                append_line(self.results, line | _named(job))
                return True
        return False

    def _child(self, job: Job, descriptor: int) -> int:
        home = str(Path(attrformer.__file__).resolve().parents[1])
        known = os.environ.get("PYTHONPATH")
        changes = {"PYTHONPATH": home if not known else os.pathsep.join([home, known])}
        if self.threads is not None:
            changes["OMP_NUM_THREADS"] = str(self.threads)
        child = subprocess.Popen(
            [sys.executable, "-m", "attrformer.benchmark.execute", str(job.folder)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=os.environ | changes,
            pass_fds=(descriptor,),
            # An interrupt of the terminal reaches the plan alone, which hands it on once.
            start_new_session=True,
        )
        reader = threading.Thread(target=self._listen, args=(child, job.folder / LOG), daemon=True)
        try:
            reader.start()
            code = child.wait()
        except KeyboardInterrupt:
            self.say("Interrupted; the run saves its state.")
            child.send_signal(signal.SIGINT)
            try:
                child.wait()
            except KeyboardInterrupt:
                child.kill()
            raise
        reader.join()
        return code

    def _listen(self, child: subprocess.Popen[str], log: Path) -> None:
        assert child.stdout is not None
        with log.open("a", encoding="utf-8") as file:
            for text in child.stdout:
                file.write(text)
                file.flush()
                if text.strip():
                    self.say(f"  {text.rstrip()}")

    def _keep(self, job: Job) -> None:
        line = read_object(job.folder / execute.LINE)
        ranks = job.folder / execute.RANKS
        if ranks.is_file():
            _copy(ranks, self.results.parent / EVALUATIONS / f"{job.key}.npz")
        append_line(self.results, line)


def last_words(folder: Path, count: int = 1) -> str:
    """The last lines that a run wrote, to tell why it failed."""
    if not (folder / LOG).is_file():
        return ""
    with (folder / LOG).open(encoding="utf-8", errors="replace") as file:
        return "\n".join(deque((line.rstrip() for line in file if line.strip()), maxlen=count))


def _named(job: Job) -> dict[str, Any]:
    """Where a job stands in tables."""
    row = job.row
    return {"key": job.key, "plan": job.plan, "row": row.name, "title": row.label, "group": row.group}


def _copy(file: Path, kept: Path) -> None:
    write_atomically(kept, lambda unfinished: shutil.copyfile(file, unfinished))


def _description(job: Job, commit: environment.Commit) -> dict[str, Any]:
    return {
        **_named(job),
        "dataset": job.source,
        "data": str(job.data),
        "seed": job.seed,
        "part": job.part,
        "notes": dict(job.notes),
        "commit": commit.name,
        "changed": list(commit.changed),
        "configuration": to_dict(job.config),
    }


def _empty(folder: Path) -> None:
    """Removes what an earlier run left, but for the lock that is held."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def begin_from_earlier(job: Job) -> Path | None:
    """Puts the state of the longest run that differs in nothing, or in fewer epochs alone, into the folder of a job.

    What an earlier run of the same options has learned is not trained again. A run that ended at its bound on epochs is
    gone on with where a plan allows more of them. A search takes its trial of the defaults from the row's own run, and
    a row whose options a search chose takes what that trial has learned. Without such a run the job begins anew; so it
    does after one whose rate falls by its number of epochs, where that number is another.

    Args:
        job: to be started; its folder holds no run.

    Returns:
        The folder of the earlier run, which stays as it is; None where there is none.

    Raises:
        CheckpointError: the earlier run is damaged.
    """
    earlier = [(epochs, folder) for folder in _kin(job) if (epochs := _epochs_of(folder, job)) is not None]
    for _, folder in sorted(earlier, reverse=True):
        with claim(folder) as descriptor:
            if descriptor is None:
                continue
            if (folder / SESSIONS).is_file():
                write_json(job.folder / SESSIONS, {"sessions": _sittings(folder)})
            RunFolder(folder).branch(job.folder, _as_computed(job.config, read_object(folder / CONFIGURATION)))
            return folder
    return None


def _kin(job: Job) -> list[Path]:
    """The folders of all other runs and trials on the same dataset."""
    found = [folder for parent in job.kin for folder in parent.glob("*/*")]
    return [folder for folder in found if folder != job.folder and (folder / CONFIGURATION).is_file()]


def _epochs_of(folder: Path, job: Job) -> int | None:
    """The bound on epochs of a run that a job could go on from; None where it could not."""
    options = read_object(folder / CONFIGURATION)
    epochs, wanted = int(options["training"]["epochs"]), job.config.training.epochs
    follows = epochs == wanted or (epochs < wanted and job.config.training.schedule == "constant")
    if not follows or not RunFolder(folder).checkpoint.exists():
        return None
    extended = {**options, "training": {**options["training"], "epochs": wanted}}
    return epochs if is_same(extended, job.config) else None


def _sittings(folder: Path) -> list[dict[str, Any]]:
    """The sittings of a run; where it came to its end, with the memory that its line says it took."""
    sittings: list[dict[str, Any]] = read_object(folder / SESSIONS)["sessions"]
    known = read_object(folder / LINE)["cost"] if (folder / LINE).is_file() else {}
    return [one | {name: known[name] for name in (MEMORY, ACCELERATOR) if known.get(name)} for one in sittings]


def _as_computed(config: Config, earlier: dict[str, Any]) -> Config:
    """The options of a job, with the threads of an earlier run, so that it goes on bit for bit."""
    before = flat(earlier_names.configuration(earlier))
    kept = {name: before[name] for name in MACHINE if name in before}
    return from_dict(Config, nested([flat(to_dict(config)), kept]))
