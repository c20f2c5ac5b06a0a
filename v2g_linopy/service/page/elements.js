/** Elements of the page, made in short words. Nothing is ever parsed as HTML. */

/**
 * Make an element.
 * @param {string} tag
 * @param {object} attributes `on` holds listeners; true sets an attribute without value.
 * @param {...(Node|string|number|null|undefined|Array)} children
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "value" || name === "checked") {
      element[name] = value;
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter((x) => x !== null && x !== undefined));
  return element;
}

/** Put children into an element, in the place of what it held. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((x) => x !== null && x !== undefined));
  return element;
}

let made = 0;

/** An identity that no other element has. */
export function newId(word) {
  made += 1;
  return `${word}-${made}`;
}

/** A field with its label and, below it, a sentence. */
export function field(label, input, sentence = "") {
  const id = input.id || newId("field");
  input.id = id;
  if (sentence) input.setAttribute("aria-describedby", `${id}-more`);
  return make(
    "div",
    { class: "field" },
    make("label", { for: id }, label),
    input,
    sentence && make("p", { class: "more", id: `${id}-more` }, sentence),
  );
}

/** A box to tick, with its label. */
export function tick(label, checked = false) {
  const input = make("input", { type: "checkbox", checked });
  return { input, element: make("label", { class: "tick" }, input, " ", label) };
}

/** A button. */
export function button(label, press, kind = "") {
  return make("button", { type: "button", class: kind, on: { click: press } }, label);
}

/** Work that a button starts: it cannot be pressed again until that has ended. */
export function busyWhile(element, work) {
  return async (event) => {
    event?.preventDefault();
    if (element.disabled) return;
    element.disabled = true;
    try {
      await work(event);
    } finally {
      element.disabled = false;
    }
  };
}
