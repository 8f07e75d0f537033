/* Scores, bands, flags and the derived age, on the definitions that ship. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/evaluate.h"
#include "intake/domain/questionnaire.h"

static struct questionnaire *load(const char *name)
{
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    struct strbuf path = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    struct err err = {0};
    strbuf_printf(&path, "%s/config/questionnaires/%s.json", root == NULL ? "." : root, name);
    if (questionnaire_load(path.data, &issues, &questionnaire, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
    issues_finish(&issues);
    strbuf_finish(&path);
    return questionnaire;
}

static void evaluate(const struct questionnaire *questionnaire, const char *flat,
                     struct evaluation *ret)
{
    json_auto_t *body = NULL;
    assert_int_equal(json_parse(flat, strlen(flat), &body, NULL), STATUS_OK);
    assert_int_equal(questionnaire_evaluate(questionnaire, body, ret, NULL), STATUS_OK);
}

static void assert_evaluates(const struct questionnaire *questionnaire, const char *flat,
                             const char *expected)
{
    struct evaluation evaluation = {0};
    struct strbuf text = {0};
    evaluate(questionnaire, flat, &evaluation);
    evaluation_print(&evaluation, &text);
    assert_string_equal(text.data, expected);
    strbuf_finish(&text);
    evaluation_finish(&evaluation);
}

/* A PHQ-9 body whose answers are the digits of `answers`; '-' leaves one out. */
static void print_phq9(const char *answers, struct strbuf *out)
{
    static const char *const items[] = {"little_interest", "feeling_down", "sleep",
                                        "energy",          "appetite",     "self_esteem",
                                        "concentration",   "movement",     "self_harm"};
    static const char *const codes[] = {"LA6568-5", "LA6569-3", "LA6570-1", "LA6571-9"};
    strbuf_putc(out, '{');
    for (size_t i = 0; i < ARRAY_LENGTH(items); i++) {
        if (answers[i] != '-') {
            strbuf_printf(out, "%s\"%s\":\"%s\"", out->len > 1 ? "," : "", items[i],
                          codes[answers[i] - '0']);
        }
    }
    strbuf_putc(out, '}');
}

static void test_phq9_bands_at_their_edges(void **state)
{
    (void)state;
    static const struct {
        const char *answers;
        double score;
        const char *band;
    } cases[] = {
        {"000000000", 0, "minimal"},
        {"310000000", 4, "minimal"},
        {"320000000", 5, "mild"},
        {"333000000", 9, "mild"},
        {"333100000", 10, "moderate"},
        {"333320000", 14, "moderate"},
        {"333330000", 15, "moderately-severe"},
        {"333333100", 19, "moderately-severe"},
        {"333333200", 20, "severe"},
        {"333333333", 27, "severe"},
    };
    struct questionnaire *questionnaire = load("phq-9");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct evaluation evaluation = {0};
        struct strbuf flat = {0};
        print_phq9(cases[i].answers, &flat);
        evaluate(questionnaire, flat.data, &evaluation);
        assert_int_equal(evaluation.scores_count, 1);
        assert_true(decimal_to_double(&evaluation.scores[0].value) == cases[i].score);
        assert_string_equal(evaluation.scores[0].band_code, cases[i].band);
        assert_int_equal(evaluation.flags_count, cases[i].answers[8] != '0');
        evaluation_finish(&evaluation);
        strbuf_finish(&flat);
    }
    questionnaire_destroy(questionnaire);
}

static void test_an_incomplete_score_has_no_band(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = load("phq-9");
    struct evaluation evaluation = {0};
    struct strbuf flat = {0};
    print_phq9("33333333-", &flat);
    evaluate(questionnaire, flat.data, &evaluation);
    assert_int_equal(evaluation.scores[0].questions, 9);
    assert_int_equal(evaluation.scores[0].answered, 8);
    assert_null(evaluation.scores[0].band_label);
    evaluation_finish(&evaluation);
    strbuf_finish(&flat);
    questionnaire_destroy(questionnaire);
}

static void test_flags_and_age_of_the_hair_transplant_form(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = load("hair-transplant");
    assert_evaluates(questionnaire, "{}", "{\"scores\":[],\"flags\":[]}");
    assert_evaluates(questionnaire, "{\"age_range\":\"36-45\",\"allergies\":\"yes\"}",
                     "{\"scores\":[],\"flags\":[{\"link_id\":\"allergies\",\"text\":"
                     "\"Reports an allergy\"}],\"derived_age\":40}");
    assert_evaluates(questionnaire, "{\"age_range\":\"12-17\",\"allergies\":[\"yes\"]}",
                     "{\"scores\":[],\"flags\":[]}");
    json_auto_t *body = json_pack("{s:s}", "age_range", "65+");
    int age = -1;
    assert_int_equal(questionnaire_derived_age(questionnaire, body, &age, NULL), STATUS_OK);
    assert_int_equal(age, 70);
    questionnaire_destroy(questionnaire);
}

