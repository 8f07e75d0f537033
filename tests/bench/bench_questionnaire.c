/*
 * How long it takes to check answers and to load definitions; exit code 1 when a limit is passed.
 *
 *   bench_questionnaire            times, and allocations per check
 *   bench_questionnaire form N     N checks of the 16-field form and nothing else, for callgrind
 *   bench_questionnaire large N    the same for the large form
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "intake/core/cleanup.h"
#include "intake/core/json.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_set.h"

enum { LARGE_ITEMS = 160, LARGE_CONDITIONS = 70, DEFINITIONS = 1000, ROUNDS = 20000 };

/* Counts what glibc is asked for. */
void *__libc_malloc(size_t size); // NOLINT(bugprone-reserved-identifier): glibc's own name
static size_t allocations;

void *malloc(size_t size)
{
    allocations++;
    return __libc_malloc(size);
}

struct subject {
    struct questionnaire *questionnaire;
    json_t *body;
};

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void stop(const char *what)
{
    fprintf(stderr, "bench_questionnaire: %s\n", what);
    exit(2);
}

static struct questionnaire *compile(const struct strbuf *text)
{
    struct issues issues = {0};
    struct questionnaire *questionnaire = NULL;
    struct err err = {0};
    if (text->failed ||
        questionnaire_compile(text->data, text->len, &issues, &questionnaire, &err) != STATUS_OK) {
        stop(err.message);
    }
    issues_finish(&issues);
    return questionnaire;
}

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    if (json_parse(text, strlen(text), &root, NULL) != STATUS_OK) {
        stop("the answers do not parse");
    }
    return root;
}

/* The form that ships, with every field answered. */
static struct subject make_form(const char *source_root)
{
    struct subject subject = {0};
    struct issues issues = {0};
    struct err err = {0};
    struct strbuf path = {0};
    strbuf_printf(&path, "%s/config/questionnaires/hair-transplant.json", source_root);
    if (questionnaire_load(path.data, &issues, &subject.questionnaire, &err) != STATUS_OK) {
        stop(err.message);
    }
    strbuf_finish(&path);
    issues_finish(&issues);
    subject.body = parse(
        "{\"booking_uid\":\"bFJeNb2uX8ANpT3JL5EfXw\",\"attendee_name\":\"Maria Gonzalez\","
        "\"attendee_email\":\"maria@example.com\",\"age_range\":\"36-45\","
        "\"current_medications\":\"yes\",\"current_medications_details\":\"Finasteride, 1 mg "
        "daily\","
        "\"allergies\":\"yes\",\"allergies_details\":\"Penicillin\",\"medical_conditions\":\"yes\","
        "\"medical_conditions_details\":\"Mild hypertension, controlled\",\"previous_surgeries\":"
        "\"yes\",\"previous_surgeries_details\":\"Appendix, 2009\",\"hair_loss_duration\":"
        "\"5-10-years\",\"hair_loss_pattern\":[\"crown\",\"hairline\"],\"family_history\":"
        "[\"father\",\"maternal-grandfather\"],\"previous_treatments\":[\"minoxidil\",\"prp\"]}");
    return subject;
}

/* 160 items in ten sections, of all the usual types; 70 of them depend on another's answer. */
static void print_large(struct strbuf *out, struct strbuf *body, int number)
{
    static const char *const types[] = {"boolean", "integer", "decimal", "string",
                                        "choice",  "date",    "text",    "boolean"};
    static const char *const answers[] = {
        "true", "7", "2.5", "\"some text\"", "\"c3\"", "\"2024-02-03\"", "\"a\\nb\"", "false"};
    int conditions = 0;
    strbuf_printf(out,
                  "{\"resourceType\":\"Questionnaire\",\"id\":\"large-%d\",\"status\":\"active\","
                  "\"item\":[",
                  number);
    strbuf_putc(body, '{');
    for (int i = 0; i < LARGE_ITEMS; i++) {
        if (i % 16 == 0) {
            strbuf_printf(out,
                          "%s{\"linkId\":\"section_%d\",\"text\":\"Section\",\"type\":\"group\","
                          "\"item\":[{",
                          i == 0 ? "" : "]},", i / 16);
        } else {
            strbuf_puts(out, ",{");
        }
        strbuf_printf(out,
                      "\"linkId\":\"question_%d\",\"text\":\"How is it?\",\"type\":\"%s\","
                      "\"required\":true",
                      i, types[i % 8]);
        if (i % 8 == 4) {
            strbuf_puts(out, ",\"answerOption\":[");
            for (int o = 0; o < 6; o++) {
                strbuf_printf(out, "%s{\"valueCoding\":{\"system\":\"urn:x\",\"code\":\"c%d\"}}",
                              o == 0 ? "" : ",", o);
            }
            strbuf_putc(out, ']');
        }
        if (i >= 16 && i % 2 == 1 && conditions < LARGE_CONDITIONS) {
            const bool code = conditions % 2 == 0;
            strbuf_printf(out,
                          ",\"enableWhen\":[{\"question\":\"question_%d\",\"operator\":\"=\",%s}]",
                          code ? 4 : 8,
                          code ? "\"answerCoding\":{\"system\":\"urn:x\",\"code\":\"c3\"}"
                               : "\"answerBoolean\":true");
            conditions++;
        }
        strbuf_putc(out, '}');
        strbuf_printf(body, "%s\"question_%d\":%s", i == 0 ? "" : ",", i, answers[i % 8]);
    }
    strbuf_puts(out, "]}]}");
    strbuf_putc(body, '}');
}

