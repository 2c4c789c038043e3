"""From data options to arrays, with a remark about everything that is left out on the way."""

import dataclasses
import functools
import itertools
from pathlib import Path

from data import label_sets
from data import lazy_numpy as np
from data.cnews_loader import order_categories
from data.command import remark
from data.documents import describe_bad_lines, look_alikes
from data.encoding import Encoded, Encoder, encode_labels
from data.errors import ConfigError, DataError
from data.formats import read_documents
from data.splits import Division, find_split, is_single, read_splits
from data.vectors import WordVectors
from data.vocabulary import count_words
from data.words import UNITS
from textclf import embedding, ngrams
from textclf.flags import CNEWS_DIR, SAMPLE_DIR

_MOST_LISTED = 10  # categories in a remark


@dataclasses.dataclass
class TrainingData:
    """What a training starts from.

    Attributes:
        train, val: (ids int32 [n, seq_length], labels float32 [n, num_classes], see `encode`).
        val_encoded: Encoded, the texts of `val`.
        words, categories: list of str in id order.
        division: Division if a single source was divided, else None.
        bad_lines: list of BadLine that were left out.
        fingerprints: dict from split to Documents.fingerprint(), and from "vectors" to
            WordVectors.digest() if training begins with some.
        vectors: WordVectors that training begins with, or None.
    """

    train: "tuple[np.ndarray, np.ndarray]"
    val: "tuple[np.ndarray, np.ndarray]"
    val_encoded: Encoded
    words: list
    categories: list
    division: Division | None
    bad_lines: list
    fingerprints: dict
    vectors: WordVectors | None = None


def training_path(options):
    """Path of the training data; with a remark if that is the bundled corpus."""
    if options.data_dir is not None:
        return Path(options.data_dir)
    if any(CNEWS_DIR.glob("[!.]*")):  # a build of it that was stopped leaves a hidden folder
        return CNEWS_DIR
    here = Path.cwd()
    sample = SAMPLE_DIR.relative_to(here) if SAMPLE_DIR.is_relative_to(here) else SAMPLE_DIR
    remark(
        f"{CNEWS_DIR} is absent: using the bundled sample corpus, {sample}; "
        "README.md tells how to get the real CNews set"
    )
    return sample


def load_training(path, options, config, chosen):
    """Reads the training and validation split; config.num_classes and vocab_size follow them.

    Args:
        path: Path, see read_splits.
        options: TrainOptions.
        config: ClassifierConfig.
        chosen: collection of str, the options that were asked for and are not defaults: they
            must fit the data.

    Returns:
        TrainingData.

    Raises:
        DataError, ConfigError: the data cannot be used, or not with these options.
    """
    splits, division = read_splits(
        path, ["train", "val"], options, options.seed, multi_label=config.multi_label
    )
    for name in ("val_fraction", "test_fraction"):
        if division is None and name in chosen:
            raise ConfigError(f"{name}: {path} is divided already; leave the flag out")
    bad_lines = leave_out_bad_lines(splits.values(), options.skip_bad_lines)
    train, val = splits["train"], splits["val"]
    if not val.texts:
        raise DataError(f"{val.name}: no document to validate with; give more, or --val-fraction")
    point_out_look_alikes([train, val], config.multi_label)
    categories = _follow_categories(train, config, "num_classes" in chosen)
    words = count_words(
        train.texts,
        config.vocab_size,
        tokens=config.tokens,
        min_count=config.min_count,
        oov=config.oov,
    )
    config.vocab_size = len(words)
    train_encoded, train_labels = encode(train, words, categories, config)
    val_encoded, val_labels = encode(val, words, categories, config)
    if config.ngrams:
        ngrams.settle(config, train_encoded.ids)
    fingerprints = {name: documents.fingerprint() for name, documents in splits.items()}
    vectors = None
    if config.embedding_file is not None:
        dim = config.embedding_dim if "embedding_dim" in chosen else None
        vectors = embedding.read(config, words, train_encoded.ids, dim)
        fingerprints["vectors"] = vectors.digest()
        config.embedding_dim = vectors.dim
    return TrainingData(
        train=(train_encoded.ids, train_labels),
        val=(val_encoded.ids, val_labels),
        val_encoded=val_encoded,
        words=words,
        categories=categories,
        division=division,
        bad_lines=bad_lines,
        fingerprints=fingerprints,
        vectors=vectors,
    )


