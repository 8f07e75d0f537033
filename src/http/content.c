/* Content that changes rarely. */
#include "intake/http/content.h"

#include "intake/http/accept_encoding.h"
#include "intake/http/etag.h"
#include "intake/http/request.h"

void reply_content(struct request *request, const struct content *content)
{
    const bool packed = content->gzip.data != NULL && content->gzip.len < content->plain.len &&
                        accept_encoding_has_gzip(request_header(request, "Accept-Encoding"));
    const struct view chosen = packed ? content->gzip : content->plain;
    struct strbuf tag = {0};
    strbuf_printf(&tag, "\"%s%s\"", content->digest, packed ? "-gzip" : "");
    if (tag.failed) {
        const struct err err = {.status = STATUS_NO_MEMORY, .message = "no memory for an ETag"};
        reply_failure(request, &err);
        strbuf_finish(&tag);
        return;
    }
    request->reply.cacheable = true;
    reply_header(request, "Cache-Control", "%s", content->cache_control);
    reply_header(request, "Vary", "Accept-Encoding");
    reply_header(request, "ETag", "%s", tag.data);
    if (etag_list_has(request_header(request, "If-None-Match"), tag.data, ETAG_WEAK)) {
        reply_empty(request, 304);
    } else {
        if (packed) {
            reply_header(request, "Content-Encoding", "gzip");
        }
        reply_shared(request, 200, content->type, chosen);
    }
    strbuf_finish(&tag);
}
