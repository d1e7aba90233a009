"""Draws the pictures of docs/inbox.md: `python -m tests.support.inbox_pictures` writes them to docs/images.

They are made by hand and not by a check: fonts differ from machine to machine.
"""

import asyncio
import tempfile
from pathlib import Path

from tests.support.chromium import Page, browsing
from tests.support.inbox_world import World, html, order, plain, world
from tests.support.repository import REPOSITORY

FOLDER = REPOSITORY / "docs" / "images"


async def _mail(there: World) -> None:
    await there.take(plain("ops@example.com", "Backup finished in 12 minutes", sender="cron@example.com"), age=90_000)
    await there.take(html("carol@example.net", "Reset your password", "<p>Hi", sender="accounts@example.org"), age=7200)
    await there.take(plain("team@example.com", "Minutes of the meeting", sender="bob@example.org"), age=3600)
    await there.take(order("zoe@example.com"), age=240)
    await there.take(plain("dave@example.org", "Grüße aus Köln", sender="erika@example.org"), age=60)


async def _picture(page: Page, name: str) -> None:
    await page.frame()
    await asyncio.sleep(0.5)  # images and fonts
    (FOLDER / name).write_bytes(await page.picture())


async def _draw(folder: Path) -> None:
    async with world(folder) as there, browsing(folder) as (browser, _):
        await _mail(there)
        page = await browser.page()
        await page.ask("Emulation.setTimezoneOverride", timezoneId="Europe/Berlin")
        await page.go(f"{there.origin}/inbox/4")
        await _picture(page, "inbox.png")
        await page.size(390, 760, is_phone=True)
        await _picture(page, "inbox-phone.png")
        await page.size(1100, 700)
        await page.dark()
        await _picture(page, "inbox-dark.png")


def main() -> None:
    """Write the pictures."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_draw(Path(folder)))


if __name__ == "__main__":
    main()
