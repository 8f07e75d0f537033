/*
 * Answers as the rules see them, whatever form they came in: a tree of items and their answers in
 * the questionnaire's order. Two readers build it, one from a flat body and one from a
 * QuestionnaireResponse; everything after that is common.
 *
 * Small trees live in the struct itself, which belongs on the stack; only a response with very
 * many answers allocates.
 */
#ifndef INTAKE_DOMAIN_ANSWER_TREE_H
#define INTAKE_DOMAIN_ANSWER_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "intake/domain/compiled.h"

enum node_kind {
    NODE_ITEM,   /* one occurrence of an item; below it items (of a group) or answers */
    NODE_ANSWER, /* one answer of a question; below it the items that belong to it */
    NODE_STRAY,  /* something under a linkId that does not belong there */
};

enum node_fault {
    FAULT_NONE,
    FAULT_SHAPE,       /* not a list, or a list, or not an object, against the definition */
    FAULT_HAS_ANSWERS, /* a group with answers */
    FAULT_HAS_ITEMS,   /* a question with items that are not below an answer */
    FAULT_VALUES,      /* an answer with several values */
    FAULT_ORDER,       /* it comes after an item that it should come before */
};

#define NODE_NONE UINT32_MAX

struct node {
    const json_t *json;  /* item: as given; answer: the value */
    const char *link_id; /* of a stray */
    uint32_t item;
    uint32_t parent;
    uint32_t first; /* the first node below it */
    uint32_t last;
    uint32_t next;      /* the next node below the same parent */
    uint32_t same;      /* the previous node of the same item, anywhere */
    uint32_t index;     /* place in the list that it came from */
    uint8_t kind;       /* enum node_kind */
    uint8_t fault;      /* enum node_fault */
    uint8_t value_type; /* enum value_type of an answer's value */
    bool present : 1;   /* it is in what was sent; else it was made up, to ask about its children */
    bool answered : 1;  /* something in it, or below it, is answered */
    bool enabled : 1;
};

enum { TREE_NODES_INLINE = 448, TREE_ITEMS_INLINE = 512 };

struct answer_tree {
    const struct questionnaire *questionnaire;
    const struct json_lexemes *lexemes; /* may be NULL */
    bool flat;                          /* which reader made it */
    bool failed;                        /* memory was out */
    struct node *nodes;                 /* nodes[0] is the questionnaire's root */
    uint32_t count;
    uint32_t capacity;
    uint32_t *last_of_item; /* per item: its latest node, or NODE_NONE */
    struct node nodes_inline[TREE_NODES_INLINE];
    uint32_t items_inline[TREE_ITEMS_INLINE];
};

/* Makes the tree of a flat body, or of a QuestionnaireResponse. Free it with answer_tree_finish. */
enum status answer_tree_from_flat(struct answer_tree *tree,
                                  const struct questionnaire *questionnaire, const json_t *body,
                                  const struct json_lexemes *lexemes, struct err *err);
enum status answer_tree_from_response(struct answer_tree *tree,
                                      const struct questionnaire *questionnaire,
                                      const json_t *response, const struct json_lexemes *lexemes,
                                      struct err *err);
void answer_tree_finish(struct answer_tree *tree);

/* For the readers. An empty tree with its root; then nodes below a parent, in order. */
enum status answer_tree_init(struct answer_tree *tree, const struct questionnaire *questionnaire,
                             const struct json_lexemes *lexemes, struct err *err);
/* Appends a node below `parent` and returns it; NODE_NONE when memory is out. */
uint32_t answer_tree_add(struct answer_tree *tree, uint32_t parent, enum node_kind kind,
                         uint32_t item, const json_t *json);
/* Notes that the node, and so all above it, hold an answer. */
void answer_tree_mark_answered(struct answer_tree *tree, uint32_t node);

/* Decides for every node whether it is enabled. */
void answer_tree_enable(struct answer_tree *tree);
/* Whether `item` is (or would be) enabled below the node `parent`, which is evaluated already. */
bool answer_tree_item_enabled(const struct answer_tree *tree, uint32_t item, uint32_t parent);

/*
 * Reads the value of an answer node as the type that its question asks for; false when it is of
 * another. For an open-choice it is a coding or a text.
 */
bool answer_tree_value(const struct answer_tree *tree, uint32_t node, struct answer_value *ret);

/* The option of the answer's question that the value is, or NULL. */
const struct option *answer_option(const struct questionnaire *questionnaire, uint32_t item,
                                   const struct answer_value *value);

/* The coding that a bare code means: an option's, or a code of the value set. */
bool answer_find_code(const struct questionnaire *questionnaire, uint32_t item, const char *code,
                      struct coding *ret);

/* Whether a JSON value says nothing: null, a blank text, [], {}. */
bool json_is_unanswered(const json_t *json);

#endif
