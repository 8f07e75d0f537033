/* Answers to a random questionnaire: right ones, and such that break one rule. */
#include "property_world.h"

#include <stdio.h>
#include <string.h>

static bool is_question(const struct thing *thing)
{
    return thing->kind != GROUP;
}

/* Whether the chance to break a rule here is taken; if so this is what must be reported. */
static bool breaks(struct world *world, const struct thing *thing, const char *code)
{
    if (world->chance++ != world->broken) {
        return false;
    }
    world->expected_field = thing->link_id;
    world->expected_code = code;
    return true;
}

/* The rule of R4, told once more: an unanswered source fulfils nothing but `exists` false. */
static bool is_enabled(const struct world *world, const struct thing *thing)
{
    bool all = true;
    bool any = false;
    for (int i = 0; i < thing->rules_count; i++) {
        const struct rule *rule = &thing->rules[i];
        const struct thing *source = &world->things[rule->source];
        bool holds = false;
        if (strcmp(rule->op, "exists") == 0) {
            holds = source->answered == (strcmp(rule->value, "true") == 0);
        } else if (source->answered) {
            holds = (strcmp(source->answer, rule->value) == 0) == (rule->op[0] == '=');
        }
        all = all && holds;
        any = any || holds;
    }
    return thing->rules_count == 0 || (thing->any ? any : all);
}

static void put_key(struct world *world, const char *link_id)
{
    strbuf_printf(&world->body, "%s\"%s\":", world->comma ? "," : "", link_id);
    world->comma = true;
}

static void put(struct world *world, const char *link_id, const char *value)
{
    put_key(world, link_id);
    strbuf_puts(&world->body, value);
}

/* A right answer, as JSON. */
static void make_answer(struct world *world, const struct thing *thing, struct strbuf *out)
{
    const int span = thing->high - thing->low + 1;
    const int value = thing->low + (int)world_pick(world, (unsigned)span);
    strbuf_clear(out);
    switch (thing->kind) {
    case BOOLEAN:
        strbuf_puts(out, value % 2 == 0 ? "true" : "false");
        break;
    case INTEGER:
        strbuf_printf(out, "%d", value);
        break;
    case DECIMAL:
        strbuf_printf(out, "%d.%s", value,
                      value == thing->low    ? "50"
                      : value == thing->high ? "25"
                                             : "0");
        break;
    case STRING:
        strbuf_printf(out, "\"%.*s\"", value < 1 ? 1 : value, "abcdefghijklmnop");
        break;
    case CHOICE:
        strbuf_printf(out, "\"c%d\"", value % 4);
        break;
    case DATE:
        strbuf_printf(out, "\"20%d-03-31\"", 10 + value % (thing->high + 1));
        break;
    case TEXTS:
        strbuf_puts(out, "[");
        for (int i = 0; i < (value < 1 ? 1 : value); i++) {
            strbuf_printf(out, "%s\"t%d\"", i == 0 ? "" : ",", i);
        }
        strbuf_putc(out, ']');
        break;
    case QUANTITY:
        strbuf_printf(out,
                      "{\"value\":%d.0,\"system\":\"http://unitsofmeasure.org\",\"code\":\"mg\"}",
                      value);
        break;
    case GROUP:
    case KINDS:
        break;
    }
}

