// The answers, and which questions are asked: the same rules as the server's.
// The README of config/questionnaires has them in words.

import { isWithin } from "./definition.js";

/** Values that stand in one object of the flat form: of the form, or of one occurrence. */
export class Scope {
  constructor(owner, parent = null) {
    this.owner = owner;
    this.parent = parent;
    this.values = {};
  }

  /** "operations[1]." before the names of what is in it; "" for the form itself. */
  get path() {
    if (!this.parent) {
      return "";
    }
    const index = (this.parent.values[this.owner.linkId] ?? []).indexOf(this);
    return `${this.parent.path}${this.owner.linkId}[${index}].`;
  }
}

export function isAnswered(value) {
  if (value === undefined || value === null) {
    return false;
  }
  if (typeof value === "string") {
    return value.trim() !== "";
  }
  if (Array.isArray(value)) {
    return value.some(isAnswered);
  }
  return typeof value !== "object" || Object.keys(value).length > 0;
}

/** The answers to a question in a scope, as a list. */
export function answersOf(item, scope) {
  const value = scope.values[item.linkId];
  if (item.inner) {
    return (value ?? []).map(one => one.values.answer).filter(isAnswered);
  }
  return (item.repeats ? value ?? [] : [value]).filter(isAnswered);
}

/** Every scope of a repeating item below a scope, in order. */
function below(scope, owner) {
  const owners = [];
  for (let at = owner; at !== scope.owner; at = at.owner) {
    owners.unshift(at);
  }
  return owners.reduce((scopes, one) =>
    scopes.flatMap(each => each.values[one.linkId] ?? []), [scope]);
}

/** The scope of the occurrence of `source` that is nearest to `item` in `scope`; null: none. */
function nearest(source, item, scope) {
  let at = scope;
  while (!isWithin(source, at.owner)) {
    at = at.parent;
  }
  if (source.owner === at.owner) {
    return at;
  }
  const found = below(at, source.owner);
  return (source.index < item.index ? found[found.length - 1] : found[0]) ?? null;
}

function holds(form, condition, item, scope) {
  const source = form.items.get(condition.source);
  if (!source) {
    return false;
  }
  let answers = [];
  let own = scope;
  while (own && own.owner !== source) {
    own = own.parent;
  }
  if (own) { // below one answer of the source: that one counts
    answers = [own.values.answer].filter(isAnswered);
  } else {
    const found = nearest(source, item, scope);
    answers = found && enabled(form, source, found) ? answersOf(source, found) : [];
  }
  if (condition.operator === "exists") {
    return (answers.length > 0) === condition.value;
  }
  if (["integer", "decimal"].includes(source.type)) { // what is no number is no answer yet
    answers = answers.filter(answer => typeof answer === "number");
  }
  if (answers.length === 0) {
    return false;
  }
  const matched = answers.some(answer => matches(condition, answer, source));
  return condition.operator === "!=" ? !matched : matched;
}

export function enabled(form, item, scope) {
  const parent = item.parent;
  if (!parent) {
    return true;
  }
  const outer = scope.owner === parent ? scope.parent : scope;
  if (parent.parent && !enabled(form, parent, outer)) {
    return false;
  }
  if (parent.isQuestion) {
    const answered = parent.inner ? isAnswered(scope.values.answer) : answersOf(parent, outer).length > 0;
    if (!answered) {
      return false;
    }
  }
  if (item.conditions.length === 0) {
    return true;
  }
  const check = condition => holds(form, condition, item, scope);
  return item.any ? item.conditions.some(check) : item.conditions.every(check);
}

function matches({ operator, type, value }, answer, source) {
  if (type === "Coding") {
    const code = typeof answer === "object" ? answer.code : answer;
    const system = typeof answer === "object" ? answer.system
      : source.options.find(one => one.code === answer)?.system;
    const same = code === value.code && (!system || !value.system || system === value.system);
    return ["=", "!="].includes(operator) && same;
  }
  const order = compare(answer, value, type);
  switch (operator) {
    case "=":
    case "!=":
      return order === 0;
    case ">":
      return order > 0;
    case "<":
      return order < 0;
    case ">=":
      return order >= 0;
    default:
      return order <= 0;
  }
}

