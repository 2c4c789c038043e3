"""Faults at random moments in trainings of two workers: `python -m tests.fault_campaign FOLDER`.

A worker or the chief is killed (SIGKILL) or stopped (SIGSTOP) at random moments of a training,
several times in each; what it ends with has to be what a training without a fault ends with, bit
for bit. Reports lost runs, how long it took until something was saved again, and the work that was
done anew. Links that go down are in the test of two network namespaces, tests/test_hosts.py.
"""

import argparse
import contextlib
import json
import random
import shutil
import signal
import statistics
import sys
import threading
import time
from pathlib import Path

from data.errors import Failure
from tests import kill_campaign, together

SHORT = ["--num-epochs", "2", "--print-per-batch", "40", "--batch-size", "64"]
SHORT += [
    "--seq-length",
    "40",
    "--num-filters",
    "16",
    "--embedding-dim",
    "16",
    "--hidden-dim",
    "16",
]
_RUN = "checkpoints/textcnn"
_KINDS = [(kind, index) for kind in (signal.SIGKILL, signal.SIGSTOP) for index in (0, 1)]


class _Faults(threading.Thread):
    """Injects faults while a training runs, each once something has been saved since the last."""

    def __init__(self, workers, state, moments, left, span_s):
        super().__init__(daemon=True)
        self._workers, self._state = workers, state
        self._moments, self._left, self._span_s = moments, left, span_s
        self._over = threading.Event()
        self.done = []  # (kind, index, seconds to the next save, seconds of work lost)

    def stop(self):
        self._over.set()
        self.join()

    def _saved(self):
        with contextlib.suppress(OSError, ValueError, KeyError, IndexError):
            state = json.loads(self._state.read_text())
            return state["snapshots"][0]["step"], self._state.stat().st_mtime
        return None, None

    def run(self):
        while len(self.done) < self._left:
            starts = len(self._workers.started)
            if self._over.wait(self._moments.uniform(0, self._span_s)):
                return
            kind, index = self._moments.choice(_KINDS)
            process = self._workers.running.get(index)
            if process is None or process.poll() is not None:
                continue
            _, saved_s = self._saved()
            fault_s = time.time()
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(kind)
            lost_s = fault_s - saved_s if saved_s else 0.0
            while len(self._workers.started) < starts + 2 or (self._saved()[1] or 0) <= fault_s:
                if self._over.wait(0.05):
                    break
            recovered_s = time.time() - fault_s
            self.done.append((kind.name, index, recovered_s, lost_s))
            print(self.done[-1], flush=True)


def run(folder, arguments, faults, seed, *, span_s, peer_timeout):
    """Runs a campaign.

    Args:
        folder: Path to work in.
        arguments: list of str, flags of the training.
        faults: int, how many.
        seed: int, of the moments.
        span_s: float, longest time between a recovery and the next fault.
        peer_timeout: int, see PeerOptions.

    Returns:
        (list of what _Faults.done has, trainings, lost ones).
    """
    command = ["run_cnn.py", "train", *arguments, "--save-every", "1s"]
    waits = {"peer_timeout": peer_timeout, "meet_within": 600, "restarts": 20}
    whole = folder / "whole"
    whole.mkdir(parents=True)
    assert together.train(whole, command, **waits) == 0
    expected = kill_campaign.result(whole / _RUN)
    moments = random.Random(seed)
    done, trainings, lost = [], 0, 0
    while len(done) < faults:
        name = folder / f"faults-{trainings}"
        name.mkdir()
        workers = together.Workers(name)
        injector = _Faults(workers, name / _RUN / "state.json", moments, faults - len(done), span_s)
        injector.start()
        try:
            status = together.train(name, command, together=workers, **waits)
        except Failure as error:
            print(error, flush=True)
            status = 1
        injector.stop()
        done += injector.done
        trainings += 1
        same = status == 0 and kill_campaign.result(name / _RUN) == expected
        lost += not same
        print(f"training {trainings}: {len(done)} faults, lost {lost}", flush=True)
        if same:
            shutil.rmtree(name)
    return done, trainings, lost


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder to work in that is not there yet")
    parser.add_argument("--faults", type=int, default=50, help="(default 50)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default 1)")
    parser.add_argument("--span", type=float, default=10.0, help="seconds between (default 10)")
    parser.add_argument("--peer-timeout", type=int, default=15, help="seconds (default 15)")
    given = parser.parse_args()
    done, trainings, lost = run(
        given.folder.resolve(),
        SHORT,
        given.faults,
        given.seed,
        span_s=given.span,
        peer_timeout=given.peer_timeout,
    )
    print(f"{len(done)} faults in {trainings} trainings, {lost} lost")
    for kind in ("SIGKILL", "SIGSTOP"):
        of_kind = [each for each in done if each[0] == kind]
        if of_kind:
            recovery, work = zip(*(each[2:] for each in of_kind), strict=True)
            print(
                f"{kind}: {len(of_kind)}, recovery {statistics.median(recovery):.1f} s "
                f"(at most {max(recovery):.1f}), work lost {statistics.median(work):.1f} s "
                f"(at most {max(work):.1f})"
            )
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
