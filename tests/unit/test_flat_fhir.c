/* Between the flat form and FHIR, there and back, without loss. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/questionnaire.h"

struct document {
    char *text;
    json_t *root;
    struct json_lexemes lexemes;
};

/* Takes the text over. */
static void document_parse(struct document *document, char *text)
{
    document->text = text;
    assert_non_null(text);
    assert_int_equal(json_parse(text, strlen(text), &document->root, NULL), STATUS_OK);
    assert_int_equal(
        json_lexemes_read(text, strlen(text), document->root, &document->lexemes, NULL), STATUS_OK);
}

static void document_finish(struct document *document)
{
    json_lexemes_finish(&document->lexemes);
    json_decref(document->root);
    free(document->text);
}

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
    assert_int_equal(issues.count, 0);
    issues_finish(&issues);
    strbuf_finish(&path);
    return questionnaire;
}

static struct questionnaire *compile(const char *items)
{
    struct strbuf text = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    struct err err = {0};
    strbuf_printf(
        &text,
        "{\"resourceType\":\"Questionnaire\",\"id\":\"t\",\"url\":\"urn:t\",\"version\":\"3\","
        "\"status\":\"active\",\"item\":%s}",
        items);
    if (questionnaire_compile(text.data, text.len, &issues, &questionnaire, &err) != STATUS_OK) {
        fail_msg("%s", err.message);
    }
    issues_finish(&issues);
    strbuf_finish(&text);
    return questionnaire;
}

static const struct response_head head = {.id = "r1", .authored = "2026-01-02T03:04:05Z"};

/* Flat to FHIR (which must be valid) and back; the result must be `flat`, byte by byte. */
static void assert_round_trip(const struct questionnaire *questionnaire, const char *flat)
{
    struct document body = {0};
    struct document response = {0};
    struct issues issues = {0};
    struct strbuf text = {0};
    document_parse(&body, text_copy(flat, strlen(flat)));
    assert_int_equal(
        questionnaire_print_response(questionnaire, body.root, &body.lexemes, &head, &text, NULL),
        STATUS_OK);
    document_parse(&response, strbuf_take(&text));
    assert_int_equal(questionnaire_validate_response(questionnaire, response.root,
                                                     &response.lexemes, &issues, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < issues.count; i++) {
        fail_msg("%s: %s %s in %s", flat, issues.items[i].field, issues.items[i].code,
                 response.text);
    }
    assert_int_equal(
        questionnaire_print_flat(questionnaire, response.root, &response.lexemes, &text, NULL),
        STATUS_OK);
    assert_string_equal(text.data, flat);
    strbuf_finish(&text);
    issues_finish(&issues);
    document_finish(&body);
    document_finish(&response);
}

static void test_every_type_survives(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = compile(
        "[{\"linkId\":\"b\",\"type\":\"boolean\"},{\"linkId\":\"d\",\"type\":\"decimal\"},"
        "{\"linkId\":\"i\",\"type\":\"integer\"},{\"linkId\":\"day\",\"type\":\"date\"},"
        "{\"linkId\":\"dt\",\"type\":\"dateTime\"},{\"linkId\":\"t\",\"type\":\"time\"},"
        "{\"linkId\":\"s\",\"type\":\"string\"},{\"linkId\":\"x\",\"type\":\"text\"},"
        "{\"linkId\":\"u\",\"type\":\"url\"},{\"linkId\":\"c\",\"type\":\"choice\",\"repeats\":"
        "true,"
        "\"answerOption\":[{\"valueCoding\":{\"system\":\"urn:x\",\"code\":\"a\",\"display\":\"A\"}"
        "},"
        "{\"valueCoding\":{\"system\":\"urn:x\",\"code\":\"b\"}}]},"
        "{\"linkId\":\"o\",\"type\":\"open-choice\",\"repeats\":true,\"answerOption\":[{"
        "\"valueCoding\":"
        "{\"system\":\"urn:x\",\"code\":\"a\"}}]},{\"linkId\":\"free\",\"type\":\"choice\"},"
        "{\"linkId\":\"f\",\"type\":\"attachment\"},"
        "{\"linkId\":\"r\",\"type\":\"reference\",\"repeats\":true},"
        "{\"linkId\":\"q\",\"type\":\"quantity\",\"repeats\":true},"
        "{\"linkId\":\"qu\",\"type\":\"quantity\",\"repeats\":true,\"extension\":[{\"url\":"
        "\"http://hl7.org/fhir/StructureDefinition/"
        "questionnaire-unit\",\"valueCoding\":{\"system\":"
        "\"http://unitsofmeasure.org\",\"code\":\"h\",\"display\":\"hours\"}}]}]");
    static const char *const bodies[] = {
        "{\"questionnaire\":\"t\"}",
        "{\"booking_uid\":\"b-1\",\"attendee_name\":\"Ay\xc5\x9f"
        "e \\\"Y\\\"\",\"attendee_email\":\"a@b.c\","
        "\"attendee_phone\":\"+905321234567\",\"questionnaire\":\"t\",\"b\":false}",
        "{\"questionnaire\":\"t\",\"b\":true,\"d\":1.50,\"i\":0,\"day\":\"2024-02\",\"dt\":"
        "\"2024-02-29T10:00:00.0+01:00\",\"t\":\"10:00:00\",\"s\":\" a \",\"x\":\"two\\nlines\","
        "\"u\":\"urn:x:y\"}",
        "{\"questionnaire\":\"t\",\"d\":123456789012345678.90}",
        "{\"questionnaire\":\"t\",\"c\":[\"b\",\"a\"],\"o\":[\"a\",\"mine\",{\"text\":\"a\"}]}",
        "{\"questionnaire\":\"t\",\"free\":\"code\"}",
        "{\"questionnaire\":\"t\",\"free\":{\"system\":\"urn:y\",\"code\":\"code\",\"display\":"
        "\"D\"}}",
        "{\"questionnaire\":\"t\",\"f\":{\"contentType\":\"text/"
        "plain\",\"data\":\"YWJj\",\"title\":"
        "\"x.txt\",\"size\":3}}",
        "{\"questionnaire\":\"t\",\"r\":[\"Patient/1\",{\"reference\":\"Patient/2\",\"display\":"
        "\"Jo\"}]}",
        "{\"questionnaire\":\"t\",\"q\":[5.10,{\"value\":1.0,\"unit\":\"kg\"},{\"value\":2,"
        "\"comparator\":\"<\",\"system\":\"http://unitsofmeasure.org\",\"code\":\"g\"}],\"qu\":[8,"
        "{\"value\":8},{\"value\":480,\"code\":\"min\"}]}",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bodies); i++) {
        assert_round_trip(questionnaire, bodies[i]);
    }
    questionnaire_destroy(questionnaire);
}

