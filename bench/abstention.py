"""Whether probabilities are calibrated and --max-error is kept:
`python -m bench.abstention --save-dir DIR`.

The validation and test documents of a trained CNN are scored once. Then they are divided anew at
random, in parts of the same sizes: one chooses temperature and threshold, the other one is judged.
"""

import argparse
import dataclasses

import numpy as np

from data.encoding import Encoded
from data.words import UNITS
from predict import CnnModel
from textclf import loading
from textclf.abstention import Abstainer, AbstainOptions
from textclf.calibration import (
    Calibration,
    at_temperature,
    expected_calibration_error,
    negative_log_likelihood,
)
from textclf.checkpoint import RunDirectory
from textclf.flags import TestOptions, TrainOptions

BUDGETS = (0.05, 0.02, 0.01)


@dataclasses.dataclass
class Scored:
    """Documents: probabilities [n, num_classes] at temperature 1, label_ids [n], Encoded."""

    probabilities: np.ndarray
    label_ids: np.ndarray
    encoded: Encoded

    def part(self, rows):
        arrays = (self.encoded.ids, self.encoded.words, self.encoded.known)
        encoded = Encoded(*(array[rows] for array in arrays))
        return Scored(self.probabilities[rows], self.label_ids[rows], encoded)


def score(run, model):
    """The validation and then the test documents of a run.

    Returns:
        (Scored, int): how many are for validation.
    """
    options = TestOptions()
    options.inherit(run.origin.data, argparse.Namespace())
    validation = loading.load_again(run, TrainOptions(**run.origin.data))
    documents, _ = loading.load_test(run, options)
    test, labels = loading.encode(documents, run.words, run.categories, run.config)
    pairs = (
        [getattr(encoded, name) for encoded in (validation.val_encoded, test)]
        for name in ("ids", "words", "known")
    )
    encoded = Encoded(*map(np.concatenate, pairs))
    label_ids = np.concatenate([validation.val[1], labels]).argmax(axis=1)
    return Scored(model.score(encoded.ids), label_ids, encoded), len(validation.val[1])


def judge(chosen_by, judged, max_error, run):
    """Shares of `judged` that get an answer, and of the answers that are wrong."""
    calibration = Calibration.measure(
        chosen_by.probabilities, chosen_by.label_ids, chosen_by.encoded
    )
    probabilities = at_temperature(judged.probabilities, calibration.temperature)
    options, unit = AbstainOptions(max_error=max_error), UNITS[run.config.tokens]
    abstainer = Abstainer(options, calibration, run.categories, unit)
    reasons = abstainer.reasons(probabilities, judged.encoded)
    has_answer = np.array([reason is None for reason in reasons])
    is_wrong = has_answer & (probabilities.argmax(axis=1) != judged.label_ids)
    return has_answer.mean(), is_wrong.sum() / max(1, has_answer.sum())


def print_calibration(name, part, temperature):
    after = at_temperature(part.probabilities, temperature)
    for measure in (expected_calibration_error, negative_log_likelihood):
        values = [measure(p, part.label_ids) for p in (part.probabilities, after)]
        print("{}: {} {:.4f}, calibrated {:.4f}".format(name, measure.__name__, *values))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--save-dir", required=True)
    parser.add_argument("--draws", type=int, default=20, help="divisions (default 20)")
    arguments = parser.parse_args()
    run = RunDirectory.open(arguments.save_dir, CnnModel.model_class.name, CnnModel.config_class)
    with CnnModel(run=run) as model:
        temperature, model.temperature = model.temperature, 1.0
        scored, count = score(run, model)
    rows = np.arange(len(scored.label_ids))
    validation, test = scored.part(rows[:count]), scored.part(rows[count:])
    print_calibration("validation", validation, temperature)
    print_calibration("test", test, temperature)
    for max_error in BUDGETS:
        print("max_error", max_error)
        print(
            "  test: answered {:.1%}, wrong {:.2%}".format(*judge(validation, test, max_error, run))
        )
        random = np.random.default_rng(1)
        draws = []
        for _ in range(arguments.draws):
            order = random.permutation(rows)
            parts = scored.part(order[:count]), scored.part(order[count:])
            draws.append(judge(*parts, max_error, run))
        answered, wrong = np.transpose(draws)
        print(
            f"  {len(draws)} draws: answered {answered.mean():.1%}, wrong {wrong.mean():.2%} "
            f"on average, more than {max_error} in {np.count_nonzero(wrong > max_error)}"
        )


if __name__ == "__main__":
    main()
