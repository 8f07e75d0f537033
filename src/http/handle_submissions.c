/* POST /v1/submissions and POST /fhir/QuestionnaireResponse: what patients send. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "intake/db/audit.h"
#include "intake/domain/fhir_response.h"
#include "intake/domain/issue.h"
#include "intake/domain/submission.h"
#include "intake/http/booking_link.h"
#include "intake/http/handlers.h"
#include "intake/http/precondition.h"
#include "intake/http/request.h"

/* One of the forms that a submission can have. */
struct post_form {
    enum status (*prepare)(const struct questionnaire_offer *offer, const char *body,
                           size_t body_len, struct submission_post *ret_post, struct issues *issues,
                           struct err *err);
    /* What is answered when it is committed, and its Location when it is the first. */
    void (*reply)(struct request *request, const struct submission_post *post, bool created);
};

/* A post that the lanes have; attached to its request, and freed with it. */
struct pending_post {
    struct submission_post post;
    struct request *request;
    const struct post_form *form;
};

static void pending_post_destroy(void *attachment)
{
    struct pending_post *pending = attachment;
    submission_post_finish(&pending->post);
    free(pending);
}

/* A lane's thread: it is committed, or was given up. */
static void on_written(struct submission_write *write, enum status status, const struct err *err)
{
    struct pending_post *pending =
        (struct pending_post *)((char *)write - offsetof(struct pending_post, post.write));
    struct request *request = pending->request;
    if (status != STATUS_OK) {
        reply_failure(request, err);
    } else if (write->outcome == SUBMISSION_GONE) {
        reply_problem(request, 409, "The submission of this booking was deleted.");
    } else if (write->outcome == SUBMISSION_STALE) {
        reply_problem(request, 412,
                      "Other answers were sent since: read them before sending these.");
    } else {
        pending->form->reply(request, &pending->post, write->outcome == SUBMISSION_CREATED);
    }
    request_complete(request);
}

/* What was wrong with the body: not JSON of the right shape, or answers that break rules. */
static void refuse(struct request *request, const struct issues *issues, const struct err *err)
{
    if (err->status == STATUS_INVALID && issues->count > 0) {
        reply_issues(request, 422, "Some answers need another look.", issues);
    } else {
        reply_failure(request, err);
    }
}

static enum handled take_post(struct request *request, const struct post_form *form)
{
    if (!booking_link_admits_submission(request, NULL)) {
        return HANDLED_NOW;
    }
    int32_t expected_revision = SUBMISSION_ANY_REVISION;
    const char *fault =
        precondition_of_submission(request_header(request, "If-Match"),
                                   request_header(request, "If-None-Match"), &expected_revision);
    if (fault != NULL) {
        reply_problem(request, 400, fault);
        return HANDLED_NOW;
    }
    struct err err = {0};
    struct pending_post *pending = calloc(1, sizeof *pending);
    if (pending == NULL) {
        (void)err_no_memory(&err);
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    pending->request = request;
    pending->form = form;
    request_attach(request, pending, pending_post_destroy);

    struct questionnaire_offer *offer = request->services->offer;
    struct issues issues = {0};
    enum status status = form->prepare(offer, request->body != NULL ? request->body : "",
                                       request->body_len, &pending->post, &issues, &err);
    if (!booking_link_admits_submission(request, pending->post.contact.booking_uid)) {
        issues_finish(&issues);
        return HANDLED_NOW;
    }
    if (status != STATUS_OK) {
        refuse(request, &issues, &err);
        issues_finish(&issues);
        return HANDLED_NOW;
    }
    issues_finish(&issues);
    const struct audit_actor actor = request_actor(request);
    request_suspend(request);
    status = submission_commit(request->services->lanes, &pending->post, &actor, expected_revision,
                               on_written, &err);
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    return HANDLED_LATER;
}

static void reply_receipt(struct request *request, const struct submission_post *post, bool created)
{
    struct strbuf body = {0};
    submission_print_receipt(post, &body);
    if (created) {
        reply_header(request, "Location", "/v1/submissions/%s", post->write.booking_uid);
    }
    reply_header(request, "ETag", "\"%d\"", (int)post->write.revision);
    reply_json(request, created ? 201 : 200, &body);
}

static void reply_response(struct request *request, const struct submission_post *post,
                           bool created)
{
    struct err err = {0};
    struct strbuf body = {0};
    if (fhir_response_print_post(post, &body, &err) != STATUS_OK) {
        strbuf_finish(&body);
        reply_failure(request, &err);
        return;
    }
    if (created) {
        reply_header(request, "Location", "/fhir/QuestionnaireResponse/%s", post->write.id);
    }
    reply_header(request, "ETag", "W/\"%d\"", (int)post->write.revision);
    reply_fhir(request, created ? 201 : 200, &body);
}

enum handled handle_submissions_post(struct request *request, struct connection *connection)
{
    static const struct post_form flat = {submission_prepare, reply_receipt};
    (void)connection;
    return take_post(request, &flat);
}

enum handled handle_fhir_response_post(struct request *request, struct connection *connection)
{
    static const struct post_form response = {fhir_response_prepare, reply_response};
    (void)connection;
    return take_post(request, &response);
}