static void test_levels_survive(void **state)
{
    (void)state;
    struct questionnaire *questionnaire =
        compile("[{\"linkId\":\"section\",\"type\":\"group\",\"item\":[{\"linkId\":\"a\",\"type\":"
                "\"string\"},"
                "{\"linkId\":\"inner\",\"type\":\"group\",\"item\":[{\"linkId\":\"b\",\"type\":"
                "\"string\"}]}]},"
                "{\"linkId\":\"many\",\"type\":\"group\",\"repeats\":true,\"item\":[{\"linkId\":"
                "\"c\",\"type\":"
                "\"string\"},{\"linkId\":\"deep\",\"type\":\"group\",\"repeats\":true,\"item\":[{"
                "\"linkId\":"
                "\"d\",\"type\":\"integer\"}]}]},"
                "{\"linkId\":\"y\",\"type\":\"boolean\",\"item\":[{\"linkId\":\"why\",\"type\":"
                "\"string\"}]},"
                "{\"linkId\":\"m\",\"type\":\"string\",\"repeats\":true,\"item\":[{\"linkId\":"
                "\"note\",\"type\":"
                "\"string\"}]}]");
    assert_round_trip(
        questionnaire,
        "{\"questionnaire\":\"t\",\"a\":\"1\",\"inner\":{\"b\":\"2\"},\"many\":[{\"c\":"
        "\"3\"},{\"c\":\"4\",\"deep\":[{\"d\":5},{\"d\":6}]}],\"y\":true,\"why\":\"7\","
        "\"m\":[\"8\",{\"answer\":\"9\",\"note\":\"10\"}]}");
    questionnaire_destroy(questionnaire);
}