def class_weights(labels, config):
    """The weights that config.class_weights asks for; None for none. See `balanced_weights`."""
    return balanced_weights(labels) if config.class_weights == "balanced" else None


def describe_weights(weights, categories):
    """Class weights in a line, str: all of few, the extremes of many."""
    named = sorted(zip(weights, categories, strict=True))
    listed = [f"{category} {weight:.3g}" for weight, category in named]
    if len(listed) > _MOST_LISTED:
        listed = [listed[0], "...", listed[-1]]
    return (
        f"The loss of a training document is weighted by category: {', '.join(listed)}; "
        "losses are printed without weights"
    )


def balanced_weights(labels):
    """How much a document of each category counts, if all categories are to count alike.

    The weight of category c is n / (num_classes * n_c) for n_c of n documents; over the documents
    the weights have a mean of 1.

    Args:
        labels: float32 array [n, num_classes], one-hot; every category has a document.

    Returns:
        list of num_classes float, in id order.

    Source: King and Zeng 2001, Logistic Regression in Rare Events Data, Political Analysis 9(2).
    """
    counts = labels.sum(axis=0, dtype=np.float64)  # [num_classes]
    return (len(labels) / (len(counts) * counts)).tolist()


def load_again(run, options):
    """Reads the training and validation split of a run that is resumed.

    Args:
        run: RunDirectory.
        options: TrainOptions; its data_dir may name another copy of the data.

    Returns:
        TrainingData.

    Raises:
        DataError: the data cannot be used, or is not what the run was trained with.
    """
    path = Path(options.data_dir)
    if run.division is not None:
        documents = read_documents(path, options, multi_label=run.config.multi_label)
        parts = run.division.parts(documents)
        splits = {name: parts[name] for name in ("train", "val")}
    else:
        splits, _ = read_splits(
            path,
            ["train", "val"],
            options,
            options.seed,
            multi_label=run.config.multi_label,
        )
    bad_lines = leave_out_bad_lines(splits.values(), options.skip_bad_lines)
    for name, documents in splits.items():
        if documents.fingerprint() != run.origin.fingerprints[name]:
            raise DataError(
                f"{documents.name}: not as it was when this training began, and a resumed one "
                "needs the same data; restore it, or train anew with another --save-dir"
            )
    train, train_labels = encode(splits["train"], run.words, run.categories, run.config)
    val, val_labels = encode(splits["val"], run.words, run.categories, run.config)
    vectors = None
    if run.config.embedding_file is not None and not run.weights.snapshots:
        vectors = embedding.read_again(run, train.ids)
    return TrainingData(
        train=(train.ids, train_labels),
        val=(val.ids, val_labels),
        val_encoded=val,
        words=run.words,
        categories=run.categories,
        division=run.division,
        bad_lines=bad_lines,
        fingerprints=run.origin.fingerprints,
        vectors=vectors,
    )


def load_test(run, options):
    """Reads the test split.

    Args:
        run: RunDirectory.
        options: TestOptions; without data_dir, the data is that of the run's training.

    Returns:
        (documents, bad_lines): Documents, list of BadLine that were left out.

    Raises:
        DataError: the data cannot be used.
    """
    path = Path(options.data_dir or run.origin.data["data_dir"])
    read = functools.partial(read_documents, options=options, multi_label=run.config.multi_label)
    if not is_single(path, options):
        documents = read(find_split(path, "test"))
        return documents, leave_out_bad_lines([documents], options.skip_bad_lines)
    whole = read(path)
    bad_lines = leave_out_bad_lines([whole], options.skip_bad_lines)
    if run.division is None or not _is_divided(whole, run.division):
        remark(f"{path}: a single file, all of it is tested")
        return whole, bad_lines
    documents = run.division.parts(whole)["test"]
    if not documents.texts:
        raise DataError(f"{path}: training left no test documents (--test-fraction 0)")
    return documents, bad_lines


