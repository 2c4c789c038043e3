"""Any number of categories for a document: each is predicted by itself, by a sigmoid.

Axes: n documents, C categories.

Source: Nam et al. 2014, Large-scale Multi-label Text Classification - Revisiting Neural Networks,
arXiv:1312.5419, for sigmoids and cross-entropy in place of a ranking loss.
"""

import dataclasses

from data import lazy_numpy as np
from textclf import tensorflow_v1 as tf

HALF = 0.5  # threshold of every category until validation has chosen better ones


def cross_entropies(labels, logits):
    """The loss of each document: the SUM over the categories of the sigmoid cross-entropy, in nats.

    A mean over the categories would make every gradient smaller by their number, and a learning
    rate that suits ten of them would not suit a hundred.

    Args:
        labels: float32 [batch, C], 1 for each label of a document, else 0.
        logits: float32 [batch, C].

    Returns:
        float32 [batch].
    """
    each = tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)  # [batch, C]
    return tf.reduce_sum(each, axis=1)


def are_right(labels, probabilities):
    """Whether the set of categories with a probability of at least a half is that of the labels.

    Args:
        labels, probabilities: float32 [batch, C].

    Returns:
        bool [batch].
    """
    given = tf.greater_equal(probabilities, HALF)  # [batch, C]
    return tf.reduce_all(tf.equal(given, tf.greater(labels, HALF)), axis=1)


def given_sets(probabilities, thresholds):
    """Which categories each document is given: those that reach their threshold.

    Args:
        probabilities: float32 array [n, C].
        thresholds: float32 array [C], or a float for all.

    Returns:
        bool array [n, C].
    """
    return probabilities >= np.asarray(thresholds, dtype=np.float32)


def label_lists(probabilities, thresholds, categories):
    """The categories each document is given, as lists.

    Args:
        probabilities, thresholds: see `given_sets`.
        categories: list of C str.

    Returns:
        list of n lists of str, the most probable first; empty where none reaches its threshold.
    """
    given = given_sets(probabilities, thresholds)
    order = (-probabilities).argsort(axis=1, kind="stable")  # [n, C]
    return [
        [categories[column] for column in columns if row[column]]
        for row, columns in zip(given.tolist(), order.tolist(), strict=True)
    ]


def answers(probabilities, thresholds, categories):
    """What a model answers: list of n str, or of n lists as in `label_lists`.

    Args:
        probabilities: float32 array [n, C].
        thresholds: see `given_sets`; None for a model that gives one category.
        categories: list of C str.
    """
    if thresholds is None:
        return [categories[index] for index in probabilities.argmax(axis=1)]
    return label_lists(probabilities, thresholds, categories)


def best_ids(probabilities, thresholds):
    """The category that speaks for a document: the most probable of those it is given, or of all if
    it is given none.

    Args:
        probabilities: float array [n, C].
        thresholds: see `given_sets`; None for a model that gives one category.

    Returns:
        int array [n].
    """
    if thresholds is None:
        return probabilities.argmax(axis=1)
    # Probabilities are at most 1, so that all of a set come before all others.
    return (probabilities + 2.0 * given_sets(probabilities, thresholds)).argmax(axis=1)


@dataclasses.dataclass(frozen=True)
class Counts:
    """Documents by what they have and what they are given: true or false, positive or negative.

    Attributes:
        true_positives, false_positives, false_negatives, true_negatives: int arrays [C], of
            each category; or [n], of each document over the categories.
    """

    true_positives: "np.ndarray"
    false_positives: "np.ndarray"
    false_negatives: "np.ndarray"
    true_negatives: "np.ndarray"

    @classmethod
    def of(cls, labels, given, axis=0):
        """Counts along an axis of two bool arrays [n, C]."""
        return cls(
            (labels & given).sum(axis=axis),
            (~labels & given).sum(axis=axis),
            (labels & ~given).sum(axis=axis),
            (~labels & ~given).sum(axis=axis),
        )

    def f1(self):
        """2 TP / (2 TP + FP + FN), float array; 0 where nothing is and nothing is given."""
        double = 2 * self.true_positives
        return double / np.maximum(double + self.false_positives + self.false_negatives, 1)

    def total(self):
        """The sums over all of them, as Counts."""
        return Counts(*(np.asarray(values.sum()) for values in vars(self).values()))


@dataclasses.dataclass(frozen=True)
class SetEvaluation:
    """What a model of several labels makes of a split of n documents.

    Attributes:
        loss: float, mean over the documents of the sum over the categories, see `cross_entropies`.
        labels: bool array [n, C], what the documents have.
        probabilities: float32 array [n, C].
        thresholds: see `given_sets`.
    """

    loss: float
    labels: "np.ndarray"
    probabilities: "np.ndarray"
    thresholds: "np.ndarray | float" = HALF

    @property
    def given(self):
        """bool array [n, C], what the documents are given."""
        return given_sets(self.probabilities, self.thresholds)

    @property
    def accuracy(self):
        """Subset accuracy: share of the documents whose set is right as a whole, float."""
        return float((self.labels == self.given).all(axis=1).mean())

    @property
    def hamming_loss(self):
        """Share of all pairs of document and category that are wrong, float."""
        return float((self.labels != self.given).mean())

    @property
    def micro_f1(self):
        """F1 of all pairs of document and category, float."""
        return float(Counts.of(self.labels, self.given).total().f1())

    @property
    def macro_f1(self):
        """The mean of the categories' F1, float."""
        return float(Counts.of(self.labels, self.given).f1().mean())

    @property
    def samples_f1(self):
        """The mean of the documents' F1, float."""
        return float(Counts.of(self.labels, self.given, axis=1).f1().mean())
