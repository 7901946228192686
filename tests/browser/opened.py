"""A page that is open in a browser: what it asked for, what it complained of, how it reads.

The rules of accessibility are those of axe-core (Deque Systems), as the package
axe-playwright-python brings it.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

#: What a page of one file may ask for: itself, and what is written in it.
OWN = ("data:", "blob:", "about:")

FOCUSED = """() => {
  const at = document.activeElement;
  if (!at || at === document.body || at === document.documentElement) return null;
  const box = at.getBoundingClientRect(), style = getComputedStyle(at);
  const name = at.getAttribute("aria-label") || at.innerText || at.name || at.id || "";
  const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
  return {tag: at.tagName.toLowerCase(), name: name.trim().slice(0, 60),
          seen: (box.width > 0 && box.height > 0), marked: outlined || style.boxShadow !== "none"};
}"""

#: What can take the focus by Tab, as far as a page can tell.
REACHABLE = """() => [...document.querySelectorAll(
  "a[href], button, input, select, textarea, summary, [tabindex]")].filter(one =>
    one.tabIndex >= 0 && !one.disabled && one.checkVisibility({visibilityProperty: true})).length"""

WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@cache
def axe() -> str:
    """The script that audits a page."""
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")


@dataclass
class Opened:
    """A page in a browser of its own size and scheme."""

    page: Any
    context: Any
    complaints: list[str] = field(default_factory=list)

    def audit(self, **options: Any) -> list[str]:
        """What axe-core finds, one sentence each: the rule, how often, the first place."""
        self.page.evaluate(axe())
        # A page from a file may neither fetch its style sheets again nor ask what it frames; the
        # report that one page frames is audited by itself.
        options = {"preload": False, "iframes": False, **options}
        found = self.page.evaluate("options => axe.run(document, options)", options)
        said = []
        for one in found["violations"]:
            first, times = one["nodes"][0], len(one["nodes"])
            place = f"{first['html'][:200]} {first['failureSummary']}"
            said.append(f"{one['id']} ({one['impact']}), {times} times: {place}")
        return said

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return int(self.page.evaluate(WIDER))

    def reachable(self) -> int:
        """How many elements the Tab key should reach."""
        return int(self.page.evaluate(REACHABLE))

    def tab_walk(self, most: int = 1000) -> list[dict[str, Any]]:
        """Where Tab leads from the top of the page, once around."""
        walked = []
        for _ in range(most):
            self.page.keyboard.press("Tab")
            at = self.page.evaluate(FOCUSED)
            if at is None:
                break
            walked.append(at)
        return walked

    def close(self) -> None:
        self.context.close()


def open_in(
    browser: Any,
    path: Path,
    *,
    scheme: str = "light",
    width: int = 1280,
    height: int = 800,
    script: bool = True,
    media: str = "screen",
    root: Path | None = None,
) -> Opened:
    """Open a file; errors, messages on the console and requests elsewhere are complaints.

    Without a ``root`` the page is complete in itself; with one, it may ask for what lies there.
    """
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": height},
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    page = context.new_page()
    opened = Opened(page, context)
    page.on("console", lambda message: opened.complaints.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
    allowed = (*OWN, (root or path).resolve().as_uri())

    def asked(request: Any) -> None:
        if not request.url.startswith(allowed):
            opened.complaints.append(f"request: {request.url}")

    page.on("request", asked)
    page.emulate_media(media=media, color_scheme=scheme)
    page.goto(path.resolve().as_uri())
    return opened
