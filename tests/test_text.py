from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import subprocess
import sys
import tracemalloc
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.files.atomic import atomic_text
from translate.text.lines import read_lines

ODD = "eins\u2028zwei\x85drei\x1cvier\x0bfünf\x0c"


def test_a_line_ends_at_newline_only(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(f"{ODD}\n\nb\r\nc\rd\r\r\nlast".encode())
    assert list(read_lines(file)) == [ODD, "", "b", "c\rd\r", "last"]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress])
def test_a_line_without_end_is_told_and_not_held(tmp_path, pack):
    file = tmp_path / f"a.{'gz' if pack is gzip.compress else 'xz'}"
    file.write_bytes(b"".join([pack(b"short\n"), *[pack(bytes(1 << 24))] * 60]))  # 1 GB unpacked
    lines = read_lines(file)
    assert next(lines) == "short"
    tracemalloc.start()
    with pytest.raises(ValueError, match=rf"{file}, line 2: more than 64 MiB"):
        next(lines)
    assert tracemalloc.get_traced_memory()[1] < 300e6
    tracemalloc.stop()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=5))
def test_what_is_written_is_read(tmp_path_factory, lines):
    file = tmp_path_factory.mktemp("x") / "a.txt"
    with atomic_text(file) as stream:
        stream.writelines(line + "\n" for line in lines)
    assert file.read_bytes() == "".join(line + "\n" for line in lines).encode()
    first = [line.removeprefix("\ufeff") for line in lines[:1]]
    assert list(read_lines(file)) == [line.removesuffix("\r") for line in first + lines[1:]]


@pytest.mark.parametrize(
    "data, lines",
    [(b"", []), (b"\n", [""]), (b"a", ["a"]), (b"a\n", ["a"]), (b"\xef\xbb\xbfa\n\xef\xbb\xbfb", ["a", "\ufeffb"]), (b"\r\n\r", ["", "\r"])],
)
def test_ends_and_the_mark_at_the_start(tmp_path, data, lines):
    (tmp_path / "a").write_bytes(data)
    assert list(read_lines(tmp_path / "a")) == lines
    assert list(read_lines(io.BytesIO(data))) == lines


@pytest.mark.parametrize("suffix, opened", [(".gz", gzip.open), (".xz", lzma.open)])
def test_packed_files(tmp_path, suffix, opened):
    file = tmp_path / f"a{suffix}"
    with opened(file, "wb") as stream:
        stream.write("ä\nß\n".encode())
    assert list(read_lines(file)) == ["ä", "ß"]
    with atomic_text(file) as stream:
        stream.write("neu\n")
    with opened(file, "rb") as stream:
        assert stream.read() == b"neu\n"
    whole = file.read_bytes()
    with atomic_text(file) as stream:
        stream.write("neu\n")
    assert file.read_bytes() == whole  # no time stamp in it

    file.write_bytes(whole[:-6])
    with pytest.raises(ValueError, match=rf"a\{suffix}: damaged"):
        list(read_lines(file))
    file.write_bytes(b"plain text\n")
    with pytest.raises(ValueError, match=rf"a\{suffix}: damaged"):
        list(read_lines(file))


def test_standard_input():
    code = "from translate.text.lines import read_lines; print(list(read_lines('-')))"
    done = subprocess.run([sys.executable, "-c", code], input="ä\u2028\nb".encode(), capture_output=True, check=True)
    assert done.stdout.decode().strip() == str(["ä\u2028", "b"])
    code = "from translate.text.lines import read_lines\ntry:\n    list(read_lines('-'))\nexcept ValueError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], input=b"a\n\xff", capture_output=True, check=True)
    assert done.stdout.decode().strip() == "standard input, line 2: invalid UTF-8 at byte 1 of the line"


def test_unreadable_input_is_one_line_and_known_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"^\S*none\.txt: cannot be read: No such file or directory$"):
        read_lines(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="cannot be read: Is a directory$"):
        read_lines(tmp_path)
    (tmp_path / "bad").write_bytes("gut\nnicht g\xfct\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad, line 2: invalid UTF-8 at byte 8 of the line; it looks like Windows-1252"):
        list(read_lines(tmp_path / "bad"))


