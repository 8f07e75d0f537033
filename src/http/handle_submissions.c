/* POST /v1/submissions: what the web frontend sends. */
#include <stddef.h>
#include <stdlib.h>

#include "intake/domain/issue.h"
#include "intake/domain/submission.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

/* A post that the lanes have; attached to its request, and freed with it. */
struct pending_post {
    struct submission_post post;
    struct request *request;
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
    } else {
        struct strbuf body = {0};
        submission_print_receipt(&pending->post, &body);
        const bool created = write->outcome == SUBMISSION_CREATED;
        if (created) {
            reply_header(request, "Location", "/v1/submissions/%s", write->booking_uid);
        }
        reply_json(request, created ? 201 : 200, &body);
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

enum handled handle_submissions_post(struct request *request, struct connection *connection)
{
    (void)connection;
    struct err err = {0};
    struct pending_post *pending = calloc(1, sizeof *pending);
    if (pending == NULL) {
        (void)err_no_memory(&err);
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    pending->request = request;
    request_attach(request, pending, pending_post_destroy);

    struct submission_service *service = request->services->submissions;
    struct issues issues = {0};
    enum status status = submission_prepare(service, request->body != NULL ? request->body : "",
                                            request->body_len, &pending->post, &issues, &err);
    if (status != STATUS_OK) {
        refuse(request, &issues, &err);
        issues_finish(&issues);
        return HANDLED_NOW;
    }
    issues_finish(&issues);
    request_suspend(request);
    status = submission_commit(service, &pending->post, on_written, &err);
    if (status != STATUS_OK) {
        reply_failure(request, &err);
        return HANDLED_NOW;
    }
    return HANDLED_LATER;
}
