// What was answered, in the words of the definition that was answered.

import { compile, translated } from "./definition.js";
import { h } from "./dom.js";
import { answersOf, enabled, isAnswered, read, Scope } from "./enable.js";
import { date, time } from "./staff-words.js";

/** The definition's form with the answers in it; null where the definition is gone. */
export function formOf(definition, answers) {
  if (!definition) {
    return null;
  }
  const form = compile(definition);
  const scope = new Scope(form.top);
  read(answers, scope);
  return { form, scope };
}

export const textOf = item => translated(item.definition, "text", "en") ?? item.linkId;

/** The text of a question; its linkId where there is none. */
export function questionText(filled, linkId) {
  const item = filled?.form.items.get(linkId);
  return item ? textOf(item) : linkId;
}

function plain(value) {
  if (value === null || value === undefined) {
    return "";
  }
  if (typeof value === "boolean") {
    return value ? "Yes" : "No";
  }
  if (Array.isArray(value)) {
    return value.map(plain).join(", ");
  }
  if (typeof value === "object") {
    return value.display ?? value.text ?? value.title ?? value.code ??
      Object.entries(value).map(([name, one]) => `${name}: ${plain(one)}`).join("; ");
  }
  return String(value);
}

function optionText(option) {
  return option.element ? translated(option.element, "display", "en") ?? option.code : option.code;
}

function quantity(item, value) {
  if (typeof value !== "object") {
    return `${value} ${item.unit?.display ?? item.unit?.code ?? ""}`.trim();
  }
  const unit = item.units.find(one => one.code === value.code);
  return `${value.value} ${unit?.display ?? value.unit ?? value.code ?? ""}`.trim();
}

function one(item, value) {
  const option = item?.options.find(each => String(each.code) === String(value?.code ?? value));
  if (option) {
    return optionText(option);
  }
  switch (item?.type) {
  case "quantity":
    return quantity(item, value);
  case "integer":
  case "decimal":
    return quantity(item, value?.value ?? value);
  case "attachment":
    return [value.title, value.contentType].filter(isAnswered).join(", ") || "A file";
  case "date":
    return date(String(value));
  case "dateTime":
    return String(value).includes("T") ? time(value) : date(String(value));
  default:
    return plain(value);
  }
}

function occurrence(form, item, row) {
  return Object.entries(row).map(([linkId, value]) => {
    if (linkId === "answer" && item.isQuestion) {
      return one(item, value);
    }
    const inner = form.items.get(linkId);
    return `${inner ? textOf(inner) : linkId}: ${valueText({ form }, linkId, value)}`;
  }).join("; ");
}

/** A value of the flat form on one line. */
export function valueText(filled, linkId, value) {
  const item = filled?.form.items.get(linkId);
  if (!isAnswered(value)) {
    return "Not answered";
  }
  const values = Array.isArray(value) ? value : [value];
  return values.map(each => item && (item.inner || item.type === "group") && typeof each === "object"
    ? occurrence(filled.form, item, each) : one(item, each)).join(item?.inner ? " | " : ", ");
}

/** Text as it was written, with its lines, whatever its direction. */
const written = (text, attributes = {}) => h("dd", { dir: "auto", ...attributes }, text);

function answerCell(item, answers) {
  if (answers.length === 0) {
    return h("dd", { class: "muted" }, "Not answered");
  }
  return answers.length === 1 ? written(one(item, answers[0]))
    : h("dd", {}, h("ul", { dir: "auto" }, answers.map(answer => h("li", { dir: "auto" }, one(item, answer)))));
}

function line(item, cell, flagged, kind = "") {
  return h("div", { class: `answer ${kind} ${flagged.has(item.linkId) ? "flagged" : ""}`, "data-question": item.linkId,
    tabindex: "-1" }, h("dt", {}, textOf(item)), cell);
}

/** The lines of an item and of what is below it. */
function lines(form, item, scope, flagged) {
  if (item.hidden || item.type === "display") {
    return [];
  }
  if (!enabled(form, item, scope)) {
    return item.isQuestion || item.type === "group" ? [line(item, h("dd", { class: "muted" }, "Not asked"), flagged, "not-asked")] : [];
  }
  if (item.inner) {
    const rows = scope.values[item.linkId] ?? [];
    if (rows.length === 0) {
      return [line(item, h("dd", { class: "muted" }, "None given"), flagged)];
    }
    return [line(item, h("dd", {}, h("ol", { class: "occurrences" }, rows.map(row => h("li", {}, h("dl", { class: "answers" },
      item.isQuestion && isAnswered(row.values.answer) ? line(item, written(one(item, row.values.answer)), flagged) : null,
      item.children.flatMap(child => lines(form, child, row, flagged))))))), flagged, "repeated")];
  }
  const own = item.isQuestion ? [line(item, answerCell(item, answersOf(item, scope)), flagged)] : [];
  const below = item.children.flatMap(child => lines(form, child, scope, flagged));
  const isGroup = item.type === "group" && below.length > 0;
  return isGroup ? [h("div", { class: "subgroup" }, h("dt", {}, textOf(item)), h("dd", {}, h("dl", { class: "answers" }, below)))]
    : [...own, ...below];
}

const section = (title, rows) => h("section", { class: "card answers-card" }, h("h3", {}, title), h("dl", { class: "answers" }, rows));

/** Answers to what no definition has: the definition is gone, or they came before it. */
function unknownLines(filled, answers) {
  return Object.entries(answers ?? {})
    .filter(([linkId, value]) => !filled?.form.items.has(linkId) && isAnswered(value))
    .map(([linkId, value]) => h("div", { class: "answer", "data-question": linkId, tabindex: "-1" },
      h("dt", {}, linkId), written(plain(value))));
}

/** The sections of the form, each with its questions. `flagged`: the linkIds that flags are about. */
export function answerSections(filled, answers, flagged) {
  const sections = [];
  let loose = [];
  const finishLoose = () => {
    if (loose.length > 0) {
      sections.push(section("Answers", loose));
      loose = [];
    }
  };
  for (const item of filled?.form.top.children ?? []) {
    if (item.type === "group" && !item.inner) {
      finishLoose();
      const rows = enabled(filled.form, item, filled.scope)
        ? item.children.flatMap(child => lines(filled.form, child, filled.scope, flagged))
        : [h("div", { class: "answer not-asked" }, h("dt", {}, "All of it"), h("dd", { class: "muted" }, "Not asked"))];
      if (rows.length > 0) {
        sections.push(section(textOf(item), rows));
      }
    } else {
      loose.push(...lines(filled.form, item, filled.scope, flagged));
    }
  }
  finishLoose();
  const unknown = unknownLines(filled, answers);
  if (unknown.length > 0) {
    sections.push(section(filled ? "Other answers" : "Answers (the questionnaire is not here any more)", unknown));
  }
  return sections;
}
