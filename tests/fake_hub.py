"""A small model hub on this machine, for tests of downloads without a network."""

import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

COMMIT = "1234567890" * 4


class FakeHub:
    """Repositories as dictionaries of files, the requests so far, and answers that are errors."""

    def __init__(self, url):
        self.url, self.repositories, self.requests, self.refused = url, {}, [], {}

    def add(self, name, folder):
        """Offer a folder as a repository."""
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in paths}
        self.repositories[name] = files
        return files

    def fetched(self):
        """Return the names of the files that were downloaded, and forget all requests."""
        names = {path.partition("/resolve/")[2] for verb, path in self.requests if verb == "GET"}
        self.requests.clear()
        return {name.partition("/")[2] for name in names if name}

    def answer(self, path):
        """Return status, headers and content for a path."""
        for name, (status, code) in self.refused.items():
            if f"/{name}/" in f"{path}/":
                return status, {"X-Error-Code": code}, b"{}"
        path = path.replace("/resolve/main/", f"/resolve/{COMMIT}/")
        for name, files in self.repositories.items():
            if path.startswith(f"/{name}/resolve/{COMMIT}/"):
                content = files.get(path.partition(f"/resolve/{COMMIT}/")[2])
                if content is None:
                    headers = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT}
                    return 404, headers, b""
                tag = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
                return 200, tag, content
            root = f"/api/models/{name}"
            if path in (root, f"{root}/revision/main", f"{root}/revision/{COMMIT}"):
                siblings = [{"rfilename": file} for file in files]
                found = {"id": name, "sha": COMMIT, "siblings": siblings}
                return 200, {}, json.dumps(found).encode()
            if path.startswith(f"{root}/tree/"):
                sizes = {file: len(content) for file, content in files.items()}
                tree = [{"type": "file", "path": f, "size": n, "oid": f} for f, n in sizes.items()]
                return 200, {}, json.dumps(tree).encode()
            if path.startswith(f"{root}/revision/"):
                return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        return 401, {"X-Error-Code": "RepoNotFound"}, b"{}"


@contextmanager
def fake_hub():
    """Run a hub on a free port of this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = unquote(self.path.partition("?")[0])
            hub.requests.append((self.command, path))
            status, headers, content = hub.answer(path)
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub = FakeHub(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
