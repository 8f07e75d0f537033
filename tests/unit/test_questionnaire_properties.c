/*
 * Properties over random questionnaires: answers made by the rules are accepted, in both forms, and
 * when one rule is broken, that one is what is reported, and nothing else.
 *
 * A failure prints its seed; run with INTAKE_SEED=… to see it again.
 */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/questionnaire.h"
#include "property_world.h"

enum { SEEDS = 400, BREAKS_PER_SEED = 12 };

static void explain(uint64_t seed, const struct questionnaire *questionnaire,
                    const struct world *world, const struct issues *issues)
{
    print_error("seed %llu\n%s\n%s\nexpected %s %s\n", (unsigned long long)seed,
                questionnaire_text(questionnaire).data, world->body.data,
                world->expected_code == NULL ? "nothing" : world->expected_field,
                world->expected_code == NULL ? "" : world->expected_code);
    for (size_t i = 0; i < issues->count; i++) {
        print_error("found %s %s at %s\n", issues->items[i].field, issues->items[i].code,
                    issues->items[i].path);
    }
    fail();
}

static void check_flat(uint64_t seed, const struct questionnaire *questionnaire,
                       const struct world *world)
{
    json_auto_t *body = NULL;
    struct json_lexemes lexemes = {0};
    struct issues issues = {0};
    assert_int_equal(json_parse(world->body.data, world->body.len, &body, NULL), STATUS_OK);
    assert_int_equal(json_lexemes_read(world->body.data, world->body.len, body, &lexemes, NULL),
                     STATUS_OK);
    assert_int_equal(
        questionnaire_validate_flat_lexemes(questionnaire, body, &lexemes, &issues, NULL),
        STATUS_OK);
    const bool right = world->expected_code == NULL
                           ? issues.count == 0
                           : issues.count == 1 && issues_find(&issues, world->expected_field,
                                                              world->expected_code) != NULL;
    if (!right) {
        explain(seed, questionnaire, world, &issues);
    }
    issues_finish(&issues);
    if (world->expected_code == NULL) {
        const struct response_head head = {.id = "x"};
        struct strbuf text = {0};
        json_auto_t *response = NULL;
        assert_int_equal(
            questionnaire_print_response(questionnaire, body, &lexemes, &head, &text, NULL),
            STATUS_OK);
        assert_int_equal(json_parse(text.data, text.len, &response, NULL), STATUS_OK);
        assert_int_equal(
            questionnaire_validate_response(questionnaire, response, NULL, &issues, NULL),
            STATUS_OK);
        if (issues.count > 0) {
            explain(seed, questionnaire, world, &issues);
        }
        strbuf_finish(&text);
    }
    json_lexemes_finish(&lexemes);
}

static void run_seed(uint64_t seed, size_t *ret_broken)
{
    struct world *world = calloc(1, sizeof *world);
    struct strbuf definition = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    struct err err = {0};
    assert_non_null(world);
    world_make(world, seed);
    const uint64_t random = world->random;
    world_print_definition(world, &definition);
    if (questionnaire_compile(definition.data, definition.len, &issues, &questionnaire, &err) !=
        STATUS_OK) {
        fail_msg("seed %llu: %s\n%s", (unsigned long long)seed, err.message, definition.data);
    }
    world_make_body(world, random, -1);
    check_flat(seed, questionnaire, world);
    const int chances = world->chance;
    for (int i = 0; i < BREAKS_PER_SEED && i < chances; i++) {
        world_make_body(world, random, (int)((uint64_t)i * 7919 + seed) % chances);
        assert_non_null(world->expected_code);
        check_flat(seed, questionnaire, world);
        ++*ret_broken;
    }
    questionnaire_destroy(questionnaire);
    issues_finish(&issues);
    strbuf_finish(&definition);
    strbuf_finish(&world->body);
    free(world);
}

static void test_right_answers_pass_and_one_broken_rule_is_reported(void **state)
{
    (void)state;
    const char *seed = getenv("INTAKE_SEED");
    size_t broken = 0;
    if (seed != NULL) {
        run_seed(strtoull(seed, NULL, 10), &broken);
        return;
    }
    for (uint64_t i = 1; i <= SEEDS; i++) {
        run_seed(i, &broken);
    }
    assert_true(broken > SEEDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_answers_pass_and_one_broken_rule_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
