"use strict";
// What Python embedded in the page: rows, names and words. This file looks things up in it and
// computes nothing about chains; each name that it gives is a printable one.
const embedded = (() => {
  const source = document.getElementById("walk-data");
  if (source === null) return null;
  const data = JSON.parse(source.textContent);
  const V = data.tokens.length;

  const bytes = (text) => {
    const plain = atob(text);
    const found = new Uint8Array(plain.length);
    for (let i = 0; i < plain.length; i += 1) found[i] = plain.charCodeAt(i);
    return found.buffer;
  };
  const whole = (text, n) => new (n <= 256 ? Uint8Array : n <= 65536 ? Uint16Array : Uint32Array)(bytes(text));
  const numbers = (text) => new (data.coding === "float64" ? Float64Array : Uint16Array)(bytes(text));
  const ZERO = 65535;
  // A probability as it was written: the number itself, or its surprise in steps of a part of a bit.
  const decoded = (value) => {
    if (data.coding === "float64") return value;
    return value === ZERO ? 0 : 2 ** (-value / data.steps);
  };

  const ids = data.ids === undefined ? null : new Uint32Array(bytes(data.ids));
  const nEmbedded = ids === null ? data.n : ids.length;

  // The place of a state among those that are embedded; -1 where it is none of them.
  const placeOf = (state) => {
    if (ids === null) return state >= 0 && state < data.n ? state : -1;
    let low = 0;
    let high = ids.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      if (ids[middle] === state) return middle;
      if (ids[middle] < state) low = middle + 1; else high = middle - 1;
    }
    return -1;
  };
  const stateAt = (place) => (ids === null ? place : ids[place]);

  const rules = data.rules.map((rule) => {
    const counts = rule.counts === undefined ? null : whole(rule.counts, V + 1);
    const first = new Uint32Array(nEmbedded + 1);
    for (let i = 0; i < nEmbedded; i += 1) first[i + 1] = first[i] + (counts === null ? V : counts[i]);
    return {
      name: rule.name, words: rule.words, rate: rule.rate, noRate: rule.no_rate, nClasses: rule.n_classes,
      first,
      tokens: rule.tokens === undefined ? null : whole(rule.tokens, V),
      probability: numbers(rule.probability),
      mass: rule.mass === null ? null : numbers(rule.mass),
      classes: rule.n_classes > 255 ? new Uint32Array(bytes(rule.classes)) : new Uint8Array(bytes(rule.classes)),
    };
  });
  const targets = data.targets === undefined ? null : new Uint32Array(bytes(data.targets));
  const older = data.context === undefined ? 0 : V ** (data.context - 1);

  const tokenAt = (rule, entry) => (rule.tokens === null ? (entry - rule.first[0]) % V : rule.tokens[entry]);
  const targetOf = (state, token) => {
    if (targets === null) return (state % older) * V + token;
    const place = placeOf(state);
    for (let entry = rules[0].first[place]; entry < rules[0].first[place + 1]; entry += 1) {
      if (tokenAt(rules[0], entry) === token) return targets[entry];
    }
    return -1;
  };

  // The entries of a row, in the order of the tokens; null for a state that is not embedded.
  const row = (which, state) => {
    const place = placeOf(state);
    if (place < 0) return null;
    const rule = rules[which];
    const entries = [];
    let total = 0;
    for (let entry = rule.first[place]; entry < rule.first[place + 1]; entry += 1) {
      const p = decoded(rule.probability[entry]);
      total += p;
      entries.push({ token: tokenAt(rule, entry), p });
    }
    entries.forEach((one) => {
      // Floats are as Python has them; what was rounded is divided by its sum.
      if (data.coding !== "float64") one.p /= total;
      one.bits = one.p === 1 ? 0 : -Math.log2(one.p);
    });
    return entries;
  };

  const digitsOf = (state, length) => {
    const digits = [];
    for (let k = 0, left = state; k < length; k += 1) {
      digits.unshift(left % V);
      left = Math.floor(left / V);
    }
    return digits;
  };
  const named = (digits) => digits.map((t) => data.tokens[t]).join(data.between);
  const label = (state) => {
    if (data.labels === undefined) return named(digitsOf(state, data.context));
    const place = placeOf(state);
    return place < 0 ? "a state that is not embedded" : data.labels[place];
  };

  return {
    data, rules, V, nEmbedded, placeOf, stateAt, row, targetOf, label, digitsOf, named,
    isWindow: data.context !== undefined,
    mass: (which, state) => {
      const place = placeOf(state);
      return rules[which].mass === null || place < 0 ? null : decoded(rules[which].mass[place]);
    },
    classOf: (which, state) => {
      const place = placeOf(state);
      return place < 0 ? null : rules[which].classes[place];
    },
  };
})();

// How numbers are written: only 1 is 100%, only 0 is 0%.
const written = (() => {
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
  const power = (value) => {
    const [digits, exponent] = value.toExponential(1).split("e");
    const raised = String(Math.abs(Number(exponent))).split("").map((d) => RAISED[Number(d)]).join("");
    return `${digits}\u00a0×\u00a010${Number(exponent) < 0 ? "⁻" : ""}${raised}`;
  };
  const percent = (p) => {
    if (p === 0 || p === 1) return `${100 * p}%`;
    if (p < 0.0005) return power(p);
    return p >= 0.9995 ? ">99.9%" : `${(100 * p).toFixed(1)}%`;
  };
  const bits = (value) => (value === 0 ? "0" : value < 0.0005 ? power(value) : value.toFixed(3));
  const few = (entries, most) => {
    const order = entries.slice().sort((a, b) => b.p - a.p || a.token - b.token);
    const said = order.slice(0, most).map((one) => `${embedded.data.tokens[one.token]} ${percent(one.p)}`);
    return said.join(", ") + (order.length > most ? ", …" : "");
  };
  const meanBits = (entries) => entries.reduce((sum, one) => sum + (one.p > 0 ? one.p * one.bits : 0), 0);

  // All that is known of a state, in a line.
  const state = (which, id) => {
    const entries = embedded.row(which, id);
    if (entries === null) return `${embedded.label(id)}: its numbers are not embedded in this page.`;
    const mass = embedded.mass(which, id);
    const member = embedded.classOf(which, id);
    const n = embedded.rules[which].nClasses;
    const parts = [];
    // A share that was rounded to all of it is all of it in a state that is never left alone.
    const kept = entries.length === 1 && embedded.targetOf(id, entries[0].token) === id;
    const share = mass === 1 && !kept ? ">99.9%" : mass === null ? "" : percent(mass);
    if (mass !== null && member > 0) parts.push(`π ${share}${n > 1 ? " within its class" : ""}`);
    parts.push(member === 0 ? "transient" : n > 1 ? `closed class ${member} of ${n.toLocaleString("en")}` : "in the closed class");
    parts.push(`next ${few(entries, 4)}`);
    parts.push(`${bits(meanBits(entries))} bits on average`);
    return `${embedded.label(id)}: ${parts.join("; ")}.`;
  };
  const edge = (which, source, token) => {
    const found = (embedded.row(which, source) || []).find((one) => one.token === token);
    if (found === undefined) return `${embedded.label(source)}: ${embedded.data.tokens[token]} cannot come next.`;
    const target = embedded.label(embedded.targetOf(source, token));
    return `${embedded.label(source)} → ${target} by ${embedded.data.tokens[token]}: probability ${percent(found.p)}, ${bits(found.bits)} bits of surprise.`;
  };
  return { percent, bits, state, edge };
})();
