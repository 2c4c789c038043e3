"""The end of a run in a coloured table, for a person at a terminal; nothing elsewhere."""

import sys

from data import lazy_numpy as np
from textclf.monitor import MONITORS

_GOOD, _FAIR = 0.9, 0.75  # F1 from which on it is green, and yellow
_MOST_ROWS = 20  # categories


def show_training(outcome, run):
    """Shows how a training ended.

    Args:
        outcome: Outcome.
        run: RunDirectory.
    """
    console = _console()
    if console is None or outcome.best is None:
        return
    from rich.table import Table

    best = outcome.best
    table = Table(show_header=False, title="Training", title_justify="left")
    colour = {"interrupted": "yellow"}.get(outcome.reason, "green")
    table.add_row("ended", f"[{colour}]{outcome.reason}[/] at step {outcome.steps:,}")
    table.add_row("best weights", f"step {best.step:,}")
    table.add_row("", f"[bold]{MONITORS[run.config.monitor].describe(best)}[/]")
    table.add_row("validation loss", f"{best.val_loss:.4g}")
    console.print(table)
    # A path is no markup, and is not broken into lines.
    console.print(f"in {run.path}", markup=False, highlight=False, soft_wrap=True)


def show_test(matrix, categories):
    """Shows the F1 of every category, the lowest first, and what each is most often taken for.

    Args:
        matrix: int64 array [num_classes, num_classes], see evaluation.confusion_matrix; None of a
            model of several labels, which has none.
        categories: list of str.
    """
    console = _console()
    if console is None or matrix is None:
        return
    from rich.table import Table
    from rich.text import Text

    right = np.diagonal(matrix)
    f1 = 2 * right / np.maximum(matrix.sum(axis=0) + matrix.sum(axis=1), 1)
    wrong = matrix - np.diag(right)
    table = Table(title="Categories, the lowest F1 first", title_justify="left")
    for name, justify in (("category", "left"), ("F1", "right"), ("taken for", "left")):
        table.add_column(name, justify=justify)
    for row in f1.argsort(kind="stable")[:_MOST_ROWS].tolist():
        colour = "green" if f1[row] >= _GOOD else "yellow" if f1[row] >= _FAIR else "red"
        other = int(wrong[row].argmax())
        taken = f"{categories[other]} ({wrong[row, other]})" if wrong[row, other] else ""
        table.add_row(Text(categories[row]), Text(f"{f1[row]:.1%}", colour), Text(taken))
    console.print(table)
    if len(categories) > _MOST_ROWS:
        console.print(f"and {len(categories) - _MOST_ROWS} more", highlight=False)


def _console():
    """The rich Console of stdout if that is a terminal, else None; NO_COLOR is its own concern."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    from rich.console import Console  # only where a person looks

    return Console()
