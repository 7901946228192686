"""The script that sorts and filters tables, in a browser where there is one.

A copy of the page without its policy gets a second script, which does what a person would do and
writes down what is then seen; the browser prints the page that comes of it.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fsm_gpt.report.capacity_report import capacity_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser")

needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")

DRIVER = """
const seen = {};
const names = () => [...document.querySelectorAll("#table-models tbody tr")]
  .filter((row) => !row.hidden).map((row) => row.cells[0].innerText.split("\\n")[0].trim());
const buttons = [...document.querySelectorAll("#table-models thead button")];
const find = (words) => buttons.find((button) => button.textContent === words);
const tools = document.querySelector(".tools");
const type = (words) => {
  const field = tools.querySelector("input");
  field.value = words; field.dispatchEvent(new Event("input"));
};
seen.tools = !tools.hidden;
seen.buttons = buttons.map((button) => button.textContent);
seen.focusable = buttons.every((button) => button.tabIndex === 0);
find("bits").click(); seen.down = names();
seen.told = find("bits").parentNode.getAttribute("aria-sort");
find("bits").click(); seen.up = names();
find("model").click(); seen.words = names();
seen.one = document.querySelectorAll("#table-models [aria-sort]").length;
type("LLAMA 8b"); seen.found = names();
seen.status = tools.querySelector("[role=status]").textContent;
type("no such model"); seen.none = names();
tools.querySelector("button").click(); seen.reset = names();
const by = tools.querySelector("select[name=by]");
by.value = "OpenAI"; by.dispatchEvent(new Event("change")); seen.by = names();
const out = document.createElement("pre"); out.id = "seen"; out.textContent = JSON.stringify(seen);
document.body.append(out);
"""

NAMES = ["gpt2", "llama-3-8b", "claude", "baby GPT", "gpt-3"]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    page = capacity_report(NAMES).render("html")
    page = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    page = page.replace("</body>", f"<script>{DRIVER}</script></body>")
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page, encoding="utf-8")
    return json.loads(printed(path, "seen"))  # type: ignore[no-any-return]


def printed(path: Path, key: str) -> str:
    """The text of an element of the page, after its scripts have run."""
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    (found,) = re.findall(rf'<pre id="{key}">(.*?)</pre>', done.stdout, flags=re.DOTALL)
    return str(found).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")


@needs_a_browser
def test_heads_become_buttons(seen: dict[str, object]) -> None:
    assert seen["tools"] is True
    assert seen["buttons"] == [
        *("model", "year", "ids V", "context L", "bits", "bytes", "digits of V^L")
    ]
    assert seen["focusable"] is True


@needs_a_browser
def test_it_sorts(seen: dict[str, object]) -> None:
    claude = "Claude (claude-opus-5 etc.)"
    assert seen["down"] == ["Llama 3 8B", "GPT-3 175B", "GPT-2 small", "baby GPT", claude]
    assert seen["told"] == "descending"
    assert seen["up"] == ["baby GPT", "GPT-2 small", "GPT-3 175B", "Llama 3 8B", claude]
    assert seen["words"] == ["baby GPT", claude, "GPT-2 small", "GPT-3 175B", "Llama 3 8B"]
    assert seen["one"] == 1


@needs_a_browser
def test_it_filters(seen: dict[str, object]) -> None:
    assert seen["found"] == ["Llama 3 8B"]
    assert seen["status"] == "1 of 5 shown"
    assert seen["none"] == []
    assert seen["reset"] == [
        *("GPT-2 small", "Llama 3 8B", "Claude (claude-opus-5 etc.)", "baby GPT", "GPT-3 175B")
    ]
    assert seen["by"] == ["GPT-2 small", "GPT-3 175B"]


@needs_a_browser
def test_the_policy_lets_the_script_run(tmp_path: Path) -> None:
    """The page as it is: heads are buttons, so the script ran under its own policy."""
    path = capacity_report(NAMES).save(tmp_path / "page.html")
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.count('class="sort"') == 7 + 3
