/*
 * The numbers of a JSON text as they were written.
 *
 * jansson keeps the members of an object in the order of the text and duplicates were refused, so
 * a walk of the tree meets the numbers in the order in which a scan of the text does.
 */
#include "intake/core/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEXEMES_MIN = 16 };

static bool push(struct json_lexemes *lexemes, const json_t *number)
{
    if (lexemes->count == lexemes->capacity) {
        const size_t capacity = lexemes->capacity == 0 ? LEXEMES_MIN : lexemes->capacity * 2;
        struct json_lexeme *items = realloc(lexemes->items, capacity * sizeof *items);
        if (items == NULL) {
            return false;
        }
        lexemes->items = items;
        lexemes->capacity = capacity;
    }
    lexemes->items[lexemes->count++] = (struct json_lexeme){.number = number};
    return true;
}

/* Appends the real numbers below `value` in the order of the text. */
static bool collect(const json_t *value, struct json_lexemes *lexemes)
{
    if (json_is_real(value)) {
        return push(lexemes, value);
    }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (!collect(json_array_get(value, i), lexemes)) {
                return false;
            }
        }
    }
    if (json_is_object(value)) {
        json_t *object = json_readable(value);
        for (void *at = json_object_iter(object); at != NULL;
             at = json_object_iter_next(object, at)) {
            if (!collect(json_object_iter_value(at), lexemes)) {
                return false;
            }
        }
    }
    return true;
}

static bool is_number_char(char c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* The next number at or after `*at` that is written with a point or an exponent. */
static struct view next_real(const char **at, const char *end)
{
    const char *p = *at;
    while (p < end) {
        if (*p == '"') {
            for (p++; p < end && *p != '"'; p++) {
                p += *p == '\\';
            }
            p++;
            continue;
        }
        if (*p != '-' && (*p < '0' || *p > '9')) {
            p++;
            continue;
        }
        const char *start = p;
        bool real = false;
        for (; p < end && is_number_char(*p); p++) {
            real = real || *p == '.' || *p == 'e' || *p == 'E';
        }
        if (real) {
            *at = p;
            return (struct view){start, (size_t)(p - start)};
        }
    }
    *at = end;
    return (struct view){0};
}

static int by_address(const void *a, const void *b)
{
    const uintptr_t x = (uintptr_t)((const struct json_lexeme *)a)->number;
    const uintptr_t y = (uintptr_t)((const struct json_lexeme *)b)->number;
    return (x > y) - (x < y);
}

enum status json_lexemes_read(const char *data, size_t len, const json_t *root,
                              struct json_lexemes *ret, struct err *err)
{
    struct json_lexemes lexemes = {0};
    if (!collect(root, &lexemes)) {
        json_lexemes_finish(&lexemes);
        return err_no_memory(err);
    }
    const char *at = data;
    for (size_t i = 0; i < lexemes.count; i++) {
        lexemes.items[i].text = next_real(&at, data + len);
    }
    if (lexemes.count > 0) {
        qsort(lexemes.items, lexemes.count, sizeof lexemes.items[0], by_address);
    }
    *ret = lexemes;
    return STATUS_OK;
}

void json_lexemes_finish(struct json_lexemes *lexemes)
{
    free(lexemes->items);
    *lexemes = (struct json_lexemes){0};
}

struct view json_lexemes_find(const struct json_lexemes *lexemes, const json_t *number)
{
    if (lexemes == NULL || lexemes->count == 0) {
        return (struct view){0};
    }
    const struct json_lexeme wanted = {.number = number};
    const struct json_lexeme *found =
        bsearch(&wanted, lexemes->items, lexemes->count, sizeof lexemes->items[0], by_address);
    if (found == NULL) {
        return (struct view){0};
    }
    return found->text;
}

/* The shortest text that is the same double. */
static void print_real(double value, struct strbuf *out)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    strbuf_puts(out, text);
    if (strcspn(text, ".e") == strlen(text)) {
        strbuf_puts(out, ".0"); /* so that it stays a real */
    }
}

static void print_object(const json_t *value, const struct json_lexemes *lexemes,
                         struct strbuf *out)
{
    json_t *object = json_readable(value);
    bool first = true;
    strbuf_putc(out, '{');
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        strbuf_puts(out, first ? "" : ",");
        strbuf_json_string(out, key, strlen(key));
        strbuf_putc(out, ':');
        json_print(json_object_iter_value(at), lexemes, out);
        first = false;
    }
    strbuf_putc(out, '}');
}

void json_print(const json_t *value, const struct json_lexemes *lexemes, struct strbuf *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        print_object(value, lexemes, out);
        break;
    case JSON_ARRAY:
        strbuf_putc(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            strbuf_puts(out, i == 0 ? "" : ",");
            json_print(json_array_get(value, i), lexemes, out);
        }
        strbuf_putc(out, ']');
        break;
    case JSON_STRING:
        strbuf_json_string(out, json_string_value(value), json_string_length(value));
        break;
    case JSON_INTEGER:
        strbuf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL: {
        const struct view lexeme = json_lexemes_find(lexemes, value);
        if (lexeme.data != NULL) {
            strbuf_append(out, lexeme.data, lexeme.len);
        } else {
            print_real(json_real_value(value), out);
        }
        break;
    }
    case JSON_TRUE:
        strbuf_puts(out, "true");
        break;
    case JSON_FALSE:
        strbuf_puts(out, "false");
        break;
    case JSON_NULL:
        strbuf_puts(out, "null");
        break;
    }
}
