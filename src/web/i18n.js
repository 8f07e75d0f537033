// The page's words: one module per language, loaded when it is needed.

export const LANGUAGES = { en: "English", tr: "Türkçe", de: "Deutsch", es: "Español", ar: "العربية" };
const MODULES = {
  en: () => import("./lang-en.js"),
  tr: () => import("./lang-tr.js"),
  de: () => import("./lang-de.js"),
  es: () => import("./lang-es.js"),
  ar: () => import("./lang-ar.js"),
};
const KEY = "intake.language";

export let language = "en";
let words = {};

/** What ?lang says, then what was chosen here before, then what the browser prefers. */
export function preferred() {
  const asked = [new URLSearchParams(location.search).get("lang"), stored(), ...navigator.languages];
  const known = asked.map(code => code?.toLowerCase().split("-")[0]).find(code => code in LANGUAGES);
  return known ?? "en";
}

function stored() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

/** Loads the words and turns the page; the language stays as it is when they cannot be had. */
export async function use(code) {
  words = (await MODULES[code]()).default;
  language = code;
  document.documentElement.lang = code;
  document.documentElement.dir = code === "ar" ? "rtl" : "ltr";
}

/** The patient has chosen: here, and the next time. */
export async function choose(code) {
  await use(code);
  try {
    localStorage.setItem(KEY, code);
  } catch {
    // it is chosen for this time
  }
  const address = new URL(location.href);
  if (address.searchParams.has("lang")) {
    address.searchParams.set("lang", code);
    history.replaceState(history.state, "", address);
  }
}

export const has = key => key in words;

/** The words of a key, with {names} filled in. */
export function t(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (all, name) =>
    values[name] ?? all);
}

export function dateTime(value, withTime = true) {
  return new Date(value).toLocaleString(language, withTime
    ? { dateStyle: "long", timeStyle: "short" } : { dateStyle: "long" });
}
