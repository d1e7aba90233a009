"""Debian's Chromium without a window, driven over a pipe by the DevTools protocol, for tests of pages of ours.

`browsing` starts one and ends it; a `Page` looks, clicks and types as a person would. Every host name but loopback's
leads to a `Canary`, which counts who comes: so a test sees a request that a page let out, whatever protocol it spoke
and whether the browser tells of it or not. Used by tests/integration/test_inbox_page.py and the pictures of the docs.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from tests.support.programs import find, missing

TIMEOUT = 20.0
_KEYS = {
    "Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, ""), "Delete": (46, ""), "ArrowDown": (40, ""),
    "ArrowUp": (38, ""), "/": (191, "/"), "1": (49, "1"), "2": (50, "2"), "3": (51, "3"), "4": (52, "4"),
}  # fmt: skip
_OPTIONS = (
    "--headless", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-extensions",
    "--hide-scrollbars", "--force-color-profile=srgb", "--lang=en-GB",
)  # fmt: skip

_BOX = """(() => {
  const one = document.querySelector(%s);
  one.scrollIntoView({ block: "nearest" });
  const { x, y, width, height } = one.getBoundingClientRect();
  return [x + width / 2, y + height / 2, width];
})()"""


def need_chromium() -> Path:
    """Give Chromium's path, or skip the test and say what to install."""
    found = find("chromium") or find("chromium-headless-shell")
    if found is None:
        pytest.skip(missing("chromium-headless-shell"))
    return found


@dataclass
class Canary:
    """Stands for every other host of the world. `visits` has the first bytes of each connection."""

    port: int = 0
    visits: list[bytes] = field(default_factory=list)

    async def met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.visits.append(b"")
        place = len(self.visits) - 1
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                self.visits[place] = await reader.read(200)
        writer.close()


