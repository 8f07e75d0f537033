// The patient's page: what is shown when. The address is /q/{booking_uid}?t={token}.

import { Api, Offline } from "./api.js";
import { addContact } from "./contact.js";
import { choiceOf, compile } from "./definition.js";
import { button, h } from "./dom.js";
import { Draft } from "./draft.js";
import { Scope, print, prune, read } from "./enable.js";
import { SectionView, isAsked, messageOf, textOf } from "./form.js";
import { LANGUAGES, choose, dateTime, has, language, preferred, t, use } from "./i18n.js";
import { Outbox } from "./outbox.js";
import { answersList } from "./review.js";
import { check } from "./validate.js";

// The version of the words under "consent"; a change of any of them is another version.
const CONSENT = "2026-11";
const RETRY_MS = 5000;

const $ = id => document.getElementById(id);
const page = { view: null, step: null, issues: [] };

// --- what stands around --------------------------------------------------------------------------

function announce(text) {
  $("live").textContent = text;
}

function status(text) {
  $("status").textContent = text;
}

function frame() {
  $("name").textContent = page.form ? page.form.title(language) : t("title");
  $("language-label").textContent = t("language");
  $("skip").textContent = t("skip");
  $("skip").hidden = false;
  $("language").replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) =>
    h("option", { value: code, lang: code, selected: code === language }, name)));
}

