/* The envelope of a submission: booking UID, name, e-mail and phone. */
#include "intake/domain/contact.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/domain/issue.h"

enum {
    EMAIL_LOCAL_MAX = 64,
    DOMAIN_LABEL_MAX = 63,
    PHONE_DIGITS_MIN = 7,
    PHONE_DIGITS_MAX = 15,
};

static const char version_characters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

bool booking_uid_is_valid(const char *text)
{
    size_t len = 0;
    for (; text[len] != '\0'; len++) {
        const unsigned char c = (unsigned char)text[len];
        if (len >= BOOKING_UID_MAX || !((c < 0x80 && isalnum(c)) || c == '-' || c == '_')) {
            return false;
        }
    }
    return len > 0;
}

/* What a misconfigured redirect sends: "{bookingUid}", "[uid]", "%7BbookingUid%7D". */
static bool is_placeholder(const char *text)
{
    if (strpbrk(text, "{}") != NULL || strcasestr(text, "%7b") != NULL ||
        strcasestr(text, "%5b") != NULL) {
        return true;
    }
    /* The whole of it, from the first bracket to its partner: "<b>Jane</b>" is an odd name. */
    const char *close = *text == '[' ? strchr(text, ']') : *text == '<' ? strchr(text, '>') : NULL;
    return close != NULL && close[1] == '\0';
}

static bool has_control_character(const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            return true;
        }
    }
    return false;
}

bool phone_normalize(const char *text, char ret_phone[static PHONE_SIZE])
{
    char digits[PHONE_DIGITS_MAX + 3] = {0}; /* room for a leading "00" */
    size_t count = 0;
    const bool plus = *text == '+';
    for (const char *c = text + plus; *c != '\0'; c++) {
        if (*c >= '0' && *c <= '9') {
            if (count >= PHONE_DIGITS_MAX + 2) {
                return false;
            }
            digits[count++] = *c;
        } else if (strchr(" -.()/", *c) == NULL) {
            return false;
        }
    }
    const char *start = digits;
    if (!plus) {
        if (!text_starts_with(digits, "00")) {
            return false; /* without its country code a number cannot be called from abroad */
        }
        start += 2;
        count -= 2;
    }
    if (count < PHONE_DIGITS_MIN || count > PHONE_DIGITS_MAX || *start == '0') {
        return false;
    }
    ret_phone[0] = '+';
    memcpy(ret_phone + 1, start, count + 1);
    return true;
}

static bool domain_is_valid(const char *domain)
{
    size_t label = 0;
    size_t labels = 1;
    for (const char *c = domain; *c != '\0'; c++) {
        const unsigned char u = (unsigned char)*c;
        if (u == '.') {
            if (label == 0 || c[-1] == '-') {
                return false;
            }
            labels++;
            label = 0;
            continue;
        }
        const bool allowed = u >= 0x80 || isalnum(u) || (u == '-' && label > 0);
        if (!allowed || ++label > DOMAIN_LABEL_MAX) {
            return false;
        }
    }
    return labels >= 2 && label >= 2 && domain[strlen(domain) - 1] != '-';
}

bool email_is_valid(const char *text)
{
    const char *at = strchr(text, '@');
    if (at == NULL || at == text || at - text > EMAIL_LOCAL_MAX ||
        strlen(text) > CONTACT_EMAIL_MAX) {
        return false;
    }
    for (const char *c = text; c < at; c++) {
        const unsigned char u = (unsigned char)*c;
        const bool dot = u == '.';
        if (dot && (c == text || c + 1 == at || c[1] == '.')) {
            return false;
        }
        if (!dot && u < 0x80 && !isalnum(u) && strchr("!#$%&'*+-/=?^_`{|}~", u) == NULL) {
            return false;
        }
    }
    return domain_is_valid(at + 1);
}

/*
 * The trimmed text of a field, or NULL with an issue when it is of another type, unusable or
 * (where `required`) missing. Owned by the caller.
 */
static char *read_text(const json_t *body, const char *field, bool required, struct issues *issues)
{
    const json_t *value = json_object_get(body, field);
    if (value != NULL && !json_is_null(value) && !json_is_string(value)) {
        issues_add(issues, "invalidAnswerType", field, NULL, "This must be text.");
        return NULL;
    }
    const char *text = value != NULL ? json_string_value(value) : NULL;
    const struct view trimmed =
        text != NULL ? text_trim(text, json_string_length(value)) : (struct view){0};
    if (trimmed.len == 0) {
        if (required) {
            issues_add(issues, "required", field, NULL, "Please fill this in.");
        }
        return NULL;
    }
    if (json_has_nul(value)) {
        issues_add(issues, "invalidCharacter", field, NULL,
                   "This contains a character that cannot be stored.");
        return NULL;
    }
    char *copy = text_copy(trimmed.data, trimmed.len);
    issues->failed = issues->failed || copy == NULL;
    return copy;
}

