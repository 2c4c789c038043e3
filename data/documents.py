"""Labelled text on disk: reading it without losing sight of any line."""

import dataclasses
from pathlib import Path

BOM = "\ufeff"


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
    with open_binary(path) as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: byte {raw[error.start]:#04x} at column {error.start + 1} is "
                    "not UTF-8; convert the file to UTF-8"
                ) from None
            line = line.removesuffix("\n").removesuffix("\r")
            label, text, bad = _split_line(line.removeprefix(BOM) if number == 1 else line)
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


def open_binary(path):
    """Opens a Path for reading bytes; DataError if that cannot be done."""
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
        return None, None, ("no tab", f'expected "label<TAB>text", found {quote(line)}')
    if len(fields) > 2:
        remedy = f"found {len(fields)} fields, remove the tabs inside the text"
        return None, None, ("more than one tab", remedy)
    label, text = fields[0].strip().strip(BOM).strip(), fields[1]
    if not label:
        return None, None, ("empty label", "write the category before the tab")
    if not text.strip():
        return None, None, ("empty text", f"nothing follows the label {quote(label)}")
    return label, text, None


def quote(text, most=20):
    """The beginning of a text, in quotes, for a message."""
    return repr(text if len(text) <= most else text[:most] + "...")


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
