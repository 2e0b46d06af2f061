"""Who can use the page: by keyboard alone, on a phone, in both colour schemes, with a token."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.server.pages import Opened, settled
from tests.support.services import TOKEN, listening

from attrformer.server.options import ServeOptions
from attrformer.server.state import Service


def test_the_keyboard_is_enough(page: Page) -> None:
    settled(page)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.locator("#find input").focus()
    page.keyboard.type("item-001")
    expect(page.locator("#find .found li")).to_have_count(10)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#history li")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator("#history li")).to_have_count(2)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(page.locator("#find input")).to_be_focused()
    page.locator("#history button").last.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#history li")).to_have_count(1)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Remove")
    page.locator("#to-relations").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#relations")).to_be_visible()
    expect(page.locator("#to-relations")).to_have_attribute("aria-current", "page")


def test_a_phone_shows_it_without_scrolling_sideways(browser: Browser, address: str) -> None:
    opened = Opened(browser, address, viewport={"width": 360, "height": 740}, has_touch=True, is_mobile=True)
    settled(opened.page)
    for view in ("recommend", "relations"):
        opened.page.locator(f"#to-{view}").click()
        expect(opened.page.locator(f"#{view}")).to_be_visible()
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 360
    opened.context.close()
    assert opened.problems == []


def channels(colour: str) -> list[float]:
    return [float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def luminance(colour: str) -> float:
    parts = [value / 255 for value in channels(colour)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_can_be_read_and_everything_has_a_name(browser: Browser, address: str, scheme: str) -> None:
    opened = Opened(browser, address, color_scheme=scheme)
    page = opened.page
    settled(page)
    page.get_by_label("User id").fill("user-0003")
    page.get_by_role("button", name="Load").click()
    expect(page.locator("#answers .reason").first).to_be_visible()
    expect(page.locator("#answers summary").first).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert (luminance(ground) > 0.5) == (scheme == "light")
    for selector in ("h2", ".soft", ".number", ".reason", "button.quiet", "summary"):
        ink = page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).color")
        dark, bright = sorted((luminance(ink), luminance(ground)))
        assert (bright + 0.05) / (dark + 0.05) >= 4.5, selector
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('input, select, button')].filter((one) =>
            !one.getAttribute('aria-label') && !(one.labels && one.labels.length) && !one.textContent.trim()
        ).map((one) => one.outerHTML)"""
    )
    assert nameless == []
    opened.context.close()
    assert opened.problems == []


def test_a_token_is_asked_for_once(browser: Browser, fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions(token=TOKEN))
    service.engine.start()
    with listening(service) as address:
        opened = Opened(browser, address)
        page = opened.page
        page.get_by_label("This service asks for a token").fill(TOKEN)
        page.keyboard.press("Enter")
        settled(page)
        page.reload()
        settled(page)
        expect(page.locator("#token-form")).to_be_hidden()
        opened.context.close()
