"""Classifies text with a trained model: `python predict.py "some text"`, or a file of texts.

From another program: `from predict import CnnModel; CnnModel().predict("some text")`.
"""

import sys
from pathlib import Path

from cnn_model import TCNNConfig, TextCNN
from data.command import Parser, add_options, guard
from data.errors import ConfigError
from rnn_model import TextRNN, TRNNConfig
from textclf import original
from textclf.checkpoint import model_name
from textclf.prediction import Predictor
from textclf.prediction_flags import KINDS, PredictOptions

SAMPLES = (
    "这款微单相机的传感器升级到两千四百万像素，连拍速度提高一倍，低光下的照片噪点明显减少",
    "篮球联赛半决赛第三场今晚打响，主队队长伤愈复出，主帅赛前表示队员们训练状态很好，有信心拿下胜利",
)


class CnnModel(Predictor):
    """A trained TextCNN; see Predictor for what it can do."""

    config_class, model_class = TCNNConfig, TextCNN


class RnnModel(Predictor):
    """A trained TextRNN; see Predictor for what it can do."""

    config_class, model_class = TRNNConfig, TextRNN


PREDICTORS = dict(zip(KINDS, (CnnModel, RnnModel), strict=True))
CONFIG_CLASSES = tuple(predictor.config_class for predictor in PREDICTORS.values())


def main(arguments=None):
    """Classifies texts of the command line, of a file or of standard input.

    Args:
        arguments: list of str, or None for those of the process.

    Returns:
        int, the exit status.
    """
    parser = Parser(
        description="Classifies text with a trained model. "
        "Prints a line a text: category, probability, text, separated by tabs; "
        "with --output-format and --output, tables and JSON.",
        epilog="Loading TensorFlow takes a few seconds, however many texts there are.",
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="two samples if none is given")
    add_options(parser, PredictOptions, original.config_flags(*CONFIG_CLASSES))
    parsed = parser.parse_args(arguments)
    return guard(parser.prog, lambda: _predict(parsed))


def _predict(parsed):
    options = PredictOptions.from_flags(parsed)
    options.check()
    options.check_rows(parsed.texts, vars(parsed))
    predictor, run = _find_model(options, parsed)
    from textclf import bulk, output  # imports that a usage error need not wait for

    with (
        bulk.open_input(options, parsed.texts or SAMPLES) as given,
        output.open_output(options, given.can_be_resumed) as target,
        predictor(device=options.device, run=run) as model,
    ):
        bulk.classify(model, given, target, options)
    return 0


def _find_model(options, parsed):
    """The class of the model that flags name, and the model on disk."""
    if options.model not in (None, *KINDS):
        options.model, options.save_dir = None, options.model
    kind = options.model
    if kind is None and options.save_dir is not None:
        held = model_name(Path(options.save_dir))
        kind = next((k for k, p in PREDICTORS.items() if p.model_class.name == held), None)
    predictor = PREDICTORS[kind or KINDS[0]]
    given = original.given_config(parsed, *CONFIG_CLASSES)
    run = original.open_model(options, given, predictor.config_class, predictor.model_class)
    if options.top_k > len(run.categories):
        raise ConfigError(
            f"top_k {options.top_k}: the model has {len(run.categories)} categories; give fewer"
        )
    return predictor, run


if __name__ == "__main__":
    sys.exit(main())
