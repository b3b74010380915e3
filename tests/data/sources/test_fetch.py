import errno
import hashlib
import resource
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ssd.data.sources.fetch import fetch

CONTENT = bytes(range(256)) * 1200
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Site:
    """A server of one file on 127.0.0.1, whose weaknesses can be set."""

    def __init__(self):
        self.content = CONTENT
        self.status = 200
        self.ranges = True  # goes on where the client asks
        self.length = True  # says how long the answer is
        self.stops = []  # one for each answer to come: the number of bytes after which it ends
        self.silence = 0.0  # seconds that an answer that stops keeps the connection open
        self.asked_from = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                site.answer(self)

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/set.zip"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def answer(self, handler):
        start = 0
        if self.ranges and "Range" in handler.headers:
            start = int(handler.headers["Range"].removeprefix("bytes=").removesuffix("-"))
        # The client may ask again as soon as it has the headers: all that counts answers comes before them.
        self.asked_from.append(start)
        # `download` opens the address twice for a look before it reads: only the third answer is read.
        stop = self.stops.pop(0) if self.stops and len(self.asked_from) % 3 == 0 else None
        handler.send_response(self.status if not start else 206)
        if self.length:
            handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        try:
            handler.wfile.write(self.content[start:stop])
            if stop:
                time.sleep(self.silence)
        except OSError:
            pass  # the client had its look


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    site = Site()
    yield site
    site.server.shutdown()
    site.server.server_close()


def accept(path):
    assert path.is_file()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_whole_and_nothing_is_left_beside_it(site, tmp_path):
    path = tmp_path / "downloads" / "set.zip"
    assert fetch(site.url, path, DIGEST, accept) == DIGEST
    assert path.read_bytes() == CONTENT
    assert names(path.parent) == ["set.zip"]


def test_without_an_expected_digest_the_digest_is_still_told(site, tmp_path):
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST


def test_downloading_leaves_stdout_to_the_stage(site, tmp_path, capsys):
    fetch(site.url, tmp_path / "set.zip", None, accept)
    assert capsys.readouterr().out == ""


def test_a_file_put_there_by_hand_is_used_without_a_request(site, tmp_path):
    (tmp_path / "set.zip").write_bytes(b"by hand")
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == hashlib.sha256(b"by hand").hexdigest()
    assert site.asked_from == []


def test_a_file_put_there_by_hand_with_another_digest_is_refused_and_kept(site, tmp_path):
    path = tmp_path / "set.zip"
    path.write_bytes(b"by hand")
    got = hashlib.sha256(b"by hand").hexdigest()
    for _ in range(2):
        with pytest.raises(
            ValueError, match=f"set.zip: expected sha256 {DIGEST}, got {got}; put the right file"
        ):
            fetch(site.url, path, DIGEST, accept)
    assert path.read_bytes() == b"by hand"
    assert site.asked_from == []


def test_a_download_with_another_digest_never_gets_the_name(site, tmp_path):
    path, wanted = tmp_path / "set.zip", "0" * 64
    for _ in range(2):
        with pytest.raises(
            ValueError, match=f"set.zip.unchecked: expected sha256 {wanted}, got {DIGEST} from http"
        ):
            fetch(site.url, path, wanted, accept)
        assert names(tmp_path) == ["set.zip.unchecked"]
    assert fetch(site.url, path, DIGEST, accept) == DIGEST
    assert names(tmp_path) == ["set.zip"]


def test_a_download_that_the_check_refuses_never_gets_the_name(site, tmp_path):
    def refuse(path):
        raise ValueError(f"{path}: expected a zip, got a login page")

    with pytest.raises(
        ValueError, match=r"unchecked: expected a zip, got a login page \(downloaded from http"
    ):
        fetch(site.url, tmp_path / "set.zip", None, refuse)
    assert names(tmp_path) == ["set.zip.unchecked"]


