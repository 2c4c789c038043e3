"""The command line of the training scripts: `train` and `test`.

A script hands its config and model classes to `main`; everything else is the same for all models.
"""

import contextlib
import signal
import time
from pathlib import Path

from data.command import EXIT_INTERRUPTED, Parser, add_options, guard, remark
from textclf import loading, runtime
from textclf import tensorflow_v1 as tf
from textclf.checkpoint import CheckpointError, RunDirectory, holds_weights
from textclf.flags import TENSORBOARD_DIR, TestOptions, TrainOptions, default_save_dir


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


def train(parsed, config_class, model_class):
    """`train`: learns from the training split, keeps the weights best on the validation split."""
    options, config = TrainOptions.from_flags(parsed), config_class.from_flags(parsed)
    options.check()
    config.check()
    from textclf import console, training  # imports that a usage error need not wait for

    print("Configuring TensorBoard and Saver...", flush=True)
    save_dir = Path(options.save_dir or default_save_dir(model_class))
    if holds_weights(save_dir) and not options.overwrite:
        raise CheckpointError(
            f"{save_dir}: holds a trained model already; "
            "give --overwrite to replace it, or another --save-dir"
        )
    options.data_dir = str(loading.training_path(options))

    print("Loading training and validation data...", flush=True)
    with console.time_usage():
        data = loading.load_training(Path(options.data_dir), options, config, vars(parsed))

    session_config = runtime.configure(options.device, deterministic=True)
    with runtime.seeded_graph(options.seed).as_default() as graph:
        model = model_class(config)
    run = RunDirectory.create(
        save_dir,
        model_class.name,
        config,
        data.words,
        data.categories,
        seed=options.seed,
        data_options=options.values_of("data"),
        division=data.division,
    )
    run.save_bad_lines("train", data.bad_lines)
    board_dir = _new_folder(TENSORBOARD_DIR / model_class.name)

    print("Training and evaluating...", flush=True)
    with (
        graph.as_default(),
        tf.Session(graph=graph, config=session_config) as session,
        console.TrainingPrinter() as printer,
        contextlib.closing(training.TrainingCurves(board_dir, graph)) as curves,
    ):
        trainer = training.Trainer(
            model, run, data.train, data.val, seed=options.seed, curves=curves, listener=printer
        )
        with _stopping_at_ctrl_c(trainer):
            outcome = trainer.train(session)
    return _report_outcome(outcome, run, board_dir, console)


@contextlib.contextmanager
def _stopping_at_ctrl_c(trainer):
    """Within the block the first Ctrl-C asks the trainer to stop; a second one stops at once."""

    def ask(*_):
        signal.signal(signal.SIGINT, before)
        remark("Stopping after this batch; Ctrl-C again to stop at once.")
        trainer.stop()

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


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
        remark(f"Stopped at step {outcome.steps}; nothing was saved in {run.path}.")
        return EXIT_INTERRUPTED
    verb = "Stopped" if outcome.reason == "interrupted" else "Done"
    remark(
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
    options.inherit(run.data_options, parsed)
    options.check()

    print("Loading test data...", flush=True)
    with console.time_usage():
        documents, bad_lines = loading.load_test(run, options)
        x, y = loading.encode(documents, run.words, run.categories, run.config)
        run.save_bad_lines("test", bad_lines)
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
