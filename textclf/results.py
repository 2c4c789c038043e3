"""What a model says of a row, and the formats in which that is written.

    text    category, probability, text, a line each, to be read by people
    tsv     a header, then a row each; fields with tabs, quotes or line breaks stand in quotes
    csv     the same with commas
    jsonl   an object a line
    html    a page for a browser that shows why, see explanation_html.PageWriter

tsv, csv and jsonl read back as they were, whatever the text holds.
"""

import csv
import dataclasses
import json

from data.documents import clean_label
from data.words import UNITS

FORMATS = ("text", "tsv", "csv", "jsonl", "html")
OK = "ok"
_LONGEST_CONTENT = 1000  # characters that are written of a row that cannot be read
_LINE_BREAKS = str.maketrans({"\n": "\\n", "\r": "\\r"})


@dataclasses.dataclass(slots=True)
class Result:
    """What is written of a row.

    Attributes:
        status: str, OK, or what keeps the row from having a category, or makes that a guess.
        text: str; of a row that cannot be read, its beginning.
        ranked: list of (category, probability), the best first; empty if there is no category.
        probabilities: list of float in the order of the model's categories, or None.
        label: str, the category that the row came with, "" if none; None if none are read.
        extra: dict from name to str, number or None, for what else there is to tell.
        answered: bool, False if in place of the best category stands that it is not sure enough.
        explanation: Explanation of the category, or None.
    """

    status: str
    text: str
    ranked: list
    probabilities: list | None = None
    label: str | None = None
    extra: dict = dataclasses.field(default_factory=dict)
    answered: bool = True
    explanation: object = None

    @property
    def category(self):
        """The best category, or what stands in its place, or None."""
        return self.ranked[0][0] if self.ranked else None

    def abstain(self, label, reason):
        """Puts a label in the place of the best category, whose probability stays."""
        self.ranked[0] = (label, self.ranked[0][1])
        self.status, self.answered = reason, False


def form_results(rows, probabilities, known, model, top_k=1):
    """Puts together what is written of some rows.

    Args:
        rows: list of Row with m of them without a fault.
        probabilities: float32 array [m, num_classes], of those in their order.
        known: int array [m], how many words of each the model knows.
        model: Predictor, for `categories` and `config`.
        top_k: int in 1 .. num_classes, how many categories to rank.

    Returns:
        list of Result, one for each row.
    """
    guess = no_known_word(model.config.tokens)
    # Stable, so that of equal ones the first category is the best, as argmax has it.
    best = (-probabilities).argsort(axis=1, kind="stable")[:, :top_k].tolist()
    values = probabilities.tolist()
    categories = model.categories
    results, index = [], 0
    for row in rows:
        label = None if row.label is None else clean_label(row.label)
        if row.fault:
            content = row.content
            if row.text is None and len(content) > _LONGEST_CONTENT:
                content = content[:_LONGEST_CONTENT] + "..."
            text = content if row.text is None else row.text
            results.append(Result(row.fault[0], text, [], None, label))
            continue
        scores = values[index]
        ranked = [(categories[column], scores[column]) for column in best[index]]
        status = OK if known[index] else guess
        results.append(Result(status, row.text, ranked, scores, label))
        index += 1
    return results


def no_known_word(tokens):
    """The status of a text of which the model reads nothing; `tokens` as in WordOptions."""
    return f"no known {UNITS[tokens].removesuffix('s')}"


class Writer:
    """Turns results into bytes, in one of FORMATS but `html`."""

    def __init__(
        self,
        name,
        categories,
        *,
        top_k=1,
        probabilities=False,
        labels=False,
        extra=(),
        painter=None,
        encoding="utf-8",
    ):
        """
        Args:
            name: one of FORMATS but `html`.
            categories: list of str, those of the model.
            top_k: int, how many categories each result ranks.
            probabilities: bool, whether to write those of all categories.
            labels: bool, whether to write the labels.
            extra: tuple of str, which names of `Result.extra` to write.
            painter: Painter, for explanations in `text`.
            encoding: str, of the bytes; characters it lacks are written as escapes.
        """
        self._categories = categories
        self._top_k = top_k
        self._probabilities = probabilities
        self._labels = labels
        self._extra = extra
        self._painter = painter
        self._encoding = encoding
        self._name = name
        self._is_table = name in ("tsv", "csv")
        if self._is_table:
            self._rows = csv.writer(
                _Rows(), delimiter="\t" if name == "tsv" else ",", lineterminator=_Rows.END
            )

    def header(self):
        """The bytes that come before the first result."""
        if not self._is_table:
            return b""
        ranks = [""] + [f"_{rank}" for rank in range(2, self._top_k + 1)]
        names = [name + rank for rank in ranks for name in ("category", "probability")]
        names += ["status", *(["label"] if self._labels else []), *self._extra]
        if self._probabilities:
            names += [f"probability:{category}" for category in self._categories]
        return self._encode(self._rows.writerow([*names, "text"]))

    def write(self, results, first=1):
        """The bytes of some results; `first` is the number of the first one."""
        form = {"text": self._as_line, "jsonl": self._as_json}.get(self._name, self._as_row)
        return self._encode("".join(map(form, results)))

    def tail(self):
        """The bytes that come after the last result."""
        return b""

    def _encode(self, text):
        return text.encode(self._encoding, "backslashreplace")

    def _as_line(self, result):
        fields = [f"{category}\t{probability:.2%}" for category, probability in result.ranked]
        # In place of a category and its probability stands why there is none.
        fields = fields or ["\t" + result.status, *["\t"] * (self._top_k - 1)]
        text = result.text
        if result.explanation is not None:
            text = self._painter.show(result.explanation)
        return "\t".join([*fields, text.translate(_LINE_BREAKS)]) + "\n"

    def _as_row(self, result):
        fields = [
            field
            for category, probability in result.ranked
            for field in (category, _number(probability))
        ] or [""] * (2 * self._top_k)
        fields.append(result.status)
        if self._labels:
            fields.append(result.label)
        fields += [result.extra.get(name) for name in self._extra]
        if self._probabilities:
            scores = result.probabilities
            fields += map(_number, scores) if scores else [""] * len(self._categories)
        # The csv module reads no NUL; only a row that is marked can have one.
        fields.append(result.text.replace("\0", "\\x00"))
        return self._rows.writerow(fields)

    def _as_json(self, result):
        best = result.ranked[0] if result.ranked else (None, None)
        record = {"category": best[0], "probability": _rounded(best[1]), "status": result.status}
        if self._top_k > 1:
            record["top"] = [[category, _rounded(value)] for category, value in result.ranked]
        if self._labels:
            record["label"] = result.label
        record.update({name: result.extra.get(name) for name in self._extra})
        if self._probabilities:
            scores = result.probabilities
            record["probabilities"] = scores and dict(
                zip(self._categories, map(_rounded, scores), strict=True)
            )
        if result.explanation is not None:
            record["explained"] = result.explanation.category
            record["spans"] = result.explanation.to_json()
        record["text"] = result.text
        # Half a surrogate pair becomes an escape of JSON on its way to bytes.
        return json.dumps(record, ensure_ascii=False) + "\n"


class _Rows:
    """Takes rows of a csv.writer and returns them, as lines that end at LF.

    The writer is told of CRLF, so that it puts quotes around a text with either character.
    """

    END = "\r\n"

    def write(self, row):
        return row.removesuffix(self.END) + "\n"


def _number(value):
    return f"{value:.6g}"


def _rounded(value):
    """A probability with the digits that a float32 is good for."""
    return None if value is None else float(f"{value:.6g}")
