// The stream of events, and whether it can be heard.

import { api, SignedOut } from "./staff-api.js";

const AGAIN_MS = 3000;
const BACK_MS = 4000;
const GRACE_MS = 4000; // the server ends a stream now and then, and the browser asks again by itself

const at = id => document.getElementById(id);

let source = null;
let timer = null;
let lost = false;
let fading = null;
let grace = null;

function show(state, words, banner) {
  at("live").dataset.state = state;
  at("live").textContent = words;
  at("connection").dataset.state = state;
  at("connection").textContent = banner;
}

function onLost() {
  lost = true;
  clearTimeout(fading);
  show("lost", "Not live", "The connection to Intake is lost. What you see may be old. Trying again…");
}

/**
 * Listens until stopLive(). `handlers`: submission(event), again() when the stream was opened anew, and
 * back() instead when it was lost for so long that the page said so.
 */
export function startLive(handlers) {
  stopLive();
  source = new EventSource("/v1/events");
  let opened = false;
  source.addEventListener("open", () => {
    const wasLost = lost;
    const again = opened;
    opened = true;
    clearTimeout(grace);
    grace = null;
    lost = false;
    show("live", "Live", wasLost ? "The connection is back." : "");
    if (wasLost) {
      clearTimeout(fading);
      fading = setTimeout(() => show("live", "Live", ""), BACK_MS);
      handlers.back();
    } else if (again) {
      handlers.again();
    }
  });
  source.addEventListener("submission", event => handlers.submission(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    if (!lost) {
      grace ??= setTimeout(onLost, GRACE_MS);
    }
    if (source?.readyState === EventSource.CLOSED) { // it was refused: the browser does not try again
      clearTimeout(grace);
      onLost(); // what came meanwhile is not sent to another stream
      reopen(handlers, source);
    }
  });
}

/** Unless that was because the session is over, which the asking shows the sign-in for. */
async function reopen(handlers, closed) {
  try {
    await api.session();
  } catch (error) {
    if (error instanceof SignedOut) {
      return;
    }
  }
  if (source === closed) {
    timer = setTimeout(() => startLive(handlers), AGAIN_MS);
  }
}

function stopLive() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

/** As before the first connection. */
export function forgetLive() {
  stopLive();
  lost = false;
  clearTimeout(fading);
  clearTimeout(grace);
  grace = null;
  show("waiting", "Connecting", "");
}
