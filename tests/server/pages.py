"""The page in a browser, for the tests of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Browser, Page, Response, expect

PATIENCE = 120_000
"""Milliseconds that a browser may take for anything, on a processor that others use too."""


class Opened:
    """A page, and whatever went wrong in it or was fetched from elsewhere."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(address) else self.problems.append(asked.url)
        )
        self.page.goto(f"{address}/")


def explains(**fields: Any) -> Callable[[Response], bool]:
    """Fits the answer to a request for an explanation with these fields.

    The page asks a moment after each change, so that two changes are one request or two.
    """

    def fits(response: Response) -> bool:
        if not response.url.endswith("/v1/explain"):
            return False
        sent = response.request.post_data_json or {}
        return all(sent.get(name) == value for name, value in fields.items())

    return fits


def titles(page: Page) -> list[str]:
    return page.locator("#answers h3 span:nth-child(2)").all_text_contents()


def settled(page: Page, count: int = 10) -> None:
    expect(page.locator("#answers-status")).to_have_text(f"{count} items")
