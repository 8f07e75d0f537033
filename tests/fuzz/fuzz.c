/* What the harnesses share. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/text.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"

void fuzz_assert(bool holds, const char *what, const char *text)
{
    if (!holds) {
        fprintf(stderr, "%s: %s\n", what, text);
        abort();
    }
}

void document_parse(struct document *document, char *text, size_t len)
{
    struct err err = {0};
    *document = (struct document){.text = text, .len = len};
    fuzz_assert(json_parse(text, len, &document->root, &err) == STATUS_OK, err.message, text);
    fuzz_assert(json_lexemes_read(text, len, document->root, &document->lexemes, &err) == STATUS_OK,
                err.message, text);
}

void document_finish(struct document *document)
{
    json_lexemes_finish(&document->lexemes);
    json_decref(document->root);
    free(document->text);
}

/* The case's questionnaire, or one made of its items. */
static struct questionnaire *compile(const struct document *document)
{
    const json_t *whole = json_object_get(document->root, "questionnaire");
    const json_t *items = json_object_get(document->root, "items");
    struct strbuf text = {0};
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    if (json_is_object(whole)) {
        json_print(whole, &document->lexemes, &text);
    } else if (json_is_array(items)) {
        strbuf_puts(&text, "{\"resourceType\":\"Questionnaire\",\"status\":\"active\",\"item\":");
        json_print(items, &document->lexemes, &text);
        strbuf_putc(&text, '}');
    }
    if (text.len > 0) {
        (void)questionnaire_compile(text.data, text.len, &issues, &questionnaire, NULL);
    }
    strbuf_finish(&text);
    issues_finish(&issues);
    return questionnaire;
}

bool fuzz_case_read(struct fuzz_case *ret, const uint8_t *data, size_t size)
{
    json_t *root = NULL;
    if (json_parse((const char *)data, size, &root, NULL) != STATUS_OK) {
        return false;
    }
    json_decref(root);
    document_parse(&ret->document, text_copy((const char *)data, size), size);
    ret->questionnaire = compile(&ret->document);
    return true;
}

void fuzz_case_finish(struct fuzz_case *fuzz_case)
{
    questionnaire_destroy(fuzz_case->questionnaire);
    document_finish(&fuzz_case->document);
}

static void assert_none(struct issues *issues, const struct document *document)
{
    if (!issues_are_none(issues)) {
        fuzz_assert(false, issues->items[0].code, document->text);
    }
    issues_finish(issues);
}

void fuzz_assert_valid_flat(const struct questionnaire *questionnaire, const struct document *body)
{
    struct issues issues = {0};
    (void)questionnaire_validate_flat_lexemes(questionnaire, body->root, &body->lexemes, &issues,
                                              NULL);
    assert_none(&issues, body);
}

void fuzz_assert_valid_response(const struct questionnaire *questionnaire,
                                const struct document *response)
{
    struct issues issues = {0};
    (void)questionnaire_validate_response(questionnaire, response->root, &response->lexemes,
                                          &issues, NULL);
    assert_none(&issues, response);
}

void fuzz_to_response(const struct questionnaire *questionnaire, const struct document *body,
                      struct document *ret)
{
    const struct response_head head = {.id = "x"};
    struct strbuf text = {0};
    fuzz_assert(questionnaire_print_response(questionnaire, body->root, &body->lexemes, &head,
                                             &text, NULL) == STATUS_OK,
                "no response", body->text);
    const size_t len = text.len;
    document_parse(ret, strbuf_take(&text), len);
}

void fuzz_to_flat(const struct questionnaire *questionnaire, const struct document *response,
                  struct document *ret)
{
    struct strbuf text = {0};
    fuzz_assert(questionnaire_print_flat(questionnaire, response->root, &response->lexemes, &text,
                                         NULL) == STATUS_OK,
                "no flat body", response->text);
    const size_t len = text.len;
    document_parse(ret, strbuf_take(&text), len);
}
