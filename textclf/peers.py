"""Who trains with whom: the flags of a training of several processes, and the part of each.

A supervisor on every machine starts that machine's workers, see supervisor.py, and tells each its
Role in an environment variable; a process without one is a supervisor or trains alone. Worker 0 is
the chief, which alone writes and prints.
"""

import contextlib
import dataclasses
import ipaddress
import itertools
import json
import os
import re
import sys
import threading
import time
import traceback
from pathlib import Path

from data.command import EXIT_FAILURE, guard
from data.errors import ConfigError, Failure
from data.files import write_text
from data.options import Options, option
from textclf.pace import Pace

ROLE_VARIABLE = "TEXTCLF_ROLE"  # between a supervisor and its workers
LIFELINE_VARIABLE = "TEXTCLF_LIFELINE"  # set: stdin is a pipe that ends when the supervisor does
_TF_CONFIG = "TF_CONFIG"  # what Kubernetes' training operators set
_ADDRESS = re.compile(r"(?P<host>[^:\s\[\]]+|\[[0-9a-fA-F:]+\]):(?P<port>\d+)")
LOST_STATUS = 75  # EX_TEMPFAIL of sysexits.h: a worker that has lost the others


class LostError(Failure):
    """The other workers cannot be reached any more; the message says what was seen of that."""

    exit_status = LOST_STATUS


@dataclasses.dataclass
class PeerOptions(Options):
    """How many processes train together, where they are, and how long they wait for each other."""

    workers: int = option(
        1,
        "processes on this machine that train together, its cores shared out among them",
        group="machine",
        minimum=1,
        maximum=1024,
    )
    cluster: str = option(
        None,
        "host:port,host:port,... of all machines that train together, the first one's worker "
        "writes the model; every machine gets the same command with its own --task-index. "
        "TF_CONFIG in the environment says the same",
        group="machine",
    )
    task_index: int = option(
        None, "which one of --cluster this machine is, from 0", group="machine", minimum=0
    )
    peer_timeout: int = option(
        60,
        "seconds without an answer after which a worker counts as lost",
        group="machine",
        minimum=1,
    )
    meet_within: int = option(
        300,
        "seconds for which workers wait for each other before the first step and after a restart",
        group="machine",
        minimum=1,
    )
    restarts: int = option(
        10,
        "times in a row that workers are started again with nothing saved in between",
        group="machine",
        minimum=0,
    )
    save_every: str = option(
        None,
        "save between evaluations too, so that a restart has less to repeat: every so many steps "
        "(500) or seconds (60s)",
        group="output",
    )

    def check(self):
        super().check()
        Pace(self.save_every)


@dataclasses.dataclass(frozen=True)
class Role:
    """A worker's part.

    Attributes:
        addresses: list of str, host:port of every worker.
        index: int, which one of them this is; 0 is the chief.
        cores: list of int, the cores of this worker; empty where the system cannot be told.
        notes: str, path of the file in which it leaves Notes for its supervisor.
        peer_timeout, meet_within: see PeerOptions.
    """

    addresses: list
    index: int
    cores: list
    notes: str
    peer_timeout: int
    meet_within: int

    @property
    def is_chief(self):
        return self.index == 0

    @property
    def beat(self):
        """Path of the file that it touches as long as it runs."""
        return Path(self.notes).with_suffix(".beat")

    def name_of(self, index):
        """How a worker is called in messages."""
        return f"{'chief' if index == 0 else f'worker {index}'} ({self.addresses[index]})"

    def to_environment(self):
        """dict of the environment variable that makes a process take this part."""
        return {ROLE_VARIABLE: json.dumps(dataclasses.asdict(self))}


def current_role():
    """The Role of this process, or None if no supervisor has started it."""
    text = os.environ.get(ROLE_VARIABLE)
    return Role(**json.loads(text)) if text else None


