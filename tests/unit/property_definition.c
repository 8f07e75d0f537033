/* Random questionnaires. */
#include "property_world.h"

#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"

unsigned world_pick(struct world *world, unsigned below)
{
    world->random ^= world->random << 13;
    world->random ^= world->random >> 7;
    world->random ^= world->random << 17;
    return (unsigned)(world->random >> 33) % below;
}

/* Whether `source` occurs once, or in the same occurrence as what is below `holder`. */
static bool is_visible(const struct world *world, int source, int holder)
{
    for (int above = world->things[source].parent; above >= 0;
         above = world->things[above].parent) {
        if (world->things[above].repeats &&
            !(above <= holder && holder < world->things[above].end)) {
            return false;
        }
    }
    return true;
}

static void make_rules(struct world *world, int index)
{
    struct thing *thing = &world->things[index];
    const int wanted = world_pick(world, 3) == 0 ? 1 + (int)world_pick(world, CONDITIONS_MAX) : 0;
    thing->any = world_pick(world, 2) == 0;
    for (int i = 0; i < wanted && index > 0; i++) {
        const int source = (int)world_pick(world, (unsigned)index);
        struct thing *asked = &world->things[source];
        if ((asked->kind != BOOLEAN && asked->kind != CHOICE && asked->kind != INTEGER) ||
            !is_visible(world, source, thing->parent)) {
            continue;
        }
        struct rule *rule = &thing->rules[thing->rules_count++];
        rule->source = source;
        asked->is_source = true;
        if (world_pick(world, 3) == 0) {
            rule->op = "exists";
            strcpy(rule->value, world_pick(world, 2) == 0 ? "true" : "false");
            continue;
        }
        rule->op = world_pick(world, 2) == 0 ? "=" : "!=";
        if (asked->kind == BOOLEAN) {
            strcpy(rule->value, world_pick(world, 2) == 0 ? "true" : "false");
        } else if (asked->kind == CHOICE) {
            snprintf(rule->value, sizeof rule->value, "\"c%u\"", world_pick(world, 4));
        } else {
            snprintf(rule->value, sizeof rule->value, "%d",
                     asked->low + (int)world_pick(world, (unsigned)(asked->high - asked->low + 1)));
        }
    }
}

static void make_things(struct world *world, int parent, int depth)
{
    const int wanted = 2 + (int)world_pick(world, 5);
    for (int i = 0; i < wanted && world->count < ITEMS_MAX; i++) {
        const int index = world->count++;
        struct thing *thing = &world->things[index];
        *thing = (struct thing){.parent = parent, .end = ITEMS_MAX};
        snprintf(thing->link_id, sizeof thing->link_id, "q%d", index);
        thing->kind = (enum kind)(depth < DEPTH_MAX && world_pick(world, 4) == 0
                                      ? GROUP
                                      : BOOLEAN + world_pick(world, KINDS - 1));
        thing->required = thing->kind != GROUP && world_pick(world, 2) == 0;
        thing->repeats = thing->kind == GROUP && world_pick(world, 3) == 0;
        thing->low = (int)world_pick(world, 6);
        thing->high = thing->low + 1 + (int)world_pick(world, 6);
        make_rules(world, index);
        if (thing->kind == GROUP) {
            make_things(world, index, depth + 1);
        }
        thing->end = world->count;
    }
}

static void print_extension(struct strbuf *out, const char *url, const char *value)
{
    strbuf_printf(out, "{\"url\":\"http://hl7.org/fhir/StructureDefinition/%s\",%s}", url, value);
}

