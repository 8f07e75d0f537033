// One submission, to be read like a form: what to look at first, then the answers, then what happened.

import { button, h } from "./dom.js";
import { answerSections, formOf, questionText, valueText } from "./staff-answers.js";
import { historyCards, otherBookingsCard } from "./staff-history.js";
import { reviewCard } from "./staff-review.js";
import { count, FIELDS, REVIEW, STATUS, time } from "./staff-words.js";

const pair = (name, ...value) => value[0] ? h("div", {}, h("dt", {}, name), h("dd", { dir: "auto" }, value)) : null;

function telephone(number) {
  return number ? h("a", { href: `tel:${number.replace(/[^+0-9]/g, "")}` }, number) : null;
}

/** The address encoded, so that it can add nothing to the mail. */
function mail(address) {
  return address ? h("a", { href: `mailto:${encodeURIComponent(address).replaceAll("%40", "@")}` }, address) : null;
}

function headCard(submission, title, actions) {
  const { contact, patient, questionnaire } = submission;
  return h("header", { class: "card record-head" },
    h("div", { class: "record-title" },
      h("h2", { id: "record-heading", tabindex: "-1", dir: "auto" }, contact.name ?? patient?.name ?? "No name"),
      h("span", { class: "badges" },
        h("span", { class: `badge review-${submission.review.state}` }, REVIEW[submission.review.state]),
        h("span", { class: `badge status-${submission.status}` }, STATUS[submission.status]))),
    h("dl", { class: "facts" },
      pair("Booking", h("code", {}, submission.booking_uid)),
      pair("Age", patient?.age ? String(patient.age) : null),
      pair("Phone", telephone(contact.phone ?? patient?.phone)),
      pair("E-mail", mail(contact.email ?? patient?.email)),
      pair("Sent", time(submission.created_at)),
      submission.revision > 1 ? pair("Changed", `${time(submission.updated_at)}, revision ${submission.revision}`) : null,
      pair("Questionnaire", [title, questionnaire.version].filter(Boolean).join(", version ")),
      pair("Consent", submission.consent_version)),
    h("div", { class: "row no-print" },
      button("Print", actions.print, "small"), button("Download JSON", actions.download, "small"),
      h("a", { class: "button small back", href: "#/" }, "Back to the list")));
}

function failureNotice(submission, actions) {
  if (submission.status === "submitted") {
    return h("p", { class: "notice" }, "It is being processed; flags and scores follow in a moment.");
  }
  return submission.status !== "failed" ? null : h("div", { class: "notice error", id: "failure" },
    h("p", {}, h("strong", {}, "Processing failed. "), submission.failure_reason ?? "No reason was noted."),
    h("div", { class: "no-print" }, button("Try again", actions.retry, "danger small")));
}

function flagItem(filled, flag, submission) {
  const answer = submission.answers[flag.link_id];
  return h("li", { class: "flag-item" },
    h("p", {}, h("span", { "aria-hidden": "true" }, "⚑ "), h("strong", { dir: "auto" }, flag.text)),
    h("p", { class: "muted" }, `${questionText(filled, flag.link_id)} `,
      answer === undefined ? null : h("span", { dir: "auto" }, valueText(filled, flag.link_id, answer))),
    button("Show the answer", () => {
      const line = document.querySelector(`[data-question="${CSS.escape(flag.link_id)}"]`);
      line?.scrollIntoView({ block: "center" });
      line?.focus({ preventScroll: true });
    }, "link no-print"));
}

