"""The command line of the training scripts: `train` and `test`.

A script hands its config and model classes to `main`; everything else is the same for all models.
Exit status: 0 success, 1 failure, 2 usage, 130 stopped by Ctrl-C.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

from data.cnews_loader import encode_labels, encode_texts, order_categories
from data.documents import DataError, find_split, read_documents
from data.vocabulary import count_words
from textclf import runtime
from textclf import tensorflow_v1 as tf
from textclf.checkpoint import CheckpointError, RunDirectory, holds_weights
from textclf.config import ConfigError
from textclf.flags import (
    CNEWS_DIR,
    EXIT_USAGE,
    SAMPLE_DIR,
    TENSORBOARD_DIR,
    Parser,
    TestOptions,
    TrainOptions,
    add_options,
    default_save_dir,
)

EXIT_FAILURE, EXIT_INTERRUPTED = 1, 130


def main(config_class, model_class, arguments=None):
    """Runs a training script.

    Args:
        config_class: subclass of ClassifierConfig.
        model_class: subclass of TextClassifier.
        arguments: list of str, or None for those of the process.

    Returns:
        int, the exit status.
    """
    parser = _build_parser(config_class, model_class)
    parsed = parser.parse_args(arguments)
    return guard(parser.prog, lambda: parsed.run(parsed, config_class, model_class))


def guard(program, run):
    """Calls `run` and turns what can go wrong into one line on stderr and an exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that cannot show a character shows its code
            stream.reconfigure(errors="backslashreplace")
    try:
        status = run()
        sys.stdout.flush()
        return status
    except ConfigError as error:
        return _fail(program, error, EXIT_USAGE)
    except (DataError, CheckpointError, runtime.DeviceError) as error:
        return _fail(program, error, EXIT_FAILURE)
    except BrokenPipeError:  # the reader of our output has gone; there is nobody to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILURE
    except OSError as error:
        place = f"{error.filename}: " if error.filename else ""
        return _fail(program, f"{place}{error.strerror or error}", EXIT_FAILURE)
    except KeyboardInterrupt:
        return _fail(program, "stopped by Ctrl-C", EXIT_INTERRUPTED)


def _fail(program, message, status):
    sys.stdout.flush()
    print(f"{program}: error: {message}", file=sys.stderr, flush=True)
    return status


def _build_parser(config_class, model_class):
    parser = Parser(
        description=f"Trains and tests a {model_class.__name__} on labelled text.",
        epilog="Each command has its own --help.",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="train|test")
    for run, help_text, classes in (
        (train, "train a model and keep the best weights", (TrainOptions, config_class)),
        (test, "test the trained model on the test split", (TestOptions,)),
    ):
        command = commands.add_parser(run.__name__, help=help_text, description=help_text)
        command.set_defaults(run=run)
        add_options(command, *classes)
    return parser


def _training_data_dir(options, console):
    if options.data_dir is not None:
        return Path(options.data_dir)
    if CNEWS_DIR.is_dir():
        return CNEWS_DIR
    here = Path.cwd()
    sample = SAMPLE_DIR.relative_to(here) if SAMPLE_DIR.is_relative_to(here) else SAMPLE_DIR
    console.remark(
        f"{CNEWS_DIR} is absent: using the bundled sample corpus, {sample}; "
        "README.md tells how to get the real CNews set"
    )
    return sample


def _read(data_dir, split, console):
    """Reads a split and reports its bad lines."""
    documents = read_documents(find_split(data_dir, split))
    for line in documents.report():
        console.remark(line)
    return documents


def _encode(documents, words, categories, seq_length, console):
    """Turns documents into arrays (ids, one-hot labels) and reports what is left out."""
    labels = encode_labels(documents, {name: index for index, name in enumerate(categories)})
    word_to_id = {word: index for index, word in enumerate(words)}
    encoded = encode_texts(documents.texts, word_to_id, seq_length)
    count = len(documents.texts)
    notes = [f"{documents.path}: {count} documents"]
    if encoded.truncated:
        notes.append(
            f"{encoded.truncated / count:.1%} are longer than {seq_length} characters and "
            "are read from the end"
        )
    if encoded.unknown:
        notes.append(
            f"{encoded.unknown / encoded.characters:.2%} of the characters are outside the "
            "vocabulary and left out"
        )
    if encoded.empty:
        notes.append(f"{encoded.empty} have no known character at all")
    console.remark("; ".join(notes))
    return encoded.ids, labels


