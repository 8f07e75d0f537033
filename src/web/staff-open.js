// The record that is open: loading it, and what staff do with it.

import { api, definitionOf, Refused, SignedOut, UNATTENDED } from "./staff-api.js";
import { button, h } from "./dom.js";
import { recordOf } from "./staff-record.js";
import { time } from "./staff-words.js";

const SETTLE_MS = [1000, 2000, 4000, 8000, 16000];
const STALE = "The patient has sent other answers since you opened this. They are shown now, and your comment is kept: please read them and save again.";

const at = id => document.getElementById(id);

let shown = null;          // what is on the page: {submission, history, definition, definitions, draft, notices}
let wanted = null;         // the booking that is to be on the page
let loading = 0;           // counts the loads; only the last one is shown
let settle = null;
let handlers = null;
const drafts = new Map();  // booking -> {state, comment}, typed and not saved

export const isOpen = uid => wanted === uid;

/** Forgets what was typed too. */
export function forgetDrafts() {
  drafts.clear();
}

/** Once. `with.announce(text)`; `with.changed(uid)`: its line in the list is old. */
export function startRecord(callbacks) {
  handlers = callbacks;
  addEventListener("beforeprint", () => at("printed-at")?.replaceChildren(` · printed ${time(new Date().toISOString())}`));
}

export function closeRecord() {
  wanted = shown = null;
  loading++;
  clearTimeout(settle);
  at("changed").replaceChildren();
  at("record").replaceChildren(h("div", { class: "empty muted" },
    h("p", {}, "Paste a booking UID above and press Enter, or choose a submission from the list.")));
}

function showFailure(error) {
  const heading = error instanceof Refused && error.status === 404 ? "There is no such submission" : "It could not be opened";
  const text = error instanceof Refused && error.status === 404
    ? `No submission has arrived for the booking ${wanted}. Check that the whole UID was pasted.` : error.message;
  at("record").replaceChildren(h("div", { class: "card", role: "alert" },
    h("h2", { id: "record-heading", tabindex: "-1" }, heading), h("p", {}, text),
    h("div", { class: "row" }, button("Try again", () => openRecord(wanted), "small"),
      h("a", { class: "button small back", href: "#/" }, "Back to the list"))));
  at("record-heading").focus();
}

async function load(uid) {
  const [submission, history] = await Promise.all([api.submission(uid), api.history(uid)]);
  const [definition, ...definitions] = await Promise.all(
    [submission.questionnaire, ...history.revisions.map(one => one.questionnaire)].map(definitionOf));
  return { submission, history, definition, definitions };
}

/** Loads and shows a booking's record. `focus`: the id of what gets the focus, "" for nothing. */
export async function openRecord(uid, { focus = "record-heading", notices = {} } = {}) {
  const own = ++loading;
  const isOther = wanted !== uid;
  wanted = uid;
  clearTimeout(settle);
  if (isOther || shown === null) {
    shown = null;
    at("changed").replaceChildren();
    at("record").replaceChildren(h("p", { class: "empty muted", role: "status" }, "Loading…"));
  }
  try {
    const data = await load(uid);
    if (own === loading) {
      show({ ...data, notices }, isOther, focus);
    }
  } catch (error) {
    if (own !== loading || error instanceof SignedOut) {
      return;
    }
    if (shown === null) {
      showFailure(error);
    } else {
      handlers.announce(error.message);
      showChanged(error.message, "Try again");
    }
  }
}

function show(data, isOther, focus) {
  const typing = document.activeElement?.id === "comment" ? document.activeElement.selectionStart : null;
  const scroll = [at("main").scrollTop, window.scrollY];
  shown = { ...data, draft: drafts.get(wanted) ?? null };
  at("changed").replaceChildren();
  at("record").replaceChildren(recordOf(shown, actions));
  at("main").scrollTop = isOther ? 0 : scroll[0];
  window.scrollTo(0, isOther ? 0 : scroll[1]);
  if (typing !== null && !isOther) {
    at("comment").focus({ preventScroll: true });
    at("comment").setSelectionRange(typing, typing);
  } else if (focus) {
    at(focus)?.focus({ preventScroll: isOther });
  }
  settleLater(0);
}

