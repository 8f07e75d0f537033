// The staff page: who is signed in, and which view the address names.

import { api, Offline, onSignedOut, Refused, SignedOut, UNATTENDED } from "./staff-api.js";
import { clearList, loadList, lookAgain, markOpen, onSubmission, refreshRow, startList } from "./staff-list.js";
import { forgetLive, startLive } from "./staff-live.js";
import { checkRecord, closeRecord, forgetDrafts, isOpen, onRevised, openRecord, startRecord } from "./staff-open.js";

const UID = /^[A-Za-z0-9_-]{1,128}$/;

const at = id => document.getElementById(id);

let signedIn = null; // {name, role, expires_at}
let lastName = null; // whose drafts are kept while somebody signs in again
let listScroll = 0;
let ending = null;   // the timer of the session's end at the latest

function announce(text) {
  at("announce").textContent = "";
  setTimeout(() => {
    at("announce").textContent = text;
  }, 50);
}

function title(text) {
  document.title = `${text} · Intake`;
}

/** The booking that the address names; null: the list alone. */
function bookingInAddress() {
  const [, uid] = location.hash.match(/^#\/submission\/([^/]+)$/) ?? [];
  return uid && UID.test(uid) ? uid : null;
}

function route() {
  if (signedIn === null) {
    return;
  }
  const uid = bookingInAddress();
  const wasList = !at("app").classList.contains("has-record");
  if (uid !== null && wasList) {
    listScroll = window.scrollY;
  }
  at("app").classList.toggle("has-record", uid !== null);
  markOpen(uid);
  title(uid === null ? "Submissions" : "Submission");
  if (uid === null) {
    closeRecord();
    if (!wasList) {
      window.scrollTo(0, listScroll);
      at("list-heading").focus({ preventScroll: true });
    }
  } else if (!isOpen(uid)) {
    openRecord(uid);
  }
}

/** When the session ends at the latest, nothing of a patient stays on the screen. */
function watchEnd(session) {
  const TIMER_MAX_MS = 2 ** 31 - 1;
  clearTimeout(ending);
  ending = session.expires_at === null ? null : setTimeout(() => api.session().then(watchEnd, () => {}),
    Math.min(Math.max(Date.parse(session.expires_at) - Date.now() + 1000, 1000), TIMER_MAX_MS));
}

function showSignIn(why = "") {
  signedIn = null;
  clearTimeout(ending);
  forgetLive();
  at("confirm").close();
  closeRecord();
  at("record").replaceChildren();
  clearList();
  at("booking").value = "";
  at("who").textContent = "";
  at("announce").textContent = "";
  at("app").hidden = true;
  at("sign-in").hidden = false;
  at("skip").hidden = true;
  at("sign-in-why").hidden = why === "";
  at("sign-in-why").textContent = why;
  at("token-error").textContent = "";
  title("Sign in");
  at("token").focus();
}

function showApp(session) {
  if (lastName !== session.name) {
    forgetDrafts();
  }
  signedIn = session;
  lastName = session.name;
  watchEnd(session);
  at("who").textContent = session.name;
  at("sign-in").hidden = true;
  at("app").hidden = false;
  at("skip").hidden = false;
  if (bookingInAddress() === null) {
    at("booking").focus();
  }
  route();
  loadList();
  startLive({
    submission: event => {
      onSubmission(event);
      if (event.revised) {
        onRevised(event.booking_uid);
      }
    },
    again: () => {
      lookAgain();
      checkRecord();
    },
    back: () => {
      loadList(UNATTENDED);
      checkRecord();
    },
  });
}

function signInProblem(error) {
  if (!(error instanceof Refused)) {
    return error.message;
  }
  switch (error.status) {
  case 401:
    return "This token is not known, or it has ended.";
  case 403:
    return "This token is not for staff.";
  case 422:
    return "Please enter your token.";
  case 429:
    return "Too many attempts. Wait a little and try again.";
  default:
    return error.message;
  }
}

async function signIn(event) {
  event.preventDefault();
  const button = at("sign-in-button");
  const field = at("token");
  button.disabled = true;
  at("token-error").textContent = "";
  try {
    const session = await api.signIn(field.value.trim());
    field.value = "";
    field.removeAttribute("aria-invalid");
    showApp(session);
  } catch (error) {
    at("token-error").textContent = signInProblem(error);
    field.setAttribute("aria-invalid", "true");
    field.focus();
    field.select();
  } finally {
    button.disabled = false;
  }
}

async function signOut() {
  try {
    await api.signOut();
  } catch (error) {
    if (!(error instanceof SignedOut)) {
      announce(error.message);
      at("connection").textContent = `You are still signed in: ${error.message}`;
      at("connection").dataset.state = "lost";
      return;
    }
  }
  forgetDrafts();
  lastName = null;
  history.replaceState(null, "", location.pathname);
  showSignIn("You are signed out.");
}

/** What was pasted may be the UID, or an address that ends with it. */
function openPasted(event) {
  event.preventDefault();
  const field = at("booking");
  const uid = field.value.trim().split(/[?]/)[0].split("/").filter(Boolean).pop() ?? "";
  const good = UID.test(uid);
  at("booking-error").textContent = good ? "" : uid === "" ? "Paste a booking UID." : "This is no booking UID.";
  field.toggleAttribute("aria-invalid", !good);
  if (!good) {
    field.focus();
    return;
  }
  field.value = "";
  if (bookingInAddress() === uid) {
    openRecord(uid);
  } else {
    location.hash = `#/submission/${uid}`;
  }
}

function onKey(event) {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && signedIn && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    if (at("list-pane").offsetParent === null) {
      location.hash = "#/";
      at("app").classList.remove("has-record");
    }
    at("q").focus();
    at("q").select();
  }
}

/** Asks who is signed in: on opening, and when the browser brings an old page back. */
async function begin() {
  try {
    showApp(await api.session());
  } catch (error) {
    if (error instanceof Offline || error instanceof Refused) {
      showSignIn(error.message);
    }
  }
  document.documentElement.dataset.ready = "true";
}

startList(announce);
startRecord({ announce, changed: refreshRow });
onSignedOut(() => {
  if (signedIn !== null) {
    showSignIn("Your session has ended. Sign in to go on; what you typed is kept.");
  } else if (at("sign-in").hidden) {
    showSignIn();
  }
});
at("sign-in-form").addEventListener("submit", signIn);
at("open-form").addEventListener("submit", openPasted);
at("sign-out").addEventListener("click", signOut);
at("skip").addEventListener("click", event => {
  event.preventDefault(); // the address is the view's
  at("main").focus();
});
addEventListener("hashchange", route);
addEventListener("pageshow", event => event.persisted && begin());
document.addEventListener("keydown", onKey);
begin();
