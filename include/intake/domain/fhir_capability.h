/* What the FHIR interface can do: its CapabilityStatement (FHIR R4 section 5.2). */
#ifndef INTAKE_DOMAIN_FHIR_CAPABILITY_H
#define INTAKE_DOMAIN_FHIR_CAPABILITY_H

struct strbuf;

/* Appends the CapabilityStatement; `version` is the program's. A test compares it with the routes.
 */
void fhir_print_capability(const char *version, struct strbuf *out);

#endif
