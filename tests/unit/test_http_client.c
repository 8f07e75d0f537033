/* Who is asking (X-Forwarded-For), how often (rate limit), and from which page (CORS). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "intake/core/cleanup.h"
#include "intake/http/client_address.h"
#include "intake/http/rate_limit.h"
#include "intake/http/settings.h"

static struct client_address address(const char *text)
{
    struct client_address result;
    if (!client_address_parse(text, strlen(text), &result)) {
        fail_msg("not an address: %s", text);
    }
    return result;
}

static bool same(struct client_address a, const char *text)
{
    const struct client_address b = address(text);
    return memcmp(&a, &b, sizeof a) == 0;
}

static void test_addresses_are_read_with_and_without_port(void **state)
{
    (void)state;
    assert_true(same(address(" 192.0.2.1 "), "::ffff:192.0.2.1"));
    assert_true(same(address("192.0.2.1:8080"), "192.0.2.1"));
    assert_true(same(address("[2001:db8::1]:443"), "2001:db8::1"));
    assert_true(same(address("[2001:db8::1]"), "2001:DB8:0::1"));
    static const char *const bad[] = {"",       "unknown",         "192.0.2", "192.0.2.256", "[::1",
                                      "[::1]x", "1.2.3.4,5.6.7.8", "_secret", "::1::"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct client_address result;
        assert_false(client_address_parse(bad[i], strlen(bad[i]), &result));
    }
}

static void test_a_list_has_addresses_and_networks(void **state)
{
    (void)state;
    struct address_list list = {0};
    assert_int_equal(address_list_parse("192.0.2.7, 10.0.0.0/9,2001:db8::/33,", &list, NULL),
                     STATUS_OK);
    static const struct {
        const char *address;
        bool in;
    } cases[] = {
        {"192.0.2.7", true},        {"192.0.2.6", false},
        {"10.127.255.255", true},   {"10.128.0.0", false},
        {"2001:db8:7fff::1", true}, {"2001:db8:8000::1", false},
        {"::ffff:10.1.1.1", true},  {"::1", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct client_address one = address(cases[i].address);
        assert_int_equal(address_list_has(&list, &one), cases[i].in);
    }
    address_list_finish(&list);
}

static void test_a_bad_list_is_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"proxy.example", "10.0.0.0/33", "::/129", "10.0.0.0/",
                                      "10/8"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct address_list list = {0};
        struct err err = {0};
        assert_int_equal(address_list_parse(bad[i], &list, &err), STATUS_INVALID);
        assert_non_null(strstr(err.message, bad[i]));
        assert_null(list.networks);
    }
}

static void test_only_trusted_proxies_are_believed(void **state)
{
    (void)state;
    static const struct {
        const char *peer;
        const char *values[3];
        const char *client;
    } cases[] = {
        {"198.51.100.1", {"203.0.113.9"}, "198.51.100.1"},
        {"10.0.0.1", {NULL}, "10.0.0.1"},
        {"10.0.0.1", {"203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"1.1.1.1, 203.0.113.9"}, "203.0.113.9"}, /* the left one is hearsay */
        {"10.0.0.1", {"203.0.113.9, 10.0.0.2"}, "203.0.113.9"},
        {"10.0.0.1", {"203.0.113.9", "10.0.0.2,10.0.0.3"}, "203.0.113.9"},
        {"10.0.0.1", {"1.1.1.1", "203.0.113.9"}, "203.0.113.9"},
        {"10.0.0.1", {"1.1.1.1, unknown"}, "10.0.0.1"},
        {"10.0.0.1", {"unknown, 10.0.0.2"}, "10.0.0.2"},
        {"10.0.0.1", {"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
        {"10.0.0.1", {""}, "10.0.0.1"},
        {"10.0.0.1", {"203.0.113.9,"}, "10.0.0.1"},
        {"10.0.0.1", {"[2001:db8::5]:99"}, "2001:db8::5"},
    };
    struct address_list trusted = {0};
    assert_int_equal(address_list_parse("10.0.0.0/8", &trusted, NULL), STATUS_OK);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct view values[3];
        size_t count = 0;
        for (; count < 3 && cases[i].values[count] != NULL; count++) {
            values[count] = (struct view){cases[i].values[count], strlen(cases[i].values[count])};
        }
        const struct client_address peer = address(cases[i].peer);
        if (!same(client_address_forwarded(&trusted, &peer, values, count), cases[i].client)) {
            fail_msg("case %zu", i);
        }
    }
    address_list_finish(&trusted);
}

enum { SECOND_US = 1000000 };

