"""The run directory: what it holds, survives and refuses."""

import json

import numpy as np
import pytest

from cnn_model import TCNNConfig, TextCNN
from textclf import checkpoint
from textclf import tensorflow_v1 as tf
from textclf.checkpoint import Best, CheckpointError, RunDirectory
from textclf.runtime import seeded_graph

WORDS = ["<PAD>", " ", "\u3000", "的"]
CATEGORIES = ["甲 一", "乙"]
CONFIG = {
    "embedding_dim": 3,
    "seq_length": 5,
    "num_classes": 2,
    "vocab_size": 4,
    "hidden_dim": 2,
    "num_filters": 3,
    "kernel_size": 2,
}


@pytest.fixture
def trained(tmp_path):
    """(run, embedding): a run directory with weights saved twice, and the later embedding."""
    run = RunDirectory.create(
        tmp_path / "run",
        "textcnn",
        TCNNConfig(**CONFIG),
        WORDS,
        CATEGORIES,
        seed=3,
        data_options={"data_dir": "x"},
    )
    with seeded_graph().as_default() as graph, tf.Session(graph=graph) as session:
        TextCNN(run.config)
        for step in (0, 10):
            session.run(tf.global_variables_initializer())
            run.save_best(session, Best(step, 0.5, 0.75))
        embedding = session.run(tf.trainable_variables()[0])
        yield run, embedding


def _restored_embedding(path):
    run = RunDirectory.open(path, "textcnn", TCNNConfig)
    with seeded_graph().as_default() as graph, tf.Session(graph=graph) as session:
        TextCNN(run.config, training=False)
        run.restore_best(session)
        return session.run(tf.trainable_variables()[0])


def test_a_run_directory_holds_all_that_a_model_is(trained):
    run, embedding = trained
    opened = RunDirectory.open(run.path, "textcnn", TCNNConfig)
    assert opened.config == TCNNConfig(**CONFIG)
    assert opened.words == WORDS
    assert opened.categories == CATEGORIES
    assert opened.best() == Best(10, 0.5, 0.75)
    assert opened.data_dir == "x"
    assert json.loads((run.path / "config.json").read_text())["seed"] == 3
    assert np.array_equal(_restored_embedding(run.path), embedding)


def test_only_the_best_weights_are_left(trained):
    run, _ = trained
    names = sorted(file.name for file in (run.path / "weights").iterdir())
    assert names == ["best-10.data-00000-of-00001", "best-10.index"]


def test_a_plain_saver_restores_best_validation(trained):
    run, embedding = trained
    with seeded_graph().as_default() as graph, tf.Session(graph=graph) as session:
        TextCNN(run.config)
        tf.train.Saver().restore(session, str(run.path / "best_validation"))
        assert np.array_equal(session.run(tf.trainable_variables()[0]), embedding)


@pytest.mark.parametrize("moment", ["write_text", "_link", "sync_folder"])
def test_a_save_that_dies_halfway_loses_nothing(trained, monkeypatch, moment):
    run, embedding = trained

    def die(*_):
        raise KeyboardInterrupt

    with seeded_graph(2).as_default() as graph, tf.Session(graph=graph) as session:
        TextCNN(run.config)
        session.run(tf.global_variables_initializer())
        newer = session.run(tf.trainable_variables()[0])
        later = RunDirectory.open(run.path, "textcnn", TCNNConfig)
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, moment, die)
            with pytest.raises(KeyboardInterrupt):
                later.save_best(session, Best(20, 0.4, 0.8))
        published = moment == "_link"  # best.json names the new weights by then
        expected = newer if published else embedding
        assert np.array_equal(_restored_embedding(run.path), expected)
        later.save_best(session, Best(20, 0.4, 0.8))
    assert np.array_equal(_restored_embedding(run.path), newer)


def test_a_new_run_leaves_other_files_alone(trained):
    run, _ = trained
    notes = run.path / "notes.md"
    notes.write_text("mine")
    new = RunDirectory.create(
        run.path, "textcnn", run.config, WORDS, CATEGORIES, seed=4, data_options={"data_dir": "x"}
    )
    assert notes.read_text() == "mine"
    assert new.best() is None
    names = sorted(file.name for file in run.path.iterdir())
    assert names == ["categories.txt", "config.json", "notes.md", "vocab.txt"]


def _change_config(path, **changes):
    file = path / "config.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps({**about, **changes}))


def _truncate(path):
    (data,) = (path / "weights").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:100])


DAMAGE = {
    "no config": (lambda path: (path / "config.json").unlink(), "no trained model here"),
    "broken config": (lambda path: (path / "config.json").write_text("{"), "cannot be read"),
    "other model": (lambda path: _change_config(path, model="textrnn"), "holds a textrnn model"),
    "newer format": (lambda path: _change_config(path, format=99), "format 99, this version reads"),
    "no config values": (lambda path: _change_config(path, config={}), "missing option"),
    "config of a wrong kind": (lambda path: _change_config(path, config=3), "not as written"),
    "short vocabulary": (
        lambda path: (path / "vocab.txt").write_text("<PAD>\n的\n"),
        "vocab.txt: 2 lines, the model was trained with 4",
    ),
    "no categories": (lambda path: (path / "categories.txt").unlink(), "categories.txt: No such"),
    "long categories": (
        lambda path: (path / "categories.txt").write_text("a\nb\nc\n"),
        "categories.txt: 3 lines, the model was trained with 2",
    ),
    "no weights": (lambda path: (path / "best.json").unlink(), "no weights are saved here"),
    "broken pointer": (lambda path: (path / "best.json").write_text("{}"), "best.json: not as"),
    "truncated weights": (_truncate, "best-10: the weights cannot be read"),
    "other sizes": (
        lambda path: _change_config(
            path, config=TCNNConfig(**{**CONFIG, "hidden_dim": 7}).to_dict()
        ),
        r"fc1/kernel is \[3, 2\], the config makes it \[3, 7\]",
    ),
}


@pytest.mark.parametrize(("damage", "message"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_reported_with_its_place(trained, damage, message):
    run, _ = trained
    damage(run.path)
    with pytest.raises(CheckpointError, match=message) as error:
        _restored_embedding(run.path)
    assert str(run.path) in str(error.value)
    assert "\n" not in str(error.value)


def test_no_directory_at_all_is_reported(tmp_path):
    with pytest.raises(CheckpointError, match="none: no trained model here"):
        RunDirectory.open(tmp_path / "none", "textcnn", TCNNConfig)
