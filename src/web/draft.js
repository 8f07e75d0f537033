// The draft: saved while the patient types, resumed anywhere, and never lost to another device.

import { Offline, isTemporary } from "./api.js";
import { load, remove, save } from "./store.js";

const QUIET_MS = 700;
const RETRY_MS = [2000, 5000, 15000, 60000];

const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/**
 * Mine and theirs after `base`: field by field, what I changed is mine, all else theirs.
 */
export function merge(base, mine, theirs) {
  const merged = { ...theirs };
  for (const field of new Set([...Object.keys(base), ...Object.keys(mine)])) {
    if (!same(base[field], mine[field])) {
      if (mine[field] === undefined) {
        delete merged[field];
      } else {
        merged[field] = mine[field];
      }
    }
  }
  return merged;
}

/**
 * Keeps what `current()` gives. `on` is told {state: saving|saved|offline|denied}, and merged(body)
 * when another device's newer answers were taken in.
 */
export class Draft {
  constructor(api, current, on) {
    Object.assign(this, { api, current, on, etag: null, base: {}, timer: 0, failures: 0, running: null, stopped: true });
    addEventListener("online", () => this.changed(0));
    document.addEventListener("visibilitychange", () =>
      document.visibilityState === "hidden" ? this.flush() : this.dirty && this.changed(0));
  }

  /** What to begin with: the server's draft, with what this browser could not save. */
  begin(reply, otherwise) {
    const server = reply.status === 200 ? reply.body.answers : null;
    const local = load(this.api.booking, "draft");
    this.etag = reply.status === 200 ? reply.etag : null;
    this.base = server ?? otherwise;
    this.stopped = false;
    this.dirty = local !== null;
    return local ? merge(local.base, local.answers, this.base) : server;
  }

  get hasLocal() {
    return load(this.api.booking, "draft") !== null;
  }

  /** Something was typed. */
  changed(wait = QUIET_MS) {
    if (this.stopped) {
      return;
    }
    const body = this.current();
    this.dirty = this.dirty || !same(body, this.base);
    if (!this.dirty) {
      return;
    }
    save(this.api.booking, "draft", { answers: body, base: this.base });
    this.on.state("saving");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), wait);
  }

  /** At once, while the page goes away. */
  flush() {
    if (this.dirty && !this.stopped) {
      clearTimeout(this.timer);
      this.save({ keepalive: true });
    }
  }

  /** No draft any more: it was sent. Waits for a saving that is under way. */
  async end() {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
    this.dirty = false;
    this.etag = null;
    remove(this.api.booking, "draft");
  }

  /** After an end: from these answers on. */
  restart(base) {
    Object.assign(this, { base, etag: null, dirty: false, stopped: false });
  }

  save(options) {
    if (this.running) {
      this.again = true;
      return this.running;
    }
    this.running = this.put(options).finally(() => {
      this.running = null;
      if (this.again) {
        this.again = false;
        this.changed(0);
      }
    });
    return this.running;
  }

  async put(options) {
    const body = this.current();
    this.on.state("saving");
    try {
      const reply = await this.api.putDraft(JSON.stringify(body), this.etag, options);
      if (reply.status === 200 || reply.status === 201) {
        this.saved(body, reply.etag);
      } else if (reply.status === 412 || reply.status === 428) {
        await this.takeIn();
      } else if (isTemporary(reply.status)) {
        this.retry(reply.retryAfter * 1000);
      } else {
        this.on.state("denied");
      }
    } catch (error) {
      if (!(error instanceof Offline)) {
        throw error;
      }
      this.retry(0);
    }
  }

  saved(body, etag) {
    this.etag = etag;
    this.base = body;
    this.failures = 0;
    this.dirty = !same(this.current(), body);
    if (!this.dirty) {
      remove(this.api.booking, "draft");
      this.on.state("saved");
    }
    this.again = this.again || this.dirty;
  }

  /** Somebody else wrote: their answers come in, mine stay, and both are saved. */
  async takeIn() {
    const reply = await this.api.draft;
    const theirs = reply.status === 200 ? reply.body.answers : null;
    this.etag = theirs ? reply.etag : null;
    if (theirs && !this.stopped) {
      const merged = merge(this.base, this.current(), theirs);
      const isNews = !same(merged, this.current());
      this.base = theirs;
      if (isNews) {
        this.on.merged(merged);
      }
    }
    this.again = true;
  }

  retry(wait) {
    const delay = wait || RETRY_MS[Math.min(this.failures, RETRY_MS.length - 1)];
    this.failures += 1;
    this.on.state("offline");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.save(), delay);
  }
}
