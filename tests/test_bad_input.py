"""Wrong flags and folders, as a user meets them: what is wrong, the remedy, an exit status."""

import pytest

from tests.conftest import TINY_FLAGS, is_refused
from textclf import tensorflow_v1 as tf

NOTHING = lambda folder: None  # noqa: E731
TRAIN = ["run_cnn", "train", "--data-dir", "tiny", *TINY_FLAGS]
# what is done to the folder, the command, the exit status, what stderr says
BAD_INPUT = {
    "no command": (NOTHING, ["run_cnn"], 2, "the following arguments are required: train|test"),
    "unknown flag": (NOTHING, [*TRAIN, "--colour"], 2, "unrecognized arguments: --colour"),
    "shortened flag": (NOTHING, [*TRAIN, "--num-e", "3"], 2, "unrecognized arguments: --num-e 3"),
    "negative epochs": (
        NOTHING,
        [*TRAIN, "--num-epochs", "-1"],
        2,
        "argument --num-epochs: '-1': expected a whole number, at least 1",
    ),
    "not a number": (
        NOTHING,
        [*TRAIN, "--learning-rate", "fast"],
        2,
        "argument --learning-rate: 'fast': expected a number, above 0.0",
    ),
    "not a number at all": (NOTHING, [*TRAIN, "--learning-rate", "nan"], 2, "above 0.0"),
    "not a choice": (
        NOTHING,
        ["run_rnn", "train", "--rnn", "rwkv"],
        2,
        "argument --rnn: 'rwkv': expected one of gru, lstm",
    ),
    "kernel too long": (
        NOTHING,
        [*TRAIN, "--kernel-size", "10"],
        2,
        "kernel_size 10: expected at most seq_length 9",
    ),
    "wrong number of classes": (
        NOTHING,
        [*TRAIN, "--num-classes", "4"],
        2,
        "num_classes 4: tiny/tiny.train.txt has 3 categories",
    ),
    "no such encoding": (
        NOTHING,
        [*TRAIN, "--encoding", "klingon"],
        2,
        "encoding 'klingon': not known; utf-8, gb18030, big5 and utf-16 are",
    ),
    "fractions that leave nothing": (
        NOTHING,
        [*TRAIN, "--val-fraction", "0.5", "--test-fraction", "0.5"],
        2,
        "val_fraction 0.5 and test_fraction 0.5: nothing is left for training",
    ),
    "fractions of what is divided": (
        NOTHING,
        [*TRAIN, "--test-fraction", "0.2"],
        2,
        "test_fraction: tiny is divided already; leave the flag out",
    ),
    "no word often enough": (
        NOTHING,
        [*TRAIN, "--min-count", "1000"],
        2,
        "min_count 1000: no word stands so often in the training data; lower it",
    ),
    "a file as save dir": (
        lambda folder: (folder / "taken").write_text("mine"),
        [*TRAIN, "--save-dir", "taken/x"],
        1,
        "taken/x: cannot be written (Not a directory); name another folder",
    ),
    "no checkpoint to test": (
        NOTHING,
        ["run_rnn", "test", "--data-dir", "tiny"],
        1,
        "checkpoints/textrnn: no trained model here; train one or name its folder",
    ),
    "no checkpoint to predict": (
        NOTHING,
        ["predict", "--save-dir", "nowhere", "球赛"],
        1,
        "nowhere: no trained model here",
    ),
    "no such model": (
        NOTHING,
        ["predict", "--model", "bert", "球赛"],
        2,
        "argument --model: 'bert': expected one of cnn, rnn",
    ),
    "no GPU": (NOTHING, [*TRAIN, "--device", "gpu"], 1, "--device gpu: TensorFlow sees no GPU"),
}


@pytest.mark.parametrize(
    ("prepare", "command", "status", "message"), BAD_INPUT.values(), ids=BAD_INPUT
)
def test_bad_input_is_refused_in_words_and_nothing_is_written(
    folder, capsys, prepare, command, status, message
):
    if "gpu" in command and tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    prepare(folder)
    is_refused(folder, capsys, command, status, message)
