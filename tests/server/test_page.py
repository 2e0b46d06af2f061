"""The page in real headless Chromium: composed, answered and explored by mouse and by keyboard, wide and narrow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error, Page, Route, expect, sync_playwright
from tests.server.everybody import ALL_USERS
from tests.support.services import TOKEN, listening

from attrformer.server.options import ServeOptions
from attrformer.server.state import Service


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    installed = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=installed, args=["--no-sandbox"])
        except Error:
            pytest.skip("needs Chromium: playwright install chromium, or the package chromium of the system")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(fitted_run: Path) -> Iterator[str]:
    service = Service(fitted_run, ServeOptions())
    service.engine.start()
    with listening(service) as address:
        yield address


class Opened:
    """A page, and whatever went wrong in it or was fetched from elsewhere."""

    def __init__(self, browser: Browser, address: str, **options: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        self.page = self.context.new_page()
        self.problems: list[str] = []
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", lambda line: self.problems.append(line.text) if line.type == "error" else None)
        self.page.on(
            "request", lambda asked: None if asked.url.startswith(address) else self.problems.append(asked.url)
        )
        self.page.goto(f"{address}/")


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    opened = Opened(browser, address)
    yield opened.page
    opened.context.close()
    assert opened.problems == []


def titles(page: Page) -> list[str]:
    return page.locator("#answers h3 span:nth-child(2)").all_text_contents()


def settled(page: Page, count: int = 10) -> None:
    expect(page.locator("#answers-status")).to_have_text(f"{count} items", timeout=20_000)


def test_a_history_is_composed_and_recommendations_follow(page: Page) -> None:
    settled(page)
    popular = titles(page)
    page.get_by_label("Words of a title or id").first.fill("item-0007")
    expect(page.locator("#find .found li")).to_have_count(1)
    with page.expect_response("**/v1/explain"):
        page.locator("#find .found button").click()
    expect(page.locator("#history li")).to_have_count(1)
    settled(page)
    expect(page.locator("#answers > li").first.locator(".bars li").first).to_be_visible()
    assert titles(page) != popular
    assert page.locator("#answers .reason").first.text_content()
    bars = page.locator("#answers > li").first.locator(".bars .fill")
    assert bars.first.evaluate("bar => bar.getBoundingClientRect().width") > 5

    before = titles(page)
    with page.expect_response("**/v1/explain") as asked:
        page.get_by_label("age band").select_option("25-34")
    assert asked.value.request.post_data_json["user_attributes"] == {"visitor": {"age_band": "25-34"}}
    settled(page)
    with page.expect_response("**/v1/explain"):
        page.locator("#answers > li").first.get_by_role("button").first.click()
    expect(page.locator("#history li")).to_have_count(2)
    page.get_by_label("Items", exact=True).select_option("5")
    settled(page, 5)
    assert before[0] not in titles(page)


def test_rules_of_a_shop_shape_the_list(page: Page) -> None:
    settled(page)
    before = titles(page)
    with page.expect_response("**/v1/explain") as asked:
        page.get_by_label("Only items with").fill("price < 12")
        page.get_by_label("Only items with").press("Enter")
        page.get_by_label("Only items with").blur()
    assert asked.value.request.post_data_json["where"] == "price < 12"
    expect(page.locator("#answers-status")).to_contain_text("items")
    assert titles(page) != before
    with page.expect_response("**/v1/explain") as asked:
        page.get_by_label("of each", exact=True).select_option("brand")
        page.get_by_label("At most", exact=True).fill("1")
        page.get_by_label("At most", exact=True).blur()
    assert asked.value.request.post_data_json["at_most"] == {"brand": 1}
    # A list that rules leave too short says why.
    expect(page.locator("#answers-status")).to_contain_text("at_most leaves out")
    with page.expect_response("**/v1/explain") as asked:
        page.get_by_label("Only items with").fill("prise < 12")
        page.get_by_label("Only items with").blur()
    expect(page.locator("#message")).to_contain_text("Did you mean 'price'?")
    with page.expect_response("**/v1/explain"):
        page.get_by_label("Only items with").fill("")
        page.get_by_label("Only items with").blur()
    expect(page.locator("#message")).to_be_hidden()
    # Nothing of this model changes in time.
    expect(page.get_by_label("As of (UTC)")).to_be_hidden()


def test_prices_are_read_as_of_a_time(browser: Browser, run: Path) -> None:
    service = Service(run, ServeOptions())
    service.engine.start()
    with listening(service) as address:
        opened = Opened(browser, address)
        page = opened.page
        settled(page)
        change = {"changes": [{"item_id": "item-0003", "column": "price", "value": 777, "timestamp": 2_000_000_000}]}
        assert page.request.post(f"{address}/v1/changes", data=change).status == 201
        page.reload()
        page.get_by_label("Only items with").fill("price == 777")
        with page.expect_response("**/v1/explain") as asked:
            page.get_by_label("Only items with").blur()
        expect(page.locator("#answers-status")).to_contain_text("1 items")
        with page.expect_response("**/v1/explain") as asked:
            page.get_by_label("As of (UTC)").fill("2033-05-18T03:33:19")
            page.get_by_label("As of (UTC)").blur()
        assert asked.value.request.post_data_json["as_of"] == 1_999_999_999
        expect(page.locator("#answers-status")).to_contain_text("0 items")
        opened.context.close()
        assert opened.problems == []


def test_a_user_is_picked(page: Page) -> None:
    page.get_by_label("User id").fill("user-0003")
    page.get_by_role("button", name="Load").click()
    expect(page.locator("#user-note")).to_contain_text("user-0003")
    count = page.locator("#history li").count()
    assert count >= 5
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("#history li")).to_have_count(0)
    expect(page.get_by_label("User id")).to_have_value("")


def test_everybody_gets_on_the_page_what_the_service_gives_for_the_user(page: Page) -> None:
    right, by_id, by_entries = page.evaluate(ALL_USERS)
    assert len(right) == 90 and all(len(row) == 11 for row in right)
    assert right == by_id == by_entries


def test_a_user_who_is_loaded_is_asked_about_by_id_until_the_history_is_edited(page: Page) -> None:
    settled(page)
    page.get_by_label("User id").fill("user-0003")
    with page.expect_response("**/v1/explain") as asked:
        page.get_by_role("button", name="Load").click()
    assert asked.value.request.post_data_json["users"] == ["user-0003"]
    assert "histories" not in asked.value.request.post_data_json
    with page.expect_response("**/v1/explain") as asked:
        page.locator("#history button").last.click()
    sent = asked.value.request.post_data_json
    times = [entry["timestamp"] for entry in sent["histories"]["user-0003"]]
    assert "users" not in sent and times == sorted(times) and len(times) == page.locator("#history li").count()
    # What is moved before an earlier item, or added, has no time of its own; the answer is none the worse.
    with page.expect_response("**/v1/explain") as asked:
        page.locator("#history li").nth(2).get_by_role("button").first.click()
    assert asked.value.status == 200
    settled(page)


def test_the_page_comes_alive_when_the_model_is_there_and_after_a_restart(browser: Browser, fitted_run: Path) -> None:
    service = Service(fitted_run, ServeOptions())
    with listening(service) as address:
        opened = Opened(browser, address)
        expect(opened.page.get_by_role("alert")).to_contain_text("is being read")
        service.engine.start()
        settled(opened.page)
        expect(opened.page.get_by_role("alert")).to_be_hidden()
    opened.page.get_by_label("Items", exact=True).select_option("5")
    expect(opened.page.get_by_role("alert")).to_contain_text("cannot be reached")
    again = Service(fitted_run, ServeOptions())
    again.engine.start()
    with listening(again, port=int(address.rsplit(":", 1)[1])):
        settled(opened.page, 5)
        expect(opened.page.get_by_role("alert")).to_be_hidden()
    opened.context.close()


def test_what_does_not_listen_yet_is_not_shown(page: Page) -> None:
    waiting: list[Route] = []
    page.route("**/v1/model", lambda route: waiting.append(route))
    with page.expect_request("**/v1/model"):
        page.reload()
    expect(page.locator("#about")).to_have_text("Reading the model …")
    expect(page.get_by_role("button", name="Load")).not_to_be_visible()
    page.locator("#to-relations").click()
    expect(page.locator("#relations")).not_to_be_visible()
    page.locator("#to-recommend").click()
    for route in waiting:
        route.continue_()
    page.get_by_label("User id").fill("user-0003")
    page.get_by_role("button", name="Load").click()
    expect(page.locator("#user-note")).to_contain_text("user-0003")


def test_what_is_wrong_is_said(browser: Browser, address: str) -> None:
    opened = Opened(browser, address)
    settled(opened.page)
    waiting: list[Route] = []
    opened.page.route("**/v1/explain", lambda route: waiting.append(route))
    with opened.page.expect_request("**/v1/explain"):
        opened.page.get_by_label("Items", exact=True).select_option("5")
    opened.page.get_by_label("User id").fill("<b>nobody</b>")
    opened.page.keyboard.press("Enter")
    message = opened.page.get_by_role("alert")
    expect(message).to_contain_text("'<b>nobody</b>' is not among the users")
    for route in waiting:
        route.continue_()
    settled(opened.page, 5)
    expect(message).to_contain_text("'<b>nobody</b>' is not among the users")
    assert all("404" in problem for problem in opened.problems)
    opened.context.close()


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


def test_relations_are_explored(page: Page) -> None:
    settled(page)
    page.locator("#to-relations").click()
    expect(page.locator("#strengths li")).to_have_count(9)
    expect(page.get_by_role("table", name="Strongest pairs of brand")).to_be_visible()
    names = page.locator(".heat tbody th").all_text_contents()
    assert names == page.locator(".heat thead th").all_text_contents() and len(names) >= 2
    assert page.locator(".heat td i").count() == len(names) ** 2
    page.get_by_label("Attribute", exact=True).select_option("category")
    expect(page.get_by_role("table", name="Strongest pairs of category")).to_be_visible()
    page.locator("#find-similar input").fill("item-0003")
    expect(page.locator("#find-similar .found li")).to_have_count(1)
    page.locator("#find-similar .found button").click()
    expect(page.locator("#similar li")).to_have_count(12)
    by_content = page.locator("#similar li").all_text_contents()
    page.get_by_label("By", exact=True).select_option("item_brand")
    expect(page.locator("#similar li").first).not_to_have_text(by_content[0])


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
