"use strict";
(() => {
  const table = document.getElementById("comparison");
  const body = table.tBodies[0];
  const said = document.getElementById("said");

  // The value that a row is sorted by: null where there is none.
  const valueOf = (row, column, kind) => {
    const text = row.cells[column].dataset.value;
    if (text === "") return null;
    return kind === "number" ? Number(text) : text.toLowerCase();
  };

  // Rows without a value come last in both directions.
  const sortBy = (header, kind, direction) => {
    const column = header.cellIndex;
    const sign = direction === "ascending" ? 1 : -1;
    const order = (a, b) => {
      const left = valueOf(a, column, kind);
      const right = valueOf(b, column, kind);
      if (left === null || right === null) return (left === null) - (right === null);
      return left < right ? -sign : left > right ? sign : 0;
    };
    body.append(...[...body.rows].sort(order));
    for (const other of header.parentElement.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", direction);
  };

  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const header = button.closest("th");
      const now = header.getAttribute("aria-sort");
      const opposite = now === "ascending" ? "descending" : "ascending";
      const direction = now === null ? button.dataset.first : opposite;
      sortBy(header, button.dataset.kind, direction);
      said.textContent = `sorted by ${button.textContent}, ${direction}`;
    });
  }

  // Without the clipboard's interface, as in pages of a plain http server, the text is selected and copied.
  const copy = async (code) => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      const selection = getSelection();
      selection.selectAllChildren(code);
      if (!document.execCommand("copy")) throw new Error("the text is selected; copy it with the keyboard");
      selection.removeAllRanges();
    }
  };

  for (const button of document.querySelectorAll(".copy")) {
    button.addEventListener("click", async () => {
      let result = "copied";
      try {
        await copy(button.parentElement.querySelector("code"));
      } catch (error) {
        result = "selected";
        said.textContent = error.message;
      }
      button.textContent = result;
      if (result === "copied") said.textContent = result;
      setTimeout(() => { button.textContent = "copy"; }, 2000);
    });
  }

  // Paper has no details to open.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    for (const part of closed) part.open = true;
  });
  addEventListener("afterprint", () => {
    for (const part of closed) part.open = false;
  });
})();
