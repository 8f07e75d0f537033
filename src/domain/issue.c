/* The list of issues, and the two forms in which it leaves the program. */
#include "intake/domain/issue.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"

/* The code system of the validator's codes: the public suite's for its own, ours for ours. */
static const char CODE_SYSTEM[] = "http://fhir.forms-lab.com/CodeSystem/errors";
static const char CODE_SYSTEM_OWN[] = "urn:intake:error";

static void add(struct issues *issues, enum issue_severity severity, const char *code,
                const char *field, const char *path, const char *format, va_list args)
    __attribute__((format(printf, 6, 0)));

static bool is_error(enum issue_severity severity)
{
    return severity == ISSUE_FATAL || severity == ISSUE_ERROR;
}

void issues_finish(struct issues *issues)
{
    for (size_t i = 0; i < issues->count; i++) {
        free(issues->items[i].texts);
    }
    free(issues->items);
    *issues = (struct issues){0};
}

static bool reserve(struct issues *issues)
{
    if (issues->count < issues->capacity) {
        return true;
    }
    const size_t capacity = issues->capacity == 0 ? 8 : issues->capacity * 2;
    struct issue *items = realloc(issues->items, capacity * sizeof *items);
    if (items == NULL) {
        return false;
    }
    issues->items = items;
    issues->capacity = capacity;
    return true;
}

/* The length of `field` up to ISSUE_FIELD_MAX, not in the middle of a character. */
static size_t field_length(const char *field)
{
    size_t len = strnlen(field, ISSUE_FIELD_MAX + 1);
    if (len > ISSUE_FIELD_MAX) {
        len = ISSUE_FIELD_MAX;
        while (len > 0 && ((unsigned char)field[len] & 0xc0) == 0x80) {
            len--;
        }
    }
    return len;
}

static void add(struct issues *issues, enum issue_severity severity, const char *code,
                const char *field, const char *path, const char *format, va_list args)
{
    issues->errors_count += is_error(severity);
    if (issues->count >= ISSUES_MAX) {
        issues->truncated = true;
        return;
    }
    va_list again;
    va_copy(again, args);
    const int message_length = vsnprintf(NULL, 0, format, again);
    va_end(again);

    const size_t field_size = field_length(field) + 1;
    const size_t path_size = path == NULL ? 1 : strlen(path) + 1;
    const size_t message_size = message_length < 0 ? 1 : (size_t)message_length + 1;
    char *block = malloc(field_size + path_size + message_size);
    if (block == NULL || !reserve(issues)) {
        free(block);
        issues->failed = true;
        return;
    }
    memcpy(block, field, field_size - 1);
    block[field_size - 1] = '\0';
    memcpy(block + field_size, path == NULL ? "" : path, path_size);
    block[field_size + path_size] = '\0';
    if (message_length > 0) {
        vsnprintf(block + field_size + path_size, message_size, format, args);
    }
    issues->items[issues->count++] = (struct issue){
        .severity = severity,
        .code = code,
        .field = block,
        .path = block + field_size,
        .message = block + field_size + path_size,
        .texts = block,
    };
}

void issues_add(struct issues *issues, const char *code, const char *field, const char *path,
                const char *message_format, ...)
{
    va_list args;
    va_start(args, message_format);
    add(issues, ISSUE_ERROR, code, field, path, message_format, args);
    va_end(args);
}

void issues_add_severity(struct issues *issues, enum issue_severity severity, const char *code,
                         const char *field, const char *path, const char *message_format, ...)
{
    va_list args;
    va_start(args, message_format);
    add(issues, severity, code, field, path, message_format, args);
    va_end(args);
}

bool issues_are_none(const struct issues *issues)
{
    return issues->errors_count == 0 && !issues->failed;
}

const struct issue *issues_find(const struct issues *issues, const char *field, const char *code)
{
    for (size_t i = 0; i < issues->count; i++) {
        const struct issue *issue = &issues->items[i];
        if ((field == NULL || strcmp(issue->field, field) == 0) &&
            (code == NULL || strcmp(issue->code, code) == 0)) {
            return issue;
        }
    }
    return NULL;
}

static void print_member(struct strbuf *out, const char *name, const char *text)
{
    strbuf_printf(out, "\"%s\":", name);
    strbuf_json_string(out, text, strlen(text));
}