def told(path):
    with pytest.raises(ValueError) as error:
        list(read_lines(path))
    assert "\n" not in str(error.value)
    return str(error.value)


GERMAN = "Die Straße ist schön.\nÜber „Ärger“ lacht man – für 5 € öfter.\n"


@pytest.mark.parametrize("encoding, label, known_as", [
    ("cp1252", "Windows-1252", "WINDOWS-1252"), ("cp850", "DOS code page 850", "CP850"), ("mac_roman", "Mac Roman", "MACINTOSH")
])  # fmt: skip
def test_text_in_an_older_encoding_is_named_with_the_command_that_converts_it(tmp_path, encoding, label, known_as):
    file, converted = tmp_path / "alt ä.txt", tmp_path / "alt ä.txt.utf8"
    text = GERMAN if encoding != "cp850" else "Die Straße ist schön.\nÜber Ärger lacht man.\n"
    file.write_bytes(text.encode(encoding))
    message = told(file)
    assert "line 1: invalid UTF-8 at byte 9 of the line; it looks like " + label in message
    command = message.partition("convert it first: ")[2]
    assert command == f"iconv -f {known_as} -t UTF-8 '{file}' > '{converted}'"
    if shutil.which("iconv"):
        subprocess.run(command, shell=True, check=True)
        assert list(read_lines(converted)) == text.splitlines()


def test_a_line_of_another_encoding_among_utf8_is_not_called_that_of_the_file(tmp_path):
    (tmp_path / "mixed").write_bytes("schön\n".encode() + "für\n".encode("latin-1"))
    message = told(tmp_path / "mixed")
    assert "line 2: invalid UTF-8 at byte 2" in message and "this line looks like Windows-1252" in message and "iconv" not in message


@pytest.mark.parametrize("line", [b"abc\xff", b"gr\xc3", b"\xff\xc3", b"a\xa0b", "Привет".encode("koi8-r"), "こんにちは".encode("shift-jis")])
def test_bytes_of_no_known_encoding_get_no_guess(tmp_path, line):
    (tmp_path / "a").write_bytes(b"gut\n" + line + b"\n")
    assert told(tmp_path / "a").endswith("of the line")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("text", ["Hello there.\n", GERMAN])
def test_utf16_is_named_even_where_its_bytes_are_valid_utf8(tmp_path, encoding, text):
    (tmp_path / "a").write_bytes(text.encode(encoding))
    label = {"utf-16-le": "UTF-16LE", "utf-16-be": "UTF-16BE"}.get(encoding, encoding.upper())
    if encoding == "utf-32" or text:
        assert f"a: it is {label}, not UTF-8; convert it first: iconv -f {label} -t UTF-8" in told(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"a \x00 b\nzero bytes alone are text\n\x00\x00\x00\x00\x00\n")
    assert len(list(read_lines(tmp_path / "a"))) == 3


def zipped(**files):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "/"), text)
    return packed.getvalue()


@pytest.mark.parametrize(
    "data, what, command",
    [
        (gzip.compress(b"a\n", mtime=0), "gzip data", "gunzip -c < "),
        (bz2.compress(b"a\n"), "bzip2 data", "bunzip2 -c < "),
        (lzma.compress(b"a\n"), "xz data", "xz -dc < "),
        (b"\x28\xb5\x2f\xfd\x04\x00\x11\x00\x00a\n", "Zstandard data", "zstd -dc < "),
        (zipped(a="a\n"), "a zip archive", "unzip -p "),
        (zipped(**{"[Content_Types].xml": "", "word__document.xml": "<a/>"}), "a Word document", "pandoc -f docx -t plain "),
        (zipped(mimetype="application/vnd.oasis.opendocument.text"), "a zip archive", "unzip -p "),  # packed, against the format's rule
        (b"PK\x03\x04 mimetypeapplication/vnd.oasis.opendocument.textPK\x03\x04", "an OpenDocument file", "pandoc -f odt -t plain "),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "a PDF document", "pdftotext "),
    ],
)
def test_what_is_packed_or_no_text_is_named_with_a_command(tmp_path, data, what, command):
    (tmp_path / "a").write_bytes(data)
    message = told(tmp_path / "a")
    assert f"a: it is {what}, not text; convert it first: {command}{tmp_path / 'a'}" in message
    stream = io.BytesIO(data)  # no name that a command could take
    assert f"it is {what}, not text" in told(stream) and str(tmp_path) not in told(io.BytesIO(data))


