/** Configurations that are saved under a name: they survive a restart of the service. */

import { get, send } from "./api.js";
import { busyWhile, button, field, fill, make } from "./elements.js";
import { attempt, problemPlace } from "./problems.js";

/**
 * @param {function(): object} current What is chosen now.
 * @param {function(object): void} use What takes a configuration that is loaded.
 */
export function configurationsOf(current, use) {
  const name = make("input", { type: "text", maxlength: "80", autocomplete: "off" });
  const list = make("ul", { class: "list" });
  const problems = problemPlace();
  const state = make("p", { role: "status", class: "state" });
  const save = button("Save", () => {});
  let known = [];

  const label = () => {
    fill(save, known.includes(name.value.trim()) ? "Replace" : "Save");
  };
  name.addEventListener("input", label);
  name.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    save.click();
  });
  const address = (x) => `/v1/configurations/${encodeURIComponent(x)}`;

  const load = async () => {
    const found = await attempt(problems, () => get("/v1/configurations"));
    if (!found) return;
    known = found.map((x) => x.name);
    label();
    fill(list, known.map((x) => make("li", {}, make("span", {}, x), loadButton(x), deleteButton(x))));
  };
  const loadButton = (x) => {
    const press = button("Load", () => {});
    press.setAttribute("aria-label", `Load ${x}`);
    press.addEventListener("click", busyWhile(press, async () => {
      const found = await attempt(problems, () => get(address(x)));
      if (!found) return;
      use(found.document);
      name.value = x;
      label();
      fill(state, `Loaded “${x}”.`);
    }));
    return press;
  };
  const deleteButton = (x) => {
    const press = button("Delete", () => {}, "warn");
    press.setAttribute("aria-label", `Delete ${x}`);
    press.addEventListener("click", busyWhile(press, async () => {
      const isGone = await attempt(problems, () => send("DELETE", address(x)));
      if (!isGone) return;
      fill(state, `Deleted “${x}”.`);
      await load();
    }));
    return press;
  };
  save.addEventListener("click", busyWhile(save, async () => {
    const word = name.value.trim();
    if (!word) {
      name.focus();
      return;
    }
    const kept = await attempt(problems, () =>
      known.includes(word)
        ? send("PUT", address(word), current())
        : send("POST", "/v1/configurations", { name: word, document: current() }),
    );
    if (!kept) return;
    fill(state, `Saved “${word}”.`);
    await load();
  }));

  const element = make(
    "div",
    { class: "saved" },
    make("h3", {}, "Saved configurations"),
    list,
    make("div", { class: "beside" }, field("Name", name), save),
    state,
    problems,
  );
  return { element, load };
}
