/* Reading rows that came in PostgreSQL's binary format. The column's type must be the one named. */
#ifndef INTAKE_DB_RESULT_H
#define INTAKE_DB_RESULT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/id.h"
#include "intake/core/text.h"

bool result_is_null(const PGresult *result, int row, int column);
bool result_bool(const PGresult *result, int row, int column);
int32_t result_int4(const PGresult *result, int row, int column);
int64_t result_int8(const PGresult *result, int row, int column);
/* timestamptz as microseconds since 1970; 0 for NULL and for the infinities. */
int64_t result_timestamp(const PGresult *result, int row, int column);
/* "" for NULL. */
void result_uuid(const PGresult *result, int row, int column, char ret_text[static UUID_TEXT_SIZE]);
/* text, valid as long as the result; data is NULL for NULL. NUL-terminated. */
struct view result_text(const PGresult *result, int row, int column);
/* jsonb as JSON text, valid as long as the result; data is NULL for NULL. NUL-terminated. */
struct view result_json(const PGresult *result, int row, int column);
/* A copy of a text column (free); NULL for NULL, or when memory is out (then `*failed` is set). */
char *result_copy(const PGresult *result, int row, int column, bool *failed);

#endif
