"""Downloads from a real server on this machine: whole, cut off, an HTML page, the wrong file, no server."""

import hashlib
import http.server
import threading

import pytest
from softlabels import paths
from softlabels.datasets import fetch
from softlabels.errors import ConfigError, DataError, DataUnavailable

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = "things/file.bin"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        getattr(self, self.path.strip("/"))()

    def answer(self, body, length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        self.end_headers()
        self.wfile.write(body)

    def good(self):
        self.answer(CONTENT)

    def cut(self):
        self.answer(CONTENT[:100_000], length=len(CONTENT))

    def cut_once(self):
        self.cut() if len(self.server.requests) == 1 else self.good()

    def busy_once(self):
        self.answer(b"busy", status=503) if len(self.server.requests) == 1 else self.good()

    def page(self):
        self.answer(b"\n<!DOCTYPE html><html><body>Log in</body></html>")

    def wrong(self):
        self.answer(CONTENT[::-1])

    def missing(self):
        self.answer(b"<html>not found</html>", status=404)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTLABELS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SOFTLABELS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "PAUSES", (0.01, 0.01))


@pytest.fixture
def publish(server, monkeypatch):
    def at(page):
        url = f"http://127.0.0.1:{server.server_port}/{page}"
        monkeypatch.setitem(fetch.FILES, KEY, fetch.File(SHA256, url))
        return url

    return at


def put_in_data_folder(content):
    path = paths.data() / KEY
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def stored():
    """Whatever lies in the download cache, locks apart."""
    return [p for p in paths.cache().rglob("*") if p.is_file() and p.suffix != ".lock"]


def test_a_file_is_downloaded_once(server, publish):
    publish("good")
    path = fetch.fetch(KEY)
    assert path.read_bytes() == CONTENT
    assert fetch.fetch(KEY) == path
    assert server.requests == ["/good"]
    assert stored() == [path]


def test_a_damaged_download_is_replaced(server, publish):
    publish("good")
    path = fetch.fetch(KEY)
    path.write_bytes(CONTENT[:10])
    assert fetch.at_hand(KEY) is None
    assert fetch.fetch(KEY).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_the_data_folder_comes_first(server, publish):
    publish("good")
    path = put_in_data_folder(CONTENT)
    assert fetch.fetch(KEY) == path == fetch.at_hand(KEY)
    assert server.requests == []


def test_a_wrong_file_in_the_data_folder_is_named(server, publish):
    publish("good")
    path = put_in_data_folder(CONTENT[:-1])
    with pytest.raises(DataError, match="expected SHA-256") as caught:
        fetch.fetch(KEY)
    assert str(path) in str(caught.value)
    assert SHA256 in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    ("page", "error", "message", "tries"),
    [
        ("cut", DataError, "truncated", 3),
        ("page", DataError, "an HTML page instead of the file", 1),
        ("wrong", DataError, hashlib.sha256(CONTENT[::-1]).hexdigest(), 1),
        ("missing", DataUnavailable, "HTTP status 404", 1),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(server, publish, page, error, message, tries):
    url = publish(page)
    with pytest.raises(error, match=message) as caught:
        fetch.fetch(KEY)
    assert url in str(caught.value)
    assert str(paths.data() / KEY) in str(caught.value)
    assert len(server.requests) == tries
    assert stored() == []


@pytest.mark.parametrize("page", ["cut_once", "busy_once"])
def test_a_broken_download_starts_again(server, publish, page):
    publish(page)
    assert fetch.fetch(KEY).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_after_a_failure_the_next_call_works(publish):
    publish("cut")
    with pytest.raises(DataError):
        fetch.fetch(KEY)
    publish("good")
    assert fetch.fetch(KEY).read_bytes() == CONTENT


def test_no_server(server, publish):
    url = publish("good")
    server.shutdown()
    server.server_close()
    with pytest.raises(DataUnavailable, match="expected a server, found none") as caught:
        fetch.fetch(KEY)
    assert url in str(caught.value)
    assert stored() == []


def test_an_interrupted_download_leaves_nothing(publish, monkeypatch):
    def interrupted(key, url, part):
        part.write_bytes(CONTENT[:10])
        raise KeyboardInterrupt

    publish("good")
    monkeypatch.setattr(fetch, "_get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fetch.fetch(KEY)
    assert stored() == []


def test_threads_that_ask_at_once_download_once(server, publish):
    publish("good")
    threads = [threading.Thread(target=fetch.fetch, args=(KEY,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.requests == ["/good"]


def test_a_file_without_an_address_says_where_to_put_it(monkeypatch):
    monkeypatch.setitem(fetch.FILES, KEY, fetch.File(SHA256))
    with pytest.raises(DataUnavailable, match="SOFTLABELS_DATA"):
        fetch.fetch(KEY)


def test_an_unknown_key_gets_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'cifar10h/cifar10h-counts"):
        fetch.fetch("cifar10h/cifar10h-count.npy")


@pytest.mark.parametrize("key", sorted(fetch.FILES))
def test_the_registry_is_well_formed(key):
    file = fetch.FILES[key]
    assert len(bytes.fromhex(file.sha256)) == 32
    assert file.url is None or file.url.startswith("https://")
