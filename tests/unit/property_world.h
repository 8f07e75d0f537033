/*
 * A random questionnaire and answers to it that follow its rules, or break one of them: what the
 * property tests are made of. It shares no code with the engine.
 */
#ifndef INTAKE_TESTS_PROPERTY_WORLD_H
#define INTAKE_TESTS_PROPERTY_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "intake/core/text.h"

enum {
    ITEMS_MAX = 60,
    CONDITIONS_MAX = 3,
    DEPTH_MAX = 3,
};

enum kind { GROUP, BOOLEAN, INTEGER, DECIMAL, STRING, CHOICE, DATE, TEXTS, QUANTITY, KINDS };

struct rule {
    int source;
    const char *op;
    char value[16]; /* JSON */
};

/* An item of the definition, and what the answers of the moment say to it. */
struct thing {
    enum kind kind;
    char link_id[16];
    bool required;
    bool repeats; /* of a group */
    bool is_source;
    bool any;
    int parent;
    int end;
    int low;
    int high;
    struct rule rules[CONDITIONS_MAX];
    int rules_count;
    bool answered;
    char answer[16]; /* JSON, of a source */
};

struct world {
    uint64_t random;
    struct thing things[ITEMS_MAX];
    int count;
    struct strbuf body;
    bool comma;
    bool repeated; /* within a repeating group */
    int chance;    /* the opportunity to break a rule that comes next */
    int broken;    /* the one that is taken, or -1 */
    const char *expected_field;
    const char *expected_code;
};

/* A number below `below`; xorshift, so that a seed gives the same world everywhere. */
unsigned world_pick(struct world *world, unsigned below);

/* Makes the items, and prints them as a FHIR R4 Questionnaire. */
void world_make(struct world *world, uint64_t seed);
void world_print_definition(const struct world *world, struct strbuf *out);

/*
 * Makes the flat body, which is the same for the same `random`; with the rule `broken` broken (-1:
 * none), which is then in expected_field and expected_code. `chance` says how many there are.
 */
void world_make_body(struct world *world, uint64_t random, int broken);

#endif
