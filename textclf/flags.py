"""The flags of all commands, and where things are when nothing else is said."""

import argparse
import dataclasses
from pathlib import Path

from textclf import runtime
from textclf.config import Options, option

CNEWS_DIR = Path("data/cnews")
SAMPLE_DIR = Path(__file__).parents[1] / "data" / "sample"
CHECKPOINTS_DIR = Path("checkpoints")
TENSORBOARD_DIR = Path("tensorboard")
GROUPS = ("data", "training", "model", "output", "machine")  # headings of --help, in order
EXIT_USAGE = 2

DATA_DIR_HELP = (
    "folder with one *.train.txt, *.val.txt and *.test.txt (or train.txt ...), a line being "
    "label<TAB>text; default "
)


@dataclasses.dataclass
class RunOptions(Options):
    """Where the model is and where to compute."""

    save_dir: str = option(
        None,
        f"folder of the trained model; default {CHECKPOINTS_DIR}/textcnn or textrnn",
        group="output",
    )
    device: str = option(
        "auto",
        "where to compute; auto is the first GPU if there is one, else the CPU",
        group="machine",
        choices=runtime.DEVICES,
    )


@dataclasses.dataclass
class TrainOptions(RunOptions):
    """What training needs besides the model's config."""

    data_dir: str = option(
        None,
        DATA_DIR_HELP + f"{CNEWS_DIR}, or the bundled sample corpus while that is absent",
        group="data",
    )
    seed: int = option(
        1,
        "fixes initial weights, order of documents and dropout",
        group="training",
        minimum=0,
        maximum=2**31 - 1,
    )
    overwrite: bool = option(False, "replace the model that --save-dir holds", group="output")


@dataclasses.dataclass
class TestOptions(RunOptions):
    """What testing needs."""

    data_dir: str = option(None, DATA_DIR_HELP + "that of the model's training", group="data")


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message):
        self.exit(EXIT_USAGE, f"{self.prog}: error: {message} (see {self.prog} --help)\n")


def add_options(parser, *classes):
    """Adds the flags of several Options classes to a parser, under headings in a fixed order."""
    fields = [field for options_class in classes for field in dataclasses.fields(options_class)]
    used = {field.metadata["group"] for field in fields}
    groups = {heading: parser.add_argument_group(heading) for heading in GROUPS if heading in used}
    for options_class in classes:
        options_class.add_flags(groups)


def default_save_dir(model_class):
    """The run directory of a model when nothing else is said."""
    return CHECKPOINTS_DIR / model_class.name
