/*
 * The audit of a booking as FHIR R4 AuditEvent resources. What was done stands in `subtype` (system
 * urn:intake:audit-action), who in `agent`, why in `purposeOfEvent`, and in `entity` the booking
 * and the request. No answers.
 */
#ifndef INTAKE_DOMAIN_FHIR_AUDIT_EVENT_H
#define INTAKE_DOMAIN_FHIR_AUDIT_EVENT_H

struct audit_page;
struct audit_page_filter;
struct strbuf;

/*
 * Appends the Bundle of a page, which `filter` asked for; `value` is the search's parameter entity
 * as it was given.
 */
void fhir_print_audit_page(const struct audit_page *page, const struct audit_page_filter *filter,
                           const char *value, struct strbuf *out);

#endif