def test_a_partial_file_of_an_earlier_run_is_gone_on_with(site, tmp_path):
    (tmp_path / "set.zip.unchecked.part").write_bytes(CONTENT[:100_000])
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST
    assert site.asked_from[-1] == 100_000


def test_a_connection_that_breaks_is_taken_up_again(site, tmp_path):
    site.stops = [100_000, 200_000]
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST
    assert site.asked_from[2::3] == [0, 100_000, 200_000]


def test_a_server_that_falls_silent_is_asked_again(site, tmp_path):
    site.stops, site.silence = [100_000], 3.0
    assert fetch(site.url, tmp_path / "set.zip", None, accept, timeout=0.3) == DIGEST


def test_a_server_that_cannot_go_on_from_the_middle_is_read_from_the_start(site, tmp_path):
    site.ranges = False
    (tmp_path / "set.zip.unchecked.part").write_bytes(b"x" * 100_000)
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST


def test_a_partial_file_longer_than_the_servers_file_is_dropped(site, tmp_path):
    (tmp_path / "set.zip.unchecked.part").write_bytes(b"x" * (len(CONTENT) + 1))
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST


def test_a_partial_file_is_dropped_when_the_server_does_not_say_how_long_the_file_is(site, tmp_path):
    site.length = False
    (tmp_path / "set.zip.unchecked.part").write_bytes(b"x" * 100_000)
    assert fetch(site.url, tmp_path / "set.zip", None, accept) == DIGEST


def test_a_server_that_always_stops_early_gives_no_file_but_keeps_the_part(site, tmp_path):
    site.ranges, site.stops = False, [100_000] * 9
    with pytest.raises(
        ValueError, match=r"got 'File size is 100000 and should be 307200'; check .* by hand at .*set"
    ):
        fetch(site.url, tmp_path / "set.zip", None, accept)
    assert names(tmp_path) == ["set.zip.unchecked.part"]


def test_an_address_without_a_file_is_named_with_the_place_for_a_file_by_hand(site, tmp_path):
    site.status = 404
    with pytest.raises(
        ValueError, match=r"set.zip: expected a file to download, got 'HTTP Error 404: Not Found'; "
    ) as e:
        fetch(site.url, tmp_path / "set.zip", None, accept)
    assert str(e.value).endswith(f"or put the file by hand at {tmp_path / 'set.zip'}")
    assert names(tmp_path) == []


def test_a_server_that_is_not_there_is_said_in_one_line(site, tmp_path):
    site.server.shutdown()
    site.server.server_close()
    (tmp_path / "set.zip.unchecked.part").write_bytes(CONTENT[:1000])
    with pytest.raises(ValueError, match=r"Connection refused.*put the file by hand at") as error:
        fetch(site.url, tmp_path / "set.zip", None, accept)
    assert "\n" not in str(error.value)
    assert names(tmp_path) == ["set.zip.unchecked.part"]


@pytest.mark.parametrize("url", ["ftp://example.org/set.zip", "file:///etc/passwd", "set.zip", ""])
def test_an_address_that_is_not_http_is_refused(url, tmp_path):
    with pytest.raises(ValueError, match=f"expected an http or https address, got '{url}'"):
        fetch(url, tmp_path / "set.zip", None, accept)


def test_a_google_drive_address_without_an_id_in_its_path_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"of the form https://drive\.google\.com/file/d/ID/view"):
        fetch("https://drive.google.com/uc?id=1", tmp_path / "set.zip", None, accept)


def test_a_download_that_the_disk_does_not_take_is_told_as_such_and_goes_on_later(site, tmp_path):
    path = tmp_path / "set.zip"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError) as caught:
            fetch(site.url, path, DIGEST, accept)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == f"{path}.unchecked.part"
    assert not path.exists()
    assert fetch(site.url, path, DIGEST, accept) == DIGEST
    assert path.read_bytes() == CONTENT
    assert names(tmp_path) == ["set.zip"]
