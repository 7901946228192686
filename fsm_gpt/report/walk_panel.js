// The walk itself: where one is, how one came there, and the panel that shows it. Listeners hear of
// each change. Text is set as text, never as markup.
const walk = (() => {
  const block = document.getElementById("walk");
  if (embedded === null || block === null) return null;
  const { data } = embedded;
  const MOST_BUTTONS = 9;
  const MOST_SHOWN = 360;
  const MOST_FOUND = 6;
  const find = (id) => document.getElementById(id);
  const listeners = [];
  const now = { rule: 0, start: data.start, state: data.start, steps: [], jumped: false };

  // Draws that a reload repeats: sfc32 of C. Doty-Humphrey (PractRand).
  let words = [];
  const random = () => {
    const [a, b, c, n] = words;
    const mixed = (a + b + n) | 0;
    words = [b ^ (b >>> 9), (c + (c << 3)) | 0, (((c << 21) | (c >>> 11)) + mixed) | 0, (n + 1) | 0];
    return (mixed >>> 0) / 4294967296;
  };
  const sow = () => {
    words = [0x9e3779b9 | 0, 0x243f6a88 | 0, 0xb7e15162 | 0, data.seed];
    for (let i = 0; i < 15; i += 1) random();
  };
  sow();

  const make = (name, words, className) => {
    const element = document.createElement(name);
    if (words !== undefined) element.textContent = words;
    if (className) element.className = className;
    return element;
  };
  const inkOf = (token) => `c-token-ink-${data.hues[token]}`;
  const over = () => data.ends[String(now.state)];
  const possible = () => (over() === undefined ? embedded.row(now.rule, now.state) : null);

  const move = (token) => {
    const found = (possible() || []).find((one) => one.token === token);
    if (found === undefined) return false;
    const to = embedded.targetOf(now.state, token);
    now.steps.push({ from: now.state, token, bits: found.bits, p: found.p, rule: now.rule, to });
    now.state = to;
    return true;
  };
  const drawn = () => {
    const entries = possible();
    if (entries === null) return null;
    let left = random();
    for (const one of entries) {
      left -= one.p;
      if (left < 0) return one.token;
    }
    return entries[entries.length - 1].token;
  };
  const lastSentence = () => {
    const last = now.steps[now.steps.length - 1];
    const where = `Now in ${embedded.label(now.state)}.`;
    if (over() !== undefined) return over();
    if (possible() === null) {
      return `${where} The page does not hold this context’s row. Go back, or start again.`;
    }
    if (last === undefined) return where;
    return `${data.tokens[last.token]} came, with probability ${written.percent(last.p)}. ${where}`;
  };

  // ---- what is seen ----

  const buttons = Array.from({ length: MOST_BUTTONS }, () => {
    const button = make("button", undefined, "token");
    button.type = "button";
    button.append(make("span", "", "mono"), make("span"), make("span", undefined, "meter"));
    button.addEventListener("click", () => {
      if (button.getAttribute("aria-disabled") !== "true") act(() => move(Number(button.dataset.token)));
    });
    return button;
  });
  find("walk-tokens").append(...buttons);

  const showButtons = () => {
    const entries = possible() || [];
    const all = data.tokens.length <= MOST_BUTTONS;
    const shown = all
      ? data.tokens.map((_, token) => entries.find((one) => one.token === token) || { token, p: 0 })
      : entries.slice().sort((a, b) => b.p - a.p || a.token - b.token).slice(0, MOST_BUTTONS);
    buttons.forEach((button, i) => {
      const one = shown[i];
      button.hidden = one === undefined;
      if (one === undefined) return;
      button.dataset.token = String(one.token);
      button.children[0].textContent = data.tokens[one.token];
      button.children[0].className = `mono ${inkOf(one.token)}`;
      button.children[1].textContent = written.percent(one.p);
      button.children[2].style.background = `var(--token-${data.hues[one.token]})`;
      button.children[2].style.width = `${100 * one.p}%`;
      button.setAttribute("aria-disabled", String(one.p === 0));
    });
    const rest = all ? [] : entries.filter((one) => !shown.includes(one));
    const share = rest.reduce((sum, one) => sum + one.p, 0);
    find("walk-rest").textContent = rest.length === 0 ? "" : `and ${rest.length.toLocaleString("en")} more tokens, together ${written.percent(share)}`;
  };

  const showText = () => {
    const text = find("walk-text");
    const tokens = now.steps.map((step) => step.token);
    const first = embedded.isWindow ? embedded.digitsOf(now.start, data.context) : [];
    const whole = [...first, ...tokens];
    const kept = whole.slice(-MOST_SHOWN);
    const here = embedded.isWindow ? kept.length - data.context : kept.length;
    text.replaceChildren();
    if (whole.length > kept.length) text.append(make("span", "… "));
    else if (!embedded.isWindow) text.append(make("span", `${embedded.label(now.start)}${kept.length ? " · " : ""}`, "from"));
    kept.forEach((token, i) => {
      text.append(make(i >= here ? "mark" : "span", data.tokens[token] + data.between, inkOf(token)));
    });
    text.scrollTop = text.scrollHeight;
  };

  const showNumbers = () => {
    const rule = embedded.rules[now.rule];
    const last = now.steps[now.steps.length - 1];
    const own = now.steps.filter((step) => step.rule === now.rule);
    const mean = own.reduce((sum, step) => sum + step.bits, 0) / own.length;
    find("walk-last").textContent = last === undefined ? "—" : `${written.bits(last.bits)} bits`;
    find("walk-mean").textContent = own.length === 0 ? "—" : `${written.bits(mean)} bits`;
    find("walk-steps").textContent = own.length === 1 ? "mean of 1 step" : `mean of ${own.length.toLocaleString("en")} steps`;
    find("walk-rate").textContent = rule.rate === null ? "—" : `${written.bits(rule.rate)} bits`;
    find("walk-no-rate").textContent = rule.rate === null ? rule.noRate : "";
    find("walk-here").textContent = embedded.label(now.state);
    find("walk-known").textContent = written.state(now.rule, now.state).slice(embedded.label(now.state).length + 2);
  };

  const showRule = () => {
    const rule = embedded.rules[now.rule];
    find("walk-structure").replaceChildren(...rule.words.map((words) => make("li", words)));
  };

  const show = () => {
    showButtons();
    showText();
    showNumbers();
    find("walk-back").setAttribute("aria-disabled", String(now.steps.length === 0));
    const none = possible() === null;
    ["walk-draw", "walk-draw-many"].forEach((id) => find(id).setAttribute("aria-disabled", String(none)));
    listeners.forEach((listener) => listener(now));
  };
  const act = (change) => {
    const focused = document.activeElement;
    const changed = change();
    show();
    find("walk-said").textContent = changed === false ? `Nothing was done. ${lastSentence()}` : lastSentence();
    if (focused !== null && focused.hidden) buttons[0].focus();
  };
  const jump = (state) => act(() => {
    now.start = state;
    now.state = state;
    now.steps = [];
  });

  // ---- what can be done ----

  const draw = (times) => {
    for (let i = 0; i < times; i += 1) {
      const token = drawn();
      if (token === null || !move(token)) return i > 0;
    }
    return true;
  };
  find("walk-draw").addEventListener("click", () => act(() => draw(1)));
  find("walk-draw-many").addEventListener("click", () => act(() => draw(50)));
  const back = () => {
    const last = now.steps.pop();
    if (last === undefined) return false;
    now.state = last.from;
    return true;
  };
  find("walk-back").addEventListener("click", () => act(back));
  find("walk-again").addEventListener("click", () => act(() => {
    sow();
    now.start = data.start;
    now.state = data.start;
    now.steps = [];
  }));
  block.addEventListener("keydown", (event) => {
    const typing = ["INPUT", "SELECT"].includes(event.target.tagName) || event.target.closest("svg") !== null;
    if (typing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Backspace") {
      event.preventDefault();
      act(back);
    } else if (event.key.length === 1 && event.key !== " ") {
      const token = data.tokens.indexOf(event.key);
      if (token >= 0) act(() => move(token));
    }
  });

  const choice = find("walk-rule");
  embedded.rules.forEach((rule, i) => {
    const option = make("option", rule.name);
    option.value = String(i);
    choice.append(option);
  });
  choice.value = "0";
  choice.addEventListener("change", () => {
    now.rule = Number(choice.value);
    showRule();
    act(() => true);
  });

  // ---- search ----

  const field = find("walk-find");
  const searched = (asked) => {
    // Blanks are named by a sign of their own where they are tokens.
    const ends = [asked, asked.replace(/ /g, "␣")];
    const found = [];
    let n = 0;
    for (let place = 0; place < embedded.nEmbedded; place += 1) {
      const state = embedded.stateAt(place);
      const name = embedded.label(state);
      if (!ends.some((end) => name.endsWith(end))) continue;
      n += 1;
      found.push({ state, exact: ends.includes(name), mass: embedded.mass(0, state) || 0 });
      if (found.length > 64) {
        found.sort(order);
        found.length = MOST_FOUND;
      }
    }
    return { n, found: found.sort(order).slice(0, MOST_FOUND) };
  };
  const order = (a, b) => b.exact - a.exact || b.mass - a.mass || a.state - b.state;
  const showFound = () => {
    const asked = field.value;
    const list = find("walk-found");
    list.replaceChildren();
    if (asked === "") {
      find("walk-count").textContent = "";
      return;
    }
    const { n, found } = searched(asked);
    found.forEach(({ state }) => {
      const item = make("li");
      const button = make("button", undefined, "found");
      button.type = "button";
      button.append(make("strong", embedded.label(state), "mono"), make("span", written.state(now.rule, state).slice(embedded.label(state).length + 1)));
      button.addEventListener("click", () => jump(state));
      item.append(button);
      list.append(item);
    });
    const which = embedded.nEmbedded < data.n ? " of those that this page holds" : "";
    find("walk-count").textContent = n === 0
      ? `No name${which} ends so.`
      : `${n.toLocaleString("en")}${which} ${n === 1 ? "ends" : "end"} so${n > found.length ? "; the heaviest first" : ""}. Enter goes to the first.`;
  };
  field.addEventListener("input", showFound);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      field.value = "";
      showFound();
    } else if (event.key === "Enter" && field.value !== "") {
      const { found } = searched(field.value);
      if (found.length > 0) jump(found[0].state);
    }
  });

  block.hidden = false;
  document.querySelectorAll("[data-walk]").forEach((element) => { element.hidden = false; });
  document.querySelectorAll("[data-replaced]").forEach((element) => { element.classList.add("replaced"); });
  showRule();
  show();
  return {
    now, jump,
    take: (token) => act(() => move(token)),
    listen: (listener) => {
      listeners.push(listener);
      listener(now);
    },
  };
})();
