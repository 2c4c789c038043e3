"""Labelled text -> arrays: reading, vocabulary, ids, batches.

A data file holds one document a line, `label<TAB>text`, in UTF-8. A document is its characters:
every character is a word of the vocabulary. NumPy is all this module needs.

Conventions that the models rely on:
  - id 0 is PAD, and documents are padded on the LEFT: the text ends where the array ends;
  - a longer document keeps its LAST `max_length` known characters;
  - characters outside the vocabulary are left out (and counted).
"""

import dataclasses
import logging
from pathlib import Path

import numpy as np

from data.files import write_text

PAD = "<PAD>"
PAD_ID = 0

# The order of the CNews set; labels of any other data are sorted by code point.
CNEWS_CATEGORIES = (
    "体育",
    "财经",
    "房产",
    "家居",
    "教育",
    "科技",
    "时尚",
    "时政",
    "游戏",
    "娱乐",
)

_BOM = "\ufeff"
_CODE_POINTS = 0x110000
_CHUNK = 1024  # documents encoded at a time: bounds memory, long enough to amortise NumPy calls
_logger = logging.getLogger(__name__)


class DataError(ValueError):
    """Input that cannot be used as it is; the message names place, value and remedy."""


@dataclasses.dataclass(frozen=True)
class BadLine:
    """A line that is no document. `line` counts from 1."""

    line: int
    kind: str
    remedy: str


@dataclasses.dataclass
class Documents:
    """What a data file holds, in file order: every line is a document or a bad line.

    Attributes:
        path: Path, where it was read.
        labels: list of n str, without surrounding white space or byte order mark.
        texts: list of n str, exactly as they stand in the file.
        lines: list of n int, the line of each document, from 1.
        bad_lines: list of BadLine.
    """

    path: Path
    labels: list
    texts: list
    lines: list
    bad_lines: list

    def report(self, most=10):
        """The bad lines in words.

        Args:
            most: int, how many lines to quote.

        Returns:
            list of str: a summary by kind and the first `most` lines; empty if all lines are good.
        """
        if not self.bad_lines:
            return []
        kinds = {}
        for bad in self.bad_lines:
            kinds[bad.kind] = kinds.get(bad.kind, 0) + 1
        total = len(self.bad_lines) + len(self.texts)
        counts = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
        summary = f"{self.path}: left out {len(self.bad_lines)} of {total} lines: {counts}"
        quoted = [f"{self.path}:{bad.line}: {bad.kind}; {bad.remedy}" for bad in self.bad_lines]
        more = [f"{self.path}: ... and {len(quoted) - most} more"] if len(quoted) > most else []
        return [summary, *quoted[:most], *more]


@dataclasses.dataclass
class Encoded:
    """Documents as ids, and what encoding them left out.

    Attributes:
        ids: int32 array [n, max_length], padded on the left with PAD_ID.
        characters: int, how many characters the texts have.
        unknown: int, how many of them are outside the vocabulary and were left out.
        truncated: int, how many documents had more than max_length known characters.
        empty: int, how many documents have no known character at all.
    """

    ids: np.ndarray
    characters: int = 0
    unknown: int = 0
    truncated: int = 0
    empty: int = 0


def read_documents(filename):
    """Reads a data file without losing sight of any line.

    Args:
        filename: str or Path of a UTF-8 file, `label<TAB>text` a line; LF or CRLF line ends.

    Returns:
        Documents.

    Raises:
        DataError: not UTF-8, no file at all, or no document in it.
    """
    path = Path(filename)
    documents = Documents(path, [], [], [], [])
    # Read as bytes and cut at LF alone: the text layer would also cut at a carriage return.
    with _open(path) as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: byte {raw[error.start]:#04x} at column {error.start + 1} is "
                    "not UTF-8; convert the file to UTF-8"
                ) from None
            line = line.removesuffix("\n").removesuffix("\r")
            label, text, bad = _split_line(line.removeprefix(_BOM) if number == 1 else line)
            if bad:
                documents.bad_lines.append(BadLine(number, *bad))
                continue
            documents.labels.append(label)
            documents.texts.append(text)
            documents.lines.append(number)
    if not documents.texts:
        reasons = documents.report(most=1)[1:] or [f"{path}: the file is empty"]
        raise DataError(f'{reasons[0]}; no document found, expected "label<TAB>text" lines')
    return documents


def _open(path):
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; give a readable text file") from None


def _split_line(line):
    """Returns (label, text, None), or (None, None, (kind, remedy)) for a bad line."""
    if not line.strip():
        return None, None, ("blank line", "remove it")
    fields = line.split("\t")
    if len(fields) == 1:
        return None, None, ("no tab", f'expected "label<TAB>text", found {_quote(line)}')
    if len(fields) > 2:
        remedy = f"found {len(fields)} fields, remove the tabs inside the text"
        return None, None, ("more than one tab", remedy)
    label, text = fields[0].strip().strip(_BOM).strip(), fields[1]
    if not label:
        return None, None, ("empty label", "write the category before the tab")
    if not text.strip():
        return None, None, ("empty text", f"nothing follows the label {_quote(label)}")
    return label, text, None


