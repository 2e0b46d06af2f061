"""The page in real headless Chromium: composed, answered and explored by mouse and by keyboard, wide and narrow."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect
from tests.server.everybody import ALL_USERS
from tests.server.pages import Opened, explains, settled, titles
from tests.support.ports import reserved_port
from tests.support.services import PATIENT, listening

from attrformer.server.state import Service


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
    with page.expect_response(explains(user_attributes={"visitor": {"age_band": "25-34"}})):
        page.get_by_label("age band").select_option("25-34")
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
    with page.expect_response(explains(where="price < 12")):
        page.get_by_label("Only items with").fill("price < 12")
        page.get_by_label("Only items with").press("Enter")
        page.get_by_label("Only items with").blur()
    expect(page.locator("#answers-status")).to_contain_text("items")
    assert titles(page) != before
    with page.expect_response(explains(at_most={"brand": 1})):
        page.get_by_label("of each", exact=True).select_option("brand")
        page.get_by_label("At most", exact=True).fill("1")
        page.get_by_label("At most", exact=True).blur()
    # A list that rules leave too short says why.
    expect(page.locator("#answers-status")).to_contain_text("at_most leaves out")
    # Nothing of this model changes in time.
    expect(page.get_by_label("As of (UTC)")).to_be_hidden()


def test_prices_are_read_as_of_a_time(browser: Browser, run: Path) -> None:
    service = Service(run, PATIENT)
    service.engine.start()
    with listening(service) as address:
        opened = Opened(browser, address)
        page = opened.page
        settled(page)
        change = {"changes": [{"item_id": "item-0003", "column": "price", "value": 777, "timestamp": 2_000_000_000}]}
        assert page.request.post(f"{address}/v1/changes", data=change).status == 201
        page.reload()
        page.get_by_label("Only items with").fill("price == 777")
        with page.expect_response(explains(where="price == 777")):
            page.get_by_label("Only items with").blur()
        expect(page.locator("#answers-status")).to_contain_text("1 items")
        with page.expect_response(explains(as_of=1_999_999_999)):
            page.get_by_label("As of (UTC)").fill("2033-05-18T03:33:19")
            page.get_by_label("As of (UTC)").blur()
        expect(page.locator("#answers-status")).to_contain_text("0 items")
        assert opened.problems == []
        page.get_by_label("Only items with").fill("prise < 12")
        page.get_by_label("Only items with").blur()
        expect(page.locator("#message")).to_contain_text("Did you mean 'price'?")
        page.get_by_label("Only items with").fill("")
        page.get_by_label("Only items with").blur()
        expect(page.locator("#message")).to_be_hidden()
        opened.context.close()
        assert len(opened.problems) == 1 and "422" in opened.problems[0]


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
    with page.expect_response(explains(users=["user-0003"])) as asked:
        page.get_by_role("button", name="Load").click()
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
    service, again = Service(fitted_run, PATIENT), Service(fitted_run, PATIENT)
    with reserved_port() as port:
        with listening(service, port) as address:
            opened = Opened(browser, address)
            expect(opened.page.get_by_role("alert")).to_contain_text("is being read")
            service.engine.start()
            settled(opened.page)
            expect(opened.page.get_by_role("alert")).to_be_hidden()
        opened.page.get_by_label("Items", exact=True).select_option("5")
        expect(opened.page.get_by_role("alert")).to_contain_text("cannot be reached")
        again.engine.start()
        with listening(again, port):
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
