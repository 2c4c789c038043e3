"""What accuracies are compared by: intervals and McNemar's test."""

from data import lazy_numpy as np

_CONFIDENCE = 0.95


def mean_interval(values):
    """The mean of some values and half the width of its 95 % interval, by Student's t.

    Args:
        values: list of float.

    Returns:
        (float, float); None in place of the second one for a single value.
    """
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, None
    from scipy import stats

    quantile = stats.t.ppf((1 + _CONFIDENCE) / 2, len(values) - 1)
    return mean, float(quantile * np.std(values, ddof=1) / np.sqrt(len(values)))


def mcnemar(right, baseline_right):
    """McNemar's exact test of whether two classifiers are right equally often.

    Args:
        right, baseline_right: bool arrays [n], of the same documents.

    Returns:
        dict: only_model and only_baseline, the documents that one alone has right; p, two-sided.

    Source: McNemar 1947, Psychometrika 12(2); the exact form is the sign test.
    """
    from scipy import stats

    right, baseline_right = np.asarray(right), np.asarray(baseline_right)
    only_model = int((right & ~baseline_right).sum())
    only_baseline = int((baseline_right & ~right).sum())
    differ = only_model + only_baseline
    p = float(stats.binomtest(only_model, differ).pvalue) if differ else 1.0
    return {"only_model": only_model, "only_baseline": only_baseline, "p": p}


def f1_of(labels, predicted):
    """Macro-F1 over all categories of the labels; float in [0, 1]."""
    from sklearn.metrics import f1_score

    categories = sorted(set(labels))
    return float(f1_score(labels, predicted, average="macro", labels=categories, zero_division=0))
