"""The flags of the training scripts, and where things are when nothing else is said."""

import dataclasses
from pathlib import Path

from data.formats import ReadOptions
from data.options import Options, option
from data.splits import DataOptions
from textclf import runtime

CNEWS_DIR = Path("data/cnews")
SAMPLE_DIR = Path(__file__).parents[1] / "data" / "sample"
CHECKPOINTS_DIR = Path("checkpoints")
TENSORBOARD_DIR = Path("tensorboard")


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
class SkipOptions(Options):
    """What to do about lines that are no documents."""

    skip_bad_lines: bool = option(
        False,
        "go on without the lines that are no documents, and list them in --save-dir; "
        "they stop the run otherwise",
        group="data",
    )


@dataclasses.dataclass
class TrainOptions(RunOptions, SkipOptions, DataOptions):
    """What training needs besides the model's config."""

    seed: int = option(
        1,
        "fixes initial weights, order of documents, dropout, and how a single file is divided",
        group="training",
        minimum=0,
        maximum=2**31 - 1,
    )
    overwrite: bool = option(False, "replace the model that --save-dir holds", group="output")


@dataclasses.dataclass
class TestOptions(RunOptions, SkipOptions, ReadOptions):
    """What testing needs."""

    data_dir: str = option(
        None,
        "folder with a test split, or a file, which is tested whole unless training divided it; "
        "default that of the model's training",
        group="data",
    )
    inherited = frozenset(
        field.name
        for options_class in (ReadOptions, SkipOptions)
        for field in dataclasses.fields(options_class)
    )


def default_save_dir(model_class):
    """The run directory of a model when nothing else is said."""
    return CHECKPOINTS_DIR / model_class.name
