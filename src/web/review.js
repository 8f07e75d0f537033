// All answers to read: before they are sent, after, and on paper.

import { optionText } from "./controls.js";
import { h } from "./dom.js";
import { answersOf, enabled } from "./enable.js";
import { textOf } from "./form.js";
import { dateTime, language, t } from "./i18n.js";

function valueText(item, value) {
  if (typeof value === "boolean") {
    return t(value ? "yes" : "no");
  }
  const option = item.options.find(one => one.code === (value?.code ?? value));
  if (option) {
    return optionText(option);
  }
  switch (item.type) {
  case "quantity":
    return typeof value === "object" ? `${value.value} ${value.unit ?? value.code ?? ""}`.trim() : String(value);
  case "attachment":
    return value.title ?? value.contentType;
  case "date":
    return value.length === 10 ? new Date(`${value}T12:00:00`).toLocaleDateString(language, { dateStyle: "long" }) : value;
  case "dateTime":
    return value.includes("T") ? dateTime(value) : value;
  default:
    return typeof value === "object" ? value.display ?? value.text ?? value.code ?? "" : String(value);
  }
}

function add(form, item, scope, rows) {
  if (item.hidden || !enabled(form, item, scope)) {
    return;
  }
  if (item.inner) {
    (scope.values[item.linkId] ?? []).forEach((row, index) => {
      rows.push(h("div", { class: "heading" }, h("dt", {}, textOf(item)), h("dd", {}, (index + 1).toLocaleString(language))));
      if (item.isQuestion && row.values.answer !== undefined) {
        rows.push(h("div", {}, h("dt", {}, textOf(item)), h("dd", { dir: "auto" }, valueText(item, row.values.answer))));
      }
      item.children.forEach(child => add(form, child, row, rows));
    });
    return;
  }
  if (item.isQuestion) {
    const answers = answersOf(item, scope);
    rows.push(h("div", {}, h("dt", {}, textOf(item)), answers.length > 0
      ? answers.map(answer => h("dd", { dir: "auto" }, valueText(item, answer)))
      : h("dd", { class: "muted" }, t("unanswered"))));
  }
  item.children.forEach(child => add(form, child, scope, rows));
}

/** The answers of one section as a description list; null when nothing is in it. */
export function answersList(form, section, scope) {
  const rows = [];
  (section.items ?? section.children).forEach(item => add(form, item, scope, rows));
  return rows.length > 0 ? h("dl", { class: "answers" }, rows) : null;
}
