/* Content that changes rarely: sent with an ETag, compressed for who takes that, or not again. */
#ifndef INTAKE_HTTP_CONTENT_H
#define INTAKE_HTTP_CONTENT_H

#include "intake/core/text.h"

struct request;

struct content {
    const char *type;
    const char *digest; /* of `plain` */
    const char *cache_control;
    struct view plain; /* lives as long as the server */
    struct view gzip;  /* the same, compressed, and as long; NULL data where there is none */
};

/* 200 with the content, or 304 for who has it by If-None-Match. Copies nothing of it. */
void reply_content(struct request *request, const struct content *content);

#endif