static struct subject make_large(void)
{
    struct strbuf definition = {0};
    struct strbuf body = {0};
    print_large(&definition, &body, 0);
    const struct subject subject = {compile(&definition), parse(body.data)};
    strbuf_finish(&definition);
    strbuf_finish(&body);
    return subject;
}

static void check(const struct subject *subject)
{
    struct issues issues = {0};
    if (questionnaire_validate_flat(subject->questionnaire, subject->body, &issues, NULL) !=
            STATUS_OK ||
        issues.count > 0) {
        stop(issues.count > 0 ? issues.items[0].field : "the check failed");
    }
    issues_finish(&issues);
}

/* The median of five runs, in microseconds for one check. */
static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool measure(const char *name, const struct subject *subject, int rounds, double limit_us)
{
    double runs[5];
    const size_t before = allocations;
    check(subject);
    const size_t allocated = allocations - before;
    for (size_t run = 0; run < ARRAY_LENGTH(runs); run++) {
        const double start = now_us();
        for (int i = 0; i < rounds; i++) {
            check(subject);
        }
        runs[run] = (now_us() - start) / rounds;
    }
    qsort(runs, ARRAY_LENGTH(runs), sizeof runs[0], by_value);
    const bool passed = runs[2] <= limit_us && allocated == 0;
    printf("%-28s %8.2f us (limit %g), %zu allocations%s\n", name, runs[2], limit_us, allocated,
           passed ? "" : "  TOO MUCH");
    return passed;
}

static bool measure_load(double limit_s)
{
    char folder[] = "/tmp/intake-bench-XXXXXX";
    struct strbuf path = {0};
    struct questionnaire_set *set = NULL;
    struct err err = {0};
    size_t bytes = 0;
    if (mkdtemp(folder) == NULL) {
        stop("no temporary folder");
    }
    for (int i = 0; i < DEFINITIONS; i++) {
        struct strbuf definition = {0};
        struct strbuf body = {0};
        print_large(&definition, &body, i);
        strbuf_clear(&path);
        strbuf_printf(&path, "%s/%d.json", folder, i);
        FILE *file = fopen(path.data, "w");
        if (file == NULL || fputs(definition.data, file) == EOF || fclose(file) != 0) {
            stop("the definitions could not be written");
        }
        bytes += definition.len;
        strbuf_finish(&definition);
        strbuf_finish(&body);
    }
    const double start = now_us();
    if (questionnaire_set_load(folder, "large-0", &set, &err) != STATUS_OK) {
        stop(err.message);
    }
    const double seconds = (now_us() - start) / 1e6;
    questionnaire_set_destroy(set);
    for (int i = 0; i < DEFINITIONS; i++) {
        strbuf_clear(&path);
        strbuf_printf(&path, "%s/%d.json", folder, i);
        (void)unlink(path.data);
    }
    (void)rmdir(folder);
    strbuf_finish(&path);
    printf("%-28s %8.2f s  (limit %g), %zu KiB%s\n", "1,000 definitions loaded", seconds, limit_s,
           bytes / 1024, seconds <= limit_s ? "" : "  TOO MUCH");
    return seconds <= limit_s;
}

static void subject_finish(struct subject *subject)
{
    questionnaire_destroy(subject->questionnaire);
    json_decref(subject->body);
}

int main(int argc, char **argv)
{
    const char *root = getenv("INTAKE_SOURCE_ROOT");
    AUTO(subject_finish) struct subject form = make_form(root == NULL ? "." : root);
    AUTO(subject_finish) struct subject large = make_large();
    if (argc == 3) {
        const struct subject *subject = strcmp(argv[1], "form") == 0 ? &form : &large;
        for (long i = strtol(argv[2], NULL, 10); i > 0; i--) {
            check(subject);
        }
        return 0;
    }
    bool passed = measure("16-field form", &form, ROUNDS, 10);
    passed = measure("160 items, 70 conditions", &large, ROUNDS / 10, 100) && passed;
    passed = measure_load(2) && passed;
    return passed ? 0 : 1;
}