static void print_limits(const struct thing *thing, struct strbuf *out)
{
    char low[64];
    char high[64];
    switch (thing->kind) {
    case INTEGER:
        snprintf(low, sizeof low, "\"valueInteger\":%d", thing->low);
        snprintf(high, sizeof high, "\"valueInteger\":%d", thing->high);
        break;
    case DECIMAL:
        snprintf(low, sizeof low, "\"valueDecimal\":%d.5", thing->low);
        snprintf(high, sizeof high, "\"valueDecimal\":%d.25", thing->high);
        break;
    case DATE:
        snprintf(low, sizeof low, "\"valueDate\":\"200%d-02-28\"", thing->low % 10);
        snprintf(high, sizeof high, "\"valueDate\":\"20%d-03\"", thing->high + 10);
        break;
    case STRING:
        strbuf_printf(out, ",\"maxLength\":%d", thing->high);
        return;
    case CHOICE:
        strbuf_puts(out, ",\"answerOption\":[");
        for (int i = 0; i < 4; i++) {
            strbuf_printf(out, "%s{\"valueCoding\":{\"system\":\"urn:x\",\"code\":\"c%d\"}}",
                          i == 0 ? "" : ",", i);
        }
        strbuf_putc(out, ']');
        return;
    case TEXTS:
        strbuf_puts(out, ",\"repeats\":true,\"extension\":[");
        snprintf(high, sizeof high, "\"valueInteger\":%d", thing->high);
        print_extension(out, "questionnaire-maxOccurs", high);
        strbuf_putc(out, ']');
        return;
    case QUANTITY:
        strbuf_puts(out, ",\"extension\":[");
        print_extension(
            out, "questionnaire-unitOption",
            "\"valueCoding\":{\"system\":\"http://unitsofmeasure.org\",\"code\":\"mg\"}");
        strbuf_putc(out, ']');
        return;
    case GROUP:
    case BOOLEAN:
    case KINDS:
        return;
    }
    strbuf_puts(out, ",\"extension\":[");
    print_extension(out, "minValue", low);
    strbuf_putc(out, ',');
    print_extension(out, "maxValue", high);
    strbuf_putc(out, ']');
}

static void print_rules(const struct world *world, const struct thing *thing, struct strbuf *out)
{
    if (thing->rules_count == 0) {
        return;
    }
    strbuf_printf(out, ",\"enableBehavior\":\"%s\",\"enableWhen\":[", thing->any ? "any" : "all");
    for (int i = 0; i < thing->rules_count; i++) {
        const struct rule *rule = &thing->rules[i];
        const enum kind kind = world->things[rule->source].kind;
        const bool truth = strcmp(rule->op, "exists") == 0 || kind == BOOLEAN;
        strbuf_printf(out, "%s{\"question\":\"%s\",\"operator\":\"%s\",", i == 0 ? "" : ",",
                      world->things[rule->source].link_id, rule->op);
        if (!truth && kind == CHOICE) {
            strbuf_printf(out, "\"answerCoding\":{\"system\":\"urn:x\",\"code\":%s}}", rule->value);
        } else {
            strbuf_printf(out, "\"answer%s\":%s}", truth ? "Boolean" : "Integer", rule->value);
        }
    }
    strbuf_putc(out, ']');
}

static void print_items(const struct world *world, int from, int end, struct strbuf *out)
{
    static const char *const types[KINDS] = {"group",  "boolean", "integer", "decimal", "string",
                                             "choice", "date",    "text",    "quantity"};
    for (int i = from; i < end; i = world->things[i].end) {
        const struct thing *thing = &world->things[i];
        strbuf_printf(out, "%s{\"linkId\":\"%s\",\"type\":\"%s\"%s%s", i == from ? "" : ",",
                      thing->link_id, types[thing->kind],
                      thing->required ? ",\"required\":true" : "",
                      thing->repeats ? ",\"repeats\":true" : "");
        print_limits(thing, out);
        print_rules(world, thing, out);
        if (thing->kind == GROUP) {
            strbuf_puts(out, ",\"item\":[");
            print_items(world, i + 1, thing->end, out);
            strbuf_putc(out, ']');
        }
        strbuf_putc(out, '}');
    }
}

void world_make(struct world *world, uint64_t seed)
{
    world->random = seed * 2654435761u + 88172645463325252u;
    make_things(world, -1, 0);
}

void world_print_definition(const struct world *world, struct strbuf *out)
{
    strbuf_puts(out, "{\"resourceType\":\"Questionnaire\",\"status\":\"active\",\"item\":[");
    print_items(world, 0, world->count, out);
    strbuf_puts(out, "]}");
}
