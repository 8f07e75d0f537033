/* The rules, over a tree of answers. For the files of the engine. */
#ifndef INTAKE_DOMAIN_VALIDATE_H
#define INTAKE_DOMAIN_VALIDATE_H

#include "intake/domain/answer_tree.h"
#include "intake/domain/issue.h"

struct check {
    const struct answer_tree *tree;
    struct issues *issues;
    bool demand;  /* whether what is required must be there */
    bool lenient; /* answers still being written: broken rules are warnings, broken form is not */
};

/* Appends everything that is wrong with the tree's answers. The tree is enabled already. */
void validate_tree(struct check *check);

/* The rules of one answer's value; `answers` is how many its question has. */
void validate_value(struct check *check, uint32_t answer, size_t answers);

/* Appends an issue about `item`, at the place of `node`. */
void validate_issue(struct check *check, enum issue_severity severity, const char *code,
                    uint32_t item, uint32_t node, const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* What a broken rule of this answer is reported with. */
struct validate_subject {
    struct check *check;
    const struct item *item;
    uint32_t index; /* of the item */
    uint32_t node;  /* of the answer */
};

#define VALIDATE_REPORT(subject, severity, code, ...)                                              \
    validate_issue((subject)->check, (severity), (code), (subject)->index, (subject)->node,        \
                   __VA_ARGS__)

/* The rules of a reference (NULL: it has only a display or an identifier) and of an attachment. */
void validate_reference(const struct validate_subject *subject, const char *reference);
void validate_attachment(const struct validate_subject *subject,
                         const struct attachment *attachment);

/* The place of a node: "QuestionnaireResponse.item[0].answer[0]", or "medications[1].dose". */
void validate_print_path(const struct answer_tree *tree, uint32_t node, struct strbuf *out);

/* RFC 3986, urn:uuid: and urn:oid: checked in full. */
bool uri_is_valid(const char *text, size_t len);

/* Whether the name is that of a FHIR R4 resource. */
bool resource_is_known(const char *name, size_t len);

#endif
