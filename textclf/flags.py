"""The flags that programs share, and where things are when nothing else is said."""

import dataclasses
from pathlib import Path

from data.errors import ConfigError
from data.formats import ReadOptions
from data.options import Options, option
from data.splits import DataOptions, SourceOptions
from textclf import runtime
from textclf.events import EventOptions
from textclf.peers import PeerOptions

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
class ModelOptions(RunOptions):
    """Which trained model: a run directory, or a checkpoint of the original TF1 code."""

    checkpoint: str = option(
        None,
        "weights that the original code saved under TensorFlow 1, such as "
        "checkpoints/textcnn/best_validation; in place of --save-dir",
        group="original",
    )
    vocab: str = option(
        None, "the vocabulary file it was trained with; needed with --checkpoint", group="original"
    )
    categories: str = option(
        None,
        "file with its categories, one a line in id order; default the ten of CNews",
        group="original",
    )

    def check(self):
        super().check()
        if self.checkpoint is None:
            for name in ("vocab", "categories"):
                if getattr(self, name) is not None:
                    raise ConfigError(f"{name}: goes with --checkpoint; give that, or leave it out")
        elif self.save_dir is not None:
            raise ConfigError("checkpoint and save_dir: each names a model; give one")
        elif self.vocab is None:
            raise ConfigError("checkpoint: has no vocabulary; name the file with --vocab")


@dataclasses.dataclass
class ExplainOptions(Options):
    """Flags of a program that explains predictions."""

    explain: bool = option(
        False,
        "mark the characters that speak for the category, and those that speak against it",
        group="output",
    )
    explain_category: str = option(
        None,
        "with --explain, ask about this category in place of the predicted one",
        group="output",
    )

    def check(self):
        super().check()
        if self.explain_category is not None and not self.explain:
            raise ConfigError("explain_category: goes with --explain; give that, or leave it out")


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
class TrainOptions(RunOptions, PeerOptions, SkipOptions, DataOptions, EventOptions):
    """What training needs besides the model's config."""

    seed: int = option(
        1,
        "fixes initial weights, order of documents, dropout, and how a single file is divided",
        group="training",
        minimum=0,
        maximum=2**31 - 1,
    )
    recipe: str = option(
        "classic",
        "a set of values for the options of model and training, which flags change one by one: "
        "classic is the network of the original code, best the most accurate",
        group="training",
        choices=("classic", "best"),
    )
    overwrite: bool = option(False, "replace the model that --save-dir holds", group="output")
    resume: bool = option(
        False,
        "go on with the training that --save-dir holds, wherever it stopped; give a larger "
        "--num-epochs to go on with one that is done",
        group="output",
    )
    histograms: bool = option(
        False,
        "show in TensorBoard how the weights are distributed, at every evaluation",
        group="output",
    )

    def check(self):
        super().check()
        if self.overwrite and self.resume:
            raise ConfigError("overwrite and resume: one replaces the run, one goes on; give one")


@dataclasses.dataclass
class TestOptions(ModelOptions, SkipOptions, ReadOptions, SourceOptions, EventOptions):
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

    def check(self):
        super().check()
        if self.checkpoint is not None and self.data_dir is None:
            raise ConfigError("checkpoint: tells of no data to test on; name it with --data-dir")


def default_save_dir(model_class):
    """The run directory of a model when nothing else is said."""
    return CHECKPOINTS_DIR / model_class.name
