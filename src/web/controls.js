// The control of one answer, by the question's type. A control is an element; it tells what was
// given with `set(value)`, undefined where nothing is.

import { translated } from "./definition.js";
import { h } from "./dom.js";
import { language, t } from "./i18n.js";

const RADIO_MAX = 8;

export function optionText(option) {
  return (option.element ? translated(option.element, "display", language) : undefined) ??
    String(option.value ?? option.code);
}

function codeOf(value) {
  const code = typeof value === "object" && value !== null ? value.code ?? value.text : value;
  return code === undefined || code === null ? undefined : String(code);
}

function input(kind, { id, value, describedby, required, name }, set, more = {}) {
  const element = h(kind === "textarea" ? "textarea" : "input", {
    id, name, ...(kind === "textarea" ? {} : { type: kind }), "aria-describedby": describedby,
    "aria-required": required ? "true" : undefined, oninput: () => set(element.value), ...more,
  });
  element.value = value ?? "";
  return element;
}

function number(context, set, more) {
  return input("text", context, text => {
    const plain = text.trim().replace(",", ".");
    set(plain === "" ? undefined : /^[+-]?\d+(\.\d+)?$/.test(plain) ? Number(plain) : text);
  }, { inputmode: context.item.type === "integer" ? "numeric" : "decimal", autocomplete: "off", ...more });
}

function quantity(context, set) {
  const { item, value, id } = context;
  const units = item.units.length > 0 ? item.units : item.unit ? [item.unit] : [];
  const given = typeof value === "object" && value !== null ? value : { value };
  let amount = given.value;
  let unit = units.find(one => one.code === given.code) ?? units[0];
  const tell = () => set(amount === undefined ? undefined : {
    value: amount, ...(unit ? { unit: unit.display, system: unit.system, code: unit.code } : {}),
  });
  const field = number({ ...context, value: amount }, value => {
    amount = value;
    tell();
  });
  if (units.length < 2) {
    return h("div", { class: "quantity" }, field, unit ? h("span", {}, unit.display ?? unit.code) : null);
  }
  const select = h("select", {
    "aria-label": t("unit"), id: `${id}-unit`, onchange: () => {
      unit = units[select.selectedIndex];
      tell();
    },
  }, units.map(one => h("option", { selected: one === unit }, one.display ?? one.code)));
  return h("div", { class: "quantity" }, field, select);
}

/** A date as far as it is known, where the definition or the answer is not to the day. */
function date(context, set) {
  const partial = String(context.item.min ?? "").length === 4 || String(context.item.max ?? "").length === 4 ||
    (context.value && context.value.length < 10);
  return partial
    ? input("text", context, text => set(text.trim() || undefined), { inputmode: "numeric", autocomplete: "off", placeholder: t("date.partial") })
    : input("date", context, text => set(text || undefined), {
      min: context.item.min, max: context.item.max,
      autocomplete: /birth/i.test(context.item.linkId) ? "bday" : undefined,
    });
}

