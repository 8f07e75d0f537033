/* The FHIR form of a submission. */
#include "intake/domain/fhir_response.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/json.h"
#include "intake/core/text.h"
#include "intake/db/store_lookup.h"
#include "intake/domain/compiled.h"
#include "intake/domain/flat_fhir.h"
#include "intake/domain/issue.h"
#include "intake/domain/questionnaire.h"
#include "intake/domain/questionnaire_offer.h"
#include "intake/domain/questionnaire_set.h"
#include "intake/domain/submission.h"

/* A JSON text, its tree, and the numbers as they were written. */
struct document {
    json_t *root;
    struct json_lexemes lexemes;
};

static void document_finish(struct document *document)
{
    json_lexemes_finish(&document->lexemes);
    json_decref(document->root);
}

static enum status document_read(const char *text, size_t len, struct document *ret,
                                 struct err *err)
{
    const enum status status = json_parse(text, len, &ret->root, err);
    return status == STATUS_OK ? json_lexemes_read(text, len, ret->root, &ret->lexemes, err)
                               : status;
}

/* What the response says that it answers: a canonical, or the id of `Questionnaire/id`. */
static const char *canonical_of(const json_t *response)
{
    static const char relative[] = "Questionnaire/";
    const char *canonical = json_string_value(json_object_get(response, "questionnaire"));
    return canonical != NULL && text_starts_with(canonical, relative)
               ? canonical + sizeof relative - 1
               : canonical;
}

/*
 * Whether there is a member that changes the meaning of what it stands in, so that who does not
 * know it must refuse the whole (FHIR R4 sections 2.4.2 and 2.4.4).
 */
static bool has_modifier(const json_t *json)
{
    const char *name;
    json_t *value;
    if (json_is_array(json)) {
        for (size_t i = 0; i < json_array_size(json); i++) {
            if (has_modifier(json_array_get(json, i))) {
                return true;
            }
        }
        return false;
    }
    json_object_foreach(json_readable(json), name, value)
    {
        if (strcmp(name, "modifierExtension") == 0 || strcmp(name, "implicitRules") == 0 ||
            has_modifier(value)) {
            return true;
        }
    }
    return false;
}

/* What a submission asks of a response beyond what its questionnaire does. */
static void check_head(const json_t *response, struct issues *issues)
{
    const json_t *identifier = json_object_get(response, "identifier");
    const json_t *system = json_object_get(identifier, "system");
    const char *status = json_string_value(json_object_get(response, "status"));
    if (system != NULL && !text_equal(json_string_value(system), BOOKING_SYSTEM)) {
        issues_add(issues, "format", "", "QuestionnaireResponse.identifier.system",
                   "The identifier must be the booking's, with the system " BOOKING_SYSTEM ".");
    }
    if (text_equal(status, "in-progress") || text_equal(status, "stopped") ||
        text_equal(status, "entered-in-error")) {
        issues_add(issues, "notCompleted", "", "QuestionnaireResponse.status",
                   "Only completed answers can be submitted: completed or amended.");
    }
    if (has_modifier(response)) {
        issues_add(issues, "notSupported", "", "QuestionnaireResponse",
                   "Extensions that change the meaning of an answer are not known here.");
    }
}

/* Reads booking and contact from the flat form; what is wrong is said of the response. */
static enum status read_contact(const json_t *flat, struct submission_post *post,
                                struct issues *issues, struct err *err)
{
    static const struct {
        const char *field;
        const char *path;
    } places[] = {
        {"booking_uid", "QuestionnaireResponse.identifier.value"},
        {"attendee_name", "QuestionnaireResponse.contained.name"},
        {"attendee_email", "QuestionnaireResponse.contained.telecom.where(system='email').value"},
        {"attendee_phone", "QuestionnaireResponse.contained.telecom.where(system='phone').value"},
        {"consent_version",
         "QuestionnaireResponse.extension.where(url='" CONSENT_EXTENSION "').value"},
    };
    AUTO(issues_finish) struct issues found = {0};
    if (!contact_read(flat, &post->contact, &found) || found.failed) {
        return err_no_memory(err);
    }
    for (size_t i = 0; i < found.count; i++) {
        const struct issue *issue = &found.items[i];
        const char *path = NULL;
        for (size_t k = 0; k < ARRAY_LENGTH(places); k++) {
            path = strcmp(places[k].field, issue->field) == 0 ? places[k].path : path;
        }
        issues_add(issues, issue->code, "", path, "%s", issue->message);
    }
    return STATUS_OK;
}

/*
 * Turns the response into the flat form and checks both: the response, so that every issue has its
 * place there, and then what is going to be stored, by the rules of everything that is stored.
 * Where it is not known what is answered (`questionnaire` NULL), `form` is any questionnaire, and
 * only booking and contact are looked at.
 */
