// The colour theme: light, dark, or the system's. A "themechange" event reports its changes.

import { $ } from "./dom.js";

const NEXT = { auto: "dark", dark: "light", light: "auto" };

const announce = () => document.dispatchEvent(new Event("themechange"));

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").textContent = `Theme: ${theme}`;
  announce();
}

function storedTheme() {
  try {
    return localStorage.getItem("theme");
  } catch { // storage may be forbidden
    return null;
  }
}

function changeTheme() {
  const theme = NEXT[document.documentElement.dataset.theme];
  setTheme(theme);
  try {
    localStorage.setItem("theme", theme);
  } catch { /* then it is not remembered */ }
}

export function startTheme() {
  const theme = storedTheme();
  setTheme(theme in NEXT ? theme : "auto");
  $("theme").addEventListener("click", changeTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", announce);
}