function zone(local) {
  const minutes = -new Date(local).getTimezoneOffset();
  const pad = number => String(Math.floor(Math.abs(number))).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${pad(minutes / 60)}:${pad(minutes % 60)}`;
}

function readFile(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1] ?? "");
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function attachment(context, set) {
  const shown = h("span", { class: "muted" }, context.value?.title ?? "");
  const field = h("input", {
    id: context.id, type: "file", accept: context.item.types.join(",") || undefined,
    "aria-describedby": context.describedby, class: "field",
    onchange: async () => {
      const file = field.files[0];
      shown.textContent = file?.name ?? "";
      // What is too large is not read: the check says so by its size.
      const fits = file && !(file.size > (context.item.maxSize ?? Infinity));
      set(file ? {
        contentType: file.type || "application/octet-stream", title: file.name, size: file.size,
        ...(fits ? { data: await readFile(file) } : {}),
      } : undefined);
    },
  });
  return h("div", {}, field, shown);
}

const TEXTS = {
  string: (context, set) => input(context.item.input ?? "text", context, set, {
    autocomplete: context.item.autocomplete ?? "off", dir: context.item.input && context.item.input !== "text" ? "ltr" : "auto",
  }),
  text: (context, set) => input("textarea", context, set, { rows: 4, dir: "auto" }),
  url: (context, set) => input("url", context, text => set(text.trim() || undefined), { dir: "ltr", autocomplete: "off" }),
  integer: number,
  decimal: number,
  quantity,
  date,
  dateTime: (context, set) => input("datetime-local",
    { ...context, value: context.value?.slice(0, 16) }, text => set(text ? `${text}:00${zone(text)}` : undefined)),
  time: (context, set) => input("time", { ...context, value: context.value?.slice(0, 5) },
    text => set(text ? `${text}:00`.slice(0, 8) : undefined)),
  attachment,
  reference: (context, set) => input("text", context, set, { autocomplete: "off" }),
};

export const isSingle = item => item.type !== "boolean" && item.options.length === 0;

/** One field with a label of its own. */
export function field(context, set) {
  return (TEXTS[context.item.type] ?? TEXTS.string)(context, set);
}

/** A select, where there are too many options for a list of buttons. */
export function isLong(item) {
  return item.options.length > RADIO_MAX && !item.repeats && item.type !== "open-choice";
}

export function select({ item, id, value, describedby, required }, set) {
  const element = h("select", {
    id, "aria-describedby": describedby, "aria-required": required ? "true" : undefined,
    onchange: () => set(item.options[element.selectedIndex - 1]?.value),
  }, h("option", { value: "" }, t("choose")), item.options.map(option =>
    h("option", { value: option.code, selected: option.code === codeOf(value) }, optionText(option))));
  return element;
}

function mark(type, name, id, text, checked, onchange, attributes = {}) {
  const box = h("input", { type, name, id, checked, onchange, ...attributes });
  return h("label", { class: "mark", for: id }, box, h("span", {}, text));
}

/** Radio buttons: of a boolean, a choice, or an open-choice with a text of one's own. */
export function radios({ item, id, value, describedby }, set) {
  const list = item.type === "boolean"
    ? [{ value: true, text: t("yes") }, { value: false, text: t("no") }]
    : item.options.map(option => ({ value: option.value, code: option.code, text: optionText(option) }));
  const isOption = one => value !== undefined && value !== null && (one.code ?? String(one.value)) === codeOf(value);
  const marks = list.map((one, index) =>
    mark("radio", id, `${id}-${index}`, one.text, isOption(one), () => set(one.value)));
  if (item.type === "open-choice") {
    const own = value !== undefined && value !== null && !list.some(isOption) ? codeOf(value) : undefined;
    const text = input("text", { id: `${id}-text`, value: own, describedby }, given => {
      other.querySelector("input").checked = true;
      set(given);
    }, { "aria-label": t("other.text"), dir: "auto", autocomplete: "off" });
    const other = mark("radio", id, `${id}-other`, t("other"), own !== undefined, () => set(text.value));
    marks.push(other, text);
  }
  return h("div", { class: "marks" }, marks);
}

/** Check boxes of a choice that repeats; texts of one's own are a line each. */
export function checks({ item, id, value, describedby }, set) {
  const given = value ?? [];
  const isOption = one => item.options.some(option => option.code === codeOf(one));
  let codes = given.filter(isOption).map(codeOf);
  let own = given.filter(one => !isOption(one)).map(codeOf);
  const tell = () => set([...item.options.filter(option => codes.includes(option.code)).map(option => option.value), ...own]);
  const marks = item.options.map((option, index) =>
    mark("checkbox", id, `${id}-${index}`, optionText(option), codes.includes(option.code), event => {
      codes = event.target.checked ? [...codes, option.code] : codes.filter(code => code !== option.code);
      tell();
    }));
  if (item.type === "open-choice") {
    const text = input("textarea", { id: `${id}-text`, value: own.join("\n"), describedby }, given => {
      own = given.split("\n").map(line => line.trim()).filter(Boolean);
      tell();
    }, { rows: 2, dir: "auto" });
    marks.push(h("label", { for: `${id}-text`, class: "other" }, t("other.lines")), text);
  }
  return h("div", { class: "marks" }, marks);
}