/** Puts something on the page; its heading takes the focus unless the page has just opened. */
function show(title, ...content) {
  const main = $("main");
  const heading = h("h1", { tabindex: "-1" }, title);
  const first = main.getAttribute("aria-busy") === "true";
  main.replaceChildren(heading, ...content.filter(Boolean));
  main.setAttribute("aria-busy", "false");
  document.title = page.form ? `${title} · ${page.form.title(language)}` : title;
  if (!first) {
    heading.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
}

function message(key, ...more) {
  page.redraw = () => message(key, ...more);
  status("");
  show(t(`${key}.title`), h("p", {}, t(`${key}.text`)), ...more);
}

// --- the form ------------------------------------------------------------------------------------

/** The sections: the contact, each group at the top, and what stands between groups. */
function sectionsOf(form) {
  const sections = [];
  for (const item of form.top.children) {
    const last = sections[sections.length - 1];
    if (item.type === "group" && !item.inner) {
      sections.push(item);
    } else if (last?.items) {
      last.items.push(item);
    } else {
      sections.push({ linkId: `part-${sections.length}`, items: [item] });
    }
  }
  return sections;
}

const titleOf = section => (section.contact ? t("contact") : section.items ? page.form.title(language) : textOf(section));
const steps = () => [...page.sections.filter(one => isAsked(page.form, one, page.scope)), "review"];
const issuesOf = section => (section.items ?? [section]).flatMap(item => check(page.form, item, page.scope));

function fillInitial() {
  for (const item of page.form.items.values()) {
    const initial = (item.definition.initial ?? []).map(one => choiceOf(one, "value")).filter(Boolean)
      .map(({ type, value }) => (type === "Coding" ? value.code : value));
    const chosen = item.options.filter(one => one.selected).map(one => one.value);
    const values = initial.length > 0 ? initial : chosen;
    if (item.owner === page.form.top && values.length > 0 && !item.inner) {
      page.scope.values[item.linkId] = item.repeats ? values : values[0];
    }
  }
}

function fill(body) {
  page.scope = new Scope(page.form.top);
  read(body, page.scope);
}

/** The flat body as it stands. */
function body() {
  const { id, version } = page.form;
  return { booking_uid: page.api.booking, questionnaire: version ? `${id}|${version}` : id, ...print(page.form, page.scope) };
}

function go(step, push = true) {
  page.step = step;
  if (push) {
    history.pushState({ step: step.linkId ?? step }, "");
  }
  page.redraw = () => go(page.step, false);
  if (step === "review") {
    showReview();
  } else {
    showSection(step);
  }
}

function move(by) {
  const all = steps();
  const index = all.indexOf(page.step);
  go(all[Math.max(0, Math.min(index + by, all.length - 1))]);
}

function progress() {
  const all = steps();
  const at = all.indexOf(page.step) + 1;
  const text = t("progress", { n: at, of: all.length });
  return h("div", { class: "progress" }, h("p", { class: "muted" }, text),
    h("progress", { max: all.length, value: at, "aria-label": text }));
}

function notices() {
  const shown = page.notice && h("p", { class: "notice", role: "status" }, page.notice);
  page.notice = null;
  return shown;
}

/** The list of errors, which takes the focus; each leads to its field. */
function summary(issues) {
  if (issues.length === 0) {
    return null;
  }
  const lines = issues.map(issue => h("li", {}, h("a", { href: "#", onclick: event => {
    event.preventDefault();
    reach(issue);
  } }, [issue.item && textOf(issue.item), messageOf(issue)].filter(Boolean).join(" – "))));
  return h("div", { class: "notice error", id: "summary", tabindex: "-1", role: "group", "aria-labelledby": "summary-title" },
    h("h2", { id: "summary-title" }, t("errors", { n: issues.length })), h("ul", {}, lines));
}

function sectionHolding(item) {
  for (let at = item; at; at = at.parent) {
    const found = page.sections.find(one => one === at || one.items?.includes(at));
    if (found) {
      return found;
    }
  }
  return null;
}

/** To the field of an issue, in whichever section it is. */
function reach(issue) {
  const section = issue.item && sectionHolding(issue.item);
  if (!section) {
    return;
  }
  if (section !== page.step) {
    const issues = page.issues;
    go(section);
    page.view.showErrors(issues);
  }
  const { target } = page.view.find(issue.path) ?? {};
  const field = target?.matches("fieldset") ? target.querySelector("input:checked, input, select, textarea, button") : target;
  field?.focus();
}

function showErrors(issues) {
  page.issues = issues;
  $("summary")?.remove();
  const box = summary(issues);
  if (box) {
    $("main").querySelector("h1").after(box);
    box.focus();
    announce(t("errors", { n: issues.length }));
  }
}

function showSection(section) {
  page.view = new SectionView(page.form, section, page.scope, () => {
    page.draft.changed();
    if (page.view.appeared > 0) {
      announce(t("appeared", { n: page.view.appeared }));
    }
  });
  const next = event => {
    event.preventDefault();
    const issues = issuesOf(section);
    page.view.showErrors(issues);
    showErrors(issues);
    if (issues.length === 0) {
      page.draft.flush();
      move(1);
    }
  };
  const isFirst = steps()[0] === section;
  show(titleOf(section), progress(), notices(),
    section.contact ? h("p", { class: "muted" }, t("contact.text")) : null,
    h("form", { novalidate: true, onsubmit: next }, page.view.element, h("div", { class: "buttons" },
      isFirst ? null : button(t("back"), () => move(-1)),
      h("button", { class: "button primary", type: "submit" }, t("next")))));
}

// --- review and sending --------------------------------------------------------------------------

function reviewSections(change) {
  return page.sections.filter(one => isAsked(page.form, one, page.scope)).map(section => h("section", { class: "review" },
    h("div", { class: "line" }, h("h2", {}, titleOf(section)),
      change ? h("button", { class: "button quiet", type: "button", onclick: () => go(section), "aria-label": `${t("change")}: ${titleOf(section)}` }, t("change")) : null),
    answersList(page.form, section, page.scope)));
}

function showReview() {
  prune(page.form, page.scope);
  const box = h("input", { type: "checkbox", id: "consent", "aria-describedby": "consent-text consent-error", onchange: () => {
    page.consented = box.checked;
    $("consent-error").hidden = true;
    box.removeAttribute("aria-invalid");
  } });
  box.checked = page.consented === true;
  const send = event => {
    event.preventDefault();
    const issues = page.sections.flatMap(issuesOf);
    showErrors(issues);
    if (issues.length > 0) {
      return;
    }
    if (!box.checked) {
      $("consent-error").hidden = false;
      box.setAttribute("aria-invalid", "true");
      box.focus();
      return;
    }
    page.outbox.put({ ...body(), consent_version: `${CONSENT}.${language}` }, page.revision);
    showSending();
  };
  show(t("review"), progress(), notices(), h("p", {}, t("review.text")), ...reviewSections(true),
    h("form", { novalidate: true, onsubmit: send }, h("div", { class: "consent" },
      h("p", { id: "consent-text" }, t("consent.text")),
      h("p", { class: "wrong", id: "consent-error", hidden: true }, t("consent.error")),
      h("label", { class: "mark", for: "consent" }, box, h("span", {}, t("consent")))),
    h("div", { class: "buttons" }, button(t("back"), () => move(-1)),
      h("button", { class: "button primary", type: "submit" }, t("send")))));
}

function showSending() {
  page.redraw = showSending;
  status("");
  show(t("sending.title"), h("p", {}, t("sending.text")));
}

function showWaiting() {
  page.redraw = showWaiting;
  status("");
  show(t("waiting.title"), h("p", { class: "notice warning", role: "status" }, t("waiting.text")),
    h("div", { class: "buttons" }, button(t("waiting.now"), () => page.outbox.send(), "primary")));
}

function until() {
  const ends = Date.parse(page.booking.editable_until);
  return ends > Date.now() ? ends : null;
}

function showDone() {
  page.redraw = showDone;
  page.step = null;
  status("");
  const ends = until();
  const { updated_at: at } = page.booking.submission;
  show(t("done.title"), h("p", { class: "notice good" }, t("done.received", { at: dateTime(at) })),
    h("p", {}, t("done.next")), ends ? h("p", {}, t("done.until", { at: dateTime(ends, false) })) : null,
    h("div", { class: "buttons" }, ends ? button(t("correct"), () => {
      page.consented = false;
      go(page.sections[0]);
    }, "primary") : null, button(t("print"), printPage)),
    h("details", {}, h("summary", {}, t("done.answers")), ...reviewSections(false)));
}

function printPage() {
  $("main").querySelector("details").open = true;
  window.print();
}

async function sent(receipt, posted) {
  await page.draft.end();
  page.revision = receipt.revision;
  page.booking.submission = { ...receipt, answers: posted };
  fill(posted);
  page.draft.restart(body());
  showDone();
}

/** What the server's error is of, as an issue of ours. */
function issueOf(error) {
  const item = page.form.items.get(error.field);
  const found = item && page.sections.flatMap(issuesOf).find(one => one.item === item && one.code.split(".")[0] === error.code);
  const code = error.code === "format" ? `format.${error.field}` : error.code;
  const known = item && has(`error.${code}`) && !/\{/.test(t(`error.${code}`));
  return found ?? { path: error.path ?? error.field, item, code: known ? code : "other", params: {},
    message: error.message };
}

function refused(reply, posted) {
  if (reply.status === 422 || reply.status === 400) {
    fill(posted);
    const issues = (reply.body?.errors ?? []).map(issueOf);
    go("review", false);
    showErrors(issues.length > 0 ? issues : [{ path: "", code: "other", params: {} }]);
  } else if (reply.status === 409) {
    message("gone");
  } else if (reply.status === 401 || reply.status === 403) {
    denied();
  } else {
    go("review", false);
    showErrors([{ path: "", code: reply.status === 413 ? "tooLarge" : "other", params: {} }]);
  }
}

function overtaken(view, posted) {
  page.booking = view;
  page.revision = view.submission.revision;
  fill(posted);
  page.draft.restart(view.submission.answers);
  page.notice = t("overtaken");
  go("review");
}

// --- the beginning -------------------------------------------------------------------------------

function denied() {
  const ends = Number(page.api.token.split(".")[0]) * 1000;
  message(ends > 0 && ends <= Date.now() ? "expired" : "wrong");
}

function startDraft() {
  page.draft = new Draft(page.api, body, {
    state: name => status(t(`draft.${name}`)),
    merged: merged => {
      const typing = document.activeElement?.id;
      fill(merged);
      page.notice = t("merged");
      page.redraw();
      $(typing)?.focus();
    },
  });
}

async function open() {
  const [view, draft] = await Promise.all([page.api.view, page.api.draft]);
  if (view.status === 401 || view.status === 403) {
    denied();
    return;
  }
  if (view.status !== 200) {
    if (view.status === 404) {
      message("unavailable");
      return;
    }
    throw new Offline();
  }
  page.booking = view.body;
  const { submission, questionnaire } = view.body;
  const begun = draft.status === 200 && typeof draft.body.answers.questionnaire === "string" ? draft.body.answers.questionnaire : null;
  const [id, version] = submission ? [questionnaire.id, questionnaire.version]
    : (begun ?? new URLSearchParams(location.search).get("questionnaire") ?? questionnaire.id ?? "").split("|");
  const definition = id ? await page.api.definition(id, version) : null;
  if (!definition) {
    message("unavailable");
    return;
  }
  page.form = compile(definition);
  addContact(page.form);
  page.sections = sectionsOf(page.form);
  page.revision = submission?.revision ?? null;
  fill(submission?.answers ?? {});
  if (!submission) {
    fillInitial();
  }
  frame();
  startDraft();
  begin(draft, submission);
}

function begin(draft, submission) {
  const found = page.draft.begin(draft, body());
  if (found) {
    fill(found);
    if (!page.draft.dirty) {
      page.draft.base = body();
    }
  }
  page.outbox = new Outbox(page.api, { sent, refused, waiting: showWaiting, overtaken });
  if (page.outbox.waiting) {
    fill(page.outbox.waiting.body);
    showSending();
    page.outbox.send();
  } else if (submission && !found) {
    showDone();
  } else {
    page.notice = found ? t(submission ? "resumed.correction" : "resumed") : null;
    const wanted = history.state?.step;
    go(steps().find(one => (one.linkId ?? one) === wanted) ?? steps()[0], false);
    if (page.draft.dirty) {
      page.draft.changed(0);
    }
  }
}

/** As often as the network needs; the page says that it waits. */
async function openOrWait() {
  try {
    await open();
  } catch (error) {
    if (!(error instanceof Offline)) {
      throw error;
    }
    if (!page.isWaiting) {
      page.isWaiting = true;
      message("offline");
    }
    setTimeout(openOrWait, RETRY_MS);
  }
}

addEventListener("popstate", event => {
  const step = page.form && steps().find(one => (one.linkId ?? one) === event.state?.step);
  if (page.form && page.step) {
    go(step ?? steps()[0], false);
  }
});

$("language").addEventListener("change", async event => {
  const before = language;
  try {
    await choose(event.target.value);
  } catch {
    event.target.value = before;
    announce(t("draft.offline"));
    return;
  }
  const open = document.activeElement === $("language");
  frame();
  page.redraw?.();
  if (open) {
    $("language").focus();
  }
});

await use(preferred());
frame();
const booking = decodeURIComponent(location.pathname.split("/")[2] ?? "");
const token = new URLSearchParams(location.search).get("t");
page.api = new Api(encodeURIComponent(booking), token);
if (!/^[A-Za-z0-9_-]{1,128}$/.test(booking)) {
  message("placeholder");
} else if (!token) {
  message("missing");
} else {
  await openOrWait();
}
performance.mark("usable");
document.documentElement.dataset.ready = "true";
