"""Trainings of several workers for tests: the supervisor here, its workers forked.

The workers come from a server that has TensorFlow imported, which takes longer than they train.
"""

import multiprocessing
import os
import sys

from cnn_model import TCNNConfig, TextCNN
from data.files import write_text
from rnn_model import TextRNN, TRNNConfig
from textclf import cli, supervisor
from textclf.peers import Machines, PeerOptions

MODELS = {"run_cnn.py": (TCNNConfig, TextCNN), "run_rnn.py": (TRNNConfig, TextRNN)}


def server():
    """The multiprocessing context whose processes have TensorFlow imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.together", "tensorflow.compat.v1"])
    return context


def _work(folder, command, environment, said):
    os.chdir(folder)
    for stream in (1, 2):
        os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.environ.update(environment)
    sys.argv = command
    cli.main(*MODELS[command[0]], command[1:])  # does not return: a worker ends


class _Forked:
    """What the supervisor needs of subprocess.Popen, of a forked process."""

    stdin = None

    def __init__(self, process):
        self._process = process
        self.pid = process.pid

    def poll(self):
        return self._process.exitcode

    returncode = property(poll)

    def wait(self):
        self._process.join()
        return self.poll()

    def kill(self):
        self._process.kill()

    def send_signal(self, number):
        os.kill(self.pid, number)


class Workers:
    """Starts workers, and remembers them, and their process ids in files `worker-<index>.pid`.

    Attributes:
        running: dict from a worker's index to the process that was started last.
        started: list of (index, command) of all that were started.
    """

    def __init__(self, folder, method="forkserver"):
        self._folder, self._method = folder, method
        self.running, self.started = {}, []

    def start(self, command, role, log):
        context = server() if self._method == "forkserver" else multiprocessing.get_context("fork")
        said = str(log or self._folder / "chief.txt")
        environment = {**role.to_environment(), "TF_CPP_MIN_LOG_LEVEL": "3"}
        process = context.Process(target=_work, args=(self._folder, command, environment, said))
        process.start()
        write_text(self._folder / f"worker-{role.index}.pid", str(process.pid))
        self.running[role.index] = _Forked(process)
        self.started.append((role.index, command))
        return self.running[role.index]


def train(folder, command, *, workers=2, together=None, machines=None, **waits):
    """Trains with several workers.

    Args:
        folder: Path to work in.
        command: list of str, script and arguments.
        workers: int.
        together: Workers; None for new ones.
        machines: Machines; None for this one alone.
        waits: other PeerOptions.

    Returns:
        int, the exit status.
    """
    together = together or Workers(folder)
    machines = machines or Machines([], 0)
    options = PeerOptions(workers=workers, **waits)
    size = int(command[command.index("--batch-size") + 1])
    return supervisor.run(machines, options, size, command=command, start=together.start)
