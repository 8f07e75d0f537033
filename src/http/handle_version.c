/* GET /version: which program this is, and which schema it needs. */
#include "intake/db/migrate.h"
#include "intake/http/handlers.h"
#include "intake/http/request.h"

enum handled handle_version(struct request *request, struct connection *connection)
{
    (void)connection;
    struct strbuf body = {0};
    strbuf_printf(&body, "{\"name\":\"intake\",\"version\":\"%s\",\"schema\":%d}", INTAKE_VERSION,
                  migrate_latest());
    reply_json(request, 200, &body);
    return HANDLED_NOW;
}
