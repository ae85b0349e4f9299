"""Chromium without a window, driven over its DevTools protocol through a pipe: for tests of what people see."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def installed() -> str | None:
    """The path of a Chromium; None if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Page:
    """A page of a browser. send, receive: the pipe's ends."""

    def __init__(self, send: int, receive: int) -> None:
        self.send, self.receive = send, receive
        self.count, self.buffer, self.session = 0, b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.call("Page.enable")

    def message(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            if not (more := os.read(self.receive, 1 << 20)):
                raise RuntimeError("the browser ended")
            self.buffer += more
        text, _, self.buffer = self.buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result. Raises RuntimeError with the browser's error."""
        self.count += 1
        asked: dict[str, Any] = {"id": self.count, "method": method, "params": params}
        os.write(self.send, json.dumps(asked | ({"sessionId": self.session} if self.session else {})).encode() + b"\0")
        while (answer := self.message()).get("id") != self.count:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def show(self, width: int, *, height: int = 844, dark: bool = False, media: str = "screen") -> None:
        """Set the screen, in CSS pixels, and the colours and medium that the reader prefers."""
        phone = width < 600
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def open(self, path: Path, anchor: str = "") -> None:
        """Load a file and wait until all of it is there."""
        self.call("Page.navigate", url="about:blank")
        self.call("Page.navigate", url=path.resolve().as_uri() + anchor)
        ready = "new Promise(r => document.readyState == 'complete' ? r(1) : addEventListener('load', () => r(1)))"
        self.ask(ready)
        self.ask("Promise.all([...document.images].map(image => image.decode().catch(() => 0))).then(() => 1)")

    def ask(self, script: str) -> Any:
        """The value of a JavaScript expression; of a promise, what it comes to."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", script))
        return answer["result"].get("value")

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Save what is on the screen, or the whole page, as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def print(self, path: Path) -> None:
        """Save the page as it is printed on A4, as PDF."""
        options: dict[str, Any] = {"preferCSSPageSize": True, "printBackground": True}
        path.write_bytes(base64.b64decode(self.call("Page.printToPDF", **options)["data"]))


@contextmanager
def browser(profile: Path) -> Iterator[Page]:
    """A page of a fresh browser. profile: an empty folder for what it writes."""
    program = installed()
    assert program, "no Chromium is installed"
    (read, send), (receive, write) = os.pipe(), os.pipe()
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
               "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]  # fmt: skip
    # The protocol wants its pipe's ends as 3 and 4; bash puts them there (sh cannot name those above 9).
    command = ["bash", "-c", f'exec "$0" "$@" 3<&{read} 4>&{write}', program, *options]
    with open(profile / "browser.log", "wb") as log:
        process = subprocess.Popen(command, pass_fds=(read, write), stdout=log, stderr=log)
    os.close(read)
    os.close(write)
    try:
        yield Page(send, receive)
    finally:
        os.close(send)
        os.close(receive)
        process.terminate()
        process.wait(30)
