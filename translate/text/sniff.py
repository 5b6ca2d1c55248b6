"""Identifies bytes that are not UTF-8 text (compressed or office files, UTF-16, older encodings), and suggests a command to convert them.

lines.py adds the results to its messages. Guesses only when nearly certain.
"""

from __future__ import annotations

import re
import shlex

# first bytes, name, command that converts it to text; {} is the file. None of them can start a line of text.
MAGIC = [
    (b"\x1f\x8b", "gzip data", "gunzip -c < {}"),
    (b"BZh", "bzip2 data", "bunzip2 -c < {}"),
    (b"\xfd7zXZ\x00", "xz data", "xz -dc < {}"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data", "zstd -dc < {}"),
    (b"\x04\x22\x4d\x18", "LZ4 data", "lz4 -dc < {}"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", "7z x -so {}"),
    (b"Rar!\x1a\x07", "a RAR archive", "unrar p -inul {}"),
    (b"%PDF-", "a PDF document", "pdftotext {} -"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Microsoft Office document", "libreoffice --headless --cat {}"),
    (b"PAR1", "a Parquet file", ""),
    (b"ARROW1\x00", "an Arrow file", ""),
    (b"SQLite format 3\x00", "an SQLite database", ""),
    (b"\x89PNG\r\n", "a PNG picture", ""),
    (b"\xff\xd8\xff", "a JPEG picture", ""),
    (b"\x7fELF", "a program", ""),
    (b"\xde\x12\x04\x95", "a gettext catalogue (.mo)", "msgunfmt {}"),
]
LIKE_TEXT = {b"BZh": b"[1-9]1AY&SY", b"PAR1": rb"[\x00-\x08\x0e-\x1f]", b"%PDF-": rb"\d"}  # what must follow
ZIPPED = [  # found in the first kilobytes of a zip archive
    (b"application/vnd.oasis.opendocument", "an OpenDocument file", "pandoc -f odt -t plain {}"),
    (b"application/epub+zip", "an EPUB book", "pandoc -f epub -t plain {}"),
    (b"word/", "a Word document", "pandoc -f docx -t plain {}"),
    (b"ppt/", "a PowerPoint presentation", "libreoffice --headless --convert-to pdf {}"),
    (b"xl/", "an Excel workbook", "libreoffice --headless --convert-to csv {}"),
]
OFFICE = {".docx": 2, ".pptx": 3, ".xlsx": 4}  # index into ZIPPED, if the first bytes don't tell
ENCODINGS = (
    ("cp1252", "Windows-1252 (or Latin-1)", "WINDOWS-1252"),
    ("cp850", "DOS code page 850", "CP850"),
    ("mac_roman", "Mac Roman", "MACINTOSH"),
)
UMLAUTS = frozenset("äöüÄÖÜß")
LETTERS = UMLAUTS | frozenset("éèêëáàâãçñóòôõíìîïúùûåøæœÅØÆÉ")
MARKS = frozenset("„“”‚‘’–—…€«»°§²³½·´©®\xa0")
QUOTES = frozenset("„“”‚‘«»")
SIGNS = QUOTES | frozenset("’–…€°§")


def binary(head: bytes, name: str, piped: bool) -> str | None:
    """What kind of file starts with `head`, and the command to convert it; None if it may be UTF-8 text.

    name: of the file. piped: it came through a pipe, so a command can't open it by name.
    """
    for magic, what, command in MAGIC:
        if head.startswith(magic) and re.match(LIKE_TEXT.get(magic, b""), head[len(magic) :], re.DOTALL):
            return _with_command(f"it is {what}, not text", command, name, piped)
    if head.startswith(b"PK\x03\x04"):
        return _with_command(*_zipped(head, name), name, piped)
    for mark, utf in ((b"\xff\xfe\x00\x00", "UTF-32"), (b"\x00\x00\xfe\xff", "UTF-32"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16")):
        if head.startswith(mark):
            return _with_command(f"it is {utf}, not UTF-8", f"iconv -f {utf} -t UTF-8 {{}}", name, piped)
    if encoding := _zero_bytes(head[:400]):
        return _with_command(f"it is {encoding}, not UTF-8", f"iconv -f {encoding} -t UTF-8 {{}}", name, piped)
    return None


def _zipped(head: bytes, name: str) -> tuple[str, str]:
    for sign, what, command in ZIPPED:
        if sign in head:
            return f"it is {what}, not text", command
    for ending, index in OFFICE.items():
        if name.lower().endswith(ending):
            return f"it is {ZIPPED[index][1]}, not text", ZIPPED[index][2]
    return "it is a zip archive, not text", "unzip -p {}"


def _zero_bytes(head: bytes) -> str | None:
    """UTF-16 without a byte order mark: in western text exactly every other byte is zero."""
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) < 4 or min(even, odd) > 0 or max(even, odd) < 0.7 * (len(head) // 2):
        return None
    return "UTF-16LE" if odd else "UTF-16BE"


def encoding_hint(line: bytes, utf8_before: bool, name: str, piped: bool) -> str:
    """The end of a message about a line of invalid UTF-8: its likely encoding; "" if that can't be guessed."""
    for codec, label, iconv_name in ENCODINGS:
        if _plausible(line[:10_000], codec):
            if utf8_before:  # converting the whole file would damage the parts in UTF-8
                return f"; this line looks like {label}, while earlier lines are UTF-8: convert only the part that is not"
            return "; " + _with_command(f"it looks like {label}", f"iconv -f {iconv_name} -t UTF-8 {{}}", name, piped)
    return ""


def _plausible(line: bytes, codec: str) -> bool:
    """Whether `line`, decoded with a one-byte encoding, has western letters and marks in plausible places."""
    try:
        text = line.decode(codec)
    except UnicodeDecodeError:
        return False
    sure = LETTERS | SIGNS if codec == "cp1252" else UMLAUTS
    if not sure.intersection(text):
        return False
    for position, character in enumerate(text):
        if character.isascii():
            continue
        if character not in LETTERS and character not in MARKS:
            return False
        before, after = text[position - 1 : position] if position else "", text[position + 1 : position + 2]
        if character in LETTERS and not (before.isalpha() or after.isalpha()):
            return False
        if character in QUOTES and before.isalpha() and after.isalpha():
            return False
    return True


def _with_command(what: str, command: str, name: str, piped: bool) -> str:
    if not command:
        return what
    if piped:  # there is no file name to put in the command
        return f"{what}; convert it first: {command.replace(' < {}', '').replace(' {}', '').replace('{}', '')}"
    if "--convert-to" in command:
        return f"{what}; convert it first: {command.replace('{}', shlex.quote(name))}"
    ending = ".utf8" if command.startswith("iconv") else ".txt"
    return f"{what}; convert it first: {command.replace('{}', shlex.quote(name))} > {shlex.quote(name + ending)}"
