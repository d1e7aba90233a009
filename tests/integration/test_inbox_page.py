"""The inbox page in Debian's Chromium: found in three clicks or by keyboard, live, and no request leaves it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.chromium import Browser, Canary, Page, browsing
from tests.support.inbox_world import ELSEWHERE, HOSTILE, World, html, order, plain, world

pytestmark = pytest.mark.integration
SETTLED = 0.5
"""Seconds after which a browser has asked for what it wants to; the canary hears from it at once."""


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as inbox:
        yield inbox


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[tuple[Browser, Canary]]:
    async with browsing(tmp_path) as started:
        yield started


@pytest.fixture
async def page(chromium: tuple[Browser, Canary]) -> Page:
    return await chromium[0].page()


async def _filled(there: World) -> None:
    for number in range(30):
        await there.take(plain(f"user{number}@example.com", f"Message {number}"))
    await there.take(order("zoe@example.com"))
    for number in range(30, 60):
        await there.take(plain(f"user{number}@example.com", f"Message {number}"))


def _focused(page: Page, selector: str) -> str:
    return f"document.activeElement?.matches({selector!r})"


async def test_a_mail_is_found_by_its_recipient_and_its_html_opened_in_three_clicks(there: World, page: Page) -> None:
    await _filled(there)
    await page.go(f"{there.origin}/inbox")
    await page.click("input[type=search]")
    await page.write("zoe@")
    await page.until("document.querySelectorAll('#list ol a').length === 1")
    await page.click("#list ol a")
    await page.until("document.querySelector('iframe')")
    shown = await page.frame()
    assert "two pots of clay" in shown
    assert 'src="data:image/png;base64,' in shown
    assert page.clicks <= 3
    assert not page.complaints


async def test_a_mail_is_found_and_its_html_opened_by_keyboard_alone(there: World, page: Page) -> None:
    await _filled(there)
    await page.go(f"{there.origin}/inbox")
    await page.press("/")
    await page.until(_focused(page, "input[type=search]"))
    await page.write("zoe@")
    await page.press("Enter")
    await page.until(_focused(page, "#list ol a"))
    await page.press("Enter")
    await page.until(_focused(page, "#opened"))
    assert "two pots of clay" in await page.frame()
    await page.press("2")
    await page.until("document.querySelector('pre')?.textContent.includes('The same as text')")
    await page.press("Escape")
    await page.until(_focused(page, "#list ol a"))
    assert await page.evaluate("location.search") == "?q=zoe%40"
    assert page.clicks == 0
    assert not page.complaints


async def test_arrows_go_through_the_list_and_back_to_the_search(there: World, page: Page) -> None:
    for name in ("a", "b"):
        await there.take(plain(f"{name}@example.com", "hi"))
    await page.go(f"{there.origin}/inbox")
    chosen = "document.activeElement.dataset.key"
    await page.press("ArrowDown")
    assert await page.evaluate(chosen) == "2"
    await page.press("ArrowDown", "ArrowDown")
    assert await page.evaluate(chosen) == "1"
    await page.press("ArrowUp", "ArrowUp")
    assert await page.evaluate(_focused(page, "input[type=search]"))
    await page.press("ArrowDown")
    assert await page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


async def test_no_request_leaves_the_page_whatever_a_mail_asks_for(
    there: World, page: Page, chromium: tuple[Browser, Canary]
) -> None:
    await there.take(html("victim@example.com", "<script>document.title = 'hacked'</script>", HOSTILE))
    await page.go(f"{there.origin}/inbox/1")
    assert "Seen and harmless" in await page.frame()
    await page.click("iframe")
    for view in ("2", "3", "4"):
        await page.press(view)
    await page.go(f"{there.origin}/inbox/1/html")
    await page.click("#away")
    await asyncio.sleep(SETTLED)
    assert "hacked" not in await page.evaluate("document.title")
    assert chromium[1].visits == []
    strange = [one for one in page.requests if not one.startswith((there.origin, "data:", "about:"))]
    assert not strange


async def test_the_canary_hears_of_a_page_that_lets_requests_out(
    tmp_path: Path, page: Page, chromium: tuple[Browser, Canary]
) -> None:
    for number, asking in enumerate(("<img src={0}/x>", "<link rel=prefetch href={0}/y>")):
        path = tmp_path / f"open{number}.html"
        path.write_text(f"<!doctype html><body>{asking.format(f'http://{ELSEWHERE}')}</body>")
        before = len(chromium[1].visits)
        await page.go(path.as_uri())
        async with asyncio.timeout(10):
            while len(chromium[1].visits) == before:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)


async def test_new_mail_appears_without_a_reload_and_leaves_the_focus_alone(there: World, page: Page) -> None:
    await there.take(plain("a@example.com", "first"))
    await page.go(f"{there.origin}/inbox")
    await page.evaluate("window.wasReloaded = false")
    await page.press("ArrowDown")
    await there.take(plain("b@example.com", "second"))
    await page.until("document.querySelectorAll('#list ol a').length === 2")
    assert await page.evaluate("window.wasReloaded === false && document.activeElement.dataset.key === '1'")
    assert await page.evaluate("document.getElementById('status').textContent") == "1 new message"


async def test_a_mail_that_is_read_is_not_disturbed_by_another(there: World, page: Page) -> None:
    await there.take(order("zoe@example.com"))
    await page.go(f"{there.origin}/inbox/1")
    await page.evaluate("void (window.frameOfBefore = document.querySelector('iframe'))")
    await there.take(plain("b@example.com", "second"))
    await page.until("document.querySelectorAll('#list ol a').length === 2")
    assert await page.evaluate("window.frameOfBefore === document.querySelector('iframe')")
    assert await page.evaluate("document.querySelector('#list [aria-current]').dataset.key") == "1"


async def test_mail_is_deleted_one_by_one_and_all_at_once(there: World, page: Page) -> None:
    for number in range(4):
        await there.take(plain(f"user{number}@example.com", f"Message {number}"))
    await page.go(f"{there.origin}/inbox/3")
    await page.press("Delete")
    await page.until("document.querySelectorAll('#list ol a').length === 3")
    await page.until("document.activeElement.dataset.key === '2'")
    await page.press("Enter")
    await page.until(_focused(page, "#opened"))
    await page.click("[data-delete] button")
    await page.until("document.querySelectorAll('#list ol a').length === 2")
    await page.click("#clear summary")
    await page.click("#clear button")
    await page.until("document.body.textContent.includes('No mail yet')")
    assert await there.inbox.list() == ()
    assert not page.complaints


async def test_everything_works_without_scripts(there: World, page: Page) -> None:
    await _filled(there)
    await page.ask("Emulation.setScriptExecutionDisabled", value=True)
    await page.go(f"{there.origin}/inbox")
    await page.click("input[type=search]")
    await page.write("zoe")
    await page.press("Enter")
    await page.until("document.querySelectorAll('#list ol a').length === 1 && document.readyState === 'complete'")
    await page.click("#list ol a")
    await page.until("document.querySelector('[data-delete] button') && document.readyState === 'complete'")
    assert "two pots of clay" in await page.frame()
    await page.click("[data-delete] button")
    await page.until("document.body.textContent.includes('None of 60')")


async def test_a_phone_shows_one_thing_at_a_time_and_nothing_beside_the_screen(there: World, page: Page) -> None:
    await there.take(
        plain("a-very-long-address-of-somebody-who-tests@a.very.long.name.of.a.host.example.com", "x" * 150)
    )
    await there.take(order("zoe@example.com"))
    await page.size(390, 844, is_phone=True)
    await page.go(f"{there.origin}/inbox")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.click("#list li:last-child a")
    await page.until(_focused(page, "#opened"))
    assert await page.evaluate("getComputedStyle(document.getElementById('list')).display") == "none"
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    await page.click(".back a")
    await page.until("getComputedStyle(document.getElementById('list')).display !== 'none'")


async def test_colours_follow_the_readers_wish_and_stay_readable(there: World, page: Page) -> None:
    await there.take(plain("a@example.com", "hi"))
    await page.go(f"{there.origin}/inbox/1?view=text")
    light = await page.evaluate(_CONTRAST)
    await page.dark()
    dark = await page.evaluate(_CONTRAST)
    assert light["back"] != dark["back"]
    # https://www.w3.org/TR/WCAG22/#contrast-minimum
    assert min(light["ratio"], dark["ratio"]) >= 4.5


async def test_every_control_has_a_name_for_those_who_hear_the_page(there: World, page: Page) -> None:
    await there.take(order("zoe@example.com"))
    await page.go(f"{there.origin}/inbox/1")
    nodes = (await page.ask("Accessibility.getFullAXTree"))["nodes"]
    controls = [one for one in nodes if one["role"]["value"] in {"link", "button", "searchbox", "Iframe", "navigation"}]
    names = {one["name"]["value"] for one in controls}
    assert len(controls) > 8
    assert "" not in names
    assert {"Messages", "Search recipient, sender or subject", "Delete", "HTML", "Invoice 1006.pdf"} <= names


_CONTRAST = """(() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).map((one) => one / 255).map(
      (one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (one) => {
    const colour = getComputedStyle(one).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && one.parentElement ? behind(one.parentElement) : colour;
  };
  const ratios = [...document.querySelectorAll("a, p, dt, dd, pre, time, summary, h2, .from, #count, button")]
    .filter((one) => one.checkVisibility()).map((one) => {
      const [a, b] = [light(getComputedStyle(one).color), light(behind(one))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    });
  return { back: getComputedStyle(document.body).backgroundColor, ratio: Math.min(...ratios) };
})()"""
