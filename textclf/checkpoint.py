"""The run directory, `checkpoints/<name>/`: everything a trained model is, and its only reader and
writer.

    config.json              format, model, every config value; seed and data options of training
    vocab.txt                one word a line, in id order
    categories.txt           one category a line, in id order
    split.json               which lines of a single data file are for validation and test, if it
                             was divided
    bad_lines.<split>.jsonl  the lines that were left out, with place and reason, if there were any
    best.json                which weights are the best so far, and their scores
    weights/best-<step>.*    a Saver checkpoint: the weights and Adam's slots
    best_validation.*        the same weights under the path that `Saver.restore` always had

`best.json` is what counts: it is replaced in one rename, after the weights it names have reached
the disk. So a run that is killed at any moment leaves either the old best weights or the new ones.
"""

import dataclasses
import json
import os
import shutil
from pathlib import Path

from data.cnews_loader import read_category
from data.errors import ConfigError, DataError, Failure
from data.files import sync_folder, write_text
from data.splits import Division
from data.vocabulary import read_vocab, write_vocab
from textclf import tensorflow_v1 as tf

FORMAT = 2
_DESCRIPTION = ("config.json", "vocab.txt", "categories.txt", "split.json")


class CheckpointError(Failure, RuntimeError):
    """A run directory that cannot be used; the message names place and remedy."""


@dataclasses.dataclass(frozen=True)
class Best:
    """The best evaluation of a run: step, val_loss (nats), val_accuracy in [0, 1]."""

    step: int
    val_loss: float
    val_accuracy: float


