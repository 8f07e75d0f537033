/* Memory that runs out when a test says so. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "allocations.h"

#include <dirent.h>
#include <errno.h>
#include <pcre2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "cmocka_all.h"

/* A test has one thread. */
static size_t counted;
static size_t failing_number;
static size_t refused_in_all;
static size_t live;
static bool refuses_all_after;

void allocations_begin(size_t failing, bool lasting)
{
    counted = 0;
    failing_number = failing;
    refuses_all_after = lasting;
}

size_t allocations_end(void)
{
    failing_number = 0;
    return counted;
}

void allocations_assert_refused(size_t more_than)
{
    print_message("%zu allocations were refused\n", refused_in_all);
    assert_true(refused_in_all > more_than);
}

size_t allocations_live(void)
{
    return live;
}

static bool is_refused(void)
{
    counted++;
    const bool refuse = failing_number != 0 && (counted == failing_number ||
                                                (refuses_all_after && counted > failing_number));
    if (refuse) {
        refused_in_all++;
        errno = ENOMEM;
    }
    return refuse;
}

static void *kept(void *memory)
{
    live += memory != NULL;
    return memory;
}

/* The linker's names: __wrap_x is called for x, and __real_x is what x was. */
// NOLINTBEGIN(bugprone-reserved-identifier)
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__real_reallocarray(void *memory, size_t count, size_t size);
char *__real_strdup(const char *text);
int __real_vasprintf(char **text, const char *format, va_list arguments);
void __real_free(void *memory);
int __real_scandir64(const char *directory, struct dirent ***entries,
                     int (*filter)(const struct dirent *),
                     int (*compare)(const struct dirent **, const struct dirent **));
pcre2_code *__real_pcre2_compile_8(PCRE2_SPTR pattern, PCRE2_SIZE length, uint32_t options,
                                   int *error, PCRE2_SIZE *offset, pcre2_compile_context *context);
pcre2_match_data *__real_pcre2_match_data_create_8(uint32_t size, pcre2_general_context *context);
pcre2_match_context *__real_pcre2_match_context_create_8(pcre2_general_context *context);
int __real_deflateInit2_(z_stream *stream, int level, int method, int window, int memory,
                         int strategy, const char *version, int size);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_reallocarray(void *memory, size_t count, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_vasprintf(char **text, const char *format, va_list arguments);
void __wrap_free(void *memory);
int __wrap_scandir64(const char *directory, struct dirent ***entries,
                     int (*filter)(const struct dirent *),
                     int (*compare)(const struct dirent **, const struct dirent **));
pcre2_code *__wrap_pcre2_compile_8(PCRE2_SPTR pattern, PCRE2_SIZE length, uint32_t options,
                                   int *error, PCRE2_SIZE *offset, pcre2_compile_context *context);
pcre2_match_data *__wrap_pcre2_match_data_create_8(uint32_t size, pcre2_general_context *context);
pcre2_match_context *__wrap_pcre2_match_context_create_8(pcre2_general_context *context);
int __wrap_deflateInit2_(z_stream *stream, int level, int method, int window, int memory,
                         int strategy, const char *version, int size);

void *__wrap_malloc(size_t size)
{
    return is_refused() ? NULL : kept(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return is_refused() ? NULL : kept(__real_calloc(count, size));
}

void *__wrap_realloc(void *memory, size_t size)
{
    if (is_refused()) {
        return NULL;
    }
    live -= memory != NULL;
    return kept(__real_realloc(memory, size));
}

void *__wrap_reallocarray(void *memory, size_t count, size_t size)
{
    if (is_refused()) {
        return NULL;
    }
    live -= memory != NULL;
    return kept(__real_reallocarray(memory, count, size));
}

char *__wrap_strdup(const char *text)
{
    return is_refused() ? NULL : kept(__real_strdup(text));
}

int __wrap_vasprintf(char **text, const char *format, va_list arguments)
{
    const int len = is_refused() ? -1 : __real_vasprintf(text, format, arguments);
    live += len >= 0;
    return len;
}

void __wrap_free(void *memory)
{
    live -= memory != NULL;
    __real_free(memory);
}

int __wrap_scandir64(const char *directory, struct dirent ***entries,
                     int (*filter)(const struct dirent *),
                     int (*compare)(const struct dirent **, const struct dirent **))
{
    const int found = is_refused() ? -1 : __real_scandir64(directory, entries, filter, compare);
    live += found >= 0 ? (size_t)found + 1 : 0; /* the caller frees each, and their array */
    return found;
}

pcre2_code *__wrap_pcre2_compile_8(PCRE2_SPTR pattern, PCRE2_SIZE length, uint32_t options,
                                   int *error, PCRE2_SIZE *offset, pcre2_compile_context *context)
{
    if (is_refused()) {
        *error = PCRE2_ERROR_HEAP_FAILED;
        *offset = 0;
        return NULL;
    }
    return __real_pcre2_compile_8(pattern, length, options, error, offset, context);
}

pcre2_match_data *__wrap_pcre2_match_data_create_8(uint32_t size, pcre2_general_context *context)
{
    return is_refused() ? NULL : __real_pcre2_match_data_create_8(size, context);
}

pcre2_match_context *__wrap_pcre2_match_context_create_8(pcre2_general_context *context)
{
    return is_refused() ? NULL : __real_pcre2_match_context_create_8(context);
}

int __wrap_deflateInit2_(z_stream *stream, int level, int method, int window, int memory,
                         int strategy, const char *version, int size)
{
    return is_refused() ? Z_MEM_ERROR
                        : __real_deflateInit2_(stream, level, method, window, memory, strategy,
                                               version, size);
}
// NOLINTEND(bugprone-reserved-identifier)
