from __future__ import annotations

import gzip
import io
import lzma
import os
import stat
import subprocess
import sys
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from translate.text import read_lines, written_whole

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
    with pytest.raises(ValueError, match=rf"{file}, line 2: it has more than 64 MiB"):
        next(lines)
    assert tracemalloc.get_traced_memory()[1] < 300e6
    tracemalloc.stop()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"])), max_size=5))
def test_what_is_written_is_read(tmp_path_factory, lines):
    file = tmp_path_factory.mktemp("x") / "a.txt"
    with written_whole(file) as stream:
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
    with written_whole(file) as stream:
        stream.write("neu\n")
    with opened(file, "rb") as stream:
        assert stream.read() == b"neu\n"
    whole = file.read_bytes()
    with written_whole(file) as stream:
        stream.write("neu\n")
    assert file.read_bytes() == whole  # no time stamp in it

    file.write_bytes(whole[:-6])
    with pytest.raises(ValueError, match=rf"a\{suffix}: damaged"):
        list(read_lines(file))
    file.write_bytes(b"plain text\n")
    with pytest.raises(ValueError, match=rf"a\{suffix}: damaged"):
        list(read_lines(file))


def test_standard_input():
    code = "from translate.text import read_lines; print(list(read_lines('-')))"
    done = subprocess.run([sys.executable, "-c", code], input="ä\u2028\nb".encode(), capture_output=True, check=True)
    assert done.stdout.decode().strip() == str(["ä\u2028", "b"])
    code = "from translate.text import read_lines\ntry:\n    list(read_lines('-'))\nexcept ValueError as error:\n    print(error)"
    done = subprocess.run([sys.executable, "-c", code], input=b"a\n\xff", capture_output=True, check=True)
    assert done.stdout.decode().strip() == "standard input, line 2: invalid UTF-8 at byte 1 of the line"


def test_unreadable_input_is_one_line_and_known_at_once(tmp_path):
    with pytest.raises(ValueError, match=r"^\S*none\.txt: cannot be read: No such file or directory$"):
        read_lines(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="cannot be read: Is a directory$"):
        read_lines(tmp_path)
    (tmp_path / "bad").write_bytes("gut\nnicht g\xfct\n".encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad, line 2: invalid UTF-8 at byte 8 of the line$"):
        list(read_lines(tmp_path / "bad"))


def test_nothing_appears_before_the_end_and_nothing_after_a_failure(tmp_path):
    file = tmp_path / "out.txt"
    with pytest.raises(KeyboardInterrupt), written_whole(file) as stream:
        stream.write("half")
        stream.flush()
        assert not file.exists()
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())

    file.write_text("old")
    with pytest.raises(RuntimeError), written_whole(file) as stream:
        stream.write("half")
        raise RuntimeError
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_rights_and_links_survive(tmp_path):
    file, link = tmp_path / "out.txt", tmp_path / "link"
    file.write_text("old")
    file.chmod(0o640)
    link.symlink_to(file)
    with written_whole(link) as stream:
        stream.write("new\n")
    assert link.is_symlink() and file.read_text() == "new\n" and stat.S_IMODE(file.stat().st_mode) == 0o640
    with written_whole(tmp_path / "fresh") as stream:
        stream.write("x")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "fresh").stat().st_mode) == 0o666 & ~umask


def test_a_place_that_cannot_be_written(tmp_path):
    missing = f"No such file or directory; make the folder {tmp_path / 'no'} first"
    for path, reason in ((tmp_path, "Is a directory"), (f"{tmp_path}/no/", "Is a directory"), (tmp_path / "no" / "out", missing)):
        with pytest.raises(ValueError, match=f"cannot be written: {reason}$"), written_whole(path):
            raise AssertionError("must not be reached")
    with written_whole("/dev/null") as stream:  # a device stays what it is
        stream.write("x")
    assert not stat.S_ISREG(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk():
    with pytest.raises(ValueError, match="/dev/full: cannot be written: No space left on device"), written_whole("/dev/full") as stream:
        stream.write("x" * 100_000)
