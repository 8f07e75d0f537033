/* GET /version: which program this is. */
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum handled handle_version(struct request *request, struct connection *connection)
{
    (void)connection;
    struct strbuf body = {0};
    strbuf_puts(&body, "{\"name\":\"intake\",\"version\":\"" INTAKE_VERSION "\"}");
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}
