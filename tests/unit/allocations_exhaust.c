/* Trying what is done with every allocation failing in turn. */
#include "cmocka_all.h"

#include <stdlib.h>
#include <string.h>

#include "allocations.h"
#include "intake/core/cleanup.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"

static void complain(const struct subject *subject, const char *operation_name, size_t failing,
                     bool lasting, const char *what)
{
    print_error("%s, %s: allocation %zu%s: %s\n", subject->name, operation_name, failing,
                lasting ? " and all after it" : "", what);
}

size_t allocations_exhaust(const struct subject *subject, const char *name,
                           enum status (*run)(const struct subject *subject, struct strbuf *out))
{
    size_t wrong = 0;
    AUTO(strbuf_finish) struct strbuf expected = {0};
    AUTO(strbuf_finish) struct strbuf again = {0};
    allocations_begin(0, false);
    const enum status outcome = run(subject, &expected);
    const size_t count = allocations_end();
    for (size_t i = 0; i < 2 * count; i++) {
        const bool lasting = i >= count;
        const size_t failing = i % count + 1;
        struct strbuf out = {0};
        const size_t live = allocations_live();
        allocations_begin(failing, lasting);
        enum status status = run(subject, &out);
        (void)allocations_end();
        const bool same = status == outcome && out.len == expected.len &&
                          (out.len == 0 || memcmp(out.data, expected.data, out.len) == 0);
        if (status != STATUS_NO_MEMORY && !out.failed && !same) {
            wrong++;
            complain(subject, name, failing, lasting, status_name(status));
        }
        strbuf_finish(&out);
        if (allocations_live() != live) {
            wrong++;
            complain(subject, name, failing, lasting, "a leak");
        }
    }
    if (run(subject, &again) != outcome || again.len != expected.len ||
        (again.len > 0 && memcmp(again.data, expected.data, again.len) != 0)) {
        wrong++;
        complain(subject, name, 0, false, "does not recover");
    }
    return wrong;
}

static void print_issues(const struct issues *issues, struct strbuf *out)
{
    strbuf_printf(out, "%zu errors: ", issues->errors_count);
    issues_print_errors(issues, out);
    issues_print_operation_outcome(issues, out);
}

enum status allocations_conclude(enum status status, struct issues *issues, struct strbuf *out)
{
    if (issues->failed) {
        status = STATUS_NO_MEMORY;
    }
    if (status != STATUS_NO_MEMORY) {
        print_issues(issues, out);
    }
    issues_finish(issues);
    return status;
}

void allocations_path(struct strbuf *out, const char *below)
{
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    strbuf_printf(out, "%s/%s", root == NULL ? "." : root, below);
}

void document_finish(struct document *document)
{
    json_lexemes_finish(&document->lexemes);
    json_decref(document->root);
    strbuf_finish(&document->text);
}

void document_read(struct document *document)
{
    const struct strbuf *text = &document->text;
    assert_int_equal(json_parse(text->data, text->len, &document->root, NULL), STATUS_OK);
    assert_int_equal(
        json_lexemes_read(text->data, text->len, document->root, &document->lexemes, NULL),
        STATUS_OK);
}

struct subject document_subject(const char *name, const struct document *document)
{
    return (struct subject){.name = name,
                            .text = {document->text.data, document->text.len},
                            .root = document->root,
                            .lexemes = &document->lexemes};
}

enum status subject_print_response(const struct subject *subject, struct strbuf *out)
{
    static const struct response_head head = {.id = "r1", .authored = "2026-01-02T03:04:05Z"};
    struct err err;
    return questionnaire_print_response(subject->questionnaire, subject->root, subject->lexemes,
                                        &head, out, &err);
}
