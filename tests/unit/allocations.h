/*
 * Memory that runs out when a test says so. The linker puts these functions in the place of malloc
 * and its kind (--wrap, see meson.build) for everything of ours, and for jansson, whose memory
 * comes from core/json.c. The memory of pcre2, zlib and libc is theirs; what we ask of them can
 * fail too.
 */
#ifndef INTAKE_TESTS_ALLOCATIONS_H
#define INTAKE_TESTS_ALLOCATIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "intake/core/err.h"
#include "intake/core/json.h"
#include "intake/core/text.h"

struct issues;
struct questionnaire;
struct questionnaire_set;
struct questionnaire_offer;

/* Begins to count from 1; number `failing` is refused (0: none), and with `lasting` all after it.
 */
void allocations_begin(size_t failing, bool lasting);
/* Nothing is refused any more; how many there were since allocations_begin(). */
size_t allocations_end(void);
/* What was allocated and not freed yet. */
size_t allocations_live(void);
/* Fails unless more than that were refused: else the linker put other functions in place. */
void allocations_assert_refused(size_t more_than);

/* What the operations work on; each uses what it needs. Made while there is memory. */
struct subject {
    const char *name;
    struct view text;
    const json_t *root;
    const struct json_lexemes *lexemes;
    const struct questionnaire *questionnaire;
    const struct questionnaire_set *set;
    const struct questionnaire_offer *offer;
    const char *path;
};

/*
 * `run` frees all that it makes; what it comes to is appended to `out`, in memory that can fail as
 * well. Runs it undisturbed, then with every allocation failing, then undisturbed again. Returns
 * how often it neither said that memory is out nor came to what it comes to otherwise, or leaked,
 * or did not recover.
 */
size_t allocations_exhaust(const struct subject *subject, const char *name,
                           enum status (*run)(const struct subject *subject, struct strbuf *out));

/* What a caller makes of a status and the issues, which are freed. */
enum status allocations_conclude(enum status status, struct issues *issues, struct strbuf *out);

/* The path of a file of the source tree. */
void allocations_path(struct strbuf *out, const char *below);

/* A JSON text and what was read from it. */
struct document {
    struct strbuf text;
    json_t *root;
    struct json_lexemes lexemes;
};

/* Reads what `text` holds. */
void document_read(struct document *document);
void document_finish(struct document *document);
struct subject document_subject(const char *name, const struct document *document);

/* An operation: its answers as a QuestionnaireResponse. */
enum status subject_print_response(const struct subject *subject, struct strbuf *out);

#endif
