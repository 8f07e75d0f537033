/* The links to bookings: what a token is good for, and nothing else. */
#include "cmocka_all.h"

#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/domain/link.h"

static const char secret[] = "0123456789abcdef0123456789abcdef";
static const int64_t expiry_s = 1800000000;

static enum status check(const char *booking_uid, const char *token, int64_t now_s)
{
    struct err err = {0};
    int64_t until_s = 0;
    const enum status status = link_check_token(secret, booking_uid, token, now_s, &until_s, &err);
    assert_true(status == STATUS_OK ? until_s == expiry_s : *err.message != '\0' && until_s == 0);
    return status;
}

/* Computed with another program: printf | openssl dgst -sha256 -mac HMAC, basenc --base64url. */
static void test_token_is_the_hmac_of_expiry_and_booking(void **state)
{
    (void)state;
    char token[LINK_TOKEN_SIZE];
    link_print_token(secret, "bk_1", expiry_s, token);
    assert_string_equal(token, "1800000000.ecg7ct3nZCb8iub6tn_m_9AYLslw6TgeM-f5ky9Xuwk");
}

static void test_token_is_good_for_its_booking_until_it_expires(void **state)
{
    (void)state;
    char token[LINK_TOKEN_SIZE];
    link_print_token(secret, "bk_1", expiry_s, token);
    assert_int_equal(check("bk_1", token, 0), STATUS_OK);
    assert_int_equal(check("bk_1", token, expiry_s - 1), STATUS_OK);
    assert_int_equal(check("bk_1", token, expiry_s), STATUS_DENIED);
    assert_int_equal(check("bk_2", token, 0), STATUS_DENIED);
    assert_int_equal(check("", token, 0), STATUS_DENIED);
    int64_t until_s = 0;
    assert_int_equal(
        link_check_token("another secret, which is long enough", "bk_1", token, 0, &until_s, NULL),
        STATUS_DENIED);
}

static void test_no_changed_token_is_good(void **state)
{
    (void)state;
    char token[LINK_TOKEN_SIZE];
    link_print_token(secret, "bk_1", expiry_s, token);
    const size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char changed[LINK_TOKEN_SIZE];
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == '1' ? '2' : '1';
        assert_int_equal(check("bk_1", changed, 0), STATUS_DENIED);
        memcpy(changed, token, sizeof changed);
        changed[i] = '\0';
        assert_int_equal(check("bk_1", changed, 0), STATUS_DENIED);
    }
}

static void test_what_is_no_token_is_not_good(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        ".",
        "1",
        "1800000000",
        "1800000000.",
        "-1.x",
        "99999999999999999999999999.x",
        "9223372036854775807.x",
        "18000000000000000000.x",
        "\xff",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        assert_int_equal(check("bk_1", texts[i], 0), STATUS_DENIED);
    }
    char token[LINK_TOKEN_SIZE] = {0};
    char longer[LINK_TOKEN_SIZE + 2] = "0";
    link_print_token(secret, "bk_1", expiry_s, token);
    memcpy(longer + 1, token, sizeof token);
    assert_int_equal(check("bk_1", longer, 0), STATUS_DENIED);
    memcpy(longer, token, sizeof token);
    longer[strlen(token)] = '=';
    assert_int_equal(check("bk_1", longer, 0), STATUS_DENIED);
}

static void test_link_is_the_address_of_the_questionnaire(void **state)
{
    (void)state;
    AUTO(strbuf_finish) struct strbuf link = {0};
    link_print("https://intake.example.org/", "bk_1", "1.x", &link);
    assert_string_equal(link.data, "https://intake.example.org/q/bk_1?t=1.x");
}

static void test_settings(void **state)
{
    (void)state;
    static const char url[] = "https://intake.example.org";
    assert_int_equal(link_check_settings(secret, url, true, NULL), STATUS_OK);
    assert_int_equal(link_check_settings("", url, false, NULL), STATUS_OK);
    assert_int_equal(link_check_settings("", url, true, NULL), STATUS_INVALID);
    assert_int_equal(link_check_settings(secret + 1, url, false, NULL), STATUS_INVALID);
    assert_int_equal(link_check_settings(secret, "intake.example.org", false, NULL),
                     STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_is_the_hmac_of_expiry_and_booking),
        cmocka_unit_test(test_token_is_good_for_its_booking_until_it_expires),
        cmocka_unit_test(test_no_changed_token_is_good),
        cmocka_unit_test(test_what_is_no_token_is_not_good),
        cmocka_unit_test(test_link_is_the_address_of_the_questionnaire),
        cmocka_unit_test(test_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
