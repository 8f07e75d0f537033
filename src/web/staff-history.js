// What has happened to a submission: revisions with what changed, processing, reviews, other bookings.

import { h } from "./dom.js";
import { isAnswered } from "./enable.js";
import { formOf, questionText, valueText } from "./staff-answers.js";
import { EVENTS, REVIEW, STATUS, time } from "./staff-words.js";

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null) || (!isAnswered(a) && !isAnswered(b));

/** What differs between two revisions' answers, in the order of the newer: [{linkId, before, after}]. */
export function changesBetween(older, newer) {
  const names = new Set([...Object.keys(newer), ...Object.keys(older)]);
  return [...names].filter(name => !same(older[name], newer[name]))
    .map(name => ({ linkId: name, before: older[name], after: newer[name] }));
}

function changesTable(changes, olderForm, newerForm) {
  if (changes.length === 0) {
    return h("p", { class: "muted" }, "No answer changed: the contact or the consent did.");
  }
  return h("div", { class: "changes", role: "region", "aria-label": "What changed", tabindex: "0" }, h("table", {},
    h("thead", {}, h("tr", {}, ["Question", "Before", "After"].map(name => h("th", { scope: "col" }, name)))),
    h("tbody", {}, changes.map(({ linkId, before, after }) => h("tr", {},
      h("th", { scope: "row" }, questionText(newerForm?.form.items.has(linkId) ? newerForm : olderForm, linkId)),
      h("td", { class: "before", dir: "auto" }, valueText(olderForm, linkId, before)),
      h("td", { class: "after", dir: "auto" }, valueText(newerForm, linkId, after)))))));
}

function revisionsCard(history, definitions) {
  const filled = history.revisions.map((revision, index) => formOf(definitions[index], revision.answers));
  return h("section", { class: "card" }, h("h3", {}, "Revisions"),
    h("ol", { class: "plain timeline" }, history.revisions.map((revision, index) => {
      const older = history.revisions[index + 1];
      return h("li", {},
        h("p", {}, h("strong", {}, `Revision ${revision.revision}`), revision.replaced_at ? "" : " (shown here)",
          h("span", { class: "muted" }, ` sent ${time(revision.created_at)}`)),
        older ? changesTable(changesBetween(older.answers, revision.answers), filled[index + 1], filled[index])
          : h("p", { class: "muted" }, revision.revision === 1 ? "The first." : "Older ones are not listed."));
    })));
}

function processingCard(history) {
  return h("section", { class: "card" }, h("h3", {}, "Processing"),
    h("ol", { class: "plain timeline" }, history.processing.map(entry => h("li", { class: `event-${entry.event}` },
      h("p", {}, h("strong", {}, EVENTS[entry.event]), entry.actor ? ` by ${entry.actor}` : "",
        h("span", { class: "muted" }, ` ${time(entry.at)}`,
          entry.revision ? ` · revision ${entry.revision}` : "", entry.attempt ? ` · attempt ${entry.attempt}` : "")),
      entry.reason ? h("p", { class: "reason", dir: "auto" }, entry.reason) : null))));
}

/** Every review, the newest first; null without one. */
export function reviewsList(reviews) {
  return reviews.length === 0 ? null : h("ol", { class: "plain timeline" }, reviews.map(review => h("li", {},
    h("p", {}, h("span", { class: `badge review-${review.state}` }, REVIEW[review.state]), ` ${review.actor ?? "somebody"}`,
      h("span", { class: "muted" }, ` ${time(review.at)} · revision ${review.revision}`)),
    review.comment ? h("p", { class: "comment", dir: "auto" }, review.comment) : null)));
}

/** The patient's other bookings as links. */
export function otherBookingsCard(history) {
  return h("section", { class: "card" }, h("h3", {}, "The patient's other bookings"),
    history.other_bookings.length === 0 ? h("p", { class: "muted" }, "None.")
      : h("ul", { class: "plain bookings" }, history.other_bookings.map(other => h("li", {},
        h("a", { href: `#/submission/${other.booking_uid}` }, other.booking_uid),
        h("span", { class: "muted" }, ` ${time(other.created_at)} · ${REVIEW[other.review_state]}`,
          other.status === "processed" ? "" : ` · ${STATUS[other.status]}`)))));
}

/** `definitions`: that of each revision, in the history's order. */
export const historyCards = (history, definitions) => [revisionsCard(history, definitions), processingCard(history)];