// Units that are compared here; what is in others is left to the server.
const UNITS = {
  cm: ["length", 0.01], m: ["length", 1], mm: ["length", 0.001], "[in_i]": ["length", 0.0254],
  "[ft_i]": ["length", 0.3048], kg: ["mass", 1], g: ["mass", 0.001], mg: ["mass", 1e-6], ug: ["mass", 1e-9],
  "[lb_av]": ["mass", 0.45359237], "[stone_av]": ["mass", 6.35029318], "[oz_av]": ["mass", 0.028349523125],
};

/** Less than, equal to or more than 0; NaN when the two cannot be compared. */
export function compare(answer, wanted, type) {
  if (typeof wanted === "boolean") {
    return answer === wanted ? 0 : NaN;
  }
  if (typeof wanted === "number") {
    return Number(typeof answer === "object" ? answer.value : answer) - wanted;
  }
  if (typeof wanted === "object") {
    const own = typeof answer === "object" ? answer : { value: answer };
    const codes = [own.code ?? own.unit, wanted.code ?? wanted.unit];
    if (codes[0] === codes[1] || codes[0] === undefined) {
      return own.value - wanted.value;
    }
    const [a, b] = codes.map(code => UNITS[code]);
    return a && b && a[0] === b[0] ? own.value * a[1] - wanted.value * b[1] : NaN;
  }
  if (type === "dateTime" && answer.includes("T") && wanted.includes("T")) {
    return Date.parse(answer) - Date.parse(wanted);
  }
  let [a, b] = [String(answer), wanted];
  if (["date", "dateTime"].includes(type)) { // as far as both say something
    const length = Math.min(a.length, b.length);
    [a, b] = [a.slice(0, length), b.slice(0, length)];
  }
  return a === b ? 0 : a < b ? -1 : 1;
}

/** The flat form of what is answered and asked. */
export function print(form, scope, above = scope.owner, body = {}) {
  for (const item of above.children) {
    if (!enabled(form, item, scope)) {
      continue;
    }
    if (item.inner) {
      const list = (scope.values[item.linkId] ?? []).map(one => {
        const inner = print(form, one);
        return item.isQuestion && isAnswered(one.values.answer) ? { answer: one.values.answer, ...inner } : inner;
      }).filter(isAnswered);
      if (list.length > 0) {
        body[item.linkId] = list;
      }
      continue;
    }
    const answers = item.isQuestion ? answersOf(item, scope) : [];
    if (answers.length > 0) {
      body[item.linkId] = item.repeats ? answers : answers[0];
    }
    print(form, scope, item, body);
  }
  return body;
}

/** Takes a flat form in; levels that are written out are taken as if they were not. */
export function read(body, scope, above = scope.owner) {
  for (const item of above.children) {
    const value = body?.[item.linkId];
    if (item.inner) {
      scope.values[item.linkId] = (Array.isArray(value) ? value : []).map(one => {
        const occurrence = new Scope(item, scope);
        if (item.isQuestion) {
          occurrence.values.answer = one?.answer ?? one;
        }
        read(one, occurrence);
        return occurrence;
      });
    } else if (item.isQuestion) {
      const list = Array.isArray(value) ? value : [value].filter(isAnswered);
      scope.values[item.linkId] = structuredClone(item.repeats ? list : list[0]);
      read(body, scope, item);
    } else {
      read(isAnswered(value) && typeof value === "object" ? value : body, scope, item);
    }
  }
}

/** Takes out rows in which nothing is. */
export function prune(form, scope) {
  for (const item of form.items.values()) {
    if (item.owner !== scope.owner || !item.repeats) {
      continue;
    }
    const list = scope.values[item.linkId] ?? [];
    if (!item.inner) {
      scope.values[item.linkId] = list.filter(isAnswered);
      continue;
    }
    list.forEach(one => prune(form, one));
    scope.values[item.linkId] = list.filter(one =>
      isAnswered(one.values.answer) || isAnswered(print(form, one)));
  }
}
