// The service, for the holder of one booking's link.

const REQUEST_MS = 20000;

export class Offline extends Error {}

export class Api {
  constructor(booking, token) {
    this.booking = booking;
    this.token = token;
  }

  /** {status, body, etag, retryAfter}; throws Offline when nothing was answered. */
  async request(method, path, body, headers = {}, options = {}) {
    let reply = null;
    try {
      reply = await fetch(path, {
        method, body, cache: "no-store", credentials: "omit", ...options,
        headers: {
          "X-Intake-Link": this.token, ...headers,
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      const text = await reply.text();
      const isJson = reply.headers.get("Content-Type")?.includes("json");
      return {
        status: reply.status,
        body: isJson && text ? JSON.parse(text) : null,
        etag: reply.headers.get("ETag"),
        retryAfter: Number(reply.headers.get("Retry-After")) || 0,
      };
    } catch (error) {
      throw new Offline(error.message);
    }
  }

  get view() {
    return this.request("GET", `/v1/bookings/${this.booking}`);
  }

  get draft() {
    return this.request("GET", `/v1/drafts/${this.booking}`);
  }

  putDraft(text, etag, options) {
    return this.request("PUT", `/v1/drafts/${this.booking}`, text,
      etag ? { "If-Match": etag } : { "If-None-Match": "*" }, options);
  }

  /** `revision`: that of the answers that these follow, null for none; 412 when it is another one by now. */
  submit(text, revision) {
    return this.request("POST", "/v1/submissions", text,
      revision === null ? { "If-None-Match": "*" } : { "If-Match": `"${revision}"` });
  }

  /** The definition offered now, or else the version that was answered; null: neither. */
  async definition(id, version) {
    const path = `/v1/questionnaires/${encodeURIComponent(id)}`;
    const options = { cache: "default" };
    let reply = await this.request("GET", path, undefined, {}, options);
    if (reply.status === 404 && version) {
      reply = await this.request("GET", `${path}?version=${encodeURIComponent(version)}`, undefined, {}, options);
    }
    return reply.status === 200 ? reply.body : null;
  }
}

/** What temporary failure looks like: it is tried again. */
export const isTemporary = status => status === 408 || status === 429 || status >= 500;