/* Refuses placeholders and control characters; frees and clears the text then. */
static void check_text(char **text, const char *field, struct issues *issues)
{
    const char *code = NULL;
    if (*text == NULL) {
        return;
    }
    if (is_placeholder(*text)) {
        code = "placeholder";
        issues_add(issues, code, field, NULL,
                   "This still holds a placeholder. Please open the link from your booking "
                   "e-mail again.");
    } else if (has_control_character(*text)) {
        code = "invalidCharacter";
        issues_add(issues, code, field, NULL, "This contains a character that cannot be stored.");
    }
    if (code != NULL) {
        free(*text);
        *text = NULL;
    }
}

static void read_booking_uid(const json_t *body, struct contact *contact, struct issues *issues)
{
    char *text = read_text(body, "booking_uid", true, issues);
    if (text == NULL) {
        return;
    }
    if (strpbrk(text, "{}[]<>") != NULL || is_placeholder(text)) {
        issues_add(issues, "placeholder", "booking_uid", NULL,
                   "This is not a booking but a placeholder. Please open the link from your "
                   "booking e-mail again.");
    } else if (strlen(text) > BOOKING_UID_MAX) {
        issues_add(issues, "maxLength", "booking_uid", NULL, "A booking has at most %d characters.",
                   BOOKING_UID_MAX);
    } else if (!booking_uid_is_valid(text)) {
        issues_add(issues, "format", "booking_uid", NULL,
                   "A booking consists of letters, digits, \"-\" and \"_\".");
    } else {
        memcpy(contact->booking_uid, text, strlen(text) + 1);
    }
    free(text);
}

/* Makes one space of many; other white space inside stays. */
static void collapse_spaces(char *text)
{
    char *out = text;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c != ' ' || out == text || out[-1] != ' ') {
            *out++ = *c;
        }
    }
    *out = '\0';
}

static void read_name(const json_t *body, struct contact *contact, struct issues *issues)
{
    contact->name = read_text(body, "attendee_name", true, issues);
    check_text(&contact->name, "attendee_name", issues);
    if (contact->name == NULL) {
        return;
    }
    if (utf8_length(contact->name, strlen(contact->name)) > CONTACT_NAME_MAX) {
        issues_add(issues, "maxLength", "attendee_name", NULL, "A name has at most %d characters.",
                   CONTACT_NAME_MAX);
    }
    collapse_spaces(contact->name);
}

static void read_email(const json_t *body, struct contact *contact, struct issues *issues)
{
    contact->email = read_text(body, "attendee_email", true, issues);
    check_text(&contact->email, "attendee_email", issues);
    if (contact->email != NULL && !email_is_valid(contact->email)) {
        issues_add(issues, "format", "attendee_email", NULL,
                   "This is not an e-mail address, such as name@example.com.");
    }
}

static void read_phone(const json_t *body, struct contact *contact, struct issues *issues)
{
    char *text = read_text(body, "attendee_phone", false, issues);
    check_text(&text, "attendee_phone", issues);
    if (text != NULL && !phone_normalize(text, contact->phone)) {
        issues_add(issues, "format", "attendee_phone", NULL,
                   "This is not a phone number with its country code, such as +90 532 123 45 67.");
    }
    free(text);
}

static void read_consent_version(const json_t *body, struct contact *contact, struct issues *issues)
{
    static const char field[] = "consent_version";
    char *text = read_text(body, field, false, issues);
    const size_t len = text == NULL ? 0 : strlen(text);
    if (len > CONSENT_VERSION_MAX) {
        issues_add(issues, "maxLength", field, NULL, "A version has at most %d characters.",
                   CONSENT_VERSION_MAX);
    } else if (len > 0 && strspn(text, version_characters) != len) {
        issues_add(issues, "format", field, NULL,
                   "A version consists of letters, digits, \".\", \"-\" and \"_\".");
    } else if (len > 0) {
        memcpy(contact->consent_version, text, len + 1);
    }
    free(text);
}

bool contact_read(const json_t *body, struct contact *ret_contact, struct issues *issues)
{
    *ret_contact = (struct contact){0};
    read_booking_uid(body, ret_contact, issues);
    read_name(body, ret_contact, issues);
    read_email(body, ret_contact, issues);
    read_phone(body, ret_contact, issues);
    read_consent_version(body, ret_contact, issues);
    return !issues->failed;
}

void contact_finish(struct contact *contact)
{
    free(contact->name);
    free(contact->email);
    *contact = (struct contact){0};
}
