// The service, for who is signed in. The session is a cookie that no script can read.

const REQUEST_MS = 30000;

/** What the page asks by itself, with nobody there: it does not keep the session from ending. */
export const UNATTENDED = { unattended: true };

/** Nothing was answered. */
export class Offline extends Error {}

/** Nobody is signed in any more. */
export class SignedOut extends Error {}

/** The service said no: {status, body}. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.detail ?? body?.title ?? `The service answered with status ${status}.`);
    this.status = status;
    this.body = body;
  }
}

const signedOut = new EventTarget();
let signIns = 0; // what was asked before the last one says nothing of the session that is

/** Calls `listener` whenever a reply says that the session is over. */
export function onSignedOut(listener) {
  signedOut.addEventListener("signed-out", listener);
}

/** The body of a reply of 2xx (null: none); throws one of the above. */
export async function request(method, path, { body, signal, unattended } = {}) {
  const limits = [AbortSignal.timeout(REQUEST_MS), ...(signal ? [signal] : [])];
  const asked = signIns;
  let reply = null;
  let text = "";
  try {
    reply = await fetch(path, {
      method, cache: path.startsWith("/v1/questionnaires") ? "default" : "no-store", credentials: "same-origin",
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(unattended ? { "X-Intake-Unattended": "true" } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any(limits),
    });
    text = await reply.text();
  } catch (error) {
    if (signal?.aborted) {
      throw error;
    }
    throw new Offline("Intake cannot be reached. Check the connection and try again.");
  }
  const isJson = reply.headers.get("Content-Type")?.includes("json");
  const content = isJson && text ? JSON.parse(text) : null;
  if (reply.status === 401 && !(method === "POST" && path === "/v1/session")) {
    if (asked === signIns) {
      signedOut.dispatchEvent(new Event("signed-out"));
    }
    throw new SignedOut("You are signed out.");
  }
  if (!reply.ok) {
    throw new Refused(reply.status, content);
  }
  return content;
}

const record = uid => `/v1/submissions/${encodeURIComponent(uid)}`;

export const api = {
  session: () => request("GET", "/v1/session"),
  signIn: async token => {
    const session = await request("POST", "/v1/session", { body: { token } });
    signIns++;
    return session;
  },
  signOut: () => request("DELETE", "/v1/session"),
  list: (query, how) => request("GET", `/v1/submissions?${query}`, how),
  submission: (uid, how) => request("GET", record(uid), how),
  history: uid => request("GET", `${record(uid)}/history`),
  review: (uid, body) => request("PUT", `${record(uid)}/review`, { body }),
  decide: (uid, field, body) => request("PUT", `${record(uid)}/contradictions/${encodeURIComponent(field)}`, { body }),
  retry: uid => request("POST", `${record(uid)}/retry`),
  questionnaires: () => request("GET", "/v1/questionnaires"),
};

const definitions = new Map();

/** The definition that was answered; null where it is gone. Each is asked for once. */
export async function definitionOf({ id, version }) {
  if (!id) {
    return null;
  }
  const path = `/v1/questionnaires/${encodeURIComponent(id)}` +
    (version ? `?version=${encodeURIComponent(version)}` : "");
  if (!definitions.has(path)) {
    try {
      definitions.set(path, await request("GET", path));
    } catch (error) {
      if (error.status !== 404) {
        throw error;
      }
      return null;
    }
  }
  return definitions.get(path);
}
