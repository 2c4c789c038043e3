"""The training loop: what it trains with, saves, evaluates and writes."""

import contextlib

import numpy as np
import pytest

from cnn_model import TCNNConfig, TextCNN
from textclf import tensorflow_v1 as tf
from textclf.checkpoint import RunDirectory
from textclf.runtime import seeded_graph
from textclf.training import Listener, Trainer, TrainingCurves

WORDS = ["<PAD>", *"abcdefgh"]
CATEGORIES = ["甲", "乙", "丙"]
SMALL = {
    "embedding_dim": 5,
    "seq_length": 7,
    "num_classes": 3,
    "vocab_size": len(WORDS),
    "hidden_dim": 6,
    "num_filters": 4,
    "kernel_size": 2,
    "batch_size": 3,
}


class Recorder(Listener):
    def __init__(self, interrupt_after=None):
        self.progress, self.epochs, self.steps = [], [], []
        self._interrupt_after = interrupt_after

    def epoch(self, number):
        self.epochs.append(number)

    def step(self, steps):
        self.steps.append(steps)
        if steps == self._interrupt_after:
            self.trainer.stop()

    def evaluated(self, progress):
        self.progress.append(progress)


class SpySession(tf.Session):
    """A session that notes with which keep_prob the optimiser ran."""

    def __init__(self, model):
        super().__init__(graph=model.logits.graph)
        self._model = model
        self.optimised_with = []

    def run(self, fetches, feed_dict=None, **options):
        fetched = fetches if isinstance(fetches, list) else [fetches]
        if any(fetch is self._model.optim for fetch in fetched):
            self.optimised_with.append(feed_dict[self._model.keep_prob])
        return super().run(fetches, feed_dict, **options)


def _data(count):
    """Documents whose label is their last character."""
    random = np.random.default_rng(0)
    ids = random.integers(4, len(WORDS), size=(count, SMALL["seq_length"])).astype(np.int32)
    label_ids = np.arange(count) % 3
    ids[:, -2:] = label_ids[:, np.newaxis] + 1
    return ids, np.eye(3, dtype=np.float32)[label_ids]


def _train(folder, *, interrupt_after=None, **changes):
    """Trains for a few steps; returns (outcome, recorder, run, spy)."""
    recorder = Recorder(interrupt_after)
    with seeded_graph().as_default() as graph:
        model = TextCNN(TCNNConfig(**{**SMALL, **changes}))
        run = RunDirectory.create(
            folder / "run",
            "textcnn",
            model.config,
            WORDS,
            CATEGORIES,
            seed=1,
            data_options={"data_dir": "news"},
        )
        with (
            SpySession(model) as spy,
            contextlib.closing(TrainingCurves(folder / "board", graph)) as curves,
        ):
            # 10 documents: the last batch of an epoch has one.
            trainer = Trainer(
                model, run, _data(10), _data(6), seed=1, curves=curves, listener=recorder
            )
            recorder.trainer = trainer
            outcome = trainer.train(spy)
    return outcome, recorder, run, spy


def _points(folder):
    """(tag, step) of every scalar in a TensorBoard folder, and whether it has a graph."""
    points, graph = [], False
    for path in sorted(folder.glob("events.*")):
        for event in tf.train.summary_iterator(str(path)):
            graph = graph or bool(event.graph_def)
            points += [(value.tag, event.step) for value in event.summary.value]
    return points, graph


def test_an_epoch_has_every_batch_and_evaluations_come_on_time(tmp_path):
    outcome, recorder, _, _ = _train(tmp_path, num_epochs=2, print_per_batch=3)
    assert recorder.epochs == [1, 2]
    assert recorder.steps == list(range(1, 9))  # 4 batches an epoch
    assert [progress.step for progress in recorder.progress] == [0, 3, 6, 8]
    assert (outcome.steps, outcome.reason) == (8, "finished")


