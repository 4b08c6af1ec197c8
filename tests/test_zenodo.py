"""The archives' download from a real server on this machine: resumed, refused, damaged, checked again."""

import hashlib
import http.server
import json
import shutil
import threading

import pytest
from dcic_folders import N, write
from softlabels import datasets, paths
from softlabels.datasets import fetch
from softlabels.errors import DataError, DataUnavailable

KEY = "MiceBone.zip"


class Handler(http.server.BaseHTTPRequestHandler):
    """Lists one file and sends it, in ranges if asked; `server.mood` says what goes wrong."""

    def do_GET(self):
        server = self.server
        server.requests.append((self.path, self.headers.get("Range")))
        if server.mood == "refuse":
            return self.answer(b"no", status=403)
        if self.path == "/record":
            return self.answer(self.listing())
        content, start = server.content, 0
        asked = self.headers.get("Range")
        if asked and server.mood != "no ranges":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        whole = len(content)
        sent = content[start:]
        if server.mood == "cut" or (server.mood == "cut once" and len(server.requests) == 2):
            sent = sent[: len(sent) // 2]
        self.answer(sent, length=whole - start, status=206 if start else 200, start=start, whole=whole)

    def listing(self):
        server = self.server
        if server.mood == "page":
            return b"<html>maintenance</html>"
        address = f"http://127.0.0.1:{server.server_port}"
        if server.mood == "elsewhere":
            address = "http://127.0.0.2:1"
        key = "Other.zip" if server.mood == "absent" else KEY
        md5 = hashlib.md5(server.content if server.mood != "wrong" else b"else").hexdigest()
        file = {"key": key, "size": len(server.content), "checksum": f"md5:{md5}"}
        return json.dumps({"files": [{**file, "links": {"self": f"{address}/file"}}]}).encode()

    def answer(self, body, length=None, status=200, start=0, whole=0):
        self.send_response(status)
        self.send_header("Content-Length", str(length or len(body)))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(store, monkeypatch):
    folder = write(store / "made")
    shutil.make_archive(str(store / "archive"), "zip", folder.parent, folder.name)
    monkeypatch.setenv("SOFTLABELS_DATA", str(store / "data"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "PAUSES", (0.01, 0.01))
    monkeypatch.setattr(fetch, "BLOCK", 500)  # what is not a whole block is lost when a connection breaks
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.requests, server.mood = (store / "archive.zip").read_bytes(), [], ""
        monkeypatch.setattr(fetch, "RECORD", f"http://127.0.0.1:{server.server_port}/record")
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def downloads():
    folder = paths.cache() / "downloads" / "dcic"
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}


def test_a_dataset_is_downloaded_once_and_its_checksum_kept(server):
    assert len(datasets.load("micebone", image_size=16)) == N
    assert [path for path, _ in server.requests] == ["/record", "/file"]
    kept = downloads()
    assert kept[KEY].read_bytes() == server.content
    assert kept[f"{KEY}.sha256"].read_text().split()[0] == hashlib.sha256(server.content).hexdigest()
    datasets.load("micebone", image_size=16)
    assert len(server.requests) == 2


@pytest.mark.parametrize("mood", ["cut once", "no ranges"])
def test_a_broken_download_goes_on_where_it_stopped(server, mood):
    half = len(server.content) // 2
    if mood == "no ranges":
        part = paths.cache() / "downloads" / "dcic" / f"{KEY}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(server.content[:half])
    server.mood = mood
    assert len(datasets.load("micebone", image_size=16)) == N
    asked = int(server.requests[-1][1].removeprefix("bytes=").rstrip("-"))
    assert half - 500 < asked <= half
    assert downloads()[KEY].read_bytes() == server.content


def test_the_next_call_goes_on_too(server):
    server.mood = "cut"
    with pytest.raises(DataUnavailable, match=r"\d+ bytes are kept; the next call goes on from there"):
        datasets.load("micebone")
    have = downloads()[f"{KEY}.part"].stat().st_size
    assert 0 < have < len(server.content)
    server.mood, server.requests = "", []
    assert len(datasets.load("micebone", image_size=16)) == N
    assert server.requests[-1] == ("/file", f"bytes={have}-")
    assert f"{KEY}.part" not in downloads()


def test_a_wrong_checksum(server):
    server.mood = "wrong"
    with pytest.raises(DataError, match=r"expected \d+ bytes with MD5 .*, found \d+ with .*; try again"):
        datasets.load("micebone")
    assert not {KEY, f"{KEY}.part"} & set(downloads())


def test_a_part_of_another_file_is_found_out_and_replaced(server):
    part = paths.cache() / "downloads" / "dcic" / f"{KEY}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="MD5"):
        datasets.load("micebone")
    assert len(datasets.load("micebone", image_size=16)) == N


def test_a_download_that_was_changed_later_is_refused(server):
    datasets.load("micebone", image_size=16)
    downloads()[KEY].write_bytes(server.content[:-1] + b"!")
    shutil.rmtree(paths.cache() / "dcic")
    with pytest.raises(DataError, match="expected SHA-256"):
        datasets.load("micebone", image_size=16)


@pytest.mark.parametrize(
    ("mood", "error", "message"),
    [
        ("refuse", DataUnavailable, "found HTTP status 403"),
        ("page", DataUnavailable, "expected a list of files, found another answer|no answer"),
        ("absent", DataUnavailable, "expected a file MiceBone.zip, found Other.zip"),
        ("elsewhere", DataError, "an address of the same server"),
    ],
)
def test_a_record_that_gives_no_file(server, mood, error, message):
    server.mood = mood
    with pytest.raises(error, match=message):
        datasets.load("micebone")
    assert KEY not in downloads()


def test_no_server(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataUnavailable, match=r"no answer .* put the file at .*dcic/MiceBone.zip"):
        datasets.load("micebone")
