"""Labelled text in the formats people have it in, read into Documents.

    txt      label<TAB>text, a document a line
    csv      a header, then a document a row; columns `text` and `label` or as named by flags
    tsv      the same, separated by tabs
    jsonl    an object a line, with the keys `text` and `label` or as named by flags
    folders  a folder a category, a file a document (the layout of THUCNews)

The first four may be compressed (`.gz`, `.xz`); their records begin at a line, which is their
place in messages.
"""

import contextlib
import csv
import dataclasses
import itertools
import json
from pathlib import Path

from data.documents import (
    BadLine,
    Documents,
    clean_label,
    find_fault,
    no_documents,
    quote,
)
from data.errors import DataError
from data.lines import LONGEST_LINE, OPENERS, Lines, check_encoding
from data.options import Options, flag_name, option

# Endings of file names that tell the format; a name with no ending of these is read as txt.
ENDINGS = {".txt": "txt", ".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_FOREIGN = {".xls", ".xlsx", ".ods", ".numbers", ".doc", ".docx", ".pdf", ".parquet", ".json"}
_PACKED = {".zip", ".rar", ".7z", ".tar", ".tgz", ".bz2", ".zst"}
_LONGEST_CONTENT = 1000  # characters of a bad line that are kept


@dataclasses.dataclass
class ReadOptions(Options):
    """How data files are read."""

    format: str = option(
        "auto",
        "format of the data; auto goes by the file name (.txt .csv .tsv .jsonl, each also with .gz "
        "or .xz) and takes a folder of folders as a folder a category; txt is label<TAB>text",
        group="data",
        choices=("auto", "txt", "csv", "tsv", "jsonl", "folders"),
    )
    text_column: str = option("text", "column (or JSON key) of the text", group="data")
    label_column: str = option("label", "column (or JSON key) of the category", group="data")
    encoding: str = option("utf-8", "encoding of the data, such as gb18030", group="data")

    def check(self):
        super().check()
        check_encoding(self.encoding)


def detect_format(path):
    """The format that a path's name tells.

    Raises:
        DataError: it tells of something that is not read here.
    """
    if path.is_dir():
        return "folders"
    endings = [ending.lower() for ending in path.suffixes]
    if endings and endings[-1] in OPENERS:
        endings.pop()
    ending = endings[-1] if endings else ""
    if ending in _FOREIGN:
        raise DataError(
            f"{path}: {ending} is not read; save it as CSV with a column for the text and one for "
            "the category, or as JSON lines (.jsonl), or say with --format what it is"
        )
    if ending in _PACKED:
        raise DataError(f"{path}: {ending} is not read; unpack it, or compress it as .gz or .xz")
    return ENDINGS.get(ending, "txt")


def read_documents(filename, options=None):
    """Reads labelled text without losing sight of any line.

    Args:
        filename: str or Path of a file, or of a folder of categories.
        options: ReadOptions, None for the defaults.

    Returns:
        Documents, one at least.

    Raises:
        DataError: nothing there, not readable at all, or no document in it.
    """
    path, options = Path(filename), options or ReadOptions()
    name = detect_format(path) if options.format == "auto" else options.format
    documents = Documents(path)
    if name == "folders":
        _read_folders(documents, options)
    elif name == "txt":
        _read_lines(documents, options, _split_line)
    elif name == "jsonl":
        _read_lines(documents, options, _parse_json)
    else:
        with _long_fields():
            _read_table(documents, options, delimiters="\t" if name == "tsv" else ",;\t")
    documents.records = len(documents) + len(documents.bad_lines)
    if not documents.texts:
        raise no_documents(documents)
    return documents


def _add(documents, line, label, text, fault, content, file=None):
    """Adds a document, or a bad line with its content if there is a fault or one is found."""
    if fault is None:
        label = clean_label(label)
        fault = find_fault(label, text)
    if fault is not None:
        if len(content) > _LONGEST_CONTENT:
            content = content[:_LONGEST_CONTENT] + "..."
        content = content.encode("utf-8", "backslashreplace").decode("utf-8")
        place = str(file or f"{documents.path}:{line}")
        documents.bad_lines.append(BadLine(place, line, *fault, content))
        return
    documents.labels.append(label)
    documents.texts.append(text)
    documents.lines.append(line)
    if file:
        documents.files.append(file)


def _read_lines(documents, options, parse):
    """Reads a format with a document a line; parse(line, options) -> (label, text, fault)."""
    lines = Lines(documents.path, options.encoding)
    for number, line in lines:
        line = line.removesuffix("\r")
        fault = lines.faults.get(number)
        if fault is None and not line.strip():
            fault = ("blank line", "remove it")
        label, text, fault = (None, None, fault) if fault else parse(line, options)
        _add(documents, number, label, text, fault, line)


def _split_line(line, _):
    fields = line.split("\t")
    if len(fields) == 2:
        return *fields, None
    if len(fields) == 1:
        return None, None, ("no tab", f'expected "label<TAB>text", found {quote(line)}')
    remedy = f"found {len(fields)} fields, remove the tabs inside the text"
    return None, None, ("more than one tab", remedy)


def _parse_json(line, options):
    try:
        record = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        return None, None, ("not JSON", f"{error}; write one object a line")
    if not isinstance(record, dict):
        return None, None, ("no JSON object", f"found {quote(line)}; write one object a line")
    values = []
    for field, wanted in (("label_column", (str, int)), ("text_column", str)):
        key = getattr(options, field)
        if key not in record:
            found = ", ".join(map(quote, record)) or "none"
            remedy = f"its keys: {found}; name one with {_flag(field)}"
            return None, None, (f"no key {key!r}", remedy)
        value = record[key]
        if not isinstance(value, wanted) or isinstance(value, bool):
            remedy = f"found {quote(json.dumps(value))}; write it in quotes"
            return None, None, (f"{key!r} is no text", remedy)
        values.append(str(value))
    return *values, None


def _object(pairs):
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key stands twice")
    return record


def _flag(field_name):
    return flag_name(next(f for f in dataclasses.fields(ReadOptions) if f.name == field_name))


def _read_table(documents, options, delimiters):
    """Reads rows below a header; a row may go over several lines, inside quotes."""
    lines = Lines(documents.path, options.encoding)
    source = iter(lines)
    first = next(source, None)
    if first is None:
        return
    if 1 in lines.faults:
        kind, remedy = lines.faults[1]
        raise DataError(f"{documents.path}:1: {kind} in the header; {remedy}")
    raw = []  # the lines of the row at hand

    def feed():
        for _, line in itertools.chain([first], source):
            raw.append(line)
            yield line + "\n"

    rows = csv.reader(feed(), delimiter=_find_delimiter(first[1], options, delimiters), strict=True)
    columns, label_at, text_at = _find_columns(documents.path, rows, options)
    while True:
        start = rows.line_num + 1
        raw.clear()
        fault = None
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            fault = ("not CSV", f"{error}; close every quote, write one inside a field twice")
        span = range(start, rows.line_num + 1)
        fault = next((lines.faults[line] for line in span if line in lines.faults), fault)
        if fault is None and not row:
            fault = ("blank line", "remove it")
        if fault is None and len(row) != columns:
            remedy = f"found {len(row)}, the header has {columns}; put quotes around such a field"
            fault = ("wrong number of fields", remedy)
        label, text = (None, None) if fault else (row[label_at], row[text_at])
        _add(documents, start, label, text, fault, "\n".join(raw))


def _find_delimiter(header, options, delimiters):
    """The first of some delimiters that gives the header both columns, else the first."""
    wanted = {options.text_column, options.label_column}
    for delimiter in delimiters:
        if wanted <= {name.strip() for name in header.split(delimiter)}:
            return delimiter
        quoted = {name.strip().strip('"') for name in header.split(delimiter)}
        if wanted <= quoted:
            return delimiter
    return delimiters[0]


def _find_columns(path, rows, options):
    """Reads the header: (number of columns, position of the label, position of the text)."""
    try:
        header = [name.strip() for name in next(rows)]
    except csv.Error as error:
        raise DataError(f"{path}:1: the header is not CSV ({error}); mend it") from None
    positions = []
    for field in ("label_column", "text_column"):
        column = getattr(options, field)
        if header.count(column) != 1:
            problem = "no column" if column not in header else "more than one column"
            found = ", ".join(map(quote, header))
            raise DataError(
                f"{path}:1: {problem} {column!r}; the header has {found}; "
                f"name one with {_flag(field)}"
            )
        positions.append(header.index(column))
    return len(header), *positions


@contextlib.contextmanager
def _long_fields():
    """Lifts the limit of the csv module, which is one for the whole process, and puts it back."""
    limit = csv.field_size_limit(LONGEST_LINE)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _read_folders(documents, options):
    """Reads a folder a category, a file a document, in order of their names."""
    documents.files = []
    number = 0
    for folder in _visible(documents.path):
        is_category = folder.is_dir()
        for file in _visible(folder) if is_category else [folder]:
            number += 1
            if not is_category:
                text, fault = "", ("file outside a category", "move it into a folder of a category")
            elif not file.is_file():
                text, fault = "", ("folder inside a category", "move its files up, or away")
            else:
                text, fault = _read_whole(file, options.encoding)
            _add(documents, number, folder.name, text, fault, text, file)


def _visible(folder):
    """What is in a folder, by name; names with a dot in front are the system's own."""
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror}; give a readable folder") from None


def _read_whole(path, encoding):
    """A file as one text without the line end at its end, and its first fault or None."""
    lines = Lines(path, encoding)
    text = "\n".join(line for _, line in lines)
    text = text.removesuffix("\n").removesuffix("\r")
    if lines.faults:
        line, (kind, remedy) = min(lines.faults.items())
        return text, (kind, f"line {line}: {remedy}")
    return text, None
