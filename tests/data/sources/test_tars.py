"""Tars are read in place, and refused when they are damaged or not harmless."""

import gzip
import io
import tarfile

import pytest

from ssd.data.sources.tars import tar_files

CONTENT = {"VOCdevkit/a.txt": b"first", "VOCdevkit/deep/b.jpg": bytes(range(256)) * 9, "empty": b""}


def write(path, members, kind=tarfile.REGTYPE, **changes):
    with tarfile.open(path, "w:") as archive:
        archive.addfile(folder_entry("VOCdevkit/"))
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.type = kind
            entry.size = len(data) if kind == tarfile.REGTYPE else 0
            for key, value in changes.items():
                setattr(entry, key, value)
            archive.addfile(entry, io.BytesIO(data))
    return path


def folder_entry(name):
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    return entry


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "kit.tar", CONTENT)


def test_files_are_found_and_read_where_they_lie(path):
    files = tar_files(path)
    assert {name: stored.read() for name, stored in files.items()} == CONTENT
    assert files["VOCdevkit/a.txt"].address == f"{path}/VOCdevkit/a.txt"
    assert path.read_bytes()[files["VOCdevkit/a.txt"].offset :][:5] == b"first"


def test_names_are_tidied_and_long_names_kept(tmp_path):
    long = "/".join(["x" * 80] * 3)
    assert list(tar_files(write(tmp_path / "kit.tar", {"./a//b": b"", long: b""}))) == ["a/b", long]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../a", "a step out of the folder"),
        ("a/../../b", "a step out of the folder"),
        ("/etc/passwd", "an absolute path"),
        ("C:/a", "an absolute path"),
        ("a\\b", "a backslash"),
        ("a\nb", "no usable name"),
    ],
)
def test_a_name_that_leads_out_is_refused(tmp_path, name, problem):
    path = write(tmp_path / "kit.tar", {"fine": b"", name: b""})
    with pytest.raises(ValueError) as caught:
        tar_files(path)
    assert str(caught.value) == (
        f"{path}: {name!r}: expected plain files and folders inside the archive, got {problem}"
    )


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = write(tmp_path / "kit.tar", {"VOCdevkit/link": b""}, kind, linkname="/etc/passwd")
    with pytest.raises(
        ValueError, match=r"'VOCdevkit/link': expected plain files .* got a link, a device or a"
    ):
        tar_files(path)


def test_a_name_given_twice_is_refused(tmp_path):
    path = tmp_path / "kit.tar"
    with tarfile.open(path, "w:") as archive:
        for name in ("a/b", "./a/b"):
            archive.addfile(tarfile.TarInfo(name))
    with pytest.raises(ValueError, match=r"kit\.tar: a/b: expected each name once, got it twice$"):
        tar_files(path)


def test_a_compressed_tar_is_refused_with_what_to_do(path):
    path.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(
        ValueError, match=r"not compressed, because .*, got gzip; unpack it and name the folder$"
    ):
        tar_files(path)


@pytest.mark.parametrize("data", [b"", b"not a tar", b"\0" * 100, b"x" * 2000])
def test_what_is_no_tar_is_refused(path, data):
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"kit\.tar: expected a whole tar file, got "):
        tar_files(path)


@pytest.mark.parametrize("length", [512, 700, 1024, 1536, 2048, 2100, 3000, 5000])
def test_a_tar_that_was_cut_off_is_refused(path, length):
    whole = path.read_bytes()
    path.write_bytes(whole[:length])
    with pytest.raises(ValueError, match=r"kit\.tar: expected a whole tar file, got "):
        tar_files(path)


def test_a_damaged_header_is_not_the_end(path):
    data = bytearray(path.read_bytes())
    data[2 * 512 + 512 + 5] ^= 1  # in the name of the third entry
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"got something else in place of its end mark at byte 1536$"):
        tar_files(path)


def test_a_file_that_shrank_after_it_was_looked_at_is_named(path):
    stored = tar_files(path)["VOCdevkit/deep/b.jpg"]
    path.write_bytes(path.read_bytes()[: stored.offset + 10])
    with pytest.raises(ValueError, match=r"kit\.tar/VOCdevkit/deep/b\.jpg: expected 2304 bytes, got 10$"):
        stored.read()


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, b"x", b"g", b"L", b"K", b"S"])
@pytest.mark.parametrize("size", [-1, -512, -1024, -(2**40), 10**6, 2**62])
def test_a_size_below_zero_or_beyond_the_end_is_one_sentence_at_once(tmp_path, kind, size):
    path = tmp_path / "a.tar"
    path.write_bytes(header("first", tarfile.REGTYPE, 0) + header("b", kind, size) + bytes(10240))
    with pytest.raises(ValueError) as caught:
        tar_files(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert len(str(caught.value).splitlines()) == 1


def header(name, kind, size):
    """A header of GNU's form, whose size may be any number."""
    entry = tarfile.TarInfo(name)
    entry.type = kind
    block = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = (b"\xff" if size < 0 else b"\x80") + size.to_bytes(11, "big", signed=True)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
