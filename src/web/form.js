// A section of the form on the page: its questions, which come and go, and their errors.

import { field, checks, isLong, isSingle, radios, select } from "./controls.js";
import { translated } from "./definition.js";
import { button, h } from "./dom.js";
import { Scope, enabled, isAnswered } from "./enable.js";
import { has, language, t } from "./i18n.js";

export function textOf(item) {
  if (item.contact) {
    return t(item.linkId);
  }
  return translated(item.definition, "text", language) ?? "";
}

/** What is wrong, in the patient's words: ours for the code, else the server's. */
export function messageOf(issue) {
  const own = `error.${issue.code}.contact`;
  const key = issue.item?.contact && has(own) ? own : `error.${issue.code}`;
  return has(key) ? t(key, issue.params) : issue.message ?? t("error.other");
}

const idOf = path => `q-${path.replace(/[^A-Za-z0-9_-]/g, "-")}`;

/** One section as it stands; `onchange` is called after every answer. */
export class SectionView {
  constructor(form, section, scope, onchange) {
    Object.assign(this, { form, section, scope, onchange, parts: [], answers: 0 });
    this.element = h("div", { class: "questions" });
    this.render();
  }

  render() {
    this.parts = [];
    const items = this.section.items ?? this.section.children;
    this.element.replaceChildren(...items.map(item => this.item(item, this.scope)));
    this.refresh();
  }

  changed() {
    this.refresh();
    this.onchange();
  }

  /** Shows what is asked now; says how many questions have appeared since. */
  refresh() {
    let appeared = 0;
    for (const { element, item, scope } of this.parts) {
      const hidden = !enabled(this.form, item, scope);
      appeared += element.hidden && !hidden && item.isQuestion && this.shown ? 1 : 0;
      element.hidden = hidden;
    }
    this.shown = true;
    this.appeared = appeared;
  }

  item(item, scope) {
    if (item.hidden) {
      return "";
    }
    const element = item.type === "display" ? this.display(item)
      : item.inner ? this.rows(item, scope)
        : item.type === "group" ? this.group(item, scope)
          : item.isQuestion ? this.question(item, scope) : h("div");
    this.parts.push({ element, item, scope });
    return element;
  }

  display(item) {
    return h("p", { class: "display" }, textOf(item));
  }

  group(item, scope) {
    return h("fieldset", { class: "group" }, h("legend", {}, textOf(item)),
      this.errorPlace(scope.path + item.linkId), item.children.map(child => this.item(child, scope)));
  }

  errorPlace(path) {
    return h("p", { class: "wrong", id: `${idOf(path)}-error`, hidden: true });
  }

  label(item) {
    const prefix = translated(item.definition, "prefix", language);
    const optional = !item.required && !item.readOnly ? h("span", { class: "optional" }, ` ${t("optional")}`) : null;
    return [prefix ? `${prefix} ` : "", textOf(item), optional];
  }

