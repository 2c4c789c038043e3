"""One pass over a split: loss, accuracy, and what the model says of every document."""

import dataclasses

import numpy as np

from data.cnews_loader import batch_iter

BATCH_SIZE = 128


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a model makes of a split of n documents.

    Attributes:
        loss: float, mean cross-entropy in nats.
        accuracy: float in [0, 1].
        label_ids: int64 array [n], the true categories.
        predicted_ids: int64 array [n].
    """

    loss: float
    accuracy: float
    label_ids: np.ndarray
    predicted_ids: np.ndarray


def evaluate(session, model, x, y, batch_size=BATCH_SIZE, *, after_batch=lambda: None):
    """Evaluates without dropout, in file order.

    Args:
        session: tf.Session with the model's variables.
        model: TextClassifier.
        x: int32 array [n, seq_length], n >= 1.
        y: float32 array [n, num_classes], one-hot.
        batch_size: int, documents in a forward pass; the result does not depend on it.
        after_batch: function called after every batch; what it raises ends the evaluation.

    Returns:
        Evaluation.
    """
    total_loss = 0.0
    predicted = []
    for x_batch, y_batch in batch_iter(x, y, batch_size, shuffle=False):
        loss, predicted_batch = session.run(
            [model.loss, model.y_pred_cls], model.feed(x_batch, y_batch)
        )
        total_loss += float(loss) * len(x_batch)
        predicted.append(predicted_batch)
        after_batch()
    predicted_ids = np.concatenate(predicted)
    label_ids = np.argmax(y, axis=1)
    accuracy = float(np.mean(predicted_ids == label_ids))
    return Evaluation(total_loss / len(x), accuracy, label_ids, predicted_ids)


def classification_report(evaluation, categories):
    """Precision, recall, F1 and support of every category, as scikit-learn prints them.

    A category that no document has, or that is never predicted, has a line of its own with 0.
    """
    from sklearn import metrics  # slow to import, needed here alone

    return metrics.classification_report(
        evaluation.label_ids,
        evaluation.predicted_ids,
        labels=range(len(categories)),
        target_names=categories,
        zero_division=0,
    )


def confusion_matrix(evaluation, num_classes):
    """Counts documents.

    Returns:
        int64 array [num_classes, num_classes]: row = true category, column = predicted one.
    """
    matrix = np.zeros((num_classes, num_classes), dtype=np.int64)
    np.add.at(matrix, (evaluation.label_ids, evaluation.predicted_ids), 1)
    return matrix
