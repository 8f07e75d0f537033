/* jansson's memory, and the way out of a parse that is refused any. */
#include "json_memory.h"

#include <setjmp.h>
#include <stdlib.h>

struct pointers {
    void **items;
    size_t count;
    size_t capacity;
};

/*
 * A parse on its way. What jansson frees meanwhile is freed at the end, so that after a leap all
 * that was allocated is still there to be freed, whatever jansson thought of it.
 */
struct parse {
    jmp_buf refused;
    struct pointers allocated;
    struct pointers freed;
};

static _Thread_local struct parse *parsing;

static void make_room(struct pointers *pointers)
{
    if (pointers->count < pointers->capacity) {
        return;
    }
    const size_t capacity = pointers->capacity == 0 ? 128 : pointers->capacity * 2;
    void **items = reallocarray(pointers->items, capacity, sizeof *items);
    if (items == NULL) {
        longjmp(parsing->refused, 1);
    }
    pointers->items = items;
    pointers->capacity = capacity;
}

static void *allocate(size_t size)
{
    if (parsing == NULL) {
        return malloc(size);
    }
    make_room(&parsing->allocated);
    void *memory = malloc(size);
    if (memory == NULL) {
        longjmp(parsing->refused, 1);
    }
    parsing->allocated.items[parsing->allocated.count++] = memory;
    return memory;
}

static void release(void *memory)
{
    if (parsing == NULL || memory == NULL) {
        free(memory);
        return;
    }
    make_room(&parsing->freed);
    parsing->freed.items[parsing->freed.count++] = memory;
}

/* Before main(), so that no program which links this holds a value of another allocator. */
__attribute__((constructor)) static void provide_memory(void)
{
    json_set_alloc_funcs(allocate, release);
}

static void parse_finish(struct parse *parse, const struct pointers *unwanted)
{
    for (size_t i = 0; i < unwanted->count; i++) {
        free(unwanted->items[i]);
    }
    free(parse->allocated.items);
    free(parse->freed.items);
}

bool json_memory_load(const char *data, size_t len, json_t **ret_root, json_error_t *ret_error)
{
    struct parse parse = {.allocated = {0}};
    parsing = &parse;
    if (setjmp(parse.refused) != 0) { /* jansson holds nothing but memory */
        parsing = NULL;
        parse_finish(&parse, &parse.allocated);
        return false;
    }
    *ret_root = json_loadb(data, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, ret_error);
    parsing = NULL;
    parse_finish(&parse, &parse.freed);
    return true;
}
