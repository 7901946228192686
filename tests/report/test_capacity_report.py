"""The capacity report in each of its forms, and the article's claims."""

import base64
import csv
import hashlib
import html.parser
import io
import json
import re
from pathlib import Path

import pytest

import fsm_gpt as fg
from fsm_gpt.capacity import Capacity, NoCapacity, all_models, capacity, table_date
from fsm_gpt.errors import FileProblem, InvalidArgument
from fsm_gpt.report.capacity_claims import claims
from fsm_gpt.report.capacity_formats import FORMATS, SUFFIXES
from fsm_gpt.report.capacity_report import CapacityReport, capacity_report

HOSTILE = '<script>alert("x")</script> | `a` {b} \\c % $d$ _e_ & "f", g'


@pytest.fixture(scope="module")
def report() -> CapacityReport:
    return capacity_report(["gpt2", "gpt-3", "llama-3-8b", "gpt-j", "claude", "rwkv"])


@pytest.fixture(scope="module")
def everything() -> CapacityReport:
    return capacity_report()


@pytest.fixture
def hostile(tmp_path: Path) -> CapacityReport:
    """A report on a configuration whose path tries to be markup in every form."""
    folder = tmp_path / HOSTILE.replace("/", "")
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(json.dumps({"vocab_size": 100, "n_ctx": 10}))
    return capacity_report([path])


def test_rows_in_the_order_of_the_names(report: CapacityReport) -> None:
    assert [row.name for row in report.rows][:3] == ["GPT-2 small", "GPT-3 175B", "Llama 3 8B"]
    assert [type(row) for row in report.rows] == [Capacity] * 4 + [NoCapacity] * 2


def test_all_is_all(everything: CapacityReport) -> None:
    assert [row.name for row in everything.rows] == [model.name for model in all_models()]
    assert sum(isinstance(row, NoCapacity) for row in everything.rows) == 4


def test_one_name_is_no_list_of_letters() -> None:
    assert [row.name for row in capacity_report("gpt2").rows] == ["GPT-2 small"]


def test_no_model_and_a_wrong_one() -> None:
    with pytest.raises(InvalidArgument, match="no model is named"):
        capacity_report([])
    with pytest.raises(InvalidArgument, match="Did you mean"):
        capacity_report(["gpt2", "gtp3"])


# The article


def test_the_corrections_are_those_of_the_reference() -> None:
    """Bits and bytes as an independent check of the article gives them."""
    said = {claim.about: claim for claim in claims()}
    assert "14 = 2 + 4 + 8" in said["The baby GPT"].corrected
    for about, numbers in {
        "GPT-2's context": ["1,024", "15,991.85", "1,999"],
        "The unit": ["31,983.69", "3,998", "3.998 kB"],
        "GPT-3": ["2,048", "3,998", "7,996", "8,192", "48 KB"],
        "GPT-4": ["63,967", "100,277", "68,049", "65,536"],
        "The Moon": ["2,048 words of 15 bits", "3,840"],
    }.items():
        written = said[about].corrected
        for number in numbers:
            if "." in number and "kB" not in number:
                found = [float(n.replace(",", "")) for n in re.findall(r"[\d,]+\.\d+", written)]
                assert any(f"{value:,.2f}" == number for value in found), (about, number)
            elif number == "1,999":
                assert "1,998.981 bytes" in written
            else:
                assert number in written, (about, number)


def test_the_articles_words_are_quoted(everything: CapacityReport) -> None:
    quoted = " ".join(claim.article for claim in everything.claims)
    for words in ("context 2048", "31,984 bits", "3,998 kB", "Atari 800", "Commodore 64", "14 ="):
        assert words in quoted
    verdicts = {claim.verdict for claim in everything.claims}
    assert verdicts == {"right", "wrong", "a matter of translation"}


# Forms


def test_every_form_says_what_the_bits_are(report: CapacityReport) -> None:
    for form in ("table", "markdown", "json", "html"):
        words = " ".join(report.render(form).split())
        assert "an upper bound on state" in words, form
        assert "not the knowledge stored" in words, form


@pytest.mark.parametrize("form", [*FORMATS, "html"])
def test_every_form_has_every_row_and_number(everything: CapacityReport, form: str) -> None:
    text = everything.render(form)
    plain = re.sub(r"\\(.)", r"\1", text).replace("&amp;", "&")
    for row in everything.rows:
        assert row.name in plain
        if isinstance(row, NoCapacity):
            assert row.reason in plain
        else:
            shown = repr(row.bits) if form in ("csv", "json") else row.bits_text
            assert shown in plain


def test_the_table_is_aligned(report: CapacityReport) -> None:
    lines = str(report).splitlines()
    ends = {
        line.index(bits) + len(bits)
        for line, bits in zip(lines[1:3], ("15,991.846", "31,983.692"), strict=True)
    }
    assert ends == {lines[0].index(" bits") + len(" bits")}
    assert "its vocabulary is not public" in lines[5]


