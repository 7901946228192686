"use strict";
// Tables that sort and filter. Everything is on the page without this script: it adds buttons to
// the heads of tables with the class "sorts", and shows the tools that filter a table's rows.
(() => {
  // What a cell is sorted by: a number where it says one, else its words.
  const keyOf = (cell) => {
    const said = cell.dataset.sort;
    if (said === undefined) return cell.textContent.trim().toLocaleLowerCase("en");
    return said === "" ? null : Number(said);
  };

  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

  const sortBy = (table, column, down) => {
    const body = table.tBodies[0];
    const keyed = Array.from(body.rows, (row, place) => {
      const cell = row.cells[column];
      // A row without a figure has fewer cells and goes last, whichever way the others go.
      const key = cell === undefined || cell.colSpan > 1 ? null : keyOf(cell);
      return { row, place, key };
    });
    keyed.sort((a, b) => {
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.place - b.place;
      return (down ? compare(b.key, a.key) : compare(a.key, b.key)) || a.place - b.place;
    });
    body.append(...keyed.map((one) => one.row));
  };

  const makeSortable = (table) => {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, column) => {
      if (head.dataset.fixed !== undefined) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const was = head.getAttribute("aria-sort");
        // Numbers begin with the largest, words with the first.
        const down = was === null ? head.classList.contains("n") : was === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sortBy(table, column, down);
      });
    });
  };

  const makeFilter = (tools) => {
    const rows = Array.from(document.getElementById(tools.dataset.filters).tBodies[0].rows);
    const original = rows.slice();
    const words = tools.querySelector("input[type=search]");
    const choices = Array.from(tools.querySelectorAll("select"));
    const status = tools.querySelector("[role=status]");
    const plain = (text) => text.normalize("NFKD").toLocaleLowerCase("en");
    const texts = new Map(rows.map((row) => [row, plain(row.textContent)]));

    const apply = () => {
      const asked = plain(words.value).split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row) => {
        const fits =
          asked.every((word) => texts.get(row).includes(word)) &&
          choices.every((choice) => choice.value === "" || row.dataset[choice.name] === choice.value);
        row.hidden = !fits;
        shown += fits;
      });
      status.textContent = `${shown} of ${rows.length} shown`;
    };

    words.addEventListener("input", apply);
    choices.forEach((choice) => choice.addEventListener("change", apply));
    tools.querySelector("button").addEventListener("click", () => {
      words.value = "";
      choices.forEach((choice) => (choice.value = ""));
      original[0].parentNode.append(...original);
      original[0].closest("table").querySelectorAll("[aria-sort]").forEach((head) => head.removeAttribute("aria-sort"));
      apply();
      words.focus();
    });
    tools.hidden = false;
    apply();
  };

  document.querySelectorAll("table.sorts").forEach(makeSortable);
  document.querySelectorAll("[data-filters]").forEach(makeFilter);
})();
