// The list beside the record: filters, search, more by the cursor, and rows that arrive while it is open.

import { api, Offline, Refused, SignedOut, UNATTENDED } from "./staff-api.js";
import { h } from "./dom.js";
import { count, REVIEW, shortTime, STATUS, time } from "./staff-words.js";

const PAGE_ROWS = 30;
const TYPING_MS = 300;
const ARRIVAL_MS = 300;
const SETTLE_MS = [1500, 4000, 10000]; // what arrived is looked at again until it is processed
const SEARCH_PAGES = 25;               // are asked for without a click, where a search leaves them short
const CLOCK_SKEW_MS = 5000;            // a commit may be a little later than its time says

const at = id => document.getElementById(id);
const FILTERS = ["q", "review", "status", "questionnaire", "flag", "since", "until"];

let rows = new Map(); // id -> {line, element}, the newest first
let waiting = [];     // lines that have arrived while the reader was further down
let cursor = null;
let short = false;    // whether the last pages had less than was asked for
let open = null;      // the booking whose record is open
let running = null;   // the AbortController of a list that is being loaded anew, until its first page is there
let searching = null; // the AbortController of whatever was asked for last
let loaded = null;    // the filters of what is in the list
let cleared = 0;      // counts the times that everything was taken out
let say = () => {};

function dayAsTime(value, days) {
  const [year, month, day] = value.split("-").map(Number);
  return new Date(year, month - 1, day + days).toISOString();
}

/** The filters as parameters of the service. */
export function filterQuery() {
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = at(name).value.trim();
    if (value) {
      query.set(name, name === "since" ? dayAsTime(value, 0) : name === "until" ? dayAsTime(value, 1) : value);
    }
  }
  return query;
}

function badges(line) {
  return h("span", { class: "badges" },
    h("span", { class: `badge review-${line.review_state}` }, REVIEW[line.review_state]),
    line.status === "processed" ? null : h("span", { class: `badge status-${line.status}` }, STATUS[line.status]),
    line.contradictions > 0 ? h("span", { class: "badge warn" }, count(line.contradictions, "contradiction", "contradictions")) : null);
}

function flagsLine(line) {
  const text = line.flags.map(flag => flag.text).join(" · ");
  return h("span", { class: "line-flags", title: text }, line.flags.length === 0 ? "" :
    [h("span", { "aria-hidden": "true" }, "⚑ "), line.flags.length > 1 ? `${line.flags.length} flags: ` : "", text]);
}

function rowOf(line) {
  return h("li", { "data-booking": line.booking_uid },
    h("a", { href: `#/submission/${line.booking_uid}`, class: "line", ...(line.booking_uid === open ? { "aria-current": "true" } : {}) },
      h("span", { class: "line-name", dir: "auto" }, line.patient_name ?? "No name"),
      h("time", { class: "line-time muted", datetime: line.created_at, title: time(line.created_at) }, shortTime(line.created_at)),
      h("span", { class: "line-booking muted" }, line.booking_uid, line.revision > 1 ? ` · revision ${line.revision}` : ""),
      badges(line), flagsLine(line)));
}

function remember(line) {
  const element = rowOf(line);
  rows.set(line.id, { line, element });
  for (const flag of line.flags) {
    if (![...at("flags").options].some(option => option.value === flag.text)) {
      at("flags").append(h("option", { value: flag.text }));
    }
  }
  return element;
}

function replaceRow(line) {
  const known = rows.get(line.id);
  const focused = known.element.contains(document.activeElement);
  const element = rowOf(line);
  known.element.replaceWith(element);
  rows.set(line.id, { line, element });
  if (focused) {
    element.firstChild.focus({ preventScroll: true });
  }
}

/** How far back the list goes, by its cursor: "<microseconds since 1970>-<id>". */
function reached() {
  return shortTime(new Date(Number(cursor.split("-")[0]) / 1000).toISOString());
}

function showState() {
  const filtered = [...filterQuery()].length > 0;
  at("list-state").textContent = cursor
    ? (short ? `Searched back to ${reached()}.` : "")
    : rows.size > 0 ? "That is all." : filtered ? "Nothing fits these filters." : "No submission has arrived yet.";
  at("more").hidden = cursor === null;
  const folded = FILTERS.slice(1).filter(name => at(name).value.trim() !== "").length;
  at("filter-count").textContent = folded > 0 ? `(${folded})` : "";
}

function showProblem(error) {
  if (error instanceof SignedOut) {
    return;
  }
  const problem = at("list-problem");
  problem.hidden = error === null;
  problem.textContent = error === null ? "" : error instanceof Refused && error.status === 400
    ? error.body?.errors?.[0]?.message ?? error.message : error.message;
}

