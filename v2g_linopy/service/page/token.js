/** Ask for the token of the server, where it wants one. */

import { field, make } from "./elements.js";

let asked = null;

/**
 * The token that a user types; one question for all requests that wait.
 * @param {boolean} wasWrong Whether one was given already.
 */
export function askForToken(wasWrong) {
  asked ??= ask(wasWrong).finally(() => {
    asked = null;
  });
  return asked;
}

function ask(wasWrong) {
  return new Promise((resolve) => {
    const input = make("input", { type: "password", autocomplete: "current-password", required: true });
    const sentence = wasWrong
      ? "That was not the token of this server."
      : "Who started this server knows it. It is kept until this tab is closed.";
    // a password manager keeps it under the name of this page
    const name = make("input", { type: "text", autocomplete: "username", value: "v2g-linopy", hidden: true });
    const form = make("form", {}, name, field("Token", input, sentence), make("button", { class: "main" }, "Go on"));
    const dialog = make("dialog", { "aria-label": "Token of this server" }, form);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.remove();
      resolve(input.value.trim());
    });
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
  });
}
