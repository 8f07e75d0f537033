/* The values of headers that we read ourselves; the input is one of them a line. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "intake/core/text.h"
#include "intake/db/audit.h"
#include "intake/db/store_audit.h"
#include "intake/db/store_submission.h"
#include "intake/domain/link.h"
#include "intake/http/accept_encoding.h"
#include "intake/http/bearer.h"
#include "intake/http/client_address.h"
#include "intake/http/etag.h"
#include "intake/http/events.h"
#include "intake/http/precondition.h"
#include "intake/http/route.h"
#include "intake/http/session_cookie.h"
#include "intake/http/wire.h"

enum { LINES_MAX = 8 };

static const char secret[] = "a secret of more than thirty-two characters";

/* An address that is read and printed is read as the same one. */
static void check_address(const char *line)
{
    struct client_address address;
    struct client_address again;
    char text[CLIENT_ADDRESS_SIZE];
    if (client_address_parse(line, strlen(line), &address)) {
        client_address_print(&address, text);
        fuzz_assert(*text == '\0' || (client_address_parse(text, strlen(text), &again) &&
                                      memcmp(&address, &again, sizeof again) == 0),
                    "an address stays the same", text);
    }
    struct address_list list = {0};
    if (address_list_parse(line, &list, NULL) == STATUS_OK) {
        for (size_t i = 0; i < list.count; i++) {
            fuzz_assert(address_list_has(&list, &list.networks[i].address), "has its own", line);
        }
    }
    address_list_finish(&list);
}

static void check_etags(const char *line)
{
    const char *at = line;
    for (struct view tag = etag_list_next(&at); tag.data != NULL; tag = etag_list_next(&at)) {
        fuzz_assert(tag.len >= 2 && tag.data >= line && tag.data + tag.len <= at, "a tag", line);
    }
    (void)etag_list_has(line, "\"x\"", ETAG_WEAK);
    (void)etag_list_has(line, "\"x\"", ETAG_STRONG);
}

static void check_session(const char *line)
{
    const struct view all = {line, strlen(line)};
    struct view first = {0};
    const size_t count = session_cookie_find(all, &first);
    fuzz_assert((count > 0) == (first.data != NULL), "a cookie has a value", line);
    fuzz_assert(count == 0 || (first.data > line && first.data + first.len <= line + all.len),
                "a value is a part of the header", line);
    fuzz_assert(count == 0 || memchr(first.data, ';', first.len) == NULL, "one cookie", line);
    fuzz_assert(!session_cookie_origin_fits(all, (struct view){"clinic.example", 14}) ||
                    strncasecmp(line + all.len - 14, "clinic.example", 14) == 0,
                "another page is not ours", line);
    (void)session_cookie_host_is_loopback(all);
}

/* A token that is taken is a b64token (RFC 6750 section 2.1) behind the scheme, and all of it. */
static void check_bearer(const char *line)
{
    const char *token = bearer_token(line);
    bool padded = false;
    if (token == NULL) {
        return;
    }
    const size_t len = strlen(token);
    fuzz_assert(token == line + strlen(line) - len && len >= 1 && len <= BEARER_TOKEN_MAX,
                "a token reaches to the end", line);
    fuzz_assert(strncasecmp(line, "Bearer ", 7) == 0 && line + 6 + strspn(line + 6, " ") == token,
                "nothing else before it", line);
    for (size_t i = 0; i < len; i++) {
        const char c = token[i];
        const bool alphanumeric =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        padded = padded || (c == '=' && i > 0);
        fuzz_assert(padded ? c == '=' : alphanumeric || memchr("-._~+/", c, 6) != NULL,
                    "a b64token", line);
    }
}

/* An id that is taken is one that we tell, but for zeros before it; other numbers are no ids. */
static void check_last_event(const char *line)
{
    const int64_t id = events_last_id(line);
    const size_t zeros = strspn(line, "0");
    const size_t digits = strspn(line + zeros, "0123456789");
    const bool is_number = digits > 0 && line[zeros + digits] == '\0';
    fuzz_assert(id >= 0 && (id == 0 || is_number), "an id is a number", line);
    fuzz_assert(id > 0 || !is_number || digits > 19 ||
                    (digits == 19 && strcmp(line + zeros, "9223372036854775807") > 0),
                "a number is an id", line);
    if (id > 0) {
        const struct submission_change change = {.id = id, .booking_uid = "x"};
        struct strbuf event = {0};
        struct strbuf field = {0};
        events_print(&change, &event);
        strbuf_printf(&field, "id: %s\n", line + zeros);
        fuzz_assert(text_starts_with(event.data, field.data), "the id of an event", line);
        strbuf_finish(&field);
        strbuf_finish(&event);
    }
}

/* The list names the revision that is taken, and nothing else; and of drafts each version. */
static void check_precondition(const char *line)
{
    static const char separators[] = " \t,";
    int32_t revision = SUBMISSION_ANY_REVISION;
    struct draft_condition draft;
    char tag[UUID_TEXT_SIZE + 2];
    if (precondition_of_submission(line, NULL, &revision) == NULL) {
        snprintf(tag, sizeof tag, "\"%d\"", (int)revision);
        const char *at = line + strspn(line, separators);
        at += text_starts_with(at, "W/") ? 2 : 0;
        fuzz_assert(revision > 0 && text_starts_with(at, tag), "the tag of a revision", line);
        at += strlen(tag);
        fuzz_assert(at[strspn(at, separators)] == '\0', "and of no other", line);
    }
    fuzz_assert((precondition_of_submission(NULL, line, &revision) == NULL) ==
                    (strcmp(line, "*") == 0),
                "none is *", line);
    fuzz_assert(precondition_of_draft(line, NULL, &draft) == NULL, "each list makes sense", line);
    fuzz_assert((draft.expectation == DRAFT_ANY) == (strcmp(line, "*") == 0), "any is *", line);
    for (size_t i = 0; i < draft.versions_count; i++) {
        snprintf(tag, sizeof tag, "\"%s\"", draft.versions[i]);
        fuzz_assert(id_is_uuid(draft.versions[i]) && etag_list_has(line, tag, ETAG_STRONG),
                    "a version of the list", line);
    }
}

static void check_line(const char *line)
{
    static const struct route json = {.body_types = {"application/json"}};
    const size_t len = strlen(line);
    check_address(line);
    check_etags(line);
    check_session(line);
    check_bearer(line);
    check_last_event(line);
    check_precondition(line);
    (void)route_takes_type(&json, (struct view){line, len});
    (void)accept_encoding_has_gzip(line);
    (void)audit_reason_fits(line);
    (void)wire_is_token(line, len);
    (void)wire_is_value(line, len);
    int64_t until_s = 0;
    fuzz_assert(link_check_token(secret, "another-booking", line, 0, &until_s, NULL) ==
                    STATUS_DENIED,
                "nobody guesses a link", line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct view lines[LINES_MAX];
    size_t count = 0;
    char *text = memchr(data, '\0', size) == NULL ? text_copy((const char *)data, size) : NULL;
    char *rest = NULL;
    for (char *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        check_line(line);
        if (count < LINES_MAX) {
            lines[count++] = (struct view){line, strlen(line)};
        }
    }
    struct address_list trusted = {0};
    const struct client_address peer = {.bytes = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 1}};
    if (address_list_parse("127.0.0.1, 10.0.0.0/8", &trusted, NULL) == STATUS_OK) {
        (void)client_address_forwarded(&trusted, &peer, lines, count);
    }
    address_list_finish(&trusted);
    free(text);
    return 0;
}