class Browser:
    """The process and its pipe. Answers come by number, events by session."""

    def __init__(self, reader: asyncio.StreamReader, out: int) -> None:
        self._reader, self._out = reader, out
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.pages: list[Page] = []

    async def listen(self) -> None:
        """Take what the browser says until it ends."""
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                said = json.loads((await self._reader.readuntil(b"\0"))[:-1])
                waiting = self._answers.pop(said.get("id", 0), None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(said)
                for page in self.pages:
                    page.noticed(said)

    def tell(self, method: str, session: str = "", **parameters: object) -> int:
        """Send a command and do not wait; gives its number."""
        number = next(self._numbers)
        command = {"id": number, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        os.write(self._out, json.dumps(command).encode() + b"\0")
        return number

    async def ask(self, method: str, session: str = "", **parameters: object) -> dict[str, Any]:
        """Send a command and give its result."""
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[self.tell(method, session, **parameters)] = answer
        said = await asyncio.wait_for(answer, TIMEOUT)
        assert "error" not in said, f"{method}: {said['error']}"
        result: dict[str, Any] = said["result"]
        return result

    async def page(self) -> "Page":
        """Open an empty page."""
        target = (await self.ask("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.ask("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = Page(self, session)
        self.pages.append(page)
        await page.begin()
        return page


class Page:
    """One tab. `requests` are the addresses that it and its frames asked for, `complaints` what went wrong in it."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser, self._session = browser, session
        self._frames: list[str] = []
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.clicks = 0

    async def begin(self) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.ask(f"{domain}.enable")
        self._watch(self._session)
        await self.size(1100, 700)

    def _watch(self, session: str) -> None:
        self._browser.tell("Network.enable", session)
        self._browser.tell("Target.setAutoAttach", session, autoAttach=True, waitForDebuggerOnStart=True, flatten=True)
        self._browser.tell("Runtime.runIfWaitingForDebugger", session)

    def noticed(self, said: dict[str, Any]) -> None:
        """Take an event; those of other pages are left alone."""
        if said.get("sessionId") not in {self._session, *self._frames}:
            return
        match said.get("method"):
            case "Target.attachedToTarget":
                self._frames.append(said["params"]["sessionId"])
                self._watch(said["params"]["sessionId"])
            case "Network.requestWillBeSent":
                self.requests.append(said["params"]["request"]["url"])
            case "Runtime.exceptionThrown":
                self.complaints.append(str(said["params"]["exceptionDetails"]))
            case "Log.entryAdded" if said["params"]["entry"]["level"] == "error":
                self.complaints.append(said["params"]["entry"]["text"])

    async def ask(self, method: str, **parameters: object) -> dict[str, Any]:
        return await self._browser.ask(method, self._session, **parameters)

    async def go(self, address: str) -> None:
        """Open an address and wait until the page is there."""
        await self.ask("Page.navigate", url=address)
        await self.until(f"document.readyState === 'complete' && location.href.startsWith({json.dumps(address)})")

    async def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - any JSON value
        """Give an expression's value in the page."""
        result = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(TIMEOUT):
            while not await self._holds(expression):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)

    async def _holds(self, expression: str) -> bool:
        with contextlib.suppress(AssertionError):  # while a page is left for another one there is nobody to ask
            result = await self.ask("Runtime.evaluate", expression=f"Boolean({expression})", returnByValue=True)
            return result["result"].get("value") is True
        return False

    async def click(self, selector: str) -> None:
        """Click into the middle of an element, as a mouse does; it must be visible."""
        self.clicks += 1
        box = await self.evaluate(_BOX % json.dumps(selector))
        assert box[2] > 0, f"{selector} is not visible"
        for kind in ("mousePressed", "mouseReleased"):
            await self.ask("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            code, text = _KEYS[key]
            named = {"key": key, "windowsVirtualKeyCode": code}
            await self.ask("Input.dispatchKeyEvent", type="keyDown", **named, **({"text": text} if text else {}))
            await self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    async def write(self, text: str) -> None:
        """Type text into what has the focus."""
        await self.ask("Input.insertText", text=text)

    async def size(self, width: int, height: int, scale: float = 1, *, is_phone: bool = False) -> None:
        await self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=is_phone,
        )  # fmt: skip

    async def dark(self) -> None:
        await self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    async def frame(self) -> str:
        """Give the HTML of the page's one frame as the browser has it, however it is kept apart."""
        async with asyncio.timeout(TIMEOUT):
            while "<body" not in (found := await self._frame()):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.03)
        return found

    async def _frame(self) -> str:
        root = (await self.ask("DOM.getDocument", depth=-1, pierce=True))["root"]
        inside = _content_document(root)
        if inside:
            return str((await self.ask("DOM.getOuterHTML", nodeId=inside))["outerHTML"])
        for session in reversed(self._frames):
            with contextlib.suppress(AssertionError):  # a frame that is gone
                root = (await self._browser.ask("DOM.getDocument", session))["root"]
                return str((await self._browser.ask("DOM.getOuterHTML", session, nodeId=root["nodeId"]))["outerHTML"])
        return ""

    async def picture(self) -> bytes:
        """Give what is seen, as PNG."""
        return base64.b64decode((await self.ask("Page.captureScreenshot", format="png"))["data"])


def _content_document(node: dict[str, Any]) -> int:
    if "contentDocument" in node:
        return int(node["contentDocument"]["nodeId"])
    return next(filter(None, map(_content_document, node.get("children", []))), 0)


@asynccontextmanager
async def browsing(folder: Path) -> AsyncIterator[tuple[Browser, Canary]]:
    """Start Chromium with an empty profile below a folder; end it and all that it started."""
    program = need_chromium()
    canary = Canary()
    server = await asyncio.start_server(canary.met, "127.0.0.1", 0)
    canary.port = server.sockets[0].getsockname()[1]
    options = [
        *_OPTIONS,
        f"--user-data-dir={folder / 'profile'}",
        f"--host-resolver-rules=MAP * 127.0.0.1:{canary.port} , EXCLUDE 127.0.0.1",
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        "about:blank",
    ]
    async with server, _started(program, options) as browser:
        yield browser, canary


@asynccontextmanager
async def _started(program: Path, options: list[str]) -> AsyncIterator[Browser]:
    given, said = os.pipe(), os.pipe()
    # Chromium reads commands from descriptor 3 and answers on 4.
    shell = f'exec "$0" "$@" 3<&{given[0]} 4>&{said[1]}'
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", shell, str(program), *options, pass_fds=(given[0], said[1]),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    os.close(given[0])
    os.close(said[1])
    reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(said[0], "rb", 0)
    )
    browser = Browser(reader, given[1])
    listening = asyncio.create_task(browser.listen())
    try:
        yield browser
    finally:
        with contextlib.suppress(OSError):
            browser.tell("Browser.close")
        try:
            await asyncio.wait_for(process.wait(), TIMEOUT)
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.wait_for(listening, TIMEOUT)
        transport.close()
        os.close(given[1])