static enum status check_response(const struct questionnaire *questionnaire,
                                  const struct questionnaire *form, const struct document *response,
                                  struct submission_post *post, struct issues *issues,
                                  struct err *err)
{
    AUTO(strbuf_finish) struct strbuf text = {0};
    AUTO(document_finish) struct document flat = {0};
    enum status status =
        questionnaire_print_flat(form, response->root, &response->lexemes, &text, err);
    if (status == STATUS_OK) {
        status = json_parse(text.data, text.len, &flat.root, err);
    }
    if (status == STATUS_OK) {
        status = read_contact(flat.root, post, issues, err);
    }
    if (status == STATUS_OK && questionnaire != NULL) {
        status = questionnaire_validate_response(questionnaire, response->root, &response->lexemes,
                                                 issues, err);
    }
    if (status == STATUS_OK && issues_are_none(issues)) {
        status = submission_check_answers(questionnaire, flat.root, text.data, text.len, post,
                                          issues, err);
    }
    const size_t len = text.len;
    post->flat = strbuf_take(&text);
    return status == STATUS_OK ? submission_make_ready(post, post->flat, len, issues, err) : status;
}

enum status fhir_response_prepare(const struct questionnaire_offer *offer, const char *body,
                                  size_t body_len, struct submission_post *ret_post,
                                  struct issues *issues, struct err *err)
{
    *ret_post = (struct submission_post){0};
    AUTO(document_finish) struct document response = {0};
    const enum status status = document_read(body, body_len, &response, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!json_is_resource(response.root, "QuestionnaireResponse")) {
        return err_set(err, STATUS_INVALID, "The body must be a FHIR QuestionnaireResponse.");
    }
    check_head(response.root, issues);
    const struct questionnaire_set *set = questionnaire_offer_now(offer);
    const struct questionnaire *questionnaire = questionnaire_set_choose(
        set, canonical_of(response.root), "", "QuestionnaireResponse.questionnaire", issues);
    const struct questionnaire *form =
        questionnaire != NULL ? questionnaire : questionnaire_set_answered(set, NULL, NULL);
    return check_response(questionnaire, form, &response, ret_post, issues, err);
}

/* What is stored, and what the service says about it. */
struct stored {
    const char *id;
    int32_t revision;
    int64_t updated_at_us;
    struct view flat;
};

static enum status print(const struct questionnaire *questionnaire, const struct stored *stored,
                         struct strbuf *out, struct err *err)
{
    char updated_at[RFC3339_SIZE];
    char revision[16];
    clock_rfc3339(stored->updated_at_us, updated_at);
    snprintf(revision, sizeof revision, "%d", (int)stored->revision);
    const struct response_head head = {
        .id = stored->id,
        .version_id = revision,
        .last_updated = updated_at,
        .status = stored->revision > 1 ? "amended" : "completed",
        .authored = updated_at,
    };
    AUTO(document_finish) struct document flat = {0};
    const enum status status = document_read(stored->flat.data, stored->flat.len, &flat, err);
    return status == STATUS_OK ? questionnaire_print_response(questionnaire, flat.root,
                                                              &flat.lexemes, &head, out, err)
                               : status;
}

enum status fhir_response_print_post(const struct submission_post *post, struct strbuf *out,
                                     struct err *err)
{
    const struct stored stored = {
        .id = post->write.id,
        .revision = post->write.revision,
        .updated_at_us = post->write.updated_at_us,
        .flat = {post->write.data, post->write.data_len},
    };
    return print(post->questionnaire, &stored, out, err);
}

enum status fhir_response_print_record(const struct questionnaire_set *set,
                                       const struct submission_record *record, struct strbuf *out,
                                       struct err *err)
{
    const struct questionnaire *questionnaire = questionnaire_set_answered(
        set, record->questionnaire_id.data, record->questionnaire_version.data);
    const struct stored stored = {
        .id = record->id,
        .revision = record->revision,
        .updated_at_us = record->updated_at_us,
        .flat = record->data,
    };
    return questionnaire != NULL
               ? print(questionnaire, &stored, out, err)
               : err_set(err, STATUS_CONFLICT,
                         "The questionnaire that was answered is not in the questionnaire folder.");
}

/* The QuestionnaireResponse that the body is, or that is among its parameters. */
static const json_t *find_response(const json_t *body)
{
    if (json_is_resource(body, "QuestionnaireResponse")) {
        return body;
    }
    const json_t *parameters =
        json_is_resource(body, "Parameters") ? json_object_get(body, "parameter") : NULL;
    for (size_t i = 0; i < json_array_size(parameters); i++) {
        const json_t *resource = json_object_get(json_array_get(parameters, i), "resource");
        if (json_is_resource(resource, "QuestionnaireResponse")) {
            return resource;
        }
    }
    return NULL;
}

enum status fhir_response_validate(const struct questionnaire_set *set, const char *body,
                                   size_t body_len, struct issues *issues, struct err *err)
{
    AUTO(document_finish) struct document document = {0};
    const enum status status = document_read(body, body_len, &document, err);
    if (status != STATUS_OK) {
        return status;
    }
    const json_t *response = find_response(document.root);
    if (response == NULL) {
        return err_set(err, STATUS_INVALID,
                       "The body must be a FHIR QuestionnaireResponse, or Parameters with one.");
    }
    const char *canonical = canonical_of(response);
    const struct questionnaire *questionnaire = canonical == NULL
                                                    ? questionnaire_set_answered(set, NULL, NULL)
                                                    : questionnaire_set_resolve(set, canonical);
    if (questionnaire == NULL) {
        issues_add(issues, "questionnaireNotFound", "", "QuestionnaireResponse.questionnaire",
                   "There is no such questionnaire to answer.");
        return STATUS_OK;
    }
    return questionnaire_validate_response(questionnaire, response, &document.lexemes, issues, err);
}