def test_csv_round_trip(everything: CapacityReport) -> None:
    rows = list(csv.DictReader(io.StringIO(everything.render("csv"))))
    assert len(rows) == 80
    for row, found in zip(rows, everything.rows, strict=True):
        assert row["name"] == found.name
        if isinstance(found, NoCapacity):
            assert (row["bits"], row["no_figure_because"]) == ("", found.reason)
            continue
        assert float(row["bits"]) == found.bits
        assert int(row["vocabulary"]) == found.vocabulary
        assert int(row["digits_of_all_contexts"]) == found.digits_of_all_contexts
        assert row["no_figure_because"] == ""


def test_json_round_trip(report: CapacityReport) -> None:
    document = json.loads(report.render("json"))
    assert document == report.to_dict()
    assert document["schema_version"] == 1
    assert document["rows"][0]["bits"] == capacity("gpt2").bits
    assert document["rows"][4]["reason"]
    assert len(document["memories"]) == 14
    assert [claim["article"] for claim in document["claims"]] == [c.article for c in claims()]


def cells(line: str) -> list[str]:
    """The cells of a line of a Markdown table."""
    return re.split(r"(?<!\\)\|", line)[1:-1]


def test_markdown_tables_are_whole(everything: CapacityReport, hostile: CapacityReport) -> None:
    for report in (everything, hostile):
        tables = [
            block.splitlines()
            for block in report.render("markdown").split("\n\n")
            if block.startswith("|")
        ]
        assert len(tables) >= 4
        for table in tables:
            assert len({len(cells(line)) for line in table}) == 1
            assert re.fullmatch(r"[|\-: ]+", table[1])


def read_bibtex(text: str) -> dict[str, dict[str, str]]:
    """Entries with their fields, by a reader that counts braces as BibTeX does."""
    entries: dict[str, dict[str, str]] = {}
    i = 0
    while (i := text.find("@", i)) >= 0:
        head = re.compile(r"@misc\{([a-z0-9-]+),\s*").match(text, i)
        assert head is not None, text[i : i + 40]
        fields: dict[str, str] = {}
        i = head.end()
        while text[i] != "}":
            name = re.compile(r"(\w+) = \{").match(text, i)
            assert name is not None, text[i : i + 40]
            start = i = name.end()
            depth = 1
            while depth:
                if text[i] == "\\":
                    i += 1
                else:
                    depth += {"{": 1, "}": -1}.get(text[i], 0)
                i += 1
            fields[name[1]] = text[start : i - 1]
            assert text[i] == ","
            i += 1
            while text[i].isspace():
                i += 1
        assert head[1] not in entries
        entries[head[1]] = fields
        i += 1
    return entries


def test_bibtex_is_whole(everything: CapacityReport, hostile: CapacityReport) -> None:
    entries = read_bibtex(everything.render("bibtex"))
    assert len(entries) == 80 + 3
    assert entries["zekri2024"]["eprint"] == "2410.02724"
    assert "15,991.846 bits" in entries["model-gpt-2-small"]["note"]
    twice = read_bibtex(capacity_report(["gpt2", "gpt2"]).render("bibtex"))
    assert {"model-gpt-2-small", "model-gpt-2-small-2"} <= set(twice)
    text = hostile.render("bibtex")
    assert len(read_bibtex(text)) == 4
    for sign in "%$&_":
        assert not re.search(rf"(?<!\\)\{sign}", text)


def test_the_bibtex_reader_sees_a_missing_brace() -> None:
    with pytest.raises((AssertionError, IndexError)):
        read_bibtex("@misc{a,\n  title = {{x},\n}\n")


# The page