/** While it is being processed it is looked at again, more and more seldom. */
function settleLater(step) {
  if (shown.submission.status !== "submitted" || step >= SETTLE_MS.length) {
    return;
  }
  const uid = wanted;
  settle = setTimeout(async () => {
    try {
      const now = await api.submission(uid, UNATTENDED);
      if (wanted !== uid) {
        return;
      }
      if (now.status !== "submitted") {
        handlers.changed(uid);
        openRecord(uid, { focus: "" });
        return;
      }
    } catch (error) {
      if (error instanceof SignedOut) {
        return;
      }
    }
    settleLater(step + 1);
  }, SETTLE_MS[step]);
}

/** Says on the record, without moving it, that there is something newer. */
function showChanged(text, label) {
  at("changed").replaceChildren(h("div", { class: "notice warning changed", role: "status" }, h("span", {}, text),
    button(label, () => openRecord(wanted), "small")));
}

/** The booking has another revision by now. */
export function onRevised(uid) {
  if (shown !== null && wanted === uid) {
    showChanged("The patient has just sent other answers.", "Show them");
  }
}

/** After a time without a connection: nothing is shown that is old without saying so. */
export async function checkRecord() {
  const uid = wanted;
  if (shown === null) {
    if (uid !== null) {
      openRecord(uid);
    }
    return;
  }
  try {
    const now = await api.submission(uid, UNATTENDED);
    if (shown && wanted === uid && now.revision !== shown.submission.revision) {
      onRevised(uid);
    }
  } catch {
    // It is told by the banner, or by the sign-in.
  }
}

function download() {
  const { submission, history } = shown;
  const url = URL.createObjectURL(new Blob([JSON.stringify({ submission, history }, null, 2)], { type: "application/json" }));
  h("a", { href: url, download: `submission-${submission.booking_uid}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function ask(title, lines, yes) {
  const dialog = at("confirm");
  at("confirm-title").textContent = title;
  at("confirm-text").replaceChildren(...lines.map(line => h("p", { dir: "auto" }, line)));
  at("confirm-yes").textContent = yes;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise(done => dialog.addEventListener("close", () => {
    const answer = dialog.returnValue === "yes";
    at("confirm-text").replaceChildren();
    done(answer);
  }, { once: true }));
}

async function review(state, comment) {
  const uid = wanted;
  drafts.set(uid, { state, comment });
  try {
    await api.review(uid, { state, comment: comment.trim() === "" ? null : comment, revision: shown.submission.revision });
    drafts.delete(uid);
    handlers.changed(uid);
    if (wanted === uid) {
      await openRecord(uid, { focus: "review-notice", notices: { review: { kind: "good", text: "The review is saved." } } });
    }
  } catch (error) {
    if (error instanceof SignedOut || wanted !== uid) {
      return;
    }
    const stale = error instanceof Refused && error.status === 409;
    const text = stale ? STALE : error.body?.errors?.[0]?.message ?? error.message;
    if (stale) {
      handlers.changed(uid);
      await openRecord(uid, { focus: "review-notice", notices: { review: { kind: "warning", text } } });
    } else {
      show({ ...shown, notices: { review: { kind: "error", text } } }, false, "review-notice");
    }
  }
}

async function decide(field, decision, { name, stored, posted }) {
  const uid = wanted;
  const { revision } = shown.submission;
  const take = decision === "take";
  const sure = await ask(take ? `${name}: take what was sent now?` : `${name}: keep what is on record?`,
    [`On record: ${stored}`, `In this submission: ${posted}`,
      take ? "The patient's record is changed." : "The patient's record stays as it is."],
    take ? "Take from this submission" : "Keep what is on record");
  if (!sure || wanted !== uid) {
    return;
  }
  let notices = {};
  try {
    await api.decide(uid, field, { decision, revision });
    handlers.announce("The decision is saved.");
  } catch (error) {
    if (error instanceof SignedOut) {
      return;
    }
    notices = { attention: error.body?.errors?.[0]?.message ?? error.message };
  }
  handlers.changed(uid);
  if (wanted === uid) {
    await openRecord(uid, { focus: "record-heading", notices });
  }
}

async function retry() {
  const uid = wanted;
  try {
    await api.retry(uid);
    handlers.announce("It is being processed again.");
  } catch (error) {
    if (error instanceof SignedOut) {
      return;
    }
    handlers.announce(error.message);
  }
  handlers.changed(uid);
  if (wanted === uid) {
    await openRecord(uid);
  }
}

const actions = {
  print: () => window.print(),
  download, review, decide, retry,
  keepDraft: draft => drafts.set(wanted, draft),
};
