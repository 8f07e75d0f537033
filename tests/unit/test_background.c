/* Merging answers into a medical background: who may change what. */
#include "cmocka_all.h"

#include "intake/core/cleanup.h"
#include "intake/domain/background.h"

static json_t *load(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);
    assert_non_null(value);
    return value;
}

static const struct {
    const char *name;
    const char *data;
    const char *sources;
    const char *answers; /* of booking b1 */
    const char *set;
    const char *removed;
    const char *contradictions;
} cases[] = {
    {"an empty background takes everything", "{}", "{}", "{\"allergies\":\"none\",\"age\":\"x\"}",
     "{\"allergies\":\"none\",\"age\":\"x\"}", "{}", "[]"},
    {"null and blank are empty", "{\"a\":null,\"b\":\" \",\"c\":[]}", "{}",
     "{\"a\":\"1\",\"b\":\"2\",\"c\":[\"3\"]}", "{\"a\":\"1\",\"b\":\"2\",\"c\":[\"3\"]}", "{}",
     "[]"},
    {"the same value changes nothing", "{\"a\":\"none\"}", "{}", "{\"a\":\"none\"}", "{}", "{}",
     "[]"},
    {"another source's value stays and is flagged", "{\"a\":\"none\"}", "{}", "{\"a\":\"yes\"}",
     "{}", "{}", "[{\"field\":\"a\",\"stored\":\"none\",\"posted\":\"yes\"}]"},
    {"another booking's value stays and is flagged", "{\"a\":\"none\"}",
     "{\"b2\":{\"a\":\"none\"}}", "{\"a\":\"yes\"}", "{}", "{}",
     "[{\"field\":\"a\",\"stored\":\"none\",\"posted\":\"yes\"}]"},
    {"its own value changes", "{\"a\":\"none\"}", "{\"b1\":{\"a\":\"none\"}}", "{\"a\":\"yes\"}",
     "{\"a\":\"yes\"}", "{}", "[]"},
    {"its own value that somebody changed since is theirs", "{\"a\":\"maybe\"}",
     "{\"b1\":{\"a\":\"none\"}}", "{\"a\":\"yes\"}", "{}", "{}",
     "[{\"field\":\"a\",\"stored\":\"maybe\",\"posted\":\"yes\"}]"},
    {"what it does not answer any more goes", "{\"a\":\"yes\",\"a_details\":\"nuts\"}",
     "{\"b1\":{\"a\":\"yes\",\"a_details\":\"nuts\"}}", "{\"a\":\"none\"}", "{\"a\":\"none\"}",
     "{\"a_details\":true}", "[]"},
    {"what others wrote does not go", "{\"b\":\"yes\"}", "{}", "{\"a\":\"none\"}",
     "{\"a\":\"none\"}", "{}", "[]"},
};

static void test_cases(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct background background;
        json_auto_t *answers = load(cases[i].answers);
        json_auto_t *contradictions = json_array();
        json_auto_t *set = load(cases[i].set);
        json_auto_t *removed = load(cases[i].removed);
        json_auto_t *expected = load(cases[i].contradictions);
        assert_int_equal(
            background_init(&background, load(cases[i].data), load(cases[i].sources), NULL),
            STATUS_OK);
        assert_int_equal(background_merge(&background, "b1", answers, contradictions, NULL),
                         STATUS_OK);
        if (!json_equal(background.set, set) || !json_equal(background.removed, removed) ||
            !json_equal(contradictions, expected)) {
            fail_msg("%s", cases[i].name);
        }
        background_finish(&background);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