def train(parsed, config_class, model_class):
    """`train`: learns from the training split, keeps the weights best on the validation split."""
    options, config = TrainOptions.from_flags(parsed), config_class.from_flags(parsed)
    config.check()
    from textclf import console, training  # imports that a usage error need not wait for

    print("Configuring TensorBoard and Saver...", flush=True)
    save_dir = Path(options.save_dir or default_save_dir(model_class))
    if holds_weights(save_dir) and not options.overwrite:
        raise CheckpointError(
            f"{save_dir}: holds a trained model already; "
            "give --overwrite to replace it, or another --save-dir"
        )
    data_dir = _training_data_dir(options, console)

    print("Loading training and validation data...", flush=True)
    with console.time_usage():
        documents = _read(data_dir, "train", console)
        validation = _read(data_dir, "val", console)
        categories = _follow_categories(documents, config, "num_classes" in vars(parsed))
        words = count_words(documents.texts, config.vocab_size)
        config.vocab_size = len(words)
        train_data = _encode(documents, words, categories, config.seq_length, console)
        val_data = _encode(validation, words, categories, config.seq_length, console)

    session_config = runtime.configure(options.device, deterministic=True)
    with runtime.seeded_graph(options.seed).as_default() as graph:
        model = model_class(config)
    run = RunDirectory.create(
        save_dir,
        model_class.name,
        config,
        words,
        categories,
        seed=options.seed,
        data_dir=data_dir,
    )
    board_dir = _new_folder(TENSORBOARD_DIR / model_class.name)

    print("Training and evaluating...", flush=True)
    with (
        graph.as_default(),
        tf.Session(graph=graph, config=session_config) as session,
        console.TrainingPrinter() as printer,
        contextlib.closing(training.TrainingCurves(board_dir, graph)) as curves,
    ):
        trainer = training.Trainer(
            model, run, train_data, val_data, seed=options.seed, curves=curves, listener=printer
        )
        with _stopping_at_ctrl_c(trainer, console):
            outcome = trainer.train(session)
    return _report_outcome(outcome, run, board_dir, console)


@contextlib.contextmanager
def _stopping_at_ctrl_c(trainer, console):
    """Within the block the first Ctrl-C asks the trainer to stop; a second one stops at once."""

    def ask(*_):
        signal.signal(signal.SIGINT, before)
        console.remark("Stopping after this batch; Ctrl-C again to stop at once.")
        trainer.stop()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _follow_categories(documents, config, chosen):
    """The categories of the training split; config.num_classes follows them.

    Args:
        chosen: bool, whether config.num_classes was asked for and must therefore be right.
    """
    categories = order_categories(documents.labels)
    listed = ", ".join(categories)
    if chosen and config.num_classes != len(categories):
        raise ConfigError(
            f"num_classes {config.num_classes}: {documents.path} has {len(categories)} categories "
            f"({listed}); leave --num-classes out"
        )
    if len(categories) < 2:
        raise DataError(
            f"{documents.path}: only one category ({listed}); a classifier needs at least two"
        )
    config.num_classes = len(categories)
    return categories


def _new_folder(parent):
    """A folder of this run's own, named by the time of day."""
    name = time.strftime("%Y%m%d-%H%M%S")
    number = 1
    while True:
        folder = parent / (name if number == 1 else f"{name}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def _report_outcome(outcome, run, board_dir, console):
    if outcome.reason == "early":
        print(console.EARLY_STOP_LINE, flush=True)
    if outcome.best is None:
        console.remark(f"Stopped at step {outcome.steps}; nothing was saved in {run.path}.")
        return EXIT_INTERRUPTED
    verb = "Stopped" if outcome.reason == "interrupted" else "Done"
    console.remark(
        f"{verb} at step {outcome.steps}. {run.path} holds the weights of step "
        f"{outcome.best.step}, validation accuracy {outcome.best.val_accuracy:.2%}; "
        f"curves: tensorboard --logdir {board_dir}"
    )
    return EXIT_INTERRUPTED if outcome.reason == "interrupted" else 0


def test(parsed, config_class, model_class):
    """`test`: scores the best weights on the test split."""
    options = TestOptions.from_flags(parsed)
    from textclf import console, evaluation

    run = RunDirectory.open(
        options.save_dir or default_save_dir(model_class), model_class.name, config_class
    )
    data_dir = Path(options.data_dir or run.data_dir)

    print("Loading test data...", flush=True)
    with console.time_usage():
        documents = _read(data_dir, "test", console)
        x, y = _encode(documents, run.words, run.categories, run.config.seq_length, console)
        session_config = runtime.configure(options.device)
        with (
            runtime.seeded_graph().as_default() as graph,
            tf.Session(graph=graph, config=session_config) as session,
        ):
            model = model_class(run.config, training=False)
            run.restore_best(session)
            print("Testing...", flush=True)
            result = evaluation.evaluate(session, model, x, y)
        print(console.TEST_LINE.format(result.loss, result.accuracy))
        print("Precision, Recall and F1-Score...")
        print(evaluation.classification_report(result, run.categories))
        print("Confusion Matrix...")
        print(evaluation.confusion_matrix(result, len(run.categories)))
    return 0
