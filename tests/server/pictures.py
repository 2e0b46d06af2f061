"""Makes the pictures of docs/serve.md: python tests/server/pictures.py RUN docs/images."""

from __future__ import annotations

import shutil
import socket
import sys
import threading
from pathlib import Path

import uvicorn
from playwright.sync_api import Page, sync_playwright

from attrformer.server.app import create_app
from attrformer.server.options import ServeOptions
from attrformer.server.state import Service

WIDE, PHONE = {"width": 1180, "height": 860}, {"width": 390, "height": 844}


def take(page: Page, address: str, view: str, path: Path) -> None:
    page.goto(f"{address}/")
    page.fill("#user", "user-0003")
    page.click("#user-form button")
    page.wait_for_selector("#answers .reason")
    if view == "relations":
        page.click("#to-relations")
        page.select_option("#attribute", "category")
        page.wait_for_selector(".heat td i")
        page.evaluate("document.querySelector('#pairs-title').closest('section').scrollIntoView()")
    elif view == "answers":
        page.evaluate("document.querySelector('#answers').closest('section').scrollIntoView()")
    page.wait_for_timeout(600)
    page.screenshot(path=path)


def main(run: Path, folder: Path) -> None:
    service = Service(run, ServeOptions())
    service.engine.start()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(service), log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, view, size, scheme in (
            ("light", "recommend", WIDE, "light"),
            ("dark", "relations", WIDE, "dark"),
            ("phone", "answers", PHONE, "light"),
        ):
            page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
            take(page, address, view, folder / f"serve-{name}.png")
            page.close()
        browser.close()
    server.should_exit = True
    thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
