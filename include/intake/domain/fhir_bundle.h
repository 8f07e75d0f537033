/*
 * What a FHIR search finds: a Bundle of type searchset (FHIR R4 section 3.1.1). Its fullUrl are
 * urn:uuid, because the service does not know under which address its clients see it.
 */
#ifndef INTAKE_DOMAIN_FHIR_BUNDLE_H
#define INTAKE_DOMAIN_FHIR_BUNDLE_H

#include "intake/core/text.h"

struct questionnaire_set;

/* A search by one parameter, as it was understood. */
struct fhir_search {
    const char *type;      /* of the resources */
    const char *parameter; /* "identifier" */
    const char *value;     /* decoded */
};

/* Appends the Bundle of one resource and its UUID, or of none for NULL. */
void fhir_print_searchset(const struct fhir_search *search, const char *uuid,
                          const struct strbuf *resource, struct strbuf *out);

/*
 * Appends the Bundle of the questionnaires with this canonical, `url` or `url|version`, offered or
 * not, the newest first.
 */
void fhir_print_questionnaires(const struct questionnaire_set *set, const char *canonical,
                               struct strbuf *out);

#endif
