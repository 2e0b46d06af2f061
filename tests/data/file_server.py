"""A real HTTP server of files that can be told to misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler


@dataclass
class Served:
    """What the server holds, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    wrong_range: bool = False
    sized: bool = True
    statuses: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    url: str = ""


def handler(served: Served) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            wanted = self.headers.get("Range")
            served.asked.append((name, wanted, self.headers.get("If-Range")))
            if served.statuses:
                self.refuse(served.statuses.pop(0))
            elif name not in served.files:
                self.refuse(404)
            else:
                self.serve(served.files[name], wanted)

        def refuse(self, status: int, **headers: str) -> None:
            self.send_response(status)
            for key, value in {"Content-Length": "0", "Retry-After": "0", **headers}.items():
                self.send_header(key.replace("_", "-"), value)
            self.end_headers()

        def serve(self, body: bytes, wanted: str | None) -> None:
            same = self.headers.get("If-Range") in (None, served.etag, served.modified)
            start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and served.ranges and same else 0
            if wanted and start >= len(body):
                self.refuse(416, Content_Range=f"bytes */{len(body)}")
                return
            self.send_response(206 if start else 200)
            if start:
                said = start + 1 if served.wrong_range else start
                self.send_header("Content-Range", f"bytes {said}-{len(body) - 1}/{len(body)}")
            if served.sized:
                self.send_header("Content-Length", str(len(body) - start))
            for key, value in (("ETag", served.etag), ("Last-Modified", served.modified)):
                if value:
                    self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body[start : start + served.cuts.pop(0)] if served.cuts else body[start:])

        def log_message(self, *_: object) -> None:
            pass

    return Handler
