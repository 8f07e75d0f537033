// The form in which staff say what they think of a submission.

import { h } from "./dom.js";
import { reviewsList } from "./staff-history.js";
import { REVIEW, time } from "./staff-words.js";

const COMMENT_MAX = 2000;

function setBy(review) {
  return review.actor === null ? h("p", { class: "muted" }, "Nobody has reviewed this revision yet.")
    : h("p", { class: "muted" }, `${REVIEW[review.state]}: ${review.actor}, ${time(review.at)}`);
}

/** `data.draft`: {state, comment} that was begun and not saved, or null. */
export function reviewCard({ submission, history, draft, notices }, actions) {
  const chosen = draft?.state ?? submission.review.state;
  const radio = state => h("label", { class: "choice" },
    h("input", { type: "radio", name: "state", value: state, ...(state === chosen ? { checked: true } : {}) }), REVIEW[state]);
  const comment = h("textarea", { id: "comment", maxlength: COMMENT_MAX, dir: "auto" });
  comment.value = draft?.comment ?? "";
  const save = h("button", { class: "button primary", type: "submit" }, "Save the review");
  const form = h("form", { id: "review-form", class: "no-print", novalidate: true },
    notices.review ? h("p", { class: `notice ${notices.review.kind}`, id: "review-notice", role: "alert", tabindex: "-1" }, notices.review.text) : null,
    h("fieldset", { class: "choices" }, h("legend", {}, "State"), Object.keys(REVIEW).map(radio)),
    h("label", { for: "comment" }, "Comment"), comment, save);
  const read = () => ({ state: new FormData(form).get("state"), comment: comment.value });
  form.addEventListener("input", () => actions.keepDraft(read()));
  form.addEventListener("submit", event => {
    event.preventDefault();
    save.disabled = true;
    const { state, comment: text } = read();
    actions.review(state, text);
  });
  const past = reviewsList(history.reviews);
  return h("section", { class: "card review-card", id: "review-card" }, h("h3", {}, "Review"), setBy(submission.review), form,
    past ? h("div", { class: "past" }, h("h4", {}, "Reviews so far"), past) : null);
}
