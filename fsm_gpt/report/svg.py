"""From a figure to SVG that can stand inside a page.

matplotlib's SVG is a document of its own, with fixed colours and inline styles. Inside
a page it must follow the reader's light or dark preference, must not need a style
attribute (the page's content-security-policy forbids them), and its ids must not meet
those of the next figure. So: colours become class names, styles become attributes, ids
get a prefix or go, numbers are rounded to a hundredth of a point. An image of one tint becomes a
mask, through which the page's own colour is seen.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from fsm_gpt.report.style import LIGHT, render

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["inline_svg", "style_sheet"]

NAMES = {colour: name for name, colour in LIGHT.named().items()}

_NUMBER = re.compile(r"-?\d+\.\d+")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FONT = re.compile(
    r"^(?:(?:normal|italic|oblique) )?(?:(?P<weight>bold|\d{3}) )?"
    r"(?P<size>[\d.]+)px (?P<family>.*)$"
)
#: Names of artists that a page may speak of: a state, a transition, a suffix, by their numbers.
_PART = re.compile(r"(?:edge|edge-label|disc|name|mass|context|cell|suffix)-\d+(?:-\d+)?")
#: Style properties that stay, as attributes.
_KEPT = {
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-dashoffset",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
    "text-anchor",
    "font-size",
    "font-weight",
}


def inline_svg(ax: Axes, *, label: str, prefix: str, parts: bool = False) -> str:
    """The figure of these axes, drawn in the light palette, as an ``<svg>`` element.

    ``label`` is read aloud in place of the picture. With ``parts`` its states, transitions and
    suffixes keep their names, as ``data-part``, for a script to find.

    >>> from fsm_gpt.report.curves import loss_plot
    >>> inline_svg(loss_plot([2.0, 1.0]), label="Loss <falling>", prefix="loss")[:71]
    '<svg class="figure" role="img" aria-label="Loss &lt;falling&gt;" viewBo'
    """
    root = ElementTree.fromstring(render(ax.figure, ".svg"))  # type: ignore[arg-type]
    used = set(_REFERENCE.findall(" ".join(v for e in root.iter() for v in e.attrib.values())))
    used |= {v[1:] for e in root.iter() for k, v in e.attrib.items() if k.endswith("}href")}
    _, _, width, height = (float(v) for v in root.attrib["viewBox"].split())
    root.attrib = {
        "class": "figure",
        "role": "img",
        "aria-label": label,
        "viewBox": f"0 0 {width:.4g} {height:.4g}",
        "width": f"{width * 4 / 3:.0f}",
        "height": f"{height * 4 / 3:.0f}",
    }
    if parts:
        root.attrib["data-figure"] = prefix
    for element in list(root.iter()):
        element.tag = element.tag.rpartition("}")[2]
        if element.tag == "image":
            _masked(element, prefix)
        elif element is not root:
            _rewrite(element, used, prefix, parts)
    _prune(root)
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)


def _rewrite(element: ElementTree.Element, used: set[str], prefix: str, parts: bool) -> None:
    """Attributes of one element, as a page wants them."""
    old, new, classes = element.attrib, {}, []
    styles: dict[str, str] = {}
    for item in old.pop("style", "").split(";"):
        name, _, setting = item.partition(":")
        styles[name.strip()] = setting.strip()
    font = _FONT.match(styles.get("font", ""))
    if font:
        styles["font-size"] = font["size"]
        if font["weight"]:
            styles["font-weight"] = font["weight"]
        styles["font-family"] = font["family"]
    if "Mono" in styles.get("font-family", "").split(",")[0]:
        classes.append("fixed")
    pairs = [(k.rpartition("}")[2], v) for k, v in old.items()]
    for key, value in [*pairs, *((k, v) for k, v in styles.items() if k in _KEPT)]:
        if key == "id":
            if value in used:
                new["id"] = f"{prefix}-{value}"
            elif parts and _PART.fullmatch(value):
                new["data-part"] = value
            continue
        if key in ("clip-path", "class") or (key == "transform" and value.startswith("rotate(-0 ")):
            continue
        if key in ("fill", "stroke") and value.lower() in NAMES:
            classes.append(f"{key[0]}-{NAMES[value.lower()]}")
            continue
        if key == "href":
            value = f"#{prefix}-{value[1:]}"
        if key == "font-size":
            value = value.removesuffix("px")
        value = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
        if key in ("d", "x", "y", "transform", "points", "width", "height", "stroke-width"):
            value = _NUMBER.sub(lambda m: f"{float(m[0]):.2f}".rstrip("0").rstrip("."), value)
        new[key] = " ".join(value.split())
    if classes:
        new["class"] = " ".join(classes)
    element.attrib = new


def _masked(image: ElementTree.Element, prefix: str) -> None:
    """An image whose id is ``tint-NAME``: the colour NAME, as strong as the image is opaque."""
    old = {key.rpartition("}")[2]: value for key, value in image.attrib.items()}
    name = old["id"].removeprefix("tint-")
    size = {"x": "0", "y": "0", "width": old["width"], "height": old["height"]}
    image.tag = "g"
    image.attrib = {"transform": old["transform"]} if "transform" in old else {}
    key = f"{prefix}-{old['id']}"
    mask = ElementTree.SubElement(
        image, "mask", {"id": key, "mask-type": "alpha", "maskUnits": "userSpaceOnUse", **size}
    )
    ElementTree.SubElement(
        mask, "image", {"href": old["href"], "image-rendering": "pixelated", **size}
    )
    ElementTree.SubElement(image, "rect", {"class": f"f-{name}", "mask": f"url(#{key})", **size})


def _prune(parent: ElementTree.Element) -> None:
    """Take out what draws nothing: metadata, clip paths, groups that say nothing."""
    children = []
    for child in list(parent):
        _prune(child)
        if child.tag in ("metadata", "style", "clipPath"):
            continue
        if child.tag == "defs" and len(child) == 0:
            continue
        if child.tag == "g" and not child.attrib:
            children += list(child)
        else:
            children.append(child)
    for child in list(parent):
        parent.remove(child)
    for child in children:
        child.tail = "\n"
        if child.tag != "text":
            child.text = None
        parent.append(child)


def style_sheet() -> str:
    """The classes that give every colour name its value: fill, stroke, text and ground."""
    rules = [
        f".f-{name}{{fill:var(--{name})}}.s-{name}{{stroke:var(--{name})}}"
        for name in LIGHT.named()
    ]
    return "\n".join(rules)