function contradictionItem(filled, one, actions) {
  const name = FIELDS[one.field] ?? questionText(filled, one.field);
  const text = value => FIELDS[one.field] ? String(value ?? "Nothing") : valueText(filled, one.field, value);
  const values = { name, stored: text(one.stored), posted: text(one.posted) };
  return h("li", { class: "contradiction", "data-field": one.field },
    h("p", {}, h("strong", {}, name)),
    h("dl", { class: "versus" },
      h("div", {}, h("dt", {}, "On record"), h("dd", { dir: "auto" }, values.stored)),
      h("div", {}, h("dt", {}, "In this submission"), h("dd", { dir: "auto" }, values.posted))),
    one.resolution
      ? h("p", { class: "muted" }, one.resolution.decision === "take" ? "Taken from this submission" : "The record was kept",
        ` by ${one.resolution.actor}, ${time(one.resolution.at)}`)
      : h("div", { class: "row no-print" },
        h("button", { type: "button", class: "button small", "aria-label": `Keep what is on record: ${name}`,
          onclick: () => actions.decide(one.field, "keep", values) }, "Keep what is on record"),
        h("button", { type: "button", class: "button small", "aria-label": `Take from this submission: ${name}`,
          onclick: () => actions.decide(one.field, "take", values) }, "Take from this submission")));
}

function attentionCard(submission, filled, actions, notice) {
  const flags = submission.evaluation?.flags ?? [];
  const open = submission.contradictions.filter(one => !one.resolution);
  const decided = submission.contradictions.filter(one => one.resolution);
  const nothing = flags.length === 0 && submission.contradictions.length === 0;
  return h("section", { class: `card attention ${flags.length + open.length > 0 ? "has-some" : ""}`, id: "attention" },
    h("h3", {}, "Flags and contradictions"),
    notice ? h("p", { class: "notice error", role: "alert" }, notice) : null,
    nothing ? h("p", { class: "muted" }, "Nothing to look at first.") : null,
    flags.length > 0 ? h("ul", { class: "plain" }, flags.map(flag => flagItem(filled, flag, submission))) : null,
    submission.contradictions.length > 0
      ? h("ul", { class: "plain" }, [...open, ...decided].map(one => contradictionItem(filled, one, actions))) : null);
}

function scoresCard(submission) {
  const scores = submission.evaluation?.scores ?? [];
  return scores.length === 0 ? null : h("section", { class: "card" }, h("h3", {}, "Score"),
    h("ul", { class: "plain scores" }, scores.map(score => h("li", {},
      h("span", { class: "score" }, String(score.value)),
      h("span", {}, h("strong", { dir: "auto" }, score.band?.label ?? score.text), h("br"),
        h("span", { class: "muted", dir: "auto" }, `${score.band ? `${score.text} · ` : ""}${score.answered} of ${count(score.questions, "question", "questions")} answered`))))));
}

/** What is known of the patient from all sources, where it is more than this submission. */
function backgroundCard(submission, filled) {
  const known = Object.entries(submission.medical_background ?? {})
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(submission.answers[name]));
  return known.length === 0 ? null : h("section", { class: "card" }, h("h3", {}, "Also on the patient's record"),
    h("dl", { class: "answers" }, known.map(([name, value]) => h("div", { class: "answer" },
      h("dt", {}, questionText(filled, name)), h("dd", { dir: "auto" }, valueText(filled, name, value))))));
}

/**
 * The whole record. `data`: {submission, history, definition, definitions, draft, notices}; `actions`: print,
 * download, retry, decide(field, decision, values), review(state, comment), keepDraft(draft).
 */
export function recordOf(data, actions) {
  const { submission, history, definition, definitions, notices } = data;
  const filled = formOf(definition, submission.answers);
  const flagged = new Set((submission.evaluation?.flags ?? []).map(flag => flag.link_id));
  const title = definition?.title ?? submission.questionnaire.id ?? "";
  return h("article", { "aria-labelledby": "record-heading", "data-booking": submission.booking_uid },
    h("p", { class: "print-only" }, `Booking ${submission.booking_uid}`, h("span", { id: "printed-at" })),
    headCard(submission, title, actions),
    submission.patient_deleted ? h("p", { class: "notice warning" }, "The patient's record was deleted.") : null,
    failureNotice(submission, actions),
    h("div", { class: "columns" },
      h("div", { class: "column" },
        attentionCard(submission, filled, actions, notices.attention),
        scoresCard(submission),
        answerSections(filled, submission.answers, flagged),
        backgroundCard(submission, filled)),
      h("div", { class: "column side" },
        reviewCard(data, actions),
        otherBookingsCard(history),
        historyCards(history, definitions))));
}
