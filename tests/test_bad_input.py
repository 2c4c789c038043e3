"""Bad input, as a user meets it: one line with place, value and remedy, and an exit status."""

import pytest

from tests.conftest import TINY_FLAGS, in_process
from textclf import tensorflow_v1 as tf


def _replace(name, content):
    return lambda folder: (folder / "tiny" / name).write_bytes(content)


GOOD = "体育\t球\n财经\t股\n".encode()
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
    "no folder": (NOTHING, [*TRAIN, "--data-dir", "none"], 1, "none: no such folder"),
    "no training file": (
        lambda folder: (folder / "tiny/tiny.train.txt").unlink(),
        TRAIN,
        1,
        "tiny: holds no *.train.txt and no train.txt; add the file",
    ),
    "two training files": (
        _replace("train.txt", GOOD),
        TRAIN,
        1,
        "tiny: more than one train file (tiny.train.txt, train.txt); leave one",
    ),
    "empty file": (_replace("tiny.val.txt", b""), TRAIN, 1, "tiny.val.txt: the file is empty"),
    "no tab": (
        _replace("tiny.train.txt", "体育 球赛\n".encode()),
        TRAIN,
        1,
        "tiny.train.txt:1: no tab; expected \"label<TAB>text\", found '体育 球赛'",
    ),
    "not UTF-8": (
        _replace("tiny.val.txt", GOOD + "体育\t球".encode("gb18030")),
        TRAIN,
        1,
        "tiny.val.txt:3: byte 0xcc at column 1 is not UTF-8; convert the file to UTF-8",
    ),
    "one category": (
        _replace("tiny.train.txt", "体育\t球\n体育\t赛\n".encode()),
        TRAIN,
        1,
        "tiny.train.txt: only one category (体育)",
    ),
    "category that training lacks": (
        _replace("tiny.val.txt", GOOD + "娱乐\t球\n".encode()),
        TRAIN,
        1,
        "tiny.val.txt:3: category '娱乐' is not one of the 3 the model knows (体育, 财经, 教育)",
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
def test_bad_input_is_one_line_and_nothing_is_written(
    folder, capsys, prepare, command, status, message
):
    if "gpu" in command and tf.config.list_physical_devices("GPU"):
        pytest.skip("this machine has a GPU")
    prepare(folder)
    before = sorted(folder.rglob("*"))
    found, _, err = in_process(capsys, *command)
    assert found == status
    errors = [line for line in err.splitlines() if ": error: " in line]
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before