def test_every_step_trains_with_dropout_also_after_an_evaluation(tmp_path):
    _, _, _, spy = _train(tmp_path, num_epochs=2, print_per_batch=1, dropout_keep_prob=0.5)
    assert spy.optimised_with == [0.5] * 8


def test_the_last_weights_are_evaluated_and_kept_if_best(tmp_path):
    # Nothing is evaluated between step 0 and the end.
    outcome, recorder, run, _ = _train(
        tmp_path, num_epochs=30, print_per_batch=1000, learning_rate=0.01
    )
    assert [progress.step for progress in recorder.progress] == [0, 120]
    assert recorder.progress[-1].val_accuracy > recorder.progress[0].val_accuracy
    assert outcome.best.step == run.best().step == 120


def test_nothing_is_evaluated_twice(tmp_path):
    _, recorder, _, _ = _train(tmp_path, num_epochs=30, print_per_batch=40, require_improvement=39)
    steps = [progress.step for progress in recorder.progress]
    assert steps == sorted(set(steps))


def test_training_stops_early_without_improvement(tmp_path):
    # With such a rate no prediction changes: the first evaluation stays the best.
    outcome, recorder, run, _ = _train(
        tmp_path, learning_rate=1e-12, print_per_batch=2, require_improvement=5
    )
    assert (outcome.reason, outcome.steps) == ("early", 6)
    assert run.best().step == 0
    assert [progress.improved for progress in recorder.progress] == [True, False, False, False]


def test_only_a_better_accuracy_replaces_the_best(tmp_path):
    _, recorder, run, _ = _train(tmp_path, num_epochs=30, print_per_batch=5, learning_rate=0.01)
    best = -1.0
    for progress in recorder.progress:
        assert progress.improved == (progress.val_accuracy > best)
        best = max(best, progress.val_accuracy)
    assert run.best().val_accuracy == best


def test_a_requested_stop_ends_with_what_was_saved(tmp_path):
    outcome, _, run, _ = _train(tmp_path, interrupt_after=4, print_per_batch=2)
    assert (outcome.reason, outcome.steps) == ("interrupted", 4)
    assert outcome.best == run.best()


def test_one_seed_gives_the_same_weights_and_scores(tmp_path):
    results = []
    for name in ("a", "b"):
        _, recorder, run, _ = _train(tmp_path / name, num_epochs=3, print_per_batch=2)
        reader = tf.train.load_checkpoint(str(run.best_prefix))
        weights = {key: reader.get_tensor(key) for key in reader.get_variable_to_shape_map()}
        scores = [(progress.val_loss, progress.train_loss) for progress in recorder.progress]
        results.append((scores, weights))
    assert results[0][0] == results[1][0]
    for key, value in results[0][1].items():
        assert np.array_equal(value, results[1][1][key]), key


def test_tensorboard_has_both_curves_under_the_same_tags_and_the_graph(tmp_path):
    _train(tmp_path, num_epochs=2, print_per_batch=4, save_per_batch=3)
    train, has_graph = _points(tmp_path / "board" / "train")
    assert has_graph
    assert train == [(tag, step) for step in (0, 3, 6) for tag in ("loss", "accuracy")]
    validation, _ = _points(tmp_path / "board" / "validation")
    assert validation == [(tag, step) for step in (0, 4, 8) for tag in ("loss", "accuracy")]


def test_the_saved_scores_are_those_of_the_saved_weights(tmp_path):
    _, _, run, _ = _train(tmp_path, num_epochs=30, print_per_batch=7, learning_rate=0.01)
    from textclf.evaluation import evaluate

    with seeded_graph().as_default() as graph, tf.Session(graph=graph) as session:
        model = TextCNN(run.config, training=False)
        run.restore_best(session)
        result = evaluate(session, model, *_data(6))
    assert result.accuracy == run.best().val_accuracy
    assert result.loss == pytest.approx(run.best().val_loss, rel=1e-6)