def _quote(text, most=20):
    return repr(text if len(text) <= most else text[:most] + "...")


def read_file(filename):
    """Reads documents as lists of characters.

    Lines that are no document are left out and reported through `logging` as a warning.

    Args:
        filename: str or Path, see `read_documents`.

    Returns:
        (contents, labels): list of n lists of characters, list of n str.

    Raises:
        DataError: see `read_documents`.
    """
    documents = _read_and_warn(filename)
    return [list(text) for text in documents.texts], documents.labels


def _read_and_warn(filename):
    documents = read_documents(filename)
    for line in documents.report():
        _logger.warning("%s", line)
    return documents


def _code_points(texts):
    # surrogatepass: a str may hold half a surrogate pair, which is a character like any other.
    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")


def count_words(texts, vocab_size):
    """Chooses a vocabulary.

    Args:
        texts: list of str.
        vocab_size: int >= 2, how many words to keep at most, PAD included.

    Returns:
        list of str: PAD, then the most frequent characters, the more frequent first and, among
        equals, the lower code point first.
    """
    if vocab_size < 2:
        raise ValueError(f"vocab_size {vocab_size}: expected at least 2 (PAD and one character)")
    counts = np.zeros(_CODE_POINTS, dtype=np.int64)
    for start in range(0, len(texts), _CHUNK):
        counts += np.bincount(_code_points(texts[start : start + _CHUNK]), minlength=_CODE_POINTS)
    # A stable sort of ascending code points leaves ties in code point order.
    order = np.argsort(-counts, kind="stable")[: vocab_size - 1]
    return [PAD] + [chr(code) for code in order if counts[code]]


def build_vocab(train_dir, vocab_dir, vocab_size=5000):
    """Builds the vocabulary of a training file and writes it.

    Args:
        train_dir: str or Path of the training FILE (the name is historical).
        vocab_dir: str or Path of the vocabulary FILE to write, whole or not at all.
        vocab_size: int >= 2, see `count_words`.

    Raises:
        DataError: see `read_documents`.
    """
    write_vocab(vocab_dir, count_words(_read_and_warn(train_dir).texts, vocab_size))