/* The ways in which an answer of this kind breaks its rules; each is one chance. */
static bool make_wrong(struct world *world, const struct thing *thing, struct strbuf *out)
{
    struct strbuf wrong = {0};
    bool taken = false;
    const char *type = thing->kind == TEXTS ? "\"x\"" : thing->kind == CHOICE ? "5" : "[1]";
    if (breaks(world, thing, "invalidAnswerType")) {
        strbuf_puts(&wrong, type);
        taken = true;
    }
    if (thing->kind == INTEGER || thing->kind == DECIMAL) {
        if (breaks(world, thing, "minValue")) {
            strbuf_printf(&wrong, thing->kind == INTEGER ? "%d" : "%d.49",
                          thing->low - (thing->kind == INTEGER));
            taken = true;
        }
        if (breaks(world, thing, "maxValue")) {
            strbuf_printf(&wrong, thing->kind == INTEGER ? "%d" : "%d.2500001",
                          thing->high + (thing->kind == INTEGER));
            taken = true;
        }
    }
    if (thing->kind == DATE && breaks(world, thing, "maxValue")) {
        strbuf_printf(&wrong, "\"20%d-04-01\"", thing->high + 10);
        taken = true;
    }
    if (thing->kind == DATE && breaks(world, thing, "minValue")) {
        strbuf_printf(&wrong, "\"200%d-02-27\"", thing->low % 10);
        taken = true;
    }
    if (thing->kind == STRING && breaks(world, thing, "maxLength")) {
        strbuf_printf(&wrong, "\"%.*s\"", thing->high + 1, "abcdefghijklmnop");
        taken = true;
    }
    if (thing->kind == CHOICE && breaks(world, thing, "invalidAnswerOption")) {
        strbuf_puts(&wrong, "\"c4\"");
        taken = true;
    }
    if (thing->kind == QUANTITY && breaks(world, thing, "invalidUnit")) {
        strbuf_puts(&wrong,
                    "{\"value\":1,\"system\":\"http://unitsofmeasure.org\",\"code\":\"g\"}");
        taken = true;
    }
    if (thing->kind == TEXTS && breaks(world, thing, "maxCount")) {
        strbuf_puts(&wrong, "[");
        for (int i = 0; i <= thing->high; i++) {
            strbuf_printf(&wrong, "%s\"t\"", i == 0 ? "" : ",");
        }
        strbuf_putc(&wrong, ']');
        taken = true;
    }
    if (taken) {
        strbuf_clear(out);
        strbuf_puts(out, wrong.data);
    }
    strbuf_finish(&wrong);
    return taken;
}

static void answer_question(struct world *world, struct thing *thing, bool enabled)
{
    struct strbuf answer = {0};
    const bool wanted = world_pick(world, 3) != 0;
    make_answer(world, thing, &answer);
    thing->answered = false;
    if (!enabled) {
        if (!thing->is_source && breaks(world, thing, "notEnabled")) {
            put(world, thing->link_id, answer.data);
        }
    } else if (thing->required || wanted) {
        thing->answered = true;
        if (thing->is_source) {
            snprintf(thing->answer, sizeof thing->answer, "%s", answer.data);
        } else {
            (void)make_wrong(world, thing, &answer);
        }
        /* An occurrence of a group that lost its only answer would not be there at all. */
        const bool left_out = thing->required && !thing->is_source && !world->repeated &&
                              breaks(world, thing, "required");
        if (!left_out) {
            put(world, thing->link_id, answer.data);
        }
    }
    strbuf_finish(&answer);
}

static void answer_things(struct world *world, int from, int end, bool enabled);

static void answer_group(struct world *world, int index, bool enabled)
{
    const struct thing *group = &world->things[index];
    const unsigned shape = world_pick(world, 4);
    if (!group->repeats && shape > 0) {
        answer_things(world, index + 1, group->end, enabled);
        return;
    }
    const bool repeated = world->repeated;
    const unsigned occurrences = group->repeats ? shape : 1;
    world->repeated = repeated || group->repeats;
    if (occurrences == 0) {
        /* Nothing in it is there; what looks at it sees nothing. */
        for (int i = index + 1; i < group->end; i++) {
            world->things[i].answered = false;
        }
        world->repeated = repeated;
        return;
    }
    put_key(world, group->link_id);
    strbuf_puts(&world->body, group->repeats ? "[" : "");
    for (unsigned i = 0; i < occurrences; i++) {
        strbuf_puts(&world->body, i == 0 ? "{" : ",{");
        world->comma = false;
        answer_things(world, index + 1, group->end, enabled);
        strbuf_putc(&world->body, '}');
    }
    strbuf_puts(&world->body, group->repeats ? "]" : "");
    world->comma = true;
    world->repeated = repeated;
}

static void answer_things(struct world *world, int from, int end, bool enabled)
{
    for (int i = from; i < end; i = world->things[i].end) {
        struct thing *thing = &world->things[i];
        const bool own = enabled && is_enabled(world, thing);
        if (is_question(thing)) {
            answer_question(world, thing, own);
        } else {
            answer_group(world, i, own);
        }
    }
}

void world_make_body(struct world *world, uint64_t random, int broken)
{
    static const struct thing unknown = {.link_id = "unknown"};
    world->random = random;
    world->chance = 0;
    world->broken = broken;
    world->expected_code = NULL;
    world->comma = false;
    world->repeated = false;
    for (int i = 0; i < world->count; i++) {
        world->things[i].answered = false;
    }
    strbuf_clear(&world->body);
    strbuf_putc(&world->body, '{');
    answer_things(world, 0, world->count, true);
    if (breaks(world, &unknown, "invalidLinkId")) {
        put(world, "unknown", "1");
    }
    strbuf_putc(&world->body, '}');
}
