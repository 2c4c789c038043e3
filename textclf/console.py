"""What a training or test run prints: results on stdout, progress on stderr."""

import contextlib
import sys
import time
from datetime import timedelta

from textclf.training import Listener

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
EARLY_STOP_LINE = "No optimization for a long time, auto-stopping..."


def whole_seconds(seconds):
    """A span of time, rounded, as `0:00:14`."""
    return timedelta(seconds=round(seconds))


@contextlib.contextmanager
def time_usage():
    """Prints how long the block took."""
    start_s = time.monotonic()
    yield
    print("Time usage:", whole_seconds(time.monotonic() - start_s), flush=True)


class TrainingPrinter(Listener):
    """Prints epochs and evaluations; on a terminal, with a progress bar below them."""

    def __init__(self):
        self._bar = None
        self._task = None

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
            self._task = self._bar.add_task("training", total=total_steps, completed=done_steps)

    def epoch(self, number):
        print("Epoch:", number, flush=True)

    def step(self, steps):
        if self._bar:
            self._bar.update(self._task, completed=steps)

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
        print(line, flush=True)


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
        progress.TextColumn("steps, left"),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # A stdout that goes elsewhere must not end up on the terminal.
        redirect_stdout=sys.stdout.isatty(),
    )
