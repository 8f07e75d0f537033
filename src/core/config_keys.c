/* Every key of the configuration, in the order of the file. */
#include "config_keys.h"

#include "intake/core/cleanup.h"
#include "intake/core/config.h"

/* NOLINTNEXTLINE(bugprone-macro-parentheses): a member's name cannot stand in parentheses */
#define AT(section, member) .offset = offsetof(struct config, section.member)

const struct config_key config_keys[] = {
    {"http", "address", KEY_TEXT, false, AT(http, address), "127.0.0.1", 0, 0,
     "Address to listen on, IPv4 or IPv6. Unused when systemd hands over a socket."},
    {"http", "port", KEY_NUMBER, false, AT(http, port), "8080", 0, 65535,
     "TCP port; 0 takes a free one, which the log names."},
    {"http", "threads", KEY_NUMBER, false, AT(http, threads), "1", 1, 64,
     "Threads that parse, validate and reply. None of them ever waits for the database, so that "
     "one\n"
     "# does for ten thousand posts a second; more make smaller batches."},
    {"http", "connections_max", KEY_NUMBER, false, AT(http, connections_max), "10000", 1, 1000000,
     "Connections open at once; further ones wait to be accepted."},
    {"http", "connections_per_address_max", KEY_NUMBER, false,
     AT(http, connections_per_address_max), "0", 0, 1000000,
     "Connections from one peer address; 0 is no limit. Behind a proxy leave it at 0."},
    {"http", "header_max_bytes", KEY_NUMBER, false, AT(http, header_max_bytes), "12288", 4096,
     1048576, "Bytes for a request's line and headers (and for each connection's memory)."},
    {"http", "body_max_bytes", KEY_NUMBER, false, AT(http, body_max_bytes), "65536", 1024, 16777216,
     "Bytes of a request's body; more is 413."},
    {"http", "header_timeout_ms", KEY_NUMBER, false, AT(http, header_timeout_ms), "10000", 100,
     600000, "Milliseconds for the whole of a request's headers, however they drip."},
    {"http", "body_timeout_ms", KEY_NUMBER, false, AT(http, body_timeout_ms), "15000", 100, 600000,
     "Milliseconds for the whole of a request's body; slower is 408."},
    {"http", "response_timeout_ms", KEY_NUMBER, false, AT(http, response_timeout_ms), "30000", 100,
     3600000, "Milliseconds for the client to read the whole response."},
    {"http", "idle_timeout_ms", KEY_NUMBER, false, AT(http, idle_timeout_ms), "60000", 1000,
     3600000, "Milliseconds that a kept-alive connection may stay without a request."},
    {"http", "farewell_ms", KEY_NUMBER, false, AT(http, farewell_ms), "1000", 0, 60000,
     "Milliseconds that, at a stop, open connections are left for one more request, whose reply\n"
     "# closes them; whoever asks just then is served."},
    {"http", "rate_per_second", KEY_NUMBER, true, AT(http, rate_per_second), "20", 0, 1000000,
     "Requests per second and client address, beyond the burst; more is 429. 0 is no limit."},
    {"http", "rate_burst", KEY_NUMBER, true, AT(http, rate_burst), "60", 1, 1000000,
     "Requests that an address may make at once before the rate counts."},
    {"http", "token_failures_per_minute", KEY_NUMBER, true, AT(http, token_failures_per_minute),
     "20", 0, 100000,
     "Wrong tokens from one address in a minute; while there are more, a request with a token is\n"
     "# 429, unless that token was right from there within the hour. Ten times as many from the\n"
     "# loopback address. 0 is no limit."},
    {"http", "streams_max", KEY_NUMBER, false, AT(http, streams_max), "64", 1, 100000,
     "Exports and event streams at once; more are 503."},
    {"http", "events_heartbeat_ms", KEY_NUMBER, false, AT(http, events_heartbeat_ms), "15000", 1000,
     600000,
     "Milliseconds after which a silent event stream shows that it is there; less than proxies "
     "wait."},
    {"http", "events_lifetime_ms", KEY_NUMBER, false, AT(http, events_lifetime_ms), "600000", 1000,
     86400000,
     "Milliseconds after which an event stream ends; its page opens the next if it still may."},
    {"http", "trusted_proxies", KEY_TEXT, true, AT(http, trusted_proxies), "", 0, 0,
     "Addresses, separated by commas, whose X-Forwarded-For is believed."},
    {"http", "cors_origins", KEY_TEXT, true, AT(http, cors_origins), "", 0, 0,
     "Origins, separated by commas, whose pages may call us from a browser (CORS)."},
    {"http", "submissions_require_token", KEY_BOOLEAN, false, AT(http, submissions_require_token),
     "false", 0, 0, "Whether POST /v1/submissions needs a token of role intake."},
    {"http", "metrics_require_token", KEY_BOOLEAN, false, AT(http, metrics_require_token), "false",
     0, 0, "Whether GET /metrics needs a token of role metrics."},

    {"database", "conninfo", KEY_TEXT, false, AT(database, conninfo), "", 0, 0,
     "libpq connection string, host=... dbname=... user=...; keep a password in a credential."},
    {"database", "connect_timeout_s", KEY_NUMBER, false, AT(database, connect_timeout_s), "3", 2,
     60, "Seconds for one attempt to connect."},
    {"database", "statement_timeout_ms", KEY_NUMBER, false, AT(database, statement_timeout_ms),
     "5000", 100, 600000, "Milliseconds for one statement of a look-up or of the worker."},

    {"lane", "count", KEY_NUMBER, false, AT(lane, count), "2", 1, 32,
     "Group-commit lanes: threads with one connection each that write submissions."},
    {"lane", "batch_max", KEY_NUMBER, false, AT(lane, batch_max), "64", 1, 1024,
     "Submissions that one transaction writes at the most."},
    {"lane", "queue_max", KEY_NUMBER, false, AT(lane, queue_max), "8192", 1, 1000000,
     "Submissions that wait for a lane; more are 503 with Retry-After."},
    {"lane", "deadline_ms", KEY_NUMBER, false, AT(lane, deadline_ms), "5000", 100, 600000,
     "Milliseconds from acceptance to commit; later is 503 with Retry-After."},

    {"executor", "count", KEY_NUMBER, false, AT(executor, count), "2", 1, 64,
     "Threads with one connection each for look-ups, lists and tokens."},
    {"executor", "queue_max", KEY_NUMBER, false, AT(executor, queue_max), "1024", 1, 1000000,
     "Requests that wait for such a thread; more are 503."},
    {"executor", "deadline_ms", KEY_NUMBER, false, AT(executor, deadline_ms), "5000", 100, 600000,
     "Milliseconds that a request may wait for such a thread; later is 503."},

    {"worker", "enabled", KEY_BOOLEAN, false, AT(worker, enabled), "true", 0, 0,
     "Whether this instance processes submissions, and seals the audit."},
    {"worker", "count", KEY_NUMBER, false, AT(worker, count), "3", 1, 16,
     "Threads with one connection each; all but the first only help with a backlog."},
    {"worker", "batch_max", KEY_NUMBER, false, AT(worker, batch_max), "256", 1, 10000,
     "Submissions that are claimed and processed together."},
    {"worker", "poll_ms", KEY_NUMBER, false, AT(worker, poll_ms), "1000", 50, 600000,
     "Milliseconds between looks for what other instances left or what is due again."},
    {"worker", "lease_ms", KEY_NUMBER, false, AT(worker, lease_ms), "30000", 1000, 3600000,
     "Milliseconds after which a claimed submission may be claimed again."},
    {"worker", "attempts_max", KEY_NUMBER, false, AT(worker, attempts_max), "5", 2, 100,
     "Attempts before a submission is marked failed; the first is shared with others."},
    {"worker", "backoff_ms", KEY_NUMBER, false, AT(worker, backoff_ms), "1000", 10, 3600000,
     "Milliseconds before the second attempt; doubles each time, with jitter."},
    {"worker", "backoff_max_ms", KEY_NUMBER, false, AT(worker, backoff_max_ms), "300000", 10,
     86400000, "The longest wait between attempts, in milliseconds."},
    {"worker", "yield_age_ms", KEY_NUMBER, false, AT(worker, yield_age_ms), "30000", 0, 3600000,
     "While patients are posting at full load, processing steps back until the oldest\n"
     "# unprocessed submission is this many milliseconds old. 0 never steps back."},

    {"questionnaires", "directory", KEY_TEXT, true, AT(questionnaires, directory),
     "config/questionnaires", 0, 0,
     "Directory of FHIR R4 Questionnaire files (*.json); what is in it is read again, too."},
    {"questionnaires", "default_id", KEY_TEXT, true, AT(questionnaires, default_id),
     "hair-transplant", 0, 0, "The questionnaire that a body answers which names none."},

    {"link", "secret", KEY_TEXT, false, AT(link, secret), "", 0, 0,
     "What the links to bookings are signed with, at least 32 characters, the same for every\n"
     "# instance; a credential is the place for it. Without it there are no links and no drafts."},
    {"link", "base_url", KEY_TEXT, false, AT(link, base_url), "http://127.0.0.1:8080", 0, 0,
     "What a link begins with: where patients reach this service."},
    {"link", "days", KEY_NUMBER, false, AT(link, days), "30", 1, 3650,
     "Days that a link is valid, where intake link is not told otherwise."},
    {"link", "submissions", KEY_OFF_OR_REQUIRED, false, AT(link, submissions), "off", 0, 0,
     "Whether a submission needs its booking's link too: off or required."},

    {"drafts", "days", KEY_NUMBER, false, AT(drafts, days), "30", 1, 3650,
     "Days that a draft is kept after it was last written."},

    {"retention", "submission_days", KEY_NUMBER, false, AT(retention, submission_days), "0", 0,
     36500, "Days after which intake retention run erases a submission; 0 keeps it."},
    {"retention", "revision_days", KEY_NUMBER, false, AT(retention, revision_days), "0", 0, 36500,
     "Days after which it deletes a revision that a later one replaced; 0 keeps it."},
    {"session", "idle_minutes", KEY_NUMBER, false, AT(session, idle_minutes), "30", 5, 1440,
     "Minutes without a request after which the staff page asks for the token again (one less, at\n"
     "# times: a use is noted once a minute)."},
    {"session", "hours", KEY_NUMBER, false, AT(session, hours), "12", 1, 168,
     "Hours after which it asks in any case."},

    {"log", "level", KEY_LOG_LEVEL, true, AT(log, level), "info", 0, 0,
     "error, warning, info (a line per request) or debug."},
};

const size_t config_keys_count = ARRAY_LENGTH(config_keys);