static void test_the_hair_transplant_form_survives(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = load("hair-transplant");
    assert_round_trip(
        questionnaire,
        "{\"booking_uid\":\"bFJeNb2uX8ANpT3JL5EfXw\",\"attendee_name\":\"Maria Gonzalez\","
        "\"attendee_email\":\"maria.gonzalez@example.com\",\"questionnaire\":\"hair-transplant\","
        "\"age_range\":\"36-45\",\"current_medications\":\"yes\",\"current_medications_details\":"
        "\"Finasteride 1 mg daily since "
        "2021\",\"allergies\":\"none\",\"hair_loss_pattern\":[\"crown\","
        "\"hairline\"],\"previous_treatments\":[\"minoxidil\",\"prp\"]}");
    questionnaire_destroy(questionnaire);
}

static void test_the_response_says_what_it_is(void **state)
{
    (void)state;
    struct questionnaire *questionnaire =
        compile("[{\"linkId\":\"c\",\"text\":\"Which?\",\"type\":\"choice\",\"answerOption\":[{"
                "\"valueCoding\":"
                "{\"system\":\"urn:x\",\"code\":\"a\",\"display\":\"The first\"}}]}]");
    static const char flat[] = "{\"booking_uid\":\" b1\\t\",\"attendee_name\":\"Jo\",\"c\":\"a\"}";
    static const char expected[] =
        "{\"resourceType\":\"QuestionnaireResponse\",\"id\":\"r1\",\"meta\":{\"versionId\":\"2\","
        "\"lastUpdated\":\"2026-01-02T03:04:05Z\"},\"contained\":[{\"resourceType\":\"Patient\","
        "\"id\":"
        "\"patient\",\"name\":[{\"text\":\"Jo\"}]}],\"identifier\":{\"system\":\"urn:intake:"
        "booking-uid\","
        "\"value\":\"b1\"},\"questionnaire\":\"urn:t|3\",\"status\":\"amended\",\"subject\":{"
        "\"reference\":\"#patient\"},\"authored\":\"2026-01-02\",\"item\":[{\"linkId\":\"c\","
        "\"text\":"
        "\"Which?\",\"answer\":[{\"valueCoding\":{\"system\":\"urn:x\",\"code\":\"a\",\"display\":"
        "\"The first\"}}]}]}";
    const struct response_head full = {.id = "r1",
                                       .version_id = "2",
                                       .last_updated = "2026-01-02T03:04:05Z",
                                       .status = "amended",
                                       .authored = "2026-01-02"};
    struct document body = {0};
    struct strbuf text = {0};
    document_parse(&body, text_copy(flat, strlen(flat)));
    assert_int_equal(
        questionnaire_print_response(questionnaire, body.root, NULL, &full, &text, NULL),
        STATUS_OK);
    assert_string_equal(text.data, expected);
    strbuf_finish(&text);
    document_finish(&body);
    questionnaire_destroy(questionnaire);
}

static void test_a_patient_of_another_system(void **state)
{
    (void)state;
    struct questionnaire *questionnaire = compile("[{\"linkId\":\"s\",\"type\":\"string\"}]");
    static const char response[] =
        "{\"resourceType\":\"QuestionnaireResponse\",\"status\":\"completed\",\"contained\":[{"
        "\"resourceType\":\"Patient\",\"id\":\"other\",\"name\":[{\"text\":\"Not me\"}]},{"
        "\"resourceType\":\"Patient\",\"id\":\"p\",\"name\":[{\"given\":[\"Anna\",\"Lena\"],"
        "\"family\":"
        "\"Gro\xc3\x9f\"}],\"telecom\":[{\"system\":\"phone\",\"value\":\"+491\"},{\"system\":"
        "\"email\","
        "\"value\":\"a@b.de\"}]}],\"subject\":{\"reference\":\"#p\"},\"identifier\":{\"value\":"
        "\"b9\"}}";
    struct document document = {0};
    struct strbuf text = {0};
    document_parse(&document, text_copy(response, strlen(response)));
    assert_int_equal(questionnaire_print_flat(questionnaire, document.root, NULL, &text, NULL),
                     STATUS_OK);
    assert_string_equal(text.data,
                        "{\"booking_uid\":\"b9\",\"attendee_name\":\"Anna Lena Gro\xc3\x9f\","
                        "\"attendee_email\":\"a@b.de\",\"attendee_phone\":\"+491\","
                        "\"questionnaire\":\"t\"}");
    strbuf_finish(&text);
    document_finish(&document);
    questionnaire_destroy(questionnaire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_survives),
        cmocka_unit_test(test_levels_survive),
        cmocka_unit_test(test_the_hair_transplant_form_survives),
        cmocka_unit_test(test_the_response_says_what_it_is),
        cmocka_unit_test(test_a_patient_of_another_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