class Page(html.parser.HTMLParser):
    """Which elements a page has, and whether they are nested properly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def named_by_hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def test_the_page_asks_nothing_of_the_network(everything: CapacityReport) -> None:
    text = everything.render("html")
    page = Page(text)
    assert page.open == []
    names = [tag for tag, _ in page.tags]
    assert not {"img", "iframe", "object", "form"} & set(names)
    addresses = [v for t, a in page.tags for k, v in a.items() if k in ("src", "href") and t != "a"]
    assert addresses
    assert all(v is not None and v.startswith(("#", "data:,")) for v in addresses)
    links = [a for t, a in page.tags if t == "a"]
    assert all(str(a["href"]).startswith("data:" if "download" in a else "#") for a in links)
    assert not any(
        "style" in attrs or any(k.startswith("on") for k in attrs) for _, attrs in page.tags
    )
    (style,) = re.findall(r"<style>(.*?)</style>", text, flags=re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.DOTALL)
    (policy,) = (a["content"] for _, a in page.tags if a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert f"style-src {named_by_hash(style)};" in policy
    assert f"script-src {named_by_hash(script)};" in policy
    assert "prefers-color-scheme:dark" in style
    for word in ("fetch", "XMLHttpRequest", "import", "http", "innerHTML", "eval"):
        assert word not in script


def test_the_page_is_small(everything: CapacityReport) -> None:
    assert len(everything.render("html").encode()) < 400_000


def test_the_page_can_be_heard(everything: CapacityReport) -> None:
    page = Page(everything.render("html"))
    assert ("html", {"lang": "en"}) in page.tags
    heads = [attrs for tag, attrs in page.tags if tag == "th"]
    assert all(attrs.get("scope") in ("row", "col") for attrs in heads)
    pictures = [attrs for tag, attrs in page.tags if tag == "svg"]
    spoken = [attrs["aria-label"] for attrs in pictures if attrs.get("aria-hidden") != "true"]
    assert len(spoken) == 1
    assert spoken[0] is not None
    assert spoken[0].startswith("Bits of state of 76 models by year on a logarithmic scale")
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    targets = {
        v[1:] for _, a in page.tags for k, v in a.items() if k == "href" and v and v[0] == "#"
    }
    assert targets <= ids


def test_each_row_leads_to_its_sources(everything: CapacityReport) -> None:
    text = everything.render("html")
    for number, row in enumerate(everything.rows, 1):
        assert f'href="#source-{number}"' in text
        (part,) = re.findall(rf'<tr id="source-{number}">(.*?)</tr>', text, flags=re.DOTALL)
        words = "".join(Page(part).text)
        assert row.name in words
        assert all(source in words for source in row.sources)


def test_the_page_says_how_and_what_not(everything: CapacityReport) -> None:
    words = " ".join("".join(Page(everything.render("html")).text).split())
    assert "It is an upper bound on state, and not knowledge" in words
    assert "Where it stands within its year says nothing".lower() in words.lower()
    assert "Years are general knowledge unless a source names them" in words
    assert f"the table of {table_date()}" in words
    counted = re.findall(
        r"<tr><td>[^<]+</td><td class=\"n\">(\d+)</td></tr>", everything.render("html")
    )
    assert sum(map(int, counted)) == 80


def test_the_page_carries_its_citation(everything: CapacityReport) -> None:
    page = Page(everything.render("html"))
    files = {a["download"]: str(a["href"]) for t, a in page.tags if "download" in a}
    assert set(files) == {"capacity.bib", "capacity.csv"}
    content = base64.b64decode(files["capacity.bib"].partition("base64,")[2]).decode()
    assert content == everything.render("bibtex")
    shown = re.findall(r"<pre[^>]*>(.*?)</pre>", everything.render("html"), flags=re.DOTALL)
    entries = read_bibtex(html_words(shown[0]))
    assert list(entries) == ["fsm-gpt", "zekri2024", "karpathy2023"]
    assert entries["fsm-gpt"]["version"] == fg.__version__
    assert entries["fsm-gpt"]["year"] == table_date()[:4]


def html_words(part: str) -> str:
    return "".join(Page(part).text)


def test_one_model_has_no_tools(report: CapacityReport) -> None:
    alone = capacity_report(["gpt2"]).render("html")
    assert "<select" not in alone
    assert "<select" in report.render("html")


def test_without_years_there_is_no_figure(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"vocab_size": 100, "n_ctx": 10}))
    text = capacity_report([tmp_path]).render("html")
    assert 'id="years"' not in text
    assert 'href="#years"' not in text


def test_a_hostile_name_is_text(hostile: CapacityReport) -> None:
    (row,) = hostile.rows
    assert "<script>" in row.name
    page = Page(hostile.render("html"))
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert row.name in "".join(page.text)
    notebook = Page(hostile._repr_html_())
    assert [tag for tag, _ in notebook.tags if tag not in ("td", "th", "tr")] == [
        *("table", "caption", "thead", "tbody")
    ]
    assert row.name in "".join(notebook.text)


def test_bars_grow_with_the_state() -> None:
    text = capacity_report(["baby", "gpt2", "gpt-5"]).render("html")
    widths = [float(w) for w in re.findall(r'f-mass" width="([\d.]+)"', text)]
    assert widths == sorted(widths)
    assert widths[0] > 0
    assert widths[-1] == 100


# Files


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_saved_by_suffix(report: CapacityReport, tmp_path: Path, suffix: str) -> None:
    for end in (suffix, suffix.upper()):
        path = report.save(tmp_path / f"capacity{end}")
        assert path.read_bytes().decode() == report.render(SUFFIXES[suffix])


def test_saved_in_a_chosen_form(report: CapacityReport, tmp_path: Path) -> None:
    path = report.save(str(tmp_path / "page"), format="csv")
    assert path.read_bytes().decode() == report.render("csv")


def test_what_cannot_be_saved(report: CapacityReport, tmp_path: Path) -> None:
    for name in ("capacity", "capacity.pdf", ".html"):
        with pytest.raises(InvalidArgument, match="ends in none of"):
            report.save(tmp_path / name)
    with pytest.raises(InvalidArgument, match="there is no format 'pdf'"):
        report.save(tmp_path / "x.html", format="pdf")
    with pytest.raises(FileProblem, match="folder does not exist"):
        report.save(tmp_path / "no" / "x.html")
    assert list(tmp_path.iterdir()) == []


def test_the_public_name() -> None:
    assert fg.capacity_report is capacity_report
