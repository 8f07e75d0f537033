/* A stored submission as staff read it, in JSON. */
#ifndef INTAKE_DOMAIN_SUBMISSION_VIEW_H
#define INTAKE_DOMAIN_SUBMISSION_VIEW_H

#include <jansson.h>

#include "intake/core/err.h"
#include "intake/core/text.h"

struct json_lexemes;
struct submission_line;
struct submission_record;

/*
 * Appends the whole of it: receipt, contact as posted, patient as stored, answers (the answered
 * ones, with every digit that was posted), evaluation, review, contradictions, medical
 * background, processing.
 */
enum status submission_print_record(const struct submission_record *record, struct strbuf *out,
                                    struct err *err);

/* Appends the answers of a body as it was posted, as an object: the answered ones. */
void submission_print_answers(const json_t *body, const struct json_lexemes *lexemes,
                              struct strbuf *out);

/* Appends the members of a receipt as an object. */
void submission_print_record_receipt(const struct submission_record *record, struct strbuf *out);

/* Appends one row of a list. */
void submission_print_line(const struct submission_line *line, struct strbuf *out);

#endif