  question(item, scope) {
    const path = scope.path + item.linkId;
    const id = idOf(path);
    const hint = item.contact && has(`${item.linkId}.hint`) ? t(`${item.linkId}.hint`)
      : item.entryFormat ?? (item.maxLength >= 1000 || item.maxLength === undefined ? null : t("maxLength", { n: item.maxLength }));
    const notes = [
      hint && h("p", { class: "hint", id: `${id}-hint` }, hint), this.errorPlace(path)].filter(Boolean);
    const context = {
      item, id, value: scope.values[item.linkId], required: item.required, name: item.linkId,
      describedby: [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(" "),
    };
    const set = value => {
      scope.values[item.linkId] = value;
      clear.hidden = !isAnswered(value);
      this.clearError(path);
      this.changed();
    };
    const clear = button(t("clear"), () => {
      set(undefined);
      this.redraw(item, scope, element);
    }, "quiet");
    clear.hidden = !isAnswered(context.value);
    let parts = [];
    if (item.readOnly) {
      parts = [h("p", { class: "label", id: `${id}-label` }, this.label(item)), h("p", { id, class: "fixed" }, String(context.value ?? ""))];
    } else if (item.repeats && isSingle(item)) {
      parts = [this.texts(item, scope, context, notes)];
    } else if (isSingle(item) || isLong(item)) {
      parts = [h("label", { for: id }, this.label(item)), ...notes, (isLong(item) ? select : field)(context, set)];
    } else {
      parts = [h("fieldset", { id, tabindex: "-1", "aria-describedby": context.describedby,
        role: item.repeats ? undefined : "radiogroup", "aria-required": item.required && !item.repeats ? "true" : undefined },
      h("legend", {}, this.label(item)), ...notes, (item.repeats ? checks : radios)(context, set)),
      item.required || item.repeats ? null : clear];
    }
    const element = h("div", { class: "question", "data-path": path }, parts.filter(Boolean),
      item.children.map(child => this.item(child, scope)));
    return element;
  }

  redraw(item, scope, element) {
    this.parts = this.parts.filter(part => part.element !== element && !element.contains(part.element));
    const again = this.item(item, scope);
    element.replaceWith(again);
    this.refresh();
    again.querySelector("input, select, textarea")?.focus();
  }

  /** A question of one field that takes several answers: a field each. */
  texts(item, scope, context, notes) {
    const values = scope.values[item.linkId]?.length ? scope.values[item.linkId] : [undefined];
    scope.values[item.linkId] = values;
    const box = h("fieldset", { id: context.id, tabindex: "-1", "aria-describedby": context.describedby },
      h("legend", {}, this.label(item)), notes);
    values.forEach((value, index) => {
      const single = field({ ...context, id: `${context.id}-${index}-`, value, required: false, name: undefined }, given => {
        values[index] = given;
        this.clearError(scope.path + item.linkId);
        this.changed();
      });
      (single.matches("input, textarea") ? single : single.querySelector("input"))
        .setAttribute("aria-label", `${textOf(item)} ${(index + 1).toLocaleString(language)}`);
      single.setAttribute("rows", 2);
      const gone = values.length > 1 ? button(t("remove"), () => this.withRows(item, scope, box, () => values.splice(index, 1)), "quiet") : null;
      gone?.setAttribute("aria-label", t("remove.row", { n: index + 1 }));
      box.append(h("div", { class: "row" }, single, gone ?? ""));
    });
    if (!(values.length >= item.maxCount)) {
      box.append(button(t("add"), () => this.withRows(item, scope, box, () => values.push(undefined)), "quiet add"));
    }
    return box;
  }

  /** Changes the rows, draws them again, and goes to the last one. */
  withRows(item, scope, inside, change) {
    change();
    const element = inside.closest(`[data-path="${CSS.escape(scope.path + item.linkId)}"]`);
    this.redraw(item, scope, element);
    this.onchange();
    const drawn = this.element.querySelector(`[data-path="${CSS.escape(scope.path + item.linkId)}"]`);
    const rows = drawn.querySelectorAll(":scope > fieldset > .row, :scope > .row");
    (rows[rows.length - 1]?.querySelector("input, select, textarea") ?? drawn.querySelector("button"))?.focus();
  }

  /** A group, or a question with questions below it, that takes several answers: a card each. */
  rows(item, scope) {
    const path = scope.path + item.linkId;
    const list = scope.values[item.linkId] ?? [];
    scope.values[item.linkId] = list;
    if (list.length === 0 && item.required) {
      list.push(new Scope(item, scope));
    }
    const box = h("fieldset", { class: "group", id: idOf(path), tabindex: "-1", "data-path": path, "aria-describedby": `${idOf(path)}-error` },
      h("legend", {}, textOf(item)), this.errorPlace(path));
    list.forEach((row, index) => {
      const own = item.isQuestion
        ? [this.question({ ...item, linkId: "answer", repeats: false, inner: false, children: [] }, row)] : [];
      box.append(h("div", { class: "row card", role: "group", "aria-label": `${textOf(item)} ${(index + 1).toLocaleString(language)}` },
        own, item.children.map(child => this.item(child, row)),
        button(t("remove.row", { n: index + 1 }), () => this.withRows(item, scope, box, () => list.splice(index, 1)), "quiet")));
    });
    if (!(list.length >= item.maxCount)) {
      box.append(button(t("add"), () => this.withRows(item, scope, box, () => list.push(new Scope(item, scope))), "quiet add"));
    }
    return box;
  }

  /** Where an issue's path leads to: {target, place}, the field and its error; null: nowhere. */
  find(path) {
    for (let at = path; at; at = at.replace(/(\[\d+\]|\.?[^.[]+)$/, "")) {
      const place = document.getElementById(`${idOf(at)}-error`);
      if (place) {
        return { target: document.getElementById(idOf(at)), place };
      }
    }
    return null;
  }

  clearError(path) {
    const place = document.getElementById(`${idOf(path)}-error`);
    if (place && !place.hidden) {
      place.hidden = true;
      place.textContent = "";
      document.getElementById(idOf(path))?.removeAttribute("aria-invalid");
    }
  }

  showErrors(issues) {
    this.element.querySelectorAll(".wrong").forEach(place => {
      place.hidden = true;
      place.textContent = "";
    });
    this.element.querySelectorAll("[aria-invalid]").forEach(one => one.removeAttribute("aria-invalid"));
    for (const issue of issues) {
      const { target, place } = this.find(issue.path) ?? {};
      if (!place) {
        continue;
      }
      place.append(place.textContent ? " " : "", messageOf(issue));
      place.hidden = false;
      if (target?.matches("input, textarea, select, [role=radiogroup]")) {
        target.setAttribute("aria-invalid", "true");
      }
    }
  }
}

/** Whether anything of a section is asked. */
export function isAsked(form, section, scope) {
  return (section.items ?? [section]).some(item => !item.hidden && enabled(form, item, scope));
}