# A word that would break the one-word-a-line format is written as a two-character escape; a longer
# word that starts with a backslash gets one more, so that reading back is exact.
_ESCAPES = {"\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escape: word for word, escape in _ESCAPES.items()}


def write_vocab(filename, words):
    """Writes one word a line in id order, UTF-8, such that `read_vocab` returns the same words."""
    lines = [
        _ESCAPES.get(word, "\\" + word if word.startswith("\\") and len(word) > 1 else word)
        for word in words
    ]
    write_text(filename, "".join(line + "\n" for line in lines))


def read_vocab(vocab_dir):
    """Reads a vocabulary; white-space characters are words like any other.

    Args:
        vocab_dir: str or Path of the vocabulary FILE (the name is historical).

    Returns:
        (words, word_to_id): list of str in id order, dict from word to id.

    Raises:
        DataError: no such file, not UTF-8, empty, or a word twice.
    """
    path = Path(vocab_dir)
    with _open(path) as file:
        content = file.read()
    try:
        lines = content.decode("utf-8").removeprefix(_BOM).removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{path}:{line}: not UTF-8; rebuild the vocabulary") from None
    if lines == [""]:
        raise DataError(f"{path}: the vocabulary is empty; rebuild it")
    if all(line.endswith("\r") for line in lines):  # saved by an editor with CRLF line ends
        lines = [line.removesuffix("\r") for line in lines]
    words = [_unescape(line) for line in lines]
    word_to_id = {}
    for index, word in enumerate(words):
        if word in word_to_id:
            raise DataError(
                f"{path}:{index + 1}: {word!r} is on line {word_to_id[word] + 1} already; "
                "rebuild the vocabulary"
            )
        word_to_id[word] = index
    return words, word_to_id


def _unescape(line):
    if line in _UNESCAPES:
        return _UNESCAPES[line]
    return line[1:] if line.startswith("\\\\") else line


def read_category(filename=None):
    """Reads categories.

    Args:
        filename: str or Path, one category a line; None for the ten of CNews.

    Returns:
        (categories, cat_to_id): list of str in id order, dict from category to id.

    Raises:
        DataError: no such file, or a category twice.
    """
    categories = list(CNEWS_CATEGORIES) if filename is None else read_vocab(filename)[0]
    return categories, {category: index for index, category in enumerate(categories)}


def order_categories(labels):
    """Distinct labels in a fixed order: that of CNews if all are among its ten, else sorted."""
    distinct = set(labels)
    if distinct <= set(CNEWS_CATEGORIES):
        return [category for category in CNEWS_CATEGORIES if category in distinct]
    return sorted(distinct)


def to_words(content, words):
    """Turns ids back into text.

    Args:
        content: iterable of int.
        words: list of str, as `read_vocab` returns it.

    Returns:
        str, the words joined.
    """
    return "".join(words[word_id] for word_id in content)


def encode_texts(texts, word_to_id, max_length=600):
    """Turns texts into ids.

    Args:
        texts: list of n str.
        word_to_id: dict from word to id.
        max_length: int, characters kept of a document, its last ones.

    Returns:
        Encoded.
    """
    table = np.full(_CODE_POINTS, -1, dtype=np.int32)
    for word, word_id in word_to_id.items():
        if len(word) == 1:
            table[ord(word)] = word_id
    encoded = Encoded(np.full((len(texts), max_length), PAD_ID, dtype=np.int32))
    for start in range(0, len(texts), _CHUNK):
        chunk = texts[start : start + _CHUNK]
        _encode_chunk(chunk, table, encoded, encoded.ids[start : start + _CHUNK])
    return encoded


def _encode_chunk(texts, table, encoded, out):
    """Writes the ids of some texts into `out` [n, max_length] and adds to the counts."""
    ids = table[_code_points(texts)]  # [characters], -1 where unknown
    rows = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    known = ids >= 0
    encoded.characters += ids.size
    encoded.unknown += ids.size - int(known.sum())
    ids, rows = ids[known], rows[known]
    lengths = np.bincount(rows, minlength=len(texts))
    encoded.truncated += int((lengths > out.shape[1]).sum())
    encoded.empty += int((lengths == 0).sum())
    from_end = np.cumsum(lengths)[rows] - np.arange(ids.size)  # 1 for a document's last character
    kept = from_end <= out.shape[1]
    out[rows[kept], out.shape[1] - from_end[kept]] = ids[kept]


def encode_labels(documents, cat_to_id):
    """Turns labels into one-hot rows.

    Args:
        documents: Documents with n documents.
        cat_to_id: dict from category to id.

    Returns:
        float32 array [n, len(cat_to_id)].

    Raises:
        DataError: a label that is not a category, with its line.
    """
    label_ids = np.empty(len(documents.labels), dtype=np.int64)
    for index, label in enumerate(documents.labels):
        if label not in cat_to_id:
            raise DataError(
                f"{documents.path}:{documents.lines[index]}: category {_quote(label)} is not one "
                f"of the {len(cat_to_id)} the model knows ({', '.join(cat_to_id)}); "
                "correct the label or add such documents to the training file"
            )
        label_ids[index] = cat_to_id[label]
    one_hot = np.zeros((len(label_ids), len(cat_to_id)), dtype=np.float32)
    one_hot[np.arange(len(label_ids)), label_ids] = 1.0
    return one_hot


def process_file(filename, word_to_id, cat_to_id, max_length=600):
    """Reads a data file into the arrays that a model is fed with.

    Args:
        filename: str or Path, see `read_documents`.
        word_to_id: dict from word to id.
        cat_to_id: dict from category to id.
        max_length: int, characters kept of a document, its last ones.

    Returns:
        (x, y): int32 ids [n, max_length] padded on the left; float32 one-hot [n, num_classes].

    Raises:
        DataError: see `read_documents` and `encode_labels`.
    """
    documents = _read_and_warn(filename)
    labels = encode_labels(documents, cat_to_id)
    return encode_texts(documents.texts, word_to_id, max_length).ids, labels


def batch_iter(x, y, batch_size=64, *, shuffle=True, seed=None):
    """Yields every document once, in batches; the last one may be short.

    Args:
        x: array [n, ...].
        y: array [n, ...].
        batch_size: int >= 1.
        shuffle: bool, whether to draw a new order each time; False keeps the order.
        seed: int for an order of its own, numpy Generator to go on drawing from, or None for
            NumPy's global random state.

    Yields:
        (x_batch, y_batch): arrays [<= batch_size, ...].

    Raises:
        ValueError: x and y differ in length, or batch_size is below 1.
    """
    if len(x) != len(y):
        raise ValueError(f"x has {len(x)} rows and y has {len(y)}; they must be the same")
    if batch_size < 1:
        raise ValueError(f"batch_size {batch_size}: expected at least 1")
    if shuffle:
        random = np.random if seed is None else np.random.default_rng(seed)
        order = random.permutation(len(x))
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        if shuffle:
            rows = order[rows]
        yield x[rows], y[rows]


def find_split(data_dir, split):
    """Finds the file of one split in a data folder.

    Args:
        data_dir: str or Path of a folder.
        split: "train", "val" or "test".

    Returns:
        Path: the one `*.<split>.txt`, or `<split>.txt`.

    Raises:
        DataError: no such folder, no such file, or more than one.
    """
    folder = Path(data_dir)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder that holds your data files")
    found = sorted({*folder.glob(f"*.{split}.txt"), *folder.glob(f"{split}.txt")})
    if not found:
        raise DataError(f"{folder}: holds no *.{split}.txt and no {split}.txt; add the file")
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise DataError(f"{folder}: more than one {split} file ({names}); leave one")
    return found[0]
