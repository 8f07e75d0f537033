/* The rules of references and attachments. */
#include <string.h>

#include "intake/core/text.h"
#include "intake/domain/validate.h"

/* The resource's type in `[base/]Type/id[/_history/version]`; empty when it has none. */
static struct view reference_type(const char *reference)
{
    const char *end = strstr(reference, "/_history/");
    if (end == NULL) {
        end = reference + strcspn(reference, "?#");
    }
    const char *id = end;
    while (id > reference && id[-1] != '/') {
        id--;
    }
    if (id == reference || id == end) {
        return (struct view){reference, 0};
    }
    const char *type = id - 1;
    while (type > reference && type[-1] != '/') {
        type--;
    }
    return (struct view){type, (size_t)(id - 1 - type)};
}

static bool is_restricted_to(const struct constraints *constraints, struct view type)
{
    for (size_t i = 0; i < constraints->resources_count; i++) {
        if (strlen(constraints->resources[i]) == type.len &&
            strncmp(constraints->resources[i], type.data, type.len) == 0) {
            return true;
        }
    }
    return false;
}

void validate_reference(const struct validate_subject *subject, const char *reference)
{
    const struct constraints *constraints = subject->item->constraints;
    if (reference == NULL || reference[0] == '#') {
        return; /* known by its display or identifier alone, or contained */
    }
    const bool urn = text_starts_with(reference, "urn:");
    const char *colon = strchr(reference, ':');
    const char *slash = strchr(reference, '/');
    const bool absolute = colon != NULL && (slash == NULL || colon < slash);
    if (!uri_is_valid(reference, strlen(reference)) ||
        (absolute && !urn && !text_starts_with(reference, "http://") &&
         !text_starts_with(reference, "https://"))) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidRefValue", "This is not a valid reference.");
        return;
    }
    if (urn) {
        return;
    }
    const struct view type = reference_type(reference);
    if (type.len == 0 || !resource_is_known(type.data, type.len)) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidRefResourceType",
                        "This does not refer to a kind of record that exists.");
    }
    if (constraints != NULL && constraints->resources_count > 0 &&
        !is_restricted_to(constraints, type)) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidRefResourceTypeRestriction",
                        "This refers to a kind of record that is not asked for.");
    }
}

/* The number of bytes that base64 text stands for (RFC 4648 section 4); false when it is none. */
static bool base64_size(const char *text, size_t len, int64_t *ret)
{
    size_t digits = 0;
    size_t padding = 0;
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        if (c == ' ' || c == '\n' || c == '\r' || c == '\t') {
            continue;
        }
        if (c == '=') {
            padding++;
        } else if (padding > 0 || !((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                                    (c >= '0' && c <= '9') || c == '+' || c == '/')) {
            return false;
        } else {
            digits++;
        }
    }
    *ret = (int64_t)(digits / 4 * 3 + (digits % 4 == 0 ? 0 : digits % 4 - 1));
    return padding <= 2 && (digits + padding) % 4 == 0;
}

/* "image/png; a=b" is "image/png"; a type of "image/" and an asterisk allows all images. */
static bool is_mime_type(const char *allowed, const char *given)
{
    const size_t len = strcspn(given, "; ");
    const size_t star = strcspn(allowed, "*");
    if (allowed[star] == '*') {
        return len >= star && strncasecmp(allowed, given, star) == 0;
    }
    return strlen(allowed) == len && strncasecmp(allowed, given, len) == 0;
}

void validate_attachment(const struct validate_subject *subject,
                         const struct attachment *attachment)
{
    const struct constraints *constraints = subject->item->constraints;
    int64_t size = attachment->size;
    if (attachment->data != NULL) {
        if (!base64_size(attachment->data, attachment->data_length, &size)) {
            VALIDATE_REPORT(subject, ISSUE_FATAL, "invalidAnswerType",
                            "The file could not be read; please attach it again.");
            return;
        }
        if (attachment->size >= 0 && attachment->size != size) {
            VALIDATE_REPORT(subject, ISSUE_FATAL, "attachmentSizeInconsistent",
                            "The file arrived incomplete; please attach it again.");
        }
    }
    if (constraints == NULL) {
        return;
    }
    if (constraints->size_max_bytes >= 0 && size > constraints->size_max_bytes) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "maxAttachmentSize",
                        "The file is too large: at most %lld bytes are possible.",
                        (long long)constraints->size_max_bytes);
    }
    bool allowed = constraints->mime_types_count == 0;
    for (size_t i = 0; i < constraints->mime_types_count && !allowed; i++) {
        allowed = attachment->content_type != NULL &&
                  is_mime_type(constraints->mime_types[i], attachment->content_type);
    }
    if (!allowed) {
        VALIDATE_REPORT(subject, ISSUE_ERROR, "invalidAttachmentType",
                        "Files of this kind cannot be attached here.");
    }
}
