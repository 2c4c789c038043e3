"""The training loop: steps, evaluations, TensorBoard, early stopping.

It parses nothing and prints nothing: a Listener hears what happens.
"""

import dataclasses
import math
import time
from pathlib import Path

import numpy as np

from data.cnews_loader import batch_iter
from textclf import tensorflow_v1 as tf
from textclf.checkpoint import Best
from textclf.evaluation import evaluate


@dataclasses.dataclass(frozen=True)
class Progress:
    """An evaluation in the course of training.

    Attributes:
        step: int, optimiser steps done.
        train_loss, train_accuracy: of the batch at hand, without dropout.
        val_loss, val_accuracy: of the validation split.
        elapsed_s: float, seconds since training began.
        improved: bool, whether these weights are the best so far (and now saved).
    """

    step: int
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    elapsed_s: float
    improved: bool


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Attributes:
        steps: int, optimiser steps done.
        best: Best that is saved, or None.
        reason: "finished" (all epochs), "early" (no improvement) or "interrupted".
    """

    steps: int
    best: Best | None
    reason: str


class Listener:
    """Hears of a training; every method does nothing here."""

    def started(self, total_steps):
        """Before the first step."""

    def epoch(self, number):
        """At the start of an epoch, numbered from 1."""

    def step(self, steps):
        """After a step, with the number of steps done."""

    def evaluated(self, progress):
        """After an evaluation."""


class TrainingCurves:
    """Loss and accuracy in TensorBoard, training and validation as two runs that overlay."""

    def __init__(self, folder, graph):
        """Opens `<folder>/train` and `<folder>/validation`; the graph is in the former."""
        self._train = tf.summary.FileWriter(str(Path(folder) / "train"), graph=graph)
        self._validation = tf.summary.FileWriter(str(Path(folder) / "validation"))

    def train(self, step, loss, accuracy):
        _add_point(self._train, step, loss, accuracy)

    def validation(self, step, loss, accuracy):
        _add_point(self._validation, step, loss, accuracy)

    def close(self):
        self._train.close()
        self._validation.close()


def _add_point(writer, step, loss, accuracy):
    values = [
        tf.Summary.Value(tag="loss", simple_value=float(loss)),
        tf.Summary.Value(tag="accuracy", simple_value=float(accuracy)),
    ]
    writer.add_summary(tf.Summary(value=values), step)


class _StopRequestedError(Exception):
    """Carries a request to stop out of the loop."""


class Trainer:
    """Trains a model and keeps the weights with the best validation accuracy."""

    def __init__(self, model, run, train_data, val_data, *, seed, curves, listener):
        """
        Args:
            model: TextClassifier with its optimiser; its config says how to train.
            run: RunDirectory that receives the best weights.
            train_data, val_data: (x, y) arrays, see cnews_loader.process_file.
            seed: int for the order of documents (initial weights and dropout follow the graph's).
            curves: TrainingCurves.
            listener: Listener.
        """
        self._model = model
        self._config = model.config
        self._run = run
        self._train_data = train_data
        self._val_data = val_data
        self._random = np.random.default_rng(seed)
        self._curves = curves
        self._listener = listener
        self._step = 0
        self._best = None
        self._evaluated_step = None
        self._stop_requested = False

    def stop(self):
        """Asks for an end after the batch at hand; may be called from a signal handler."""
        self._stop_requested = True

    def _check_stop(self):
        if self._stop_requested:
            raise _StopRequestedError

    def train(self, session):
        """Initialises the variables and runs until the end, early or not, or until `stop`.

        Args:
            session: tf.Session of the model's graph.

        Returns:
            Outcome.
        """
        session.run(tf.global_variables_initializer())
        self._start_s = time.monotonic()
        try:
            reason = self._run_epochs(session)
        except _StopRequestedError:
            reason = "interrupted"
        return Outcome(self._step, self._best, reason)

    def _run_epochs(self, session):
        config = self._config
        steps_per_epoch = math.ceil(len(self._train_data[0]) / config.batch_size)
        self._listener.started(config.num_epochs * steps_per_epoch)
        for epoch in range(config.num_epochs):
            self._listener.epoch(epoch + 1)
            for batch in batch_iter(*self._train_data, config.batch_size, seed=self._random):
                if self._step % config.print_per_batch == 0:
                    self._evaluate(session, batch)
                self._train_step(session, batch)
                if self._step - self._last_improved > config.require_improvement:
                    self._evaluate(session, batch)
                    return "early"
        # The last weights may be the best, above all in a run shorter than print_per_batch.
        self._evaluate(session, batch)
        return "finished"

    @property
    def _last_improved(self):
        return self._best.step if self._best else 0

    def _train_step(self, session, batch):
        model = self._model
        feed = model.feed(*batch, keep_prob=self._config.dropout_keep_prob)
        if self._step % self._config.save_per_batch == 0:
            _, loss, accuracy = session.run([model.optim, model.loss, model.acc], feed)
            self._curves.train(self._step, loss, accuracy)
        else:
            session.run(model.optim, feed)
        self._step += 1
        self._listener.step(self._step)
        self._check_stop()

    def _evaluate(self, session, batch):
        """Evaluates the weights as they are, if that is not done, and saves them if best."""
        if self._evaluated_step == self._step:
            return
        self._evaluated_step = self._step
        model = self._model
        train_loss, train_accuracy = session.run([model.loss, model.acc], model.feed(*batch))
        validation = evaluate(session, model, *self._val_data, after_batch=self._check_stop)
        self._curves.validation(self._step, validation.loss, validation.accuracy)
        improved = self._best is None or validation.accuracy > self._best.val_accuracy
        if improved:
            best = Best(self._step, validation.loss, validation.accuracy)
            self._run.save_best(session, best)
            self._best = best
        self._listener.evaluated(
            Progress(
                step=self._step,
                train_loss=float(train_loss),
                train_accuracy=float(train_accuracy),
                val_loss=validation.loss,
                val_accuracy=validation.accuracy,
                elapsed_s=time.monotonic() - self._start_s,
                improved=improved,
            )
        )
