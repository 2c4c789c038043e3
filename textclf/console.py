"""What a training or test run prints: results on stdout, progress on stderr."""

import contextlib
import sys
import time
from datetime import timedelta

from textclf import events
from textclf.progress import Listener

EVALUATION_LINE = (
    "Iter: {:>6}, Train Loss: {:>6.2}, Train Acc: {:>7.2%}, "
    "Val Loss: {:>6.2}, Val Acc: {:>7.2%}, Time: {} {}"
)
_WITH_F1 = EVALUATION_LINE.replace("Time", "Val F1: {:>7.2%}, Time")
_OF_SETS = EVALUATION_LINE.replace("Acc", "Subset Acc").replace(
    "Time", "Val Micro-F1: {:>7.2%}, Time"
)
SETS_TEST_LINE = (
    "Test Loss: {:>6.2}, Test Micro-F1: {:>7.2%}, Subset Acc: {:>7.2%}, Hamming Loss: {:>7.2%}"
)
TEST_LINE = "Test Loss: {:>6.2}, Test Acc: {:>7.2%}"
_MEMORY = 0.95  # share of the old value in the running means of the progress bar
EARLY_STOP_LINE = "No optimization for a long time, auto-stopping..."


def whole_seconds(seconds):
    """A span of time, rounded, as `0:00:14`."""
    return timedelta(seconds=round(seconds))


@contextlib.contextmanager
def time_usage():
    """Prints how long the block took."""
    start_s = time.monotonic()
    yield
    elapsed_s = time.monotonic() - start_s
    events.tell("time", f"Time usage: {whole_seconds(elapsed_s)}", seconds=round(elapsed_s, 3))


class TrainingPrinter(Listener):
    """Prints epochs and evaluations; on a terminal, with a progress bar below them."""

    def __init__(self):
        self._bar = None
        self._task = None
        self._loss = self._step_s = None
        self._documents, self._before_s = 0, None

    def __enter__(self):
        if sys.stderr.isatty():
            self._bar = _progress_bar()
            self._bar.start()
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def started(self, total_steps, done_steps):
        if self._bar:
            self._task = self._bar.add_task(
                "training", total=total_steps, completed=done_steps, about=""
            )
            self._before_s = time.monotonic()

    def epoch(self, number):
        events.tell("epoch", f"Epoch: {number}", epoch=number)

    def batch(self, loss, documents):
        if not self._bar:
            return
        now_s = time.monotonic()
        self._step_s = _running_mean(self._step_s, now_s - self._before_s)
        self._loss = _running_mean(self._loss, loss)
        self._documents, self._before_s = max(self._documents, documents), now_s

    def step(self, steps):
        if self._bar:
            rate = self._documents / max(self._step_s, 1e-9)
            about = f"{rate:,.0f} documents/s, loss {self._loss:.2g}"
            self._bar.update(self._task, completed=steps, about=about)

    def evaluated(self, progress):
        watched, form = [], EVALUATION_LINE
        if progress.val_micro_f1 is not None:
            watched, form = [progress.val_micro_f1], _OF_SETS
        elif progress.val_macro_f1 is not None:
            watched, form = [progress.val_macro_f1], _WITH_F1
        line = form.format(
            progress.step,
            progress.train_loss,
            progress.train_accuracy,
            progress.val_loss,
            progress.val_accuracy,
            *watched,
            whole_seconds(progress.elapsed_s),
            "*" if progress.improved else "",
        )
        values = {**progress.to_record(), "elapsed_s": round(progress.elapsed_s, 3)}
        events.tell("evaluation", line, **values)
        self._before_s = time.monotonic()  # no part of the next step


def _running_mean(before, value):
    return value if before is None else _MEMORY * before + (1 - _MEMORY) * value


class RowsBar:
    """On a terminal, a progress bar of rows that are classified; nothing elsewhere."""

    def __init__(self, total_bytes, done_bytes=0, *, hidden=False):
        """
        Args:
            total_bytes: int, bytes of the input, None if that is not known.
            done_bytes: int, how many of them are behind.
            hidden: bool, whether to show nothing, because the rows themselves are on the terminal.
        """
        self._bar = self._task = None
        if sys.stderr.isatty() and not hidden:
            self._bar = _rows_bar()
            self._task = self._bar.add_task(
                "classifying", total=total_bytes, completed=done_bytes, rows=0, rate=0.0
            )

    def __enter__(self):
        self._start_s = time.monotonic()
        if self._bar:
            self._bar.start()
        return self

    def __exit__(self, *_):
        if self._bar:
            self._bar.stop()

    def update(self, rows, done_bytes):
        """Shows how far it is: rows since the start, bytes of the input (None if not known)."""
        if self._bar:
            rate = rows / max(time.monotonic() - self._start_s, 1e-9)
            self._bar.update(self._task, completed=done_bytes, rows=rows, rate=rate)


def show_cursor():
    """Undoes what a progress bar does to a terminal, for an exit that passes it by."""
    if sys.stderr.isatty():
        print("\x1b[?25h", end="", file=sys.stderr, flush=True)


def _rows_bar():
    from rich import progress  # only where a person looks
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.TextColumn("{task.fields[rows]:,} rows, {task.fields[rate]:,.0f} a second, left"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,  # goes elsewhere
    )


def _progress_bar():
    from rich import progress  # only where a person looks
    from rich.console import Console

    return progress.Progress(
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("steps, {task.fields[about]}, left"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # A stdout that goes elsewhere must not end up on the terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
