/* What the harnesses share. */
#ifndef INTAKE_TESTS_FUZZ_H
#define INTAKE_TESTS_FUZZ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/json.h"

struct questionnaire;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A JSON text with its numbers as written. */
struct document {
    char *text;
    size_t len;
    json_t *root;
    struct json_lexemes lexemes;
};

/* Parses allocated text and takes it over; aborts when it is not JSON: we printed it. */
void document_parse(struct document *document, char *text, size_t len);
void document_finish(struct document *document);

/* A case: its questionnaire (NULL when it is refused) and the whole document. */
struct fuzz_case {
    struct document document;
    struct questionnaire *questionnaire;
};

/* False when the input is no case. */
bool fuzz_case_read(struct fuzz_case *ret, const uint8_t *data, size_t size);
void fuzz_case_finish(struct fuzz_case *fuzz_case);

/* Aborts with the text when `holds` is false. */
void fuzz_assert(bool holds, const char *what, const char *text);

/* Aborts unless the flat body or the response has no errors. */
void fuzz_assert_valid_flat(const struct questionnaire *questionnaire, const struct document *body);
void fuzz_assert_valid_response(const struct questionnaire *questionnaire,
                                const struct document *response);

/* The other form, as a document. */
void fuzz_to_response(const struct questionnaire *questionnaire, const struct document *body,
                      struct document *ret);
void fuzz_to_flat(const struct questionnaire *questionnaire, const struct document *response,
                  struct document *ret);

#endif
