/* Cuts SQL into units: a statement, or all from BEGIN to COMMIT. */
#include "intake/db/sql_units.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "intake/core/cleanup.h"

struct scanner {
    const char *sql;
    size_t length;
    size_t at;
};

static char peek(const struct scanner *scanner, size_t ahead)
{
    const size_t at = scanner->at + ahead;
    if (at >= scanner->length) {
        return '\0';
    }
    return scanner->sql[at];
}

static bool at_end(const struct scanner *scanner)
{
    return scanner->at >= scanner->length;
}

/* Moves behind a -- or (nested) block comment that begins here; false when none does. */
static bool skip_comment(struct scanner *scanner)
{
    if (peek(scanner, 0) == '-' && peek(scanner, 1) == '-') {
        while (!at_end(scanner) && peek(scanner, 0) != '\n') {
            scanner->at++;
        }
        return true;
    }
    if (peek(scanner, 0) != '/' || peek(scanner, 1) != '*') {
        return false;
    }
    size_t depth = 0;
    do {
        if (peek(scanner, 0) == '/' && peek(scanner, 1) == '*') {
            depth++;
            scanner->at += 2;
        } else if (peek(scanner, 0) == '*' && peek(scanner, 1) == '/') {
            depth--;
            scanner->at += 2;
        } else {
            scanner->at++;
        }
    } while (depth > 0 && !at_end(scanner));
    return true;
}

/* Moves behind what is quoted by `quote`; a doubled one needs no care here. False: not closed. */
static bool skip_quoted(struct scanner *scanner, char quote, bool escapes)
{
    for (scanner->at++; !at_end(scanner); scanner->at++) {
        if (escapes && peek(scanner, 0) == '\\') {
            scanner->at++;
        } else if (peek(scanner, 0) == quote) {
            scanner->at++;
            return true;
        }
    }
    return false;
}

static bool is_word(char c)
{
    return isalnum((unsigned char)c) != 0 || c == '_' || (unsigned char)c >= 0x80;
}

/* The length of the $tag$ that begins here, 0 when none does. */
static size_t dollar_tag_length(const struct scanner *scanner)
{
    size_t length = 1;
    if (isdigit((unsigned char)peek(scanner, 1)) != 0) {
        return 0; /* a parameter */
    }
    while (is_word(peek(scanner, length))) {
        length++;
    }
    return peek(scanner, length) == '$' ? length + 1 : 0;
}

/* Moves behind the next thing of a statement; false when it is not closed. */
static bool skip_token(struct scanner *scanner)
{
    const char c = peek(scanner, 0);
    if (c == '\'' || c == '"') {
        return skip_quoted(scanner, c, false);
    }
    if ((c == 'E' || c == 'e') && peek(scanner, 1) == '\'') {
        scanner->at++;
        return skip_quoted(scanner, '\'', true);
    }
    if (is_word(c)) {
        while (is_word(peek(scanner, 0)) || peek(scanner, 0) == '$') {
            scanner->at++;
        }
        return true;
    }
    const size_t tag_length = c == '$' ? dollar_tag_length(scanner) : 0;
    if (tag_length > 0) {
        const char *tag = scanner->sql + scanner->at;
        const char *body = tag + tag_length;
        const size_t left = scanner->length - scanner->at - tag_length;
        const char *end = memmem(body, left, tag, tag_length);
        scanner->at = end == NULL ? scanner->length : (size_t)(end - scanner->sql) + tag_length;
        return end != NULL;
    }
    scanner->at++;
    return true;
}

static void skip_to_statement(struct scanner *scanner)
{
    while (!at_end(scanner)) {
        if (isspace((unsigned char)peek(scanner, 0)) != 0 || peek(scanner, 0) == ';') {
            scanner->at++;
        } else if (!skip_comment(scanner)) {
            return;
        }
    }
}

/* Moves behind the statement's semicolon, or to the end; false when something is not closed. */
static bool skip_statement(struct scanner *scanner)
{
    while (!at_end(scanner)) {
        if (peek(scanner, 0) == ';') {
            scanner->at++;
            return true;
        }
        if (!skip_comment(scanner) && !skip_token(scanner)) {
            return false;
        }
    }
    return true;
}

static bool begins_with_word(const char *text, size_t length, const char *word)
{
    const size_t word_length = strlen(word);
    return length >= word_length && strncasecmp(text, word, word_length) == 0 &&
           (length == word_length || !is_word(text[word_length]));
}

static bool is_concurrent(const char *text, size_t length)
{
    static const char word[] = " INDEX CONCURRENTLY ";
    return (begins_with_word(text, length, "CREATE") || begins_with_word(text, length, "DROP")) &&
           memmem(text, length, word, sizeof word - 1) != NULL;
}

static size_t line_of(const char *sql, size_t at)
{
    size_t line = 1;
    for (size_t i = 0; i < at; i++) {
        line += sql[i] == '\n';
    }
    return line;
}

/* Reads one unit; its length is 0 at the end of the file. */
static enum status next_unit(struct scanner *scanner, struct sql_unit *ret_unit, struct err *err)
{
    skip_to_statement(scanner);
    const size_t start = scanner->at;
    const size_t line = line_of(scanner->sql, start);
    const char *text = scanner->sql + start;
    bool in_group = begins_with_word(text, scanner->length - start, "BEGIN");
    do {
        skip_to_statement(scanner);
        const size_t statement = scanner->at;
        if (!skip_statement(scanner)) {
            return err_set(err, STATUS_INVALID, "line %zu: a quote is not closed", line);
        }
        if (begins_with_word(scanner->sql + statement, scanner->length - statement, "COMMIT")) {
            in_group = false;
        }
        if (in_group && at_end(scanner)) {
            return err_set(err, STATUS_INVALID, "line %zu: BEGIN without COMMIT", line);
        }
    } while (in_group);
    *ret_unit = (struct sql_unit){
        .text = text,
        .length = scanner->at - start,
        .line = line,
        .concurrent = is_concurrent(text, scanner->at - start),
    };
    return STATUS_OK;
}

enum status sql_units_split(const char *sql, size_t length, struct sql_unit **ret_units,
                            size_t *ret_count, struct err *err)
{
    struct scanner scanner = {.sql = sql, .length = length};
    AUTO_FREE struct sql_unit *units = NULL;
    size_t count = 0;
    for (;;) {
        struct sql_unit unit = {0};
        const enum status status = next_unit(&scanner, &unit, err);
        if (status != STATUS_OK) {
            /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
            return status;
        }
        if (unit.length == 0) {
            break;
        }
        struct sql_unit *grown = realloc(units, (count + 1) * sizeof *units);
        if (grown == NULL) {
            return err_no_memory(err);
        }
        units = grown;
        units[count++] = unit;
    }
    *ret_units = TAKE(units);
    *ret_count = count;
    return STATUS_OK;
}
