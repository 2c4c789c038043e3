"""Ends a training at a signal, so that it can be resumed."""

import contextlib
import os
import signal

from data.command import remark
from textclf.peers import SIGNALLED


@contextlib.contextmanager
def at_signals(trainer, console):
    """Within the block a first SIGINT or SIGTERM asks the trainer to stop; a second one ends the
    process, which the run directory survives at any moment. Yields a list that receives the first.
    """
    caught = []

    def ask(number, _):
        if caught:
            console.show_cursor()
            os._exit(SIGNALLED + number)
        caught.append(number)
        remark("Stopping after this batch; the same again stops at once.")
        trainer.stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
