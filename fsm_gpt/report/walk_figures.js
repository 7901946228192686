// Figures whose parts have numbers: each state, transition, context and suffix says them in one line
// when it is pointed at or reached by the arrow keys; and the place of the walk is marked in all.
(() => {
  if (walk === null) return;
  const { data } = embedded;
  const SVG = "http://www.w3.org/2000/svg";
  const details = document.getElementById("details");
  let leaving = 0;
  const say = (words) => {
    window.clearTimeout(leaving);
    details.textContent = words;
    details.classList.add("seen");
  };
  const quiet = () => {
    leaving = window.setTimeout(() => {
      details.textContent = "";
      details.classList.remove("seen");
    }, 120);
  };
  const shape = (name, attributes, className) => {
    const element = document.createElementNS(SVG, name);
    Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, String(value)));
    element.setAttribute("class", className);
    return element;
  };
  const boxIn = (svg, element) => {
    // The part's box in the figure's own units, whatever it is nested in.
    const outer = svg.getBoundingClientRect();
    const inner = element.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / outer.width;
    return {
      x: (inner.left - outer.left) * scale, y: (inner.top - outer.top) * scale,
      width: inner.width * scale, height: inner.height * scale,
    };
  };
  const goTo = (one) => {
    if (one.kind === "edge") {
      if (walk.now.state === one.a) walk.take(one.b); else walk.jump(one.a);
    } else if (one.kind === "state") walk.jump(one.a);
  };
  const isInView = (svg) => svg.getBoundingClientRect().width > 0;

  // ---- figures whose parts are elements ----

  const KINDS = { disc: "state", name: "state", mass: "state", context: "state", cell: "state", edge: "edge", "edge-label": "edge", suffix: "suffix" };
  const read = (element) => {
    const [, name, a, b = ""] = /^([a-z-]*[a-z])-(\d+)(?:-(\d+))?$/.exec(element.dataset.part);
    const kind = KINDS[name];
    return { kind, own: name !== "name" && name !== "mass" && name !== "cell" && name !== "edge-label", a: Number(a), b: Number(b), key: `${kind}-${a}-${b}`, element };
  };
  const ofParts = (svg, which) => {
    const parts = Array.from(svg.querySelectorAll("[data-part]"), read);
    const own = new Map(parts.filter((one) => one.own).map((one) => [one.key, one]));
    const items = Array.from(own.values());
    const isGraph = items.some((one) => one.kind === "edge");
    // A state, then the transitions out of it, then the next state.
    if (isGraph) items.sort((x, y) => x.a - y.a || (x.kind === "edge") - (y.kind === "edge") || x.b - y.b);
    const wordsOf = (one) => {
      if (one.kind === "suffix") return data.suffixes[one.element.dataset.part];
      return one.kind === "edge" ? written.edge(which, one.a, one.b) : written.state(which, one.a);
    };
    const nameOf = (one) => {
      if (one.kind === "suffix") return embedded.named(embedded.digitsOf(one.b, one.a));
      return one.kind === "edge" ? `${embedded.label(one.a)}, next ${data.tokens[one.b]}` : embedded.label(one.a);
    };
    items.forEach((one, i) => {
      one.at = i;
      one.element.setAttribute("tabindex", i === 0 ? "0" : "-1");
      one.element.setAttribute("role", one.kind === "suffix" ? "img" : "button");
      one.element.setAttribute("aria-label", nameOf(one));
      if (one.kind === "edge") {
        const path = one.element.querySelector("path");
        const wide = shape("path", { d: path.getAttribute("d") }, "hit");
        const transform = path.getAttribute("transform");
        if (transform) wide.setAttribute("transform", transform);
        one.element.append(wide);
      }
    });
    svg.setAttribute("role", "group");

    let current = items[0];
    const reach = (one) => {
      current.element.setAttribute("tabindex", "-1");
      current = one;
      current.element.setAttribute("tabindex", "0");
      current.element.focus();
    };
    // In a table or an icicle: the nearest part that lies that way.
    let middles = null;
    const beside = (dx, dy) => {
      if (middles === null) {
        middles = items.map((one) => {
          const box = one.element.getBBox();
          return [box.x + box.width / 2, box.y + box.height / 2];
        });
      }
      const [x, y] = middles[current.at];
      let best = current;
      let least = Infinity;
      items.forEach((one, i) => {
        const along = (middles[i][0] - x) * dx + (middles[i][1] - y) * dy;
        const aside = Math.abs((middles[i][0] - x) * dy) + Math.abs((middles[i][1] - y) * dx);
        if (along > 0.5 && along + 4 * aside < least) {
          least = along + 4 * aside;
          best = one;
        }
      });
      return best;
    };
    const step = (key) => {
      const last = items.length - 1;
      if (key === "Home") return items[0];
      if (key === "End") return items[last];
      const forward = key === "ArrowRight" || key === "ArrowDown";
      if (!isGraph) {
        return beside(key === "ArrowRight" ? 1 : key === "ArrowLeft" ? -1 : 0, key === "ArrowDown" ? 1 : key === "ArrowUp" ? -1 : 0);
      }
      const list = key === "ArrowRight" || key === "ArrowLeft" ? items : items.filter((one) => one.kind === "state" || one === current);
      const at = list.indexOf(current) + (forward ? 1 : -1);
      return list[Math.min(Math.max(at, 0), list.length - 1)];
    };
    const partOf = (event) => {
      const element = event.target.closest("[data-part]");
      return element === null ? undefined : own.get(read(element).key);
    };
    svg.addEventListener("pointerover", (event) => {
      const one = partOf(event);
      if (one !== undefined) say(wordsOf(one)); else quiet();
    });
    svg.addEventListener("pointerleave", quiet);
    // A drawing that listens to the focus would take it itself: its holder listens.
    svg.parentElement.addEventListener("focusin", (event) => {
      const one = partOf(event);
      if (one !== undefined) say(wordsOf(one));
    });
    svg.parentElement.addEventListener("focusout", quiet);
    svg.addEventListener("click", (event) => {
      const one = partOf(event);
      if (one !== undefined) goTo(one);
    });
    svg.addEventListener("keydown", (event) => {
      const one = partOf(event);
      if (one === undefined) return;
      if (event.key === "Escape") {
        one.element.blur();
      } else if (event.key === "Enter" || event.key === " ") {
        goTo(one);
        say(wordsOf(one));
      } else if (event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End") {
        reach(step(event.key));
      } else return;
      event.preventDefault();
    });

    // ---- where the walk is ----
    let marks = [];
    const mark = (element, round) => {
      const box = boxIn(svg, element);
      marks.push(round
        ? shape("circle", { cx: box.x + box.width / 2, cy: box.y + box.height / 2, r: box.width / 2 + 3 }, "here")
        : shape("rect", { x: box.x, y: box.y, width: box.width, height: box.height }, "here"));
    };
    return (now) => {
      marks.forEach((one) => one.remove());
      marks = [];
      svg.querySelectorAll(".taken").forEach((one) => one.classList.remove("taken"));
      if (!isInView(svg)) return;
      const here = own.get(`state-${now.state}-`);
      if (here !== undefined) mark(here.element, here.element.dataset.part.startsWith("disc"));
      const last = now.steps[now.steps.length - 1];
      const edge = last === undefined ? undefined : own.get(`edge-${last.from}-${last.token}`);
      if (edge !== undefined) edge.element.lastElementChild.classList.add("taken");
      if (data.suffixes !== undefined && embedded.isWindow) {
        for (let k = 1; k <= data.context; k += 1) {
          const block = own.get(`suffix-${k}-${now.state % embedded.V ** k}`);
          if (block !== undefined) mark(block.element, false);
        }
      }
      svg.append(...marks);
    };
  };

  // ---- maps, whose parts are points of an image ----

  const ofMap = (svg, which) => {
    const V = embedded.V;
    const k = data.map_depth;
    const columns = V ** Math.ceil(k / 2);
    const rows = V ** Math.floor(k / 2);
    // The newest token is the strip from left to right, the one before it from top to bottom.
    const suffixAt = (column, row) => {
      const across = embedded.digitsOf(column, Math.ceil(k / 2));
      const down = embedded.digitsOf(row, Math.floor(k / 2));
      let suffix = 0;
      for (let back = k - 1; back >= 0; back -= 1) suffix = suffix * V + (back % 2 === 0 ? across[back / 2] : down[(back - 1) / 2]);
      return suffix;
    };
    const placeIn = (suffix) => {
      let column = 0;
      let row = 0;
      for (let back = 0; back < k; back += 1) {
        const digit = Math.floor(suffix / V ** back) % V;
        if (back % 2 === 0) column = column * V + digit; else row = row * V + digit;
      }
      return [column, row];
    };
    const area = svg.querySelector("rect[mask]");
    const box = () => boxIn(svg, area);
    const cursor = shape("rect", { tabindex: 0, role: "button", x: 0, y: 0, width: 1, height: 1 }, "cursor");
    const ring = shape("circle", { r: 7, cx: -99, cy: -99 }, "here");
    const at = placeIn(walk.now.state % V ** k);
    const wordsOf = (suffix) => {
      if (k === data.context) return written.state(which, suffix);
      const n = V ** (data.context - k);
      return `${embedded.named(embedded.digitsOf(suffix, k))}: the end of ${n.toLocaleString("en")} contexts, together in this point.`;
    };
    const cell = (column, row) => {
      const whole = box();
      const width = Math.max(whole.width / columns, 4);
      const height = Math.max(whole.height / rows, 4);
      return {
        x: whole.x + (column + 0.5) / columns * whole.width - width / 2,
        y: whole.y + (row + 0.5) / rows * whole.height - height / 2, width, height,
      };
    };
    const put = () => {
      Object.entries(cell(at[0], at[1])).forEach(([key, value]) => cursor.setAttribute(key, value.toFixed(2)));
      cursor.setAttribute("aria-label", embedded.named(embedded.digitsOf(suffixAt(at[0], at[1]), k)));
    };
    const jump = (suffix) => { if (k === data.context && embedded.placeOf(suffix) >= 0) walk.jump(suffix); };
    const pointed = (event) => {
      const bounds = area.getBoundingClientRect();
      const x = (event.clientX - bounds.left) / bounds.width;
      const y = (event.clientY - bounds.top) / bounds.height;
      if (x < 0 || x >= 1 || y < 0 || y >= 1) return null;
      return suffixAt(Math.floor(x * columns), Math.floor(y * rows));
    };
    svg.setAttribute("role", "group");
    svg.append(ring, cursor);
    svg.addEventListener("pointermove", (event) => {
      const suffix = pointed(event);
      if (suffix === null) quiet(); else say(wordsOf(suffix));
    });
    svg.addEventListener("pointerleave", quiet);
    svg.addEventListener("click", (event) => {
      const suffix = pointed(event);
      if (suffix !== null) jump(suffix);
    });
    cursor.addEventListener("focus", () => say(wordsOf(suffixAt(at[0], at[1]))));
    cursor.addEventListener("blur", quiet);
    cursor.addEventListener("keydown", (event) => {
      // With the shift key by strips of the newest tokens.
      const far = event.shiftKey ? V ** Math.max(Math.floor(k / 2) - 2, 0) : 1;
      const moves = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] };
      if (event.key === "Escape") cursor.blur();
      else if (event.key === "Enter" || event.key === " ") jump(suffixAt(at[0], at[1]));
      else if (moves[event.key] !== undefined) {
        at[0] = Math.min(Math.max(at[0] + moves[event.key][0], 0), columns - 1);
        at[1] = Math.min(Math.max(at[1] + moves[event.key][1], 0), rows - 1);
        put();
        say(wordsOf(suffixAt(at[0], at[1])));
      } else return;
      event.preventDefault();
    });
    put();
    return (now) => {
      if (!isInView(svg)) return;
      const [column, row] = placeIn(now.state % V ** k);
      const here = cell(column, row);
      ring.setAttribute("cx", (here.x + here.width / 2).toFixed(2));
      ring.setAttribute("cy", (here.y + here.height / 2).toFixed(2));
      put();
    };
  };

  // ---- all figures, and the graph of each rule ----

  const frames = Array.from(document.querySelectorAll("[data-rule]"));
  const shownRule = (now) => {
    frames.forEach((frame) => { frame.hidden = frame.dataset.rule !== String(now.rule); });
  };
  shownRule(walk.now);
  const markers = Array.from(document.querySelectorAll("svg[data-figure]"), (svg) => {
    const frame = svg.closest("[data-rule]");
    const which = frame === null ? 0 : Number(frame.dataset.rule);
    if (svg.dataset.figure === "mass" || svg.dataset.figure === "next") return ofMap(svg, which);
    return svg.querySelector("[data-part]") === null ? () => {} : ofParts(svg, which);
  });
  walk.listen((now) => {
    shownRule(now);
    markers.forEach((marker) => marker(now));
  });
  window.addEventListener("resize", () => markers.forEach((marker) => marker(walk.now)));
})();
