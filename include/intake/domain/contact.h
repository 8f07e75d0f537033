/*
 * Who posts: the envelope of a submission (booking, contact and consent), checked and brought into
 * one form. What is wrong is added to the issues, each field on its own.
 */
#ifndef INTAKE_DOMAIN_CONTACT_H
#define INTAKE_DOMAIN_CONTACT_H

#include <jansson.h>
#include <stdbool.h>

struct issues;

enum {
    BOOKING_UID_MAX = 128,
    CONTACT_NAME_MAX = 200,  /* code points */
    CONTACT_EMAIL_MAX = 254, /* bytes (RFC 5321 section 4.5.3.1.3, less the brackets) */
    PHONE_SIZE = 17,         /* "+", at most 15 digits (E.164), NUL */
    CONSENT_VERSION_MAX = 32,
};

/*
 * Whether `text` has the form of Cal.com's booking UIDs: 1 to 128 letters, digits, "-" or "_".
 */
bool booking_uid_is_valid(const char *text);

/* A contact, each member owned by it and NUL-terminated; `phone` is "" when there is none. */
struct contact {
    char booking_uid[BOOKING_UID_MAX + 1];
    char *name;                                    /* trimmed, and one space for many */
    char *email;                                   /* trimmed, otherwise as posted */
    char phone[PHONE_SIZE];                        /* E.164 */
    char consent_version[CONSENT_VERSION_MAX + 1]; /* the text that was consented to; or "" */
};

/*
 * Reads booking_uid, attendee_name, attendee_email, attendee_phone and consent_version from a body.
 * Codes: required, invalidAnswerType, placeholder, format, maxLength, invalidCharacter. False when
 * memory is out. `ret_contact` is complete when no issue was added; free it with contact_finish
 * always.
 */
bool contact_read(const json_t *body, struct contact *ret_contact, struct issues *issues);
void contact_finish(struct contact *contact);

/*
 * Brings a phone number with its country code ("+90 532 123 45 67", "0049 (30) 1234567") into
 * E.164; false when it is not one.
 */
bool phone_normalize(const char *text, char ret_phone[static PHONE_SIZE]);

/* Whether `text` looks like a deliverable e-mail address: local@domain.tld. */
bool email_is_valid(const char *text);

#endif
