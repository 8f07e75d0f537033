/* The document that the API gives of itself, against the route table: neither says more. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmocka_all.h"
#include "intake/core/cleanup.h"
#include "intake/core/embedded.h"
#include "intake/core/json.h"
#include "intake/domain/session.h"
#include "intake/domain/staff.h"
#include "intake/http/route.h"

extern const struct embedded_file embedded_web[];
extern const size_t embedded_web_count;

/* A fault of any row or operation; all of them are told before the test fails. */
static size_t faults;

static void __attribute__((format(printf, 3, 4)))
fault(const char *method, const char *path, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s %s: ", method, path);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    faults++;
}

static int read_document(void **state)
{
    struct err err = {0};
    json_t *document = NULL;
    for (size_t i = 0; i < embedded_web_count; i++) {
        if (strcmp(embedded_web[i].name, "openapi.json") == 0) {
            (void)json_parse((const char *)embedded_web[i].data, embedded_web[i].size, &document,
                             &err);
        }
    }
    *state = document;
    return document == NULL ? -1 : 0;
}

static int forget_document(void **state)
{
    json_decref(*state);
    return 0;
}

/* The object itself, or what its "$ref" leads to. */
static json_t *resolve(json_t *document, json_t *value)
{
    const char *text = json_string_value(json_object_get(value, "$ref"));
    if (text == NULL) {
        return value;
    }
    char path[128];
    snprintf(path, sizeof path, "%s", text);
    char *rest = NULL;
    json_t *found = document;
    for (char *part = strtok_r(path, "#/", &rest); part != NULL;
         part = strtok_r(NULL, "#/", &rest)) {
        found = json_object_get(found, part);
    }
    assert_non_null(found);
    return found;
}

static json_t *operation_of(json_t *document, const struct route *route)
{
    char method[16] = "";
    for (size_t i = 0; i < sizeof method - 1 && route->method[i] != '\0'; i++) {
        method[i] = (char)(route->method[i] | 0x20);
    }
    json_t *paths = json_object_get(document, "paths");
    return json_object_get(json_object_get(paths, route->path), method);
}

static bool list_has(const char *const *list, size_t max, const char *text)
{
    for (size_t i = 0; list != NULL && i < max && list[i] != NULL; i++) {
        if (strcmp(list[i], text) == 0) {
            return true;
        }
    }
    return false;
}

/* How many entries of an array have the member `key` with that value. */
static size_t count_parameters(json_t *document, json_t *operation, const char *place,
                               const char *name)
{
    size_t count = 0;
    size_t i;
    json_t *entry;
    json_array_foreach(json_object_get(operation, "parameters"), i, entry)
    {
        const json_t *parameter = resolve(document, entry);
        const char *in = json_string_value(json_object_get(parameter, "in"));
        const char *own = json_string_value(json_object_get(parameter, "name"));
        count += strcmp(in, place) == 0 && (name == NULL || strcasecmp(own, name) == 0);
    }
    return count;
}

static void check_query(json_t *document, json_t *operation, const struct route *route)
{
    size_t count = 0;
    for (; route->query != NULL && route->query[count] != NULL; count++) {
        if (count_parameters(document, operation, "query", route->query[count]) != 1) {
            fault(route->method, route->path, "the parameter %s is not documented",
                  route->query[count]);
        }
    }
    if (count_parameters(document, operation, "query", NULL) != count) {
        fault(route->method, route->path, "a parameter is documented that is not read");
    }
}

static void check_path_parameters(json_t *document, json_t *operation, const struct route *route)
{
    size_t count = 0;
    for (const char *at = route->path; (at = strchr(at, '{')) != NULL; count++) {
        char name[64];
        at++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(at, "}"), at);
        if (count_parameters(document, operation, "path", name) != 1) {
            fault(route->method, route->path, "{%s} is not documented", name);
        }
    }
    if (count_parameters(document, operation, "path", NULL) != count) {
        fault(route->method, route->path, "a part of the path is documented that is not there");
    }
}

static void check_body(json_t *operation, const struct route *route)
{
    json_t *content = json_object_get(json_object_get(operation, "requestBody"), "content");
    if ((content != NULL) != route->takes_body) {
        fault(route->method, route->path, "it takes a body, or it does not");
        return;
    }
    size_t count = 0;
    for (; count < ROUTE_BODY_TYPES_MAX && route->body_types[count] != NULL; count++) {
        if (json_object_get(content, route->body_types[count]) == NULL) {
            fault(route->method, route->path, "a body of %s is not documented",
                  route->body_types[count]);
        }
    }
    const char *type;
    json_t *media;
    json_object_foreach(content, type, media)
    {
        if (!list_has(route->body_types, ROUTE_BODY_TYPES_MAX, type)) {
            fault(route->method, route->path, "a body of %s is not taken", type);
        }
    }
}

