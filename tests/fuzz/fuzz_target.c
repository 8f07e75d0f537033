/* A request target: taken apart, it is found in the route table or not, and nothing is read past
 * it. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/text.h"
#include "intake/domain/date_time.h"
#include "intake/http/route.h"
#include "intake/http/target.h"

static void check_text(const char *text)
{
    fuzz_assert(utf8_is_valid(text, strlen(text)), "decoded text is UTF-8", text);
    struct date_time time;
    if (date_time_read(text, strlen(text), &time)) {
        fuzz_assert(date_time_first_ms(&time) <= date_time_last_ms(&time), "a time's ends", text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"};
    char *text = size > 0 && memchr(data, '\0', size) == NULL
                     ? text_copy((const char *)data + 1, size - 1)
                     : NULL;
    struct target target;
    if (text != NULL && target_parse(text, &target)) {
        for (size_t i = 0; i < target.query_count; i++) {
            check_text(target.query[i].name);
            check_text(target.query[i].value);
            fuzz_assert(target_query(&target, target.query[i].name) != NULL, "a parameter", text);
        }
        const struct route_match match =
            route_find(&routes, methods[data[0] % ARRAY_LENGTH(methods)], &target);
        fuzz_assert(match.route != NULL || !match.method_allowed, "no route allows nothing", text);
        for (size_t i = 0; i < ROUTE_PARAMS_MAX && match.params[i] != NULL; i++) {
            check_text(match.params[i]);
            fuzz_assert(*match.params[i] != '\0', "a part in braces is not empty", text);
        }
    }
    free(text);
    return 0;
}