def _is_divided(documents, division):
    """Whether these are the documents (or the file) that training divided."""
    same_file = documents.path.resolve() == Path(division.source).resolve()
    return same_file or documents.fingerprint() == division.fingerprint


def leave_out_bad_lines(sources, skip):
    """Reports the bad lines of some Documents; they stop the run unless `skip`.

    Returns:
        list of BadLine.

    Raises:
        DataError: there are bad lines and `skip` is False.
    """
    sources = list(sources)
    report = describe_bad_lines(sources)
    if report and not skip:
        raise DataError("\n".join([*report, "mend them, or leave them out: --skip-bad-lines"]))
    for line in report:
        remark(line)
    return [bad for documents in sources for bad in documents.bad_lines]


def point_out_look_alikes(sources, multi_label=False):
    """Remarks on labels that may be meant to be the same, or to be several."""
    counts, places = {}, {}
    for documents in sources:
        for index, written in enumerate(documents.labels):
            for label in label_sets.labels_in(written, multi_label):
                counts[label] = counts.get(label, 0) + 1
                places.setdefault(label, documents.place(index))
    for group in look_alikes(counts):
        listed = ", ".join(f"{label!r} ({counts[label]}, {places[label]})" for label in group)
        remark(
            f"labels that differ only in width, case or spaces: {listed}; mend them if they are one"
        )
    if multi_label and (found := label_sets.find_separators(counts)):
        listed = ", ".join(f"{label!r} ({places[label]})" for label in found[:_MOST_LISTED])
        remark(f"only a comma separates labels, so each of these is one: {listed}")


def encode(documents, words, categories, config):
    """Turns documents into arrays and remarks on what is left out.

    Returns:
        (encoded, labels): Encoded, one-hot float32 [n, num_classes]; with config.multi_label, 1 for
        each label of a document.
    """
    encode_all = label_sets.encode_label_sets if config.multi_label else encode_labels
    labels = encode_all(documents, {name: index for index, name in enumerate(categories)})
    encoded = encoder(words, config).encode(documents.texts)
    unit = UNITS[config.tokens]
    count = len(documents)
    notes = [f"{documents.name}: {count} documents"]
    if config.multi_label:
        notes.append(label_sets.describe(labels))
    if encoded.truncated:
        end = {"tail": "from the end", "head": "from the beginning"}[config.truncate]
        notes.append(
            f"{encoded.truncated / count:.1%} are longer than {config.seq_length} {unit} and "
            f"are read {end}"
        )
    if encoded.unknown_share:
        fate = {"drop": "left out", "unk": "read as one word"}[config.oov]
        notes.append(
            f"{encoded.unknown_share:.2%} of the {unit} are outside the vocabulary and {fate}"
        )
    if encoded.empty:
        notes.append(f"{encoded.empty} have no known {unit} at all")
    remark("; ".join(notes))
    return encoded, labels


def encoder(words, config):
    """The Encoder of a vocabulary and a ClassifierConfig."""
    return Encoder(
        {word: index for index, word in enumerate(words)},
        config.seq_length,
        tokens=config.tokens,
        oov=config.oov,
        truncate=config.truncate,
    )


def _follow_categories(documents, config, chosen):
    """The categories of the training split; config.num_classes follows them."""
    labels = (label_sets.labels_in(label, config.multi_label) for label in documents.labels)
    categories = order_categories(itertools.chain.from_iterable(labels))
    listed = ", ".join(categories)
    if chosen and config.num_classes != len(categories):
        raise ConfigError(
            f"num_classes {config.num_classes}: {documents.name} has {len(categories)} categories "
            f"({listed}); leave --num-classes out"
        )
    if len(categories) < 2:
        raise DataError(
            f"{documents.name}: {f'only one category ({listed})' if listed else 'no label at all'};"
            " a classifier needs at least two"
        )
    config.num_classes = len(categories)
    return categories
