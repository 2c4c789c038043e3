"""Classifies text with a trained model: `python predict.py "some text"`.

From another program: `from predict import CnnModel; CnnModel().predict("some text")`.
"""

import dataclasses
import sys

from cnn_model import TCNNConfig, TextCNN
from data.command import Parser, add_options, guard, remark
from data.options import option
from data.words import UNITS
from rnn_model import TextRNN, TRNNConfig
from textclf import export, exported, original
from textclf.flags import ModelOptions
from textclf.prediction import Predictor

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


PREDICTORS = {"cnn": CnnModel, "rnn": RnnModel}
CONFIG_CLASSES = tuple(predictor.config_class for predictor in PREDICTORS.values())


@dataclasses.dataclass
class PredictOptions(ModelOptions, export.ExportOptions):
    """What prediction needs."""

    model: str = option("cnn", "kind of model", group="model", choices=tuple(PREDICTORS))


def main(arguments=None):
    """Prints category, probability and text of every text, tab-separated.

    Args:
        arguments: list of str, or None for those of the process.

    Returns:
        int, the exit status.
    """
    parser = Parser(
        description="Classifies text with a trained model. "
        "Prints a line a text: category, probability, text, separated by tabs.",
        epilog="Loading TensorFlow takes a few seconds, however many texts there are. A model that "
        "was exported to the folder export of --save-dir answers without it.",
    )
    parser.add_argument("texts", nargs="*", metavar="TEXT", help="two samples if none is given")
    add_options(parser, PredictOptions, original.config_flags(*CONFIG_CLASSES))
    parsed = parser.parse_args(arguments)
    return guard(parser.prog, lambda: _predict(parsed))


def _predict(parsed):
    options, texts = PredictOptions.from_flags(parsed), parsed.texts or SAMPLES
    options.check()
    predictor = PREDICTORS[options.model]
    given = original.given_config(parsed, *CONFIG_CLASSES)
    if options.export is not None:
        return export.run(options, given, parsed.texts, predictor)
    with exported.open_model(options, given, predictor, len(texts)) as model:
        encoded = model.encode(texts)
        probabilities = model.score(encoded.ids)
        unit = UNITS[model.config.tokens]
        for text, row, count in zip(texts, probabilities, encoded.known, strict=True):
            if not count:
                remark(f"no known {unit.removesuffix('s')}, the category is a guess: {text!r}")
            best = row.argmax()
            print(f"{model.categories[best]}\t{row[best]:.2%}\t{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
