/* What the FHIR interface can do. */
#include "intake/domain/fhir_capability.h"

#include "intake/core/text.h"
#include "intake/domain/flat_fhir.h"

static const char head[] =
    "{\"resourceType\":\"CapabilityStatement\",\"status\":\"active\",\"date\":\"2026-11-22\","
    "\"kind\":\"instance\",\"fhirVersion\":\"4.0.1\",\"format\":[\"application/fhir+json\"],"
    "\"implementation\":{\"description\":\"Medical questionnaires before a consultation\"},"
    "\"software\":{\"name\":\"intake\",\"version\":";

static const char questionnaires[] =
    "{\"type\":\"Questionnaire\",\"documentation\":\"The definitions as they are in the "
    "questionnaire folder. Read gives the newest version that is offered, or where none is, the "
    "newest.\",\"interaction\":[{\"code\":\"read\"},{\"code\":\"search-type\"}],"
    "\"versioning\":\"no-version\",\"searchParam\":[{\"name\":\"url\",\"type\":\"uri\","
    "\"documentation\":\"Required: url, or url|version\"}],\"operation\":[{"
    "\"name\":\"validate-response\","
    "\"definition\":\"urn:intake:operation:validate-response\",\"documentation\":\"POST a "
    "QuestionnaireResponse, or Parameters with one, to Questionnaire/$validate-response: answers "
    "200 with an OperationOutcome, and stores nothing.\"}]}";

static const char responses[] =
    "{\"type\":\"QuestionnaireResponse\",\"documentation\":\"One for each booking. Create takes "
    "completed and amended ones: identifier is the booking (system " BOOKING_SYSTEM
    "), a contained "
    "Patient with name and e-mail, and maybe phone, is the subject or the source. The first for a "
    "booking is 201; other content for it is its next version, and the same again changes nothing: "
    "200. Read and search need a token.\",\"interaction\":[{\"code\":\"create\"},"
    "{\"code\":\"read\"},{\"code\":\"search-type\"}],\"versioning\":\"versioned\","
    "\"readHistory\":false,\"updateCreate\":false,\"conditionalCreate\":false,\"searchParam\":[{"
    "\"name\":\"identifier\",\"type\":\"token\",\"documentation\":\"Required: the booking, "
    "as " BOOKING_SYSTEM "|UID or UID\"}]}";

static const char audit_events[] =
    "{\"type\":\"AuditEvent\",\"documentation\":\"Who has seen or changed what belongs to a "
    "booking, "
    "newest first; needs a token of role admin, and is such an event itself. The link next leads "
    "to older ones.\",\"interaction\":[{\"code\":\"search-type\"}],\"versioning\":\"no-version\","
    "\"searchParam\":[{\"name\":\"entity\",\"type\":\"token\",\"documentation\":\"Required: the "
    "booking, as " BOOKING_SYSTEM "|UID or UID\"}]}";

void fhir_print_capability(const char *version, struct strbuf *out)
{
    strbuf_puts(out, head);
    strbuf_printf(out,
                  "\"%s\"},\"rest\":[{\"mode\":\"server\",\"security\":{\"description\":", version);
    strbuf_puts(out,
                "\"Reading QuestionnaireResponse: Authorization: Bearer TOKEN of role staff or "
                "admin; each reading is written to an audit log. Creating may need a token of role "
                "intake, or the booking's link in X-Intake-Link, as configured.\"},\"resource\":[");
    strbuf_puts(out, questionnaires);
    strbuf_putc(out, ',');
    strbuf_puts(out, responses);
    strbuf_putc(out, ',');
    strbuf_puts(out, audit_events);
    strbuf_puts(out, "]}]}");
}