static void test_a_burst_passes_and_then_the_rate_counts(void **state)
{
    (void)state;
    struct rate_limit *limit = rate_limit_create(2, 1, 5);
    const struct client_address client = address("192.0.2.1");
    const struct client_address other = address("192.0.2.2");
    int64_t now_us = 1000 * (int64_t)SECOND_US;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rate_limit_take(limit, &client, now_us), 0);
    }
    assert_int_equal(rate_limit_take(limit, &client, now_us), 1);
    assert_int_equal(rate_limit_take(limit, &other, now_us), 0);
    now_us += SECOND_US / 2 - 1;
    assert_int_equal(rate_limit_take(limit, &client, now_us), 1);
    now_us += 1;
    assert_int_equal(rate_limit_take(limit, &client, now_us), 0);
    assert_int_equal(rate_limit_take(limit, &client, now_us), 1);
    now_us += 100 * (int64_t)SECOND_US;
    for (int i = 0; i < 5; i++) {
        assert_int_equal(rate_limit_take(limit, &client, now_us), 0);
    }
    assert_int_equal(rate_limit_take(limit, &client, now_us), 1);
    rate_limit_destroy(limit);
}

static void test_a_v6_customer_is_one_client(void **state)
{
    (void)state;
    struct rate_limit *limit = rate_limit_create(1, 1, 1);
    const struct client_address one = address("2001:db8:1:2::1");
    const struct client_address two = address("2001:db8:1:2:ffff::2");
    const struct client_address neighbour = address("2001:db8:1:3::1");
    assert_int_equal(rate_limit_take(limit, &one, SECOND_US), 0);
    assert_int_equal(rate_limit_take(limit, &two, SECOND_US), 1);
    assert_int_equal(rate_limit_take(limit, &neighbour, SECOND_US), 0);
    rate_limit_destroy(limit);
}

static void test_the_rate_can_change_and_be_switched_off(void **state)
{
    (void)state;
    struct rate_limit *limit = rate_limit_create(0, 1, 1);
    const struct client_address client = address("192.0.2.1");
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(rate_limit_take(limit, &client, SECOND_US), 0);
    }
    rate_limit_set(limit, 1, 1, 2);
    assert_int_equal(rate_limit_take(limit, &client, SECOND_US), 0);
    assert_int_equal(rate_limit_take(limit, &client, SECOND_US), 0);
    assert_int_equal(rate_limit_take(limit, &client, SECOND_US), 1);
    rate_limit_destroy(limit);
}

static void test_more_clients_than_fit_are_served(void **state)
{
    (void)state;
    struct rate_limit *limit = rate_limit_create(1, 1, 1);
    for (unsigned i = 0; i < 100000; i++) {
        char text[32];
        snprintf(text, sizeof text, "10.%u.%u.%u", i >> 16, (i >> 8) & 255, i & 255);
        const struct client_address client = address(text);
        assert_int_equal(rate_limit_take(limit, &client, SECOND_US), 0);
    }
    rate_limit_destroy(limit);
}

static enum status parse_settings(const char *proxies, const char *origins,
                                  struct http_settings *settings, struct err *err)
{
    char proxies_copy[128];
    char origins_copy[128];
    snprintf(proxies_copy, sizeof proxies_copy, "%s", proxies);
    snprintf(origins_copy, sizeof origins_copy, "%s", origins);
    const struct config config = {
        .http = {.trusted_proxies = proxies_copy, .cors_origins = origins_copy}};
    return http_settings_parse(&config, settings, err);
}

static bool allows(const struct http_settings *settings, const char *origin)
{
    return http_settings_allow_origin(settings, (struct view){origin, strlen(origin)});
}

static void test_listed_origins_are_allowed(void **state)
{
    (void)state;
    struct http_settings settings;
    assert_int_equal(
        parse_settings("", "https://a.example, http://localhost:3000", &settings, NULL), STATUS_OK);
    assert_true(allows(&settings, "https://a.example"));
    assert_true(allows(&settings, "http://localhost:3000"));
    assert_false(allows(&settings, "https://a.example.evil"));
    assert_false(allows(&settings, "http://a.example"));
    assert_false(allows(&settings, "null"));
    assert_false(allows(&settings, ""));
    http_settings_finish(&settings);
    assert_int_equal(parse_settings("", "*", &settings, NULL), STATUS_OK);
    assert_true(allows(&settings, "https://anything.example"));
    http_settings_finish(&settings);
}

static void test_a_bad_setting_names_its_key(void **state)
{
    (void)state;
    struct http_settings settings;
    struct err err = {0};
    assert_int_equal(parse_settings("", "https://a.example/", &settings, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "cors_origins"));
    assert_int_equal(parse_settings("", "a.example", &settings, &err), STATUS_INVALID);
    assert_int_equal(parse_settings("here", "", &settings, &err), STATUS_INVALID);
    assert_non_null(strstr(err.message, "trusted_proxies"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_are_read_with_and_without_port),
        cmocka_unit_test(test_a_list_has_addresses_and_networks),
        cmocka_unit_test(test_a_bad_list_is_named),
        cmocka_unit_test(test_only_trusted_proxies_are_believed),
        cmocka_unit_test(test_a_burst_passes_and_then_the_rate_counts),
        cmocka_unit_test(test_a_v6_customer_is_one_client),
        cmocka_unit_test(test_the_rate_can_change_and_be_switched_off),
        cmocka_unit_test(test_more_clients_than_fit_are_served),
        cmocka_unit_test(test_listed_origins_are_allowed),
        cmocka_unit_test(test_a_bad_setting_names_its_key),
    };
    return cmocka_run_group_tests_name("http client", tests, NULL, NULL);
}
