/*
 * Submissions to one questionnaire as CSV (RFC 4180, UTF-8 with a byte order mark, which
 * spreadsheets need). The columns are the same whatever the rows: what every submission has, then
 * one for each question of any version of the questionnaire, in the definition's order, named by
 * its linkId.
 *
 * A spreadsheet takes a cell that begins with =, +, -, @, a tab or a carriage return for a formula,
 * white space and full-width forms aside; such a cell gets an apostrophe in front, numbers apart
 * (OWASP, CSV injection). What repeats is joined with "; ".
 */
#ifndef INTAKE_DOMAIN_CSV_TABLE_H
#define INTAKE_DOMAIN_CSV_TABLE_H

#include "intake/core/err.h"
#include "intake/core/text.h"

struct csv_table;
struct questionnaire_set;
struct submission_record;

/*
 * The table of questionnaire `id`, of which the set has at least one version; NULL when memory is
 * out. Needs the set no longer. The caller's (csv_table_destroy, which takes NULL).
 */
struct csv_table *csv_table_create(const struct questionnaire_set *set, const char *id);
void csv_table_destroy(struct csv_table *table);

/* Appends the mark and the line of names. */
void csv_table_print_head(const struct csv_table *table, struct strbuf *out);

/* Appends a submission's line. STATUS_NO_MEMORY alone; any thread, one at a time. */
enum status csv_table_print_row(struct csv_table *table, const struct submission_record *record,
                                struct strbuf *out, struct err *err);

/* Appends one cell, quoted where it must be, and harmless; for tests. */
void csv_print_cell(const char *text, size_t len, struct strbuf *out);

#endif
