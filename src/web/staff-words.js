// The words of the staff page, and how it writes times and numbers.

export const REVIEW = {
  received: "To review", has_issues: "Has issues", approved: "Approved", rejected: "Rejected",
};

export const STATUS = { submitted: "Being processed", processed: "Processed", failed: "Failed" };

export const EVENTS = {
  submitted: "Sent by the patient", attempt_failed: "An attempt failed", failed: "Processing failed",
  retried: "Started again", processed: "Processed",
};

export const FIELDS = { attendee_name: "Name", attendee_email: "E-mail", attendee_phone: "Phone" };

const when = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "short" });
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

/** A time of the service in the reader's zone. */
export const time = text => when.format(new Date(text));

/** The same for the list: the clock today, else the date. */
export function shortTime(text) {
  const date = new Date(text);
  return date.toDateString() === new Date().toDateString() ? `Today ${clock.format(date)}` : when.format(date);
}

/** A date without a zone, as far as it goes: 2024, 2024-05 or 2024-05-06. */
export function date(text) {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) ? day.format(new Date(`${text}T12:00:00`)) : text;
}

export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