/**
 * Puts the next page behind what is in the list, and more of them while they are short: a search
 * that finds little answers with what it has found in a moment, and goes on by its cursor. Returns
 * the lines, or null when the list has become another one meanwhile.
 */
async function addPages(own, how = {}) {
  const query = filterQuery();
  query.set("limit", PAGE_ROWS);
  const added = [];
  for (let pages = 1; ; pages++) {
    const asked = cursor;
    if (asked !== null) {
      query.set("cursor", asked);
    }
    const page = await api.list(query, { ...how, signal: own.signal });
    if (cursor !== asked || own.signal.aborted) {
      return null;
    }
    if (running === own) { // the first page of a list that is loaded anew
      running = null;
      rows = new Map();
      waiting = [];
      at("list").replaceChildren();
      showWaiting();
    }
    const lines = page.submissions.filter(line => !rows.has(line.id));
    at("list").append(...lines.map(remember));
    added.push(...lines);
    cursor = page.next_cursor;
    short = added.length < PAGE_ROWS;
    showProblem(null);
    if (cursor === null || !short || pages === SEARCH_PAGES) {
      showState();
      return added;
    }
    at("list-state").textContent = `Searching before ${reached()}…`;
  }
}

/** Loads the list anew by the filters as they stand. */
export async function loadList(how = {}) {
  searching?.abort();
  const own = running = searching = new AbortController();
  at("list").setAttribute("aria-busy", "true");
  try {
    loaded = filterQuery().toString();
    cursor = null;
    if (await addPages(own, how) !== null) {
      say(rows.size === 0 ? at("list-state").textContent : `${count(rows.size, "submission", "submissions")} in the list${cursor ? ", and more" : ""}.`);
    }
  } catch (error) {
    if (own.signal.aborted) {
      return;
    }
    showProblem(error);
    at("list-state").textContent = "";
  } finally {
    if (running === own) {
      running = null;
    }
    if (searching === own) {
      at("list").setAttribute("aria-busy", "false");
    }
  }
}

async function loadMore() {
  const more = at("more");
  if (at("list").getAttribute("aria-busy") === "true") {
    return; // what is being loaded brings its own
  }
  const own = searching = new AbortController();
  more.disabled = true;
  try {
    const added = await addPages(own);
    if (added === null) {
      return; // the filters were changed meanwhile
    }
    say(`${added.length} more.`);
    if (cursor === null) {
      added[0]?.firstChild.focus({ preventScroll: true });
    }
  } catch (error) {
    if (!own.signal.aborted) {
      showProblem(error);
    }
  } finally {
    more.disabled = false;
  }
}

const wide = matchMedia("(min-width: 64rem) and (min-height: 34rem)");

function isAtTop() {
  const pane = at("list-pane");
  return pane.offsetParent === null || (wide.matches ? pane.scrollTop : window.scrollY) < 8;
}

function showWaiting() {
  at("new-rows").hidden = waiting.length === 0;
  at("new-rows").textContent = `${waiting.length} new`;
}

function takeWaiting() {
  const fresh = waiting.filter(line => !rows.has(line.id)).sort((a, b) => a.created_at < b.created_at ? 1 : -1);
  waiting = [];
  const older = rows;
  rows = new Map();
  at("list").prepend(...fresh.map(remember));
  older.forEach((row, id) => rows.set(id, row));
  showWaiting();
  showState();
  return fresh;
}

/** New lines go to the top, but never while the reader is further down. */
function arrive(lines) {
  const fresh = [];
  for (const line of lines) {
    const index = waiting.findIndex(each => each.id === line.id);
    if (rows.has(line.id)) {
      replaceRow(line);
    } else if (index >= 0) {
      waiting[index] = line;
    } else {
      fresh.push(line);
    }
  }
  waiting.push(...fresh);
  if (fresh.length > 0) {
    say(`${count(fresh.length, "new submission", "new submissions")}.`);
  }
  if (isAtTop()) {
    takeWaiting();
  } else {
    showWaiting();
  }
}

async function fetchSince(since) {
  const query = filterQuery();
  const own = query.get("since");
  query.set("since", own && own > since ? own : since);
  query.set("limit", 200);
  return (await api.list(query, UNATTENDED)).submissions;
}

/** Looks for what was created since a time, and again until that is processed. */
async function look(since, again = 0) {
  const before = running;
  const clearedBefore = cleared;
  try {
    const lines = await fetchSince(since);
    if (running || before || cleared !== clearedBefore) {
      return; // the whole list is being loaded, or nobody is signed in any more
    }
    arrive(lines);
    if (lines.some(line => line.status === "submitted") && again < SETTLE_MS.length) {
      setTimeout(() => look(since, again + 1), SETTLE_MS[again]);
    }
  } catch (error) {
    if (!(error instanceof Offline) && !(error instanceof SignedOut)) {
      throw error;
    }
  }
}