@dataclasses.dataclass(frozen=True)
class Notes:
    """What a worker tells its supervisor.

    Attributes:
        begun: bool, whether the workers have met; the chief's run directory is that of this
            training from then on.
        saved: int, the step that was saved last; -1 for none.
        reason: str, why it ended, if it has lost the others.
        done: bool, whether all workers are through, and all is saved.
    """

    begun: bool = False
    saved: int = -1
    reason: str = ""
    done: bool = False

    def leave(self, path):
        """Writes them, in place of earlier ones."""
        write_text(path, json.dumps(dataclasses.asdict(self)))

    @classmethod
    def read(cls, path):
        """Those of a worker; empty ones if it has left none."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls()


@dataclasses.dataclass(frozen=True)
class Machines:
    """The machines that train together.

    Attributes:
        addresses: list of str, host:port of the first worker of each; the ports of its other
            workers follow. Empty for this machine alone, where the ports are any that are free.
        index: int, which of them this is.
    """

    addresses: list
    index: int

    def workers(self, count):
        """The addresses of all workers, list of str, if each machine has so many."""
        return [
            f"{host}:{int(port) + offset}"
            for host, _, port in (address.rpartition(":") for address in self.addresses)
            for offset in range(count)
        ]


def machines(options, environment):
    """The machines that flags or TF_CONFIG name.

    Args:
        options: PeerOptions.
        environment: mapping, the environment variables.

    Returns:
        Machines, or None where neither names any and one process is to train.

    Raises:
        ConfigError: what they say makes no sense.
    """
    if options.cluster is not None:
        addresses = [address.strip() for address in options.cluster.split(",")]
        if options.task_index is None:
            raise ConfigError("cluster: which one is this machine? say so with --task-index")
        found = _checked(addresses, options.task_index, "cluster", "task_index")
    elif options.task_index is not None:
        raise ConfigError("task_index: goes with --cluster; give that, or leave it out")
    else:
        found = _from_tf_config(environment.get(_TF_CONFIG))
    if found is None or len(found.addresses) == 1:
        return Machines([], 0) if options.workers > 1 else None
    if options.workers > 1:
        _check_distinct(found.workers(options.workers), "workers")
    return found


def _from_tf_config(text):
    """Machines of TF_CONFIG, or None if it names none."""
    if not text:
        return None
    try:
        config = json.loads(text)
        cluster = config.get("cluster") or {}
        if not cluster:
            return None
        kind, index = config["task"]["type"], int(config["task"]["index"])
        chiefs = [*cluster.get("chief", ()), *cluster.get("master", ())]
        addresses = [*chiefs, *cluster.get("worker", ())]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            f"{_TF_CONFIG} {text!r}: expected JSON with cluster and task, as TensorFlow describes "
            "it; mend it, or unset the variable"
        ) from None
    others = sorted(set(cluster) - {"chief", "master", "worker"})
    if others or kind not in ("chief", "master", "worker"):
        raise ConfigError(
            f"{_TF_CONFIG}: {', '.join(others) or kind}: only chief and worker train here; "
            "leave the others out"
        )
    offset = len(chiefs) if kind == "worker" else 0
    return _checked(addresses, offset + index, _TF_CONFIG, "task index")


def _checked(addresses, index, source, index_name):
    for address in addresses:
        found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
        if found is None or not 0 < int(found["port"]) < 1 << 16:
            raise ConfigError(f"{source} {address!r}: expected host:port, port 1 to 65535")
    _check_distinct(addresses, source)
    if not 0 <= index < len(addresses):
        raise ConfigError(f"{index_name} {index}: expected 0 to {len(addresses) - 1}")
    return Machines(addresses, index)


def _check_distinct(addresses, source):
    if len(set(addresses)) < len(addresses):
        twice = next(address for address in addresses if addresses.count(address) > 1)
        raise ConfigError(f"{source}: {twice} would be used by two workers; give each its own port")


def is_loopback(address):
    """Whether a host:port can be reached from this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def deal_cores(count):
    """The cores of so many workers: list of lists of int, equal up to one.

    Where there are fewer cores than workers, they share them; where the system cannot tell, the
    lists are empty.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [[]] * count
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < count:
        return [[cores[index % len(cores)]] for index in range(count)]
    starts = [len(cores) * index // count for index in range(count + 1)]
    return [cores[start:end] for start, end in itertools.pairwise(starts)]


def work(role, program, run):
    """Does a worker's part in this process, and ends it.

    Args:
        role: Role.
        program: str, its name in messages.
        run: function without arguments that returns the exit status.
    """
    if role.cores:
        os.sched_setaffinity(0, role.cores)
    threading.Thread(target=_beat, args=(role,), daemon=True).start()
    if os.environ.get(LIFELINE_VARIABLE):
        threading.Thread(target=_end_with_supervisor, daemon=True).start()

    def noted():
        try:
            return run()
        except LostError as error:
            end_lost(role, str(error))

    try:
        status = guard(program, noted)
    except BaseException:
        traceback.print_exc()
        status = EXIT_FAILURE
    _end(status)


def _end(status):
    """Ends the process: TensorFlow's server does not end, nor does a step that waits for others."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.flush()
    os._exit(status)


def end_lost(role, reason):
    """Ends a worker that has lost the others; the supervisor tells it, and goes on."""
    notes = Notes.read(Path(role.notes))
    dataclasses.replace(notes, reason=reason).leave(role.notes)
    _end(LOST_STATUS)


def _beat(role):
    """Shows the supervisor that this process runs, however long its steps take."""
    while True:
        with contextlib.suppress(OSError):  # a full disk is somebody else's matter
            role.beat.touch()
        time.sleep(min(1.0, role.peer_timeout / 4))


def _end_with_supervisor():
    while os.read(0, 1):
        pass
    os._exit(LOST_STATUS)
