"""The validation score that is watched: it chooses the best weights and stops the training."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Score:
    """A score of the validation split.

    Attributes:
        field: str, its name in Progress and Best.
        sign: int, 1 if more is better, -1 if less is.
        text: str, a format for its value.
    """

    field: str
    sign: int
    text: str

    def is_better(self, new, old, draw=False):
        """Whether an evaluation is better than another one.

        Args:
            new: Progress or Best.
            old: the same, or None for none yet.
            draw: bool, what to say if both are equal.
        """
        if old is None:
            return True
        gain = self.sign * (getattr(new, self.field) - getattr(old, self.field))
        return gain > 0 or (draw and gain == 0)

    def describe(self, best):
        """What it is in words, str."""
        return self.text.format(getattr(best, self.field))


MONITORS = {
    "accuracy": Score("val_accuracy", 1, "validation accuracy {:.2%}"),
    "macro-f1": Score("val_macro_f1", 1, "validation macro-F1 {:.2%}"),
    "micro-f1": Score("val_micro_f1", 1, "validation micro-F1 {:.2%}"),
    "loss": Score("val_loss", -1, "validation loss {:.4f}"),
}
