// What is wrong with the answers, by the server's rules. An issue is {path, item, scope, code,
// params}; its words are in the language modules, under the server's codes.

import { answersOf, compare, enabled, isAnswered } from "./enable.js";

const length = text => [...text].length;

function isDate(text) {
  const found = /^(\d{4})(?:-(\d\d)(?:-(\d\d))?)?$/.exec(text);
  if (!found || found[1] === "0000") {
    return false;
  }
  const [year, month, day] = found.slice(1).map(Number);
  const last = new Date(Date.UTC(year, month || 1, 0)).getUTCDate();
  return (found[2] === undefined || (month >= 1 && month <= 12)) &&
    (found[3] === undefined || (day >= 1 && day <= last));
}

const isUrl = text => !/[\s<>"{}|\\^`]/.test(text);

// Of each type whether a value is one.
const TYPES = {
  boolean: value => typeof value === "boolean",
  integer: value => Number.isInteger(value) && value >= -2147483648 && value <= 2147483647,
  decimal: value => Number.isFinite(value),
  date: isDate,
  dateTime: value => isDate(value) || /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/.test(value),
  time: value => /^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?$/.test(value),
  quantity: value => Number.isFinite(typeof value === "object" ? value.value : value),
};

function places(value) {
  const text = String(value);
  const dot = text.indexOf(".");
  return dot < 0 ? 0 : text.length - dot - 1;
}

/** A bound as a person reads it. */
export function boundText(bound) {
  return typeof bound === "object" ? `${bound.value} ${bound.unit ?? bound.code ?? ""}`.trim() : String(bound);
}

function checkText(item, text, add) {
  if (item.maxLength !== undefined && length(text) > item.maxLength) {
    add("maxLength", { n: item.maxLength });
  }
  if (item.minLength !== undefined && length(text) < item.minLength) {
    add("minLength", { n: item.minLength });
  }
  // One that repeats what repeats could take for ever here: the server has a limit for it.
  if (item.regex && !/[+*}][^)]*\)[+*{]/.test(item.regex)) {
    let pattern = null;
    try {
      pattern = new RegExp(`^(?:${item.regex})$`, "u");
    } catch {
      return; // the server's engine knows more
    }
    if (!pattern.test(text)) {
      add("regex", { format: item.entryFormat ? `: ${item.entryFormat}` : "" });
    }
  }
}

function checkBounds(item, value, add) {
  const type = item.type === "quantity" ? "Quantity" : item.type;
  for (const [bound, code, sign] of [[item.min, "minValue", -1], [item.max, "maxValue", 1]]) {
    if (bound !== undefined && compare(value, bound, type) * sign > 0) {
      add(code, { bound: boundText(bound) });
    }
  }
}

/** The option that a value is; a coding must be it with its system. */
function optionOf(item, value) {
  return item.options.find(one => (typeof value === "object" && value !== null
    ? one.code === value.code && one.system === value.system : one.code === String(value)));
}

/** Whether it is a text of one's own, where that is possible. */
const isOwn = (item, value) => item.type === "open-choice" &&
  (typeof value === "string" ? !optionOf(item, value) : typeof value.text === "string");

const bytesOf = ({ data }) => Math.floor(((data ?? "").replace(/=+$/, "").length * 3) / 4);

function isOfType(contentType, wanted) {
  const type = contentType.split(";")[0].trim().toLowerCase();
  return wanted.endsWith("/*") ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}

function checkValue(item, value, count, add) {
  if (TYPES[item.type] && !TYPES[item.type](value)) {
    add("invalidAnswerType." + item.type);
    return;
  }
  switch (item.type) {
  case "url":
    if (!isUrl(value)) {
      add("invalidUrlValue");
    }
    checkText(item, value, add);
    break;
  case "string":
  case "text":
    checkText(item, value, add);
    break;
  case "open-choice":
    if (isOwn(item, value)) {
      checkText(item, value.text ?? value, add);
    }
    break;
  case "decimal":
  case "quantity": {
    const number = typeof value === "object" ? value.value : value;
    if (item.places !== undefined && places(number) > item.places) {
      add("maxDecimalPlaces", { n: item.places });
    }
    checkBounds(item, value, add);
    break;
  }
  case "integer":
  case "date":
  case "dateTime":
  case "time":
    checkBounds(item, value, add);
    break;
  case "attachment":
    if (item.maxSize !== undefined && (value.size ?? bytesOf(value)) > item.maxSize) {
      add("maxAttachmentSize", { n: Math.floor(item.maxSize) });
    }
    if (item.types.length > 0 && !item.types.some(type => isOfType(value.contentType ?? "", type))) {
      add("invalidAttachmentType");
    }
    break;
  default:
    break;
  }
  const option = optionOf(item, value);
  if (item.definition.answerOption && !option && !isOwn(item, value)) {
    add("invalidAnswerOption");
  } else if (option?.exclusive && count > 1) {
    add("exclusiveAnswerOption");
  }
}

function checkCount(item, count, add) {
  if (item.hidden || item.readOnly) {
    return;
  }
  if (count === 0 && item.required) {
    add(item.type === "group" ? "required.group" : "required");
  } else if (item.minCount > count && (count > 0 || item.minCount > 0)) {
    add("minCount", { n: item.minCount });
  }
  if (item.maxCount !== undefined && count > item.maxCount) {
    add("maxCount", { n: item.maxCount });
  }
}

function hasAnswer(form, item, scope) {
  if (!enabled(form, item, scope)) {
    return false;
  }
  if (item.inner) {
    return (scope.values[item.linkId] ?? []).some(one =>
      isAnswered(one.values.answer) || item.children.some(child => hasAnswer(form, child, one)));
  }
  return (item.isQuestion && answersOf(item, scope).length > 0) ||
    item.children.some(child => hasAnswer(form, child, scope));
}

/** All that is wrong at and below an item of a scope. */
export function check(form, item, scope, issues = []) {
  if (!enabled(form, item, scope)) {
    return issues;
  }
  const path = scope.path + item.linkId;
  const add = (code, params = {}, at = path) => {
    if (!issues.some(one => one.path === at && one.code === code)) {
      issues.push({ path: at, item, scope, code, params });
    }
  };
  if (item.inner) {
    const rows = (scope.values[item.linkId] ?? []).filter(one =>
      isAnswered(one.values.answer) || item.children.some(child => hasAnswer(form, child, one)));
    checkCount(item, rows.length, add);
    for (const row of rows) {
      if (item.isQuestion && isAnswered(row.values.answer)) {
        checkValue(item, row.values.answer, rows.length, (code, params) => add(code, params, row.path + "answer"));
      }
      item.children.forEach(child => check(form, child, row, issues));
    }
    return issues;
  }
  if (item.isQuestion) {
    const answers = answersOf(item, scope);
    checkCount(item, answers.length, add);
    if (item.custom) { // the contact's own rules
      item.custom(answers[0], add);
    } else {
      answers.forEach(answer => checkValue(item, answer, answers.length, add));
    }
  } else if (item.type === "group" && item.required) {
    checkCount(item, item.children.some(child => hasAnswer(form, child, scope)) ? 1 : 0, add);
  }
  item.children.forEach(child => check(form, child, scope, issues));
  return issues;
}