void issues_print_errors(const struct issues *issues, struct strbuf *out)
{
    bool first = true;
    strbuf_putc(out, '[');
    for (size_t i = 0; i < issues->count; i++) {
        const struct issue *issue = &issues->items[i];
        if (!is_error(issue->severity)) {
            continue;
        }
        strbuf_puts(out, first ? "{" : ",{");
        first = false;
        print_member(out, "field", issue->field);
        strbuf_putc(out, ',');
        print_member(out, "code", issue->code);
        strbuf_putc(out, ',');
        print_member(out, "message", issue->message);
        if (issue->path[0] != '\0' && strcmp(issue->path, issue->field) != 0) {
            strbuf_putc(out, ',');
            print_member(out, "path", issue->path);
        }
        strbuf_putc(out, '}');
    }
    strbuf_putc(out, ']');
}

/* Codes whose FHIR R4 issue-type is not "business-rule", and which codes are ours. */
static const struct code {
    const char *name;
    const char *type;
    bool own; /* not one of the public suite's */
} codes[] = {
    {"invalidLinkId", "structure", false},
    {"invalidType", "structure", false},
    {"invalidAnswerType", "structure", false},
    {"groupShouldNotHaveAnswers", "structure", false},
    {"displayAnswer", "structure", false},
    {"required", "required", false},
    {"questionnaireNotFound", "not-found", false},
    {"invalidCoding", "code-invalid", false},
    {"invalidUnit", "value", false},
    {"invalidUnitValueSet", "code-invalid", false},
    {"invalidUrlValue", "value", false},
    {"invalidRefValue", "invalid", false},
    {"invalidRefResourceType", "invalid", false},
    {"invalidRefResourceTypeRestriction", "value", false},
    {"minValueIncompatUnits", "value", false},
    {"maxValueIncompatUnits", "value", false},
    {"attachmentSizeInconsistent", "invalid", false},
    {"regex", "invalid", false},
    {"notCompleted", "business-rule", true},
    {"notEnabled", "business-rule", true},
    {"placeholder", "value", true},
    {"format", "value", true},
    {"invalidCharacter", "value", true},
    {"readOnly", "business-rule", true},
    {"invalidOrder", "structure", true},
    {"enableWhen", "invalid", true},
    {"invalidDefinition", "invalid", true},
    {"notSupported", "not-supported", true},
    {"unusable", "invalid", true},
};

static const struct code *find_code(const char *name)
{
    static const struct code other = {"", "business-rule", false};
    for (size_t i = 0; i < ARRAY_LENGTH(codes); i++) {
        if (strcmp(codes[i].name, name) == 0) {
            return &codes[i];
        }
    }
    return &other;
}

static void print_outcome_issue(const struct issue *issue, struct strbuf *out)
{
    static const char *const severities[] = {
        [ISSUE_FATAL] = "fatal",
        [ISSUE_ERROR] = "error",
        [ISSUE_WARNING] = "warning",
        [ISSUE_INFORMATION] = "information",
    };
    const struct code *code = find_code(issue->code);
    strbuf_printf(out, "{\"severity\":\"%s\",\"code\":\"%s\",", severities[issue->severity],
                  code->type);
    strbuf_printf(out, "\"details\":{\"coding\":[{\"system\":\"%s\",",
                  code->own ? CODE_SYSTEM_OWN : CODE_SYSTEM);
    print_member(out, "code", issue->code);
    strbuf_puts(out, "}],");
    print_member(out, "text", issue->message);
    strbuf_puts(out, "}");
    if (issue->field[0] != '\0' && !text_starts_with(issue->path, "http.")) {
        strbuf_puts(out, ",\"diagnostics\":");
        struct strbuf text = {0};
        strbuf_printf(&text, "linkId %s", issue->field);
        strbuf_json_string(out, text.data == NULL ? "" : text.data, text.len);
        out->failed = out->failed || text.failed;
        strbuf_finish(&text);
    }
    if (issue->path[0] != '\0') {
        strbuf_puts(out, ",\"expression\":[");
        strbuf_json_string(out, issue->path, strlen(issue->path));
        strbuf_putc(out, ']');
    }
    strbuf_putc(out, '}');
}

void issues_print_operation_outcome(const struct issues *issues, struct strbuf *out)
{
    strbuf_puts(out, "{\"resourceType\":\"OperationOutcome\",\"issue\":[");
    for (size_t i = 0; i < issues->count; i++) {
        if (i > 0) {
            strbuf_putc(out, ',');
        }
        print_outcome_issue(&issues->items[i], out);
    }
    if (issues->count == 0) {
        strbuf_puts(out, "{\"severity\":\"information\",\"code\":\"informational\","
                         "\"details\":{\"text\":\"All is well.\"}}");
    }
    strbuf_puts(out, "]}\n");
}
