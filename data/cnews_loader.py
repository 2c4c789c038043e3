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

import numpy as np

from data.documents import DataError, quote, read_documents
from data.vocabulary import (
    CHUNK,
    CODE_POINTS,
    PAD_ID,
    code_points,
    count_words,
    read_vocab,
    write_vocab,
)

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

_logger = logging.getLogger(__name__)


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
    table = np.full(CODE_POINTS, -1, dtype=np.int32)
    for word, word_id in word_to_id.items():
        if len(word) == 1:
            table[ord(word)] = word_id
    encoded = Encoded(np.full((len(texts), max_length), PAD_ID, dtype=np.int32))
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        _encode_chunk(chunk, table, encoded, encoded.ids[start : start + CHUNK])
    return encoded


def _encode_chunk(texts, table, encoded, out):
    """Writes the ids of some texts into `out` [n, max_length] and adds to the counts."""
    ids = table[code_points(texts)]  # [characters], -1 where unknown
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
                f"{documents.path}:{documents.lines[index]}: category {quote(label)} is not one "
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