/** Reads one booking's line again, where it is in the list. */
export async function refreshRow(uid, again = 0) {
  if (![...rows.values()].some(row => row.line.booking_uid === uid)) {
    return;
  }
  try {
    const page = await api.list(new URLSearchParams({ q: uid, limit: 5 }), UNATTENDED);
    const line = page.submissions.find(each => each.booking_uid === uid);
    if (line && rows.has(line.id)) {
      replaceRow(line);
      if (line.status === "submitted" && again < SETTLE_MS.length) {
        setTimeout(() => refreshRow(uid, again + 1), SETTLE_MS[again]);
      }
    }
  } catch (error) {
    if (!(error instanceof Offline) && !(error instanceof SignedOut)) {
      throw error;
    }
  }
}

let earliest = null;
let timer = null;
let typing = null;

/** An event of the stream: {booking_uid, revised, at}. Several at once are one look. */
export function onSubmission(event) {
  if (event.revised) {
    refreshRow(event.booking_uid);
    return;
  }
  const since = new Date(Date.parse(event.at) - CLOCK_SKEW_MS).toISOString();
  earliest = earliest === null || since < earliest ? since : earliest;
  timer ??= setTimeout(() => {
    const from = earliest;
    timer = earliest = null;
    look(from);
  }, ARRIVAL_MS);
}

/** Looks for what came while no stream was open, for less than the time after which that is told. */
export function lookAgain() {
  const [newest] = rows.values();
  if (newest) {
    onSubmission({ revised: false, at: newest.line.created_at });
  }
}

/** Marks the line of the record that is open; null: none. */
export function markOpen(uid) {
  open = uid;
  for (const { line, element } of rows.values()) {
    if (line.booking_uid === uid) {
      element.firstChild.setAttribute("aria-current", "true");
    } else {
      element.firstChild.removeAttribute("aria-current");
    }
  }
}

/** Takes everything out that is about a patient. */
export function clearList() {
  searching?.abort();
  clearTimeout(typing);
  cleared++;
  rows = new Map();
  waiting = [];
  cursor = null;
  at("list").replaceChildren();
  at("flags").replaceChildren();
  at("filters").reset();
  at("more-filters").open = false;
  showWaiting();
  showProblem(null);
  at("more").hidden = true;
  at("list-state").textContent = "Loading…";
}

async function fillQuestionnaires() {
  const { questionnaires } = await api.questionnaires();
  const titles = new Map(questionnaires.map(one => [one.id, one.title ?? one.id]));
  at("questionnaire").append(...[...titles].map(([id, title]) => h("option", { value: id }, title)));
}

function fillSelect(select, words) {
  select.append(h("option", { value: "" }, "All"), ...Object.entries(words).map(([value, text]) => h("option", { value }, text)));
}

async function exportList(format) {
  at("export").open = false;
  try {
    await api.session(); // so that a session that is over does not end in a file
    const query = filterQuery();
    query.set("format", format);
    h("a", { href: `/v1/export?${query}`, download: "" }).click();
    say("The export is being downloaded.");
  } catch (error) {
    showProblem(error);
  }
}

/** Once. `announce(text)` tells those who cannot see it. */
export function startList(announce) {
  say = announce;
  fillSelect(at("review"), REVIEW);
  fillSelect(at("status"), STATUS);
  at("questionnaire").append(h("option", { value: "" }, "All"));
  fillQuestionnaires().catch(() => say("The list of questionnaires could not be loaded."));
  const later = () => {
    clearTimeout(typing);
    typing = setTimeout(() => loadList(), TYPING_MS);
  };
  at("q").addEventListener("input", later);
  at("flag").addEventListener("input", later);
  at("filters").addEventListener("change", () => {
    clearTimeout(typing);
    if (filterQuery().toString() !== loaded) { // a field that is left after a pause is in the list already
      loadList();
    }
  });
  at("clear-filters").addEventListener("click", () => {
    at("filters").reset();
    loadList();
  });
  at("filters").addEventListener("submit", event => event.preventDefault());
  at("more").addEventListener("click", loadMore);
  at("new-rows").addEventListener("click", () => {
    const fresh = takeWaiting();
    (wide.matches ? at("list-pane") : window).scrollTo(0, 0);
    rows.get(fresh[0]?.id)?.element.firstChild.focus({ preventScroll: true });
  });
  at("export").addEventListener("click", event => {
    if (event.target.dataset.format) {
      exportList(event.target.dataset.format);
    }
  });
  at("export").addEventListener("keydown", event => {
    if (event.key === "Escape" && at("export").open) {
      at("export").open = false;
      at("export").querySelector("summary").focus();
    }
  });
  document.addEventListener("click", event => {
    if (!at("export").contains(event.target)) {
      at("export").open = false;
    }
  });
}
