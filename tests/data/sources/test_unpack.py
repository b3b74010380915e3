import random
import stat
import struct
import zipfile

import pytest

from ssd.data.sources.unpack import check_zip, file_names, reading_zip, unpack


def zip_of(path, members, compression=zipfile.ZIP_DEFLATED):
    """A zip with the given (name or ZipInfo, bytes)."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def entry(name, **attributes):
    """A directory entry with the name as it is: ZipInfo tidies the one it is made with."""
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    for key, value in attributes.items():
        setattr(info, key, value)
    return info


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "deep" / "folder"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_files_come_out_with_their_folders_and_bytes(compression, folder, tmp_path):
    members = [("a.txt", b"one"), ("b/c/d.bin", bytes(range(256)) * 9), ("./b//e", b""), ("b/c/", b"")]
    path = zip_of(tmp_path / "set.zip", members, compression)
    unpack(path, folder)
    check_zip(path)
    assert tree(folder) == {"a.txt": b"one", "b/c/d.bin": bytes(range(256)) * 9, "b/e": b""}
    assert file_names(path) == ["a.txt", "b/c/d.bin", "b/e"]


def test_modes_of_the_archive_are_not_taken_over(folder, tmp_path):
    unpack(zip_of(tmp_path / "set.zip", [(entry("a", external_attr=0o104777 << 16), b"")]), folder)
    assert not (folder / "a").stat().st_mode & (stat.S_ISUID | stat.S_IXUSR)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../out", "a step out of the folder"),
        ("a/../../out", "a step out of the folder"),
        ("a/..", "a step out of the folder"),
        ("/out", "an absolute path"),
        ("C:/out", "an absolute path"),
        ("C:out", "an absolute path"),
        ("..\\out", "a backslash"),
        ("a\\b", "a backslash"),
        ("a\nb", "no usable name"),
        (".", "no usable name"),
    ],
)
@pytest.mark.parametrize("read", [check_zip, lambda path: unpack(path, path.parent / "deep/folder")])
def test_a_name_that_leads_elsewhere_stops_everything_before_a_byte_is_written(
    name, problem, read, folder, tmp_path
):
    path = zip_of(tmp_path / "set.zip", [("good", b"1"), (entry(name), b"2")])
    with pytest.raises(ValueError, match=rf"set\.zip: .*got {problem}; nothing was unpacked$") as error:
        read(path)
    assert repr(name) in str(error.value)
    assert tree(tmp_path) == {"set.zip": path.read_bytes()}


def test_a_name_cut_short_by_a_nul_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("good_name", b"1")])
    path.write_bytes(path.read_bytes().replace(b"good_name", b"good\0name"))
    with pytest.raises(ValueError, match="no usable name"):
        unpack(path, folder)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(kind, folder, tmp_path):
    members = [(entry("link", external_attr=(kind | 0o777) << 16), b"/etc/passwd")]
    with pytest.raises(ValueError, match=r"'link': expected plain files .* got a link or a device"):
        unpack(zip_of(tmp_path / "set.zip", members), folder)
    assert tree(folder) == {}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    ("first", "second", "twice"), [("a", "a", "a"), ("a", "./a", "a"), ("a/b", "a", "a")]
)
def test_a_name_given_twice_is_refused(first, second, twice, folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [(first, b"1"), (second, b"2")])
    with pytest.raises(ValueError, match=f"set.zip: {twice}: expected each name once, got it twice"):
        unpack(path, folder)
    assert tree(folder) == {}


def test_more_bytes_than_allowed_are_refused_before_the_first(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b"x" * 600), ("b", b"x" * 401)])
    with pytest.raises(
        ValueError, match=r"expected at most 1,000 bytes unpacked from \d+, got 1,001; nothing"
    ):
        unpack(path, folder, max_bytes=1000)
    assert tree(folder) == {}
    unpack(path, folder, max_bytes=1001)
    assert len(tree(folder)) == 2


def test_a_small_zip_that_declares_gigabytes_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("bomb", b"x" * 1000)])
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    path.write_bytes(data[: directory + 24] + struct.pack("<I", 2 << 30) + data[directory + 28 :])
    with pytest.raises(
        ValueError, match=r"expected at most 1,073,741,824 bytes .* got 2,147,483,648; nothing"
    ):
        unpack(path, folder)


def test_a_member_that_holds_more_than_it_declares_gives_no_more_than_that(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("bomb", b"x" * 1_000_000)])
    data = path.read_bytes()
    directory = data.index(b"PK\x01\x02")
    path.write_bytes(data[: directory + 24] + struct.pack("<I", 10) + data[directory + 28 :])
    with pytest.raises(ValueError, match=r"got damage .*bomb"):
        unpack(path, folder)
    assert sum(map(len, tree(folder).values())) <= 10


def test_more_members_than_allowed_are_refused(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b""), ("b", b""), ("c", b"")])
    with pytest.raises(ValueError, match="expected at most 2 members, got 3"):
        unpack(path, folder, max_members=2)


@pytest.mark.parametrize("content", [b"", b"<html>please log in</html>", b"PK\x03\x04" + bytes(50)])
def test_a_file_that_is_no_zip_is_named(content, tmp_path):
    (tmp_path / "set.zip").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"set\.zip: expected a whole zip file, got damage \(File is not a zip file"
    ):
        file_names(tmp_path / "set.zip")


def test_a_wrong_checksum_is_named_with_its_member(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b"fine"), ("b", b"photo")], zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"photo", b"phoxo"))
    for read in (check_zip, lambda path: unpack(path, folder)):
        with pytest.raises(
            ValueError, match=r"set\.zip: expected a whole zip file, got damage \(Bad CRC-32 .*'b'"
        ):
            read(path)


def test_a_zip_cut_anywhere_is_refused(folder, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", bytes(range(200))), ("b/c", b"two")])
    data = path.read_bytes()
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(ValueError, match="expected a whole zip file"):
            check_zip(path)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_with_any_byte_changed_is_unpacked_right_or_refused_in_a_sentence(compression, tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b"fine " * 20), ("b/c", bytes(range(40)))], compression)
    data, rng, refused = path.read_bytes(), random.Random(1), 0
    for place in range(len(data)):
        path.write_bytes(data[:place] + bytes([data[place] ^ rng.randrange(1, 256)]) + data[place + 1 :])
        folder = tmp_path / str(place)
        folder.mkdir()
        try:
            unpack(path, folder)
        except ValueError as error:
            assert str(error).startswith(f"{path}: ")
            refused += 1
        else:
            assert sorted(tree(folder).values()) in (
                [bytes(range(40)), b"fine " * 20],
                [b"fine " * 20],
                [bytes(range(40))],
            )
    assert refused > len(data) / 2


def test_an_encrypted_member_is_refused(tmp_path):
    path = zip_of(tmp_path / "set.zip", [("secret", b"1")])
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match="secret: expected a member without password, got an encrypted one"):
        check_zip(path)


def test_a_compression_that_not_every_python_has_is_refused(tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b"1")], zipfile.ZIP_LZMA)
    with pytest.raises(
        ValueError, match="a: expected a stored or deflated member, got compression method 14"
    ):
        check_zip(path)


def test_a_failing_disk_is_not_called_a_damaged_zip(tmp_path):
    path = zip_of(tmp_path / "set.zip", [("a", b"1")])
    with pytest.raises(OSError, match="disk full"), reading_zip(path):
        raise OSError("disk full")
