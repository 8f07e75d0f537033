/* The envelope of a submission: what is accepted, what is refused, and with which code. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/contact.h"
#include "intake/domain/issue.h"

static void test_phone_becomes_e164(void **state)
{
    (void)state;
    static const struct {
        const char *posted;
        const char *stored; /* NULL: refused */
    } cases[] = {
        {"+1-555-123-4567", "+15551234567"},
        {"+90 532 123 45 67", "+905321234567"},
        {"0049 (30) 1234567", "+49301234567"},
        {"+44.20.7946.0958", "+442079460958"},
        {"call me", NULL},
        {"05321234567", NULL},
        {"+0532123456", NULL},
        {"+12345", NULL},
        {"+1234567890123456", NULL},
        {"+90 532 123 45 67 ext 3", NULL},
        {"++905321234567", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char phone[PHONE_SIZE] = "";
        assert_int_equal(phone_normalize(cases[i].posted, phone), cases[i].stored != NULL);
        assert_string_equal(phone, cases[i].stored != NULL ? cases[i].stored : "");
    }
}

static void test_email_form(void **state)
{
    (void)state;
    static const char *const good[] = {
        "a@example.com",         "zoe+hair@example.co.uk",  "o'brien@mail.example.org",
        "Anna.Gross@Example.DE", "x@xn--bcher-kva.example", "ü@bücher.example",
    };
    static const char *const bad[] = {
        "maria at example.com",
        "@example.com",
        "a@",
        "a@example",
        "a@@example.com",
        "a b@example.com",
        "a@exa mple.com",
        "a@.example.com",
        "a@example..com",
        ".a@example.com",
        "a.@example.com",
        "a..b@example.com",
        "a@-example.com",
        "a@example.com-",
        "a@example.c",
        "a@example.com, b@example.com",
        "<a@example.com>",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        assert_true(email_is_valid(good[i]));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        assert_false(email_is_valid(bad[i]));
    }
}

static void test_booking_uid_form(void **state)
{
    (void)state;
    char longest[BOOKING_UID_MAX + 2];
    memset(longest, 'a', sizeof longest);
    longest[BOOKING_UID_MAX] = '\0';
    assert_true(booking_uid_is_valid(longest));
    longest[BOOKING_UID_MAX] = 'a';
    longest[BOOKING_UID_MAX + 1] = '\0';
    assert_false(booking_uid_is_valid(longest));
    assert_true(booking_uid_is_valid("bFJeNb2uX8ANpT3JL5EfXw"));
    assert_true(booking_uid_is_valid("a-b_C9"));
    assert_false(booking_uid_is_valid(""));
    assert_false(booking_uid_is_valid("a b"));
    assert_false(booking_uid_is_valid("a/b"));
    assert_false(booking_uid_is_valid("\xc3\xa9"));
}

/* The code of the first issue of `field` in that body; "" when there is none. */
static const char *code_of(const char *body, const char *field)
{
    static char code[64];
    json_auto_t *root = NULL;
    assert_int_equal(json_parse(body, strlen(body), &root, NULL), STATUS_OK);
    AUTO(contact_finish) struct contact contact = {0};
    AUTO(issues_finish) struct issues issues = {0};
    assert_true(contact_read(root, &contact, &issues));
    const struct issue *issue = issues_find(&issues, field, NULL);
    strcpy(code, issue != NULL ? issue->code : "");
    return code;
}

static void test_codes_of_the_envelope(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *field;
        const char *code;
    } cases[] = {
        {"{}", "booking_uid", "required"},
        {"{\"booking_uid\":null}", "booking_uid", "required"},
        {"{\"booking_uid\":\"  \"}", "booking_uid", "required"},
        {"{\"booking_uid\":7}", "booking_uid", "invalidAnswerType"},
        {"{\"booking_uid\":\"{bookingUid}\"}", "booking_uid", "placeholder"},
        {"{\"booking_uid\":\"[bookingUid]\"}", "booking_uid", "placeholder"},
        {"{\"booking_uid\":\"%7BbookingUid%7D\"}", "booking_uid", "placeholder"},
        {"{\"booking_uid\":\"a b\"}", "booking_uid", "format"},
        {"{\"booking_uid\":\"ab\"}", "booking_uid", ""},
        {"{}", "attendee_name", "required"},
        {"{\"attendee_name\":\"{attendee.name}\"}", "attendee_name", "placeholder"},
        {"{\"attendee_name\":\"[Name]\"}", "attendee_name", "placeholder"},
        {"{\"attendee_name\":\"A\\u0000B\"}", "attendee_name", "invalidCharacter"},
        {"{\"attendee_name\":\"A\\nB\"}", "attendee_name", "invalidCharacter"},
        {"{\"attendee_name\":\"John [Jack] Doe\"}", "attendee_name", ""},
        {"{\"attendee_name\":\"<b>Jane</b>\"}", "attendee_name", ""},
        {"{\"attendee_name\":\"<name>\"}", "attendee_name", "placeholder"},
        {"{\"attendee_email\":\"maria at example.com\"}", "attendee_email", "format"},
        {"{\"attendee_phone\":\"call me\"}", "attendee_phone", "format"},
        {"{\"attendee_phone\":\"\"}", "attendee_phone", ""},
        {"{\"attendee_phone\":null}", "attendee_phone", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        assert_string_equal(code_of(cases[i].body, cases[i].field), cases[i].code);
    }
}

static void test_contact_is_brought_into_one_form(void **state)
{
    (void)state;
    const char *body = "{\"booking_uid\":\" b1 \",\"attendee_name\":\"  Anna-Lena  Gro\xc3\x9f \","
                       "\"attendee_email\":\" Anna.Gross@Example.DE\",\"attendee_phone\":\"\"}";
    json_auto_t *root = NULL;
    assert_int_equal(json_parse(body, strlen(body), &root, NULL), STATUS_OK);
    AUTO(contact_finish) struct contact contact = {0};
    AUTO(issues_finish) struct issues issues = {0};
    assert_true(contact_read(root, &contact, &issues));
    assert_int_equal(issues.count, 0);
    assert_string_equal(contact.booking_uid, "b1");
    assert_string_equal(contact.name, "Anna-Lena Gro\xc3\x9f");
    assert_string_equal(contact.email, "Anna.Gross@Example.DE");
    assert_string_equal(contact.phone, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phone_becomes_e164),
        cmocka_unit_test(test_email_form),
        cmocka_unit_test(test_booking_uid_form),
        cmocka_unit_test(test_codes_of_the_envelope),
        cmocka_unit_test(test_contact_is_brought_into_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