def test_beginnings_like_those_of_other_files_are_text(tmp_path):
    (tmp_path / "a").write_text("BZh ist kein Wort\nPKW\n", encoding="utf-8")
    assert list(read_lines(tmp_path / "a")) == ["BZh ist kein Wort", "PKW"]
    for line in ("PAR1 heißt er.", "%PDF-Dateien", "PK", "Rar!", "7z ist ein Packer", "SQLite format 3", "\x1f", "ÿþ", "þÿ"):
        (tmp_path / "a").write_text(line, encoding="utf-8")
        assert list(read_lines(tmp_path / "a")) == [line]


@pytest.mark.parametrize("ending", [".bz2", ".zst"])
def test_bz2_and_zst_are_read(tmp_path, ending):
    def packed(data):
        if ending == ".bz2":
            return bz2.compress(data)
        return pytest.importorskip("pyarrow").Codec("zstd").compress(data, asbytes=True)

    file = tmp_path / f"a{ending}"
    text = "".join(f"Zeile {number}: ä\u2028b\n" for number in range(20_000))
    file.write_bytes(packed(text.encode()) + packed(b"letzte"))  # two members, as `cat` makes them
    assert list(read_lines(file)) == [*text.split("\n")[:-1], "letzte"]
    whole = file.read_bytes()
    for damaged in (whole[:-10], whole[:3000], b"plain text\n", b""):
        file.write_bytes(damaged)
        assert f"{file}: damaged" in told(file)


def test_lines_with_their_ends(tmp_path):
    data = "\ufeffa\r\n\nb\u2028c\r\r\nlast"
    (tmp_path / "a").write_text(data, encoding="utf-8", newline="")
    assert list(read_lines(tmp_path / "a", ends=True)) == ["\ufeffa\r\n", "\n", "b\u2028c\r\r\n", "last"]


def test_nothing_appears_before_the_end_and_nothing_after_a_failure(tmp_path):
    file = tmp_path / "out.txt"
    with pytest.raises(KeyboardInterrupt), atomic_text(file) as stream:
        stream.write("half")
        stream.flush()
        assert not file.exists()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())

    file.write_text("old")
    with pytest.raises(RuntimeError), atomic_text(file) as stream:
        stream.write("half")
        raise RuntimeError
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_rights_and_links_survive(tmp_path):
    file, link = tmp_path / "out.txt", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    with atomic_text(link) as stream:
        stream.write("new\n")
    assert link.is_symlink() and file.read_text() == "new\n" and stat.S_IMODE(file.stat().st_mode) == 0o640
    with atomic_text(tmp_path / "fresh") as stream:
        stream.write("x")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o666 & ~umask


def test_a_place_that_cannot_be_written(tmp_path):
    missing = f"No such file or directory; create the folder {tmp_path / 'no'} first"
    for path, reason in ((tmp_path, "Is a directory"), (f"{tmp_path}/no/", "Is a directory"), (tmp_path / "no" / "out", missing)):
        with pytest.raises(ValueError, match=f"cannot be written: {reason}$"), atomic_text(path):
            raise AssertionError("must not be reached")
    with atomic_text("/dev/null") as stream:  # a device stays what it is
        stream.write("x")
    assert not stat.S_ISREG(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk():
    with pytest.raises(ValueError, match="/dev/full: cannot be written: No space left on device"), atomic_text("/dev/full") as stream:
        stream.write("x" * 100_000)