class RunDirectory:
    """A model on disk.

    Attributes:
        path: Path.
        config: ClassifierConfig.
        words: list of str, the vocabulary in id order.
        categories: list of str in id order.
        data_options: dict, the options of TrainOptions under "data": where the data was, as it
            was named then, and how it was read.
        division: Division if a single data source was divided, else None.
    """

    def __init__(self, path, config, words, categories, data_options, division):
        self.path = Path(path)
        self.config = config
        self.words = words
        self.categories = categories
        self.data_options = data_options
        self.division = division
        self._saver = None

    @property
    def data_dir(self):
        """Where the data of its training was, str."""
        return self.data_options["data_dir"]

    @classmethod
    def create(
        cls, path, model_name, config, words, categories, *, seed, data_options, division=None
    ):
        """Starts a run directory, in place of the run that `path` holds, if it holds one.

        Args:
            path, config, words, categories, data_options, division: see RunDirectory.
            model_name: str, TextClassifier.name of the model.
            seed: int, that of the training.

        Raises:
            CheckpointError: it cannot be written.
        """
        run = cls(path, config, words, categories, data_options, division)
        about = {
            "format": FORMAT,
            "model": model_name,
            "seed": seed,
            "data": data_options,
            "config": config.to_dict(),
        }
        try:
            remove_run(run.path)
            write_vocab(run.path / "vocab.txt", words)
            write_vocab(run.path / "categories.txt", categories)
            if division is not None:
                _write_json(run.path / "split.json", dataclasses.asdict(division), indent=None)
            _write_json(run.path / "config.json", about)
        except OSError as error:
            raise CheckpointError(
                f"{path}: cannot be written ({error.strerror}); name another folder"
            ) from None
        return run

    @classmethod
    def open(cls, path, model_name, config_class):
        """Reads a run directory.

        Args:
            path: str or Path.
            model_name: str, the model it is to hold.
            config_class: subclass of ClassifierConfig.

        Raises:
            CheckpointError: there is no run, or it is not whole, or it holds another model.
        """
        path = Path(path)
        if not (path / "config.json").exists():
            raise CheckpointError(f"{path}: no trained model here; train one or name its folder")
        about = _read_json(path / "config.json")
        try:
            if about["format"] != FORMAT:
                raise CheckpointError(
                    f"{path / 'config.json'}: format {about['format']}, this version reads "
                    f"{FORMAT}; use the version that wrote it"
                )
            if about["model"] != model_name:
                raise CheckpointError(
                    f"{path}: holds a {about['model']} model, expected {model_name}; "
                    "use the script of that model or name another folder"
                )
            config = config_class.from_dict(about["config"])
            data_options = about["data"]
            split = path / "split.json"
            division = Division(**_read_json(split)) if split.exists() else None
            words, _ = read_vocab(path / "vocab.txt")
            categories, _ = read_category(path / "categories.txt")
        except (KeyError, TypeError) as error:
            raise CheckpointError(
                f"{path}: config.json or split.json is not as written ({error!r}); train again"
            ) from None
        except (ConfigError, DataError) as error:
            raise CheckpointError(f"{path}: {error}") from None
        for name, found, expected in (
            ("vocab.txt", len(words), config.vocab_size),
            ("categories.txt", len(categories), config.num_classes),
        ):
            if found != expected:
                raise CheckpointError(
                    f"{path / name}: {found} lines, the model was trained with {expected}; "
                    "restore the file or train again"
                )
        return cls(path, config, words, categories, data_options, division)

    def save_bad_lines(self, split, bad_lines):
        """Writes the lines that were left out of a split, a JSON object a line.

        Args:
            split: "train" (and validation) or "test".
            bad_lines: list of BadLine; an older list is removed if there are none.
        """
        path = self.path / f"bad_lines.{split}.jsonl"
        if not bad_lines:
            path.unlink(missing_ok=True)
            return
        rows = (json.dumps(dataclasses.asdict(bad), ensure_ascii=False) for bad in bad_lines)
        write_text(path, "".join(row + "\n" for row in rows))

    @property
    def best_prefix(self):
        """Path for `Saver.restore`: the name under which other scripts find the best weights."""
        return self.path / "best_validation"

    def best(self):
        """The Best that is saved, or None."""
        pointer = self.path / "best.json"
        if not pointer.exists():
            return None
        try:
            return Best(**_read_json(pointer))
        except TypeError as error:
            raise CheckpointError(f"{pointer}: not as written ({error}); train again") from None

    def save_best(self, session, best):
        """Makes the session's variables the best weights of the run.

        Args:
            session: tf.Session.
            best: Best.
        """
        if self._saver is None:
            # Old weights are removed below, once the new ones count.
            self._saver = tf.train.Saver(max_to_keep=None)
        weights = self._weights(best.step)
        weights.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._saver.save(session, str(weights), write_meta_graph=False, write_state=False)
        except tf.errors.OpError as error:
            why = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{weights}: cannot be written ({why}); make room") from None
        files = _checkpoint_files(weights)
        for file in files:
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
        sync_folder(weights.parent)
        _write_json(self.path / "best.json", dataclasses.asdict(best))
        for file in files:
            _link(file, self.best_prefix.with_name(self.best_prefix.name + file.suffix))
        for file in weights.parent.iterdir():
            if file not in files:
                file.unlink()

    def restore_best(self, session):
        """Loads the best weights into a session whose graph holds the model.

        Raises:
            CheckpointError: no weights are saved, or they cannot be read or do not fit.
        """
        best = self.best()
        if best is None:
            raise CheckpointError(f"{self.path}: no weights are saved here; train again")
        weights = self._weights(best.step)
        try:
            _check_shapes(tf.train.load_checkpoint(str(weights)), weights)
            tf.train.Saver().restore(session, str(weights))
        except (tf.errors.OpError, ValueError) as error:
            why = str(error).strip().splitlines()[0]
            raise CheckpointError(
                f"{weights}: the weights cannot be read ({why}); train again"
            ) from None

    def _weights(self, step):
        return self.path / "weights" / f"best-{step}"


def holds_weights(path):
    """Whether a folder holds a trained model, something to lose."""
    return (Path(path) / "best.json").exists()


def remove_run(path):
    """Removes the files of a run and nothing else; the folder and other files in it stay."""
    path = Path(path)
    for name in ("best.json", *_DESCRIPTION):
        (path / name).unlink(missing_ok=True)
    for pattern in ("best_validation.*", "bad_lines.*.jsonl"):
        for file in path.glob(pattern):
            file.unlink()
    if (path / "weights").is_dir():
        shutil.rmtree(path / "weights")


def _check_shapes(reader, weights):
    """Compares a checkpoint with the variables of the graph: Saver itself does not."""
    shapes = reader.get_variable_to_shape_map()
    for variable in tf.global_variables():
        name, expected = variable.op.name, variable.shape.as_list()
        found = shapes.get(name)
        if found != expected:
            raise CheckpointError(
                f"{weights}: {name} is {found or 'missing'}, the config makes it {expected}; "
                "restore config.json or train again"
            )


def _checkpoint_files(prefix):
    return sorted(prefix.parent.glob(prefix.name + ".*"))


def _link(source, target):
    """Gives a file a second name; copies it where the file system has no hard links."""
    temporary = target.with_name(target.name + ".part")
    temporary.unlink(missing_ok=True)
    try:
        os.link(source, temporary)
    except OSError:
        shutil.copyfile(source, temporary)
    temporary.replace(target)


def _write_json(path, value, indent=2):
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def _read_json(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); train again") from None