static void test_flags_of_yes_and_no_questions(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = load("pre-operative-history");
    assert_evaluates(questionnaire, "{\"blood_thinners\":false}", "{\"scores\":[],\"flags\":[]}");
    assert_evaluates(
        questionnaire,
        "{\"conditions\":{\"bleeding\":{\"blood_thinners\":true}},\"has_allergies\":true,"
        "\"allergy_list\":[{\"allergy_substance\":\"latex\"},{\"allergy_substance\":"
        "\"latex\"}]}",
        "{\"scores\":[],\"flags\":[{\"link_id\":\"blood_thinners\",\"text\":"
        "\"Takes blood thinners\"},{\"link_id\":\"has_allergies\",\"text\":"
        "\"Reports an allergy\"},{\"link_id\":\"allergy_substance\",\"text\":"
        "\"Latex allergy\"}]}");
    questionnaire_destroy(questionnaire);
}

static void test_scores_per_group_without_what_is_not_enabled(void **state)
{
    (void)state;
    static const char text[] =
        "{\"resourceType\":\"Questionnaire\",\"title\":\"T\",\"status\":\"active\",\"item\":["
        "{\"linkId\":\"g\",\"text\":\"G\",\"type\":\"group\",\"extension\":[{\"url\":"
        "\"urn:intake:score-band\",\"extension\":[{\"url\":\"low\",\"valueDecimal\":0.25},{\"url\":"
        "\"high\",\"valueDecimal\":0.35},{\"url\":\"label\",\"valueString\":\"just "
        "right\"}]}],\"item\":["
        "{\"linkId\":\"a\",\"type\":\"choice\",\"repeats\":true,\"answerOption\":["
        "{\"extension\":[{\"url\":\"http://hl7.org/fhir/StructureDefinition/ordinalValue\","
        "\"valueDecimal\":0.1}],\"valueCoding\":{\"code\":\"x\"}},"
        "{\"valueCoding\":{\"code\":\"y\",\"extension\":[{\"url\":"
        "\"http://hl7.org/fhir/StructureDefinition/ordinalValue\",\"valueDecimal\":0.2}]}}]}]},"
        "{\"linkId\":\"b\",\"type\":\"choice\",\"enableWhen\":[{\"question\":\"a\",\"operator\":\"="
        "\","
        "\"answerCoding\":{\"code\":\"y\"}}],\"answerOption\":[{\"extension\":[{\"url\":"
        "\"http://hl7.org/fhir/StructureDefinition/"
        "itemWeight\",\"valueDecimal\":-1}],\"valueCoding\":"
        "{\"code\":\"x\"}}]}]}";
    struct questionnaire *questionnaire = NULL;
    struct issues issues = {0};
    assert_int_equal(questionnaire_compile(text, strlen(text), &issues, &questionnaire, NULL),
                     STATUS_OK);
    assert_evaluates(
        questionnaire, "{\"a\":[\"x\",\"y\"],\"b\":\"x\"}",
        "{\"scores\":[{\"link_id\":\"\",\"text\":\"T\",\"value\":-0.7,\"questions\":2,"
        "\"answered\":2},{\"link_id\":\"g\",\"text\":\"G\",\"value\":0.3,\"questions\":1,"
        "\"answered\":1,\"band\":{\"label\":\"just right\"}}],\"flags\":[]}");
    assert_evaluates(
        questionnaire, "{\"a\":[\"x\"],\"b\":\"x\"}",
        "{\"scores\":[{\"link_id\":\"\",\"text\":\"T\",\"value\":0.1,\"questions\":1,"
        "\"answered\":1},{\"link_id\":\"g\",\"text\":\"G\",\"value\":0.1,\"questions\":1,"
        "\"answered\":1}],\"flags\":[]}");
    questionnaire_destroy(questionnaire);
    issues_finish(&issues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_phq9_bands_at_their_edges),
        cmocka_unit_test(test_an_incomplete_score_has_no_band),
        cmocka_unit_test(test_flags_and_age_of_the_hair_transplant_form),
        cmocka_unit_test(test_flags_of_yes_and_no_questions),
        cmocka_unit_test(test_scores_per_group_without_what_is_not_enabled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
