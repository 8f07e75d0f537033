// Sending: what could not be sent is kept in this browser and sent again, and never twice.

import { Offline, isTemporary } from "./api.js";
import { load, remove, save } from "./store.js";

const RETRY_MS = [2000, 5000, 15000, 30000, 60000];

/**
 * `on` is told sent(receipt, body), refused(reply, body), waiting(), and overtaken(view, body): the
 * answers were sent from another device since, so that these are not sent unasked.
 */
export class Outbox {
  constructor(api, on) {
    Object.assign(this, { api, on, timer: 0, failures: 0, running: false });
    const again = () => this.waiting && this.send();
    addEventListener("online", again);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());
  }

  get waiting() {
    return load(this.api.booking, "outbox");
  }

  /** Keeps the body and sends it; `revision` is the one that it follows. */
  put(body, revision) {
    save(this.api.booking, "outbox", { body, revision });
    this.failures = 0;
    this.kept = { body, revision };
    return this.send();
  }

  async send() {
    if (this.running) {
      return;
    }
    this.running = true;
    clearTimeout(this.timer);
    try {
      // One tab sends; another finds nothing left.
      await (navigator.locks ? navigator.locks.request(`intake.${this.api.booking}`, () => this.attempt())
        : this.attempt());
    } finally {
      this.running = false;
    }
  }

  async attempt() {
    const kept = this.waiting ?? this.kept; // where nothing can be stored, what is in memory
    if (!kept) {
      return;
    }
    try {
      const reply = await this.api.submit(JSON.stringify(kept.body), kept.revision);
      if (reply.status === 412) {
        this.resolve(await this.api.view, kept.body);
      } else {
        this.settle(reply, kept.body);
      }
    } catch (error) {
      if (!(error instanceof Offline)) {
        throw error;
      }
      this.wait(0);
    }
  }

  /** The answers follow others than those that are there by now. */
  resolve(view, body) {
    if (view.status !== 200) {
      this.settle(view, body);
    } else if (view.body.submission) {
      this.clear();
      this.on.overtaken(view.body, body);
    } else { // there are none any more: these are the first
      this.kept = { body, revision: null };
      save(this.api.booking, "outbox", this.kept);
      this.wait(0);
    }
  }

  settle(reply, body) {
    if (reply.status === 200 || reply.status === 201) {
      this.clear();
      this.on.sent(reply.body, body);
    } else if (isTemporary(reply.status)) {
      this.wait(reply.retryAfter * 1000);
    } else {
      this.clear();
      this.on.refused(reply, body);
    }
  }

  clear() {
    remove(this.api.booking, "outbox");
    this.kept = null;
    this.failures = 0;
  }

  wait(delay) {
    this.timer = setTimeout(() => this.send(), delay || RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)]);
    this.failures += 1;
    this.on.waiting();
  }
}