/* Whether one of the alternatives asks for that scheme; NULL: for nothing. */
static bool accepts(const json_t *security, const char *scheme)
{
    size_t i;
    json_t *alternative;
    json_array_foreach(security, i, alternative)
    {
        if (scheme == NULL ? json_object_size(alternative) == 0
                           : json_object_get(alternative, scheme) != NULL) {
            return true;
        }
    }
    return scheme == NULL && json_array_size(security) == 0;
}

static void check_rights(json_t *operation, const struct route *route)
{
    const json_t *security = json_object_get(operation, "security");
    if (accepts(security, "bearer") != (route->roles != 0)) {
        fault(route->method, route->path, "it needs a token, or it does not");
    }
    if (accepts(security, "session") != ((route->roles & SESSION_ROLES) != 0)) {
        fault(route->method, route->path, "it takes a session, or it does not");
    }
    if (route->linked && !accepts(security, "bookingLink")) {
        fault(route->method, route->path, "it needs the booking's link");
    }
    const bool open = !route->linked && (route->roles == 0 || route->guarded_when != NULL);
    if (accepts(security, NULL) != open) {
        fault(route->method, route->path, "it is for everybody, or it is not");
    }
    unsigned documented = 0;
    size_t i;
    json_t *name;
    json_array_foreach(json_object_get(operation, "x-roles"), i, name)
    {
        struct err err = {0};
        enum role role;
        assert_int_equal(role_from_name(json_string_value(name), &role, &err), STATUS_OK);
        documented |= (unsigned)role;
    }
    if (documented != route->roles) {
        fault(route->method, route->path, "x-roles names other roles than the table");
    }
}

static void check_answers(json_t *document, json_t *operation, const struct route *route)
{
    json_t *responses = json_object_get(operation, "responses");
    const bool asks = route->roles != 0 || route->linked;
    const struct {
        const char *status;
        bool can; /* it must be documented */
        bool cannot;
    } rules[] = {
        {"400", true, false},
        {"401", asks, false}, /* a handler may ask for more than the table does */
        {"403", asks, false},
        {"413", true, false},
        {"415", route->takes_body, !route->takes_body},
        {"429", !route->unlimited || route->roles != 0, route->unlimited && route->roles == 0},
        {"503", true, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++) {
        const bool documented = json_object_get(responses, rules[i].status) != NULL;
        if (documented ? rules[i].cannot : rules[i].can) {
            fault(route->method, route->path, "it can answer %s, or it cannot", rules[i].status);
        }
    }
    const bool takes_reason = route->roles != 0 || route->runs == ROUTE_DATABASE;
    if ((count_parameters(document, operation, "header", "X-Intake-Reason") == 1) != takes_reason) {
        fault(route->method, route->path, "it takes X-Intake-Reason, or it does not");
    }
}

static void test_every_route_is_documented_as_it_is(void **state)
{
    json_t *document = *state;
    faults = 0;
    for (size_t i = 0; i < routes.count; i++) {
        const struct route *route = &routes.rows[i];
        json_t *operation = operation_of(document, route);
        if (operation == NULL) {
            fault(route->method, route->path, "it is not in src/web/openapi.json");
            continue;
        }
        check_path_parameters(document, operation, route);
        check_query(document, operation, route);
        check_body(operation, route);
        check_rights(operation, route);
        check_answers(document, operation, route);
    }
    assert_int_equal(faults, 0);
}

static void test_nothing_else_is_documented(void **state)
{
    size_t count = 0;
    const char *path;
    json_t *item;
    json_object_foreach(json_object_get(*state, "paths"), path, item)
    {
        count += json_object_size(item);
    }
    assert_int_equal(count, routes.count);
}

static void test_the_version_is_the_programs(void **state)
{
    const json_t *info = json_object_get(*state, "info");
    assert_string_equal(json_string_value(json_object_get(info, "version")), INTAKE_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_route_is_documented_as_it_is),
        cmocka_unit_test(test_nothing_else_is_documented),
        cmocka_unit_test(test_the_version_is_the_programs),
    };
    return cmocka_run_group_tests(tests, read_document, forget_document);
}
