// Messages to the reader: the notice above the content, and a toast that goes away by itself.

import { $, h } from "./dom.js";

const TOAST_MS = 2000;

// Shows a notice; without arguments it removes the notice.
export function notice(kind = "", title = "", text = "", retry = null) {
  $("notice").hidden = !title;
  $("notice").className = `notice ${kind}`;
  $("notice").setAttribute("role", retry ? "alert" : "status");
  $("notice").replaceChildren(
    h("p", null, h("b", null, title), " ", text),
    ...(retry ? [h("button", { type: "button", onclick: retry }, "Retry")] : []),
  );
}

let timer = 0;

function toast(text) {
  $("toast").textContent = text;
  clearTimeout(timer);
  timer = setTimeout(() => $("toast").replaceChildren(), TOAST_MS);
}

export function copy(text) {
  const before = document.activeElement;
  const area = h("textarea", { class: "unseen" }, text);
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy"); // navigator.clipboard is missing on plain http
  area.remove();
  before?.focus();
  toast(done ? `Copied ${text}` : `Could not copy ${text}`);
}
