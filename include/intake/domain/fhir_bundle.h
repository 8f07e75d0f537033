/*
 * What a FHIR search finds: a Bundle of type searchset (FHIR R4 section 3.1.1). Its fullUrl are
 * urn:uuid, because the service does not know under which address its clients see it.
 */
#ifndef INTAKE_DOMAIN_FHIR_BUNDLE_H
#define INTAKE_DOMAIN_FHIR_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "intake/core/text.h"

struct questionnaire_set;

/* A search by one parameter, as it was understood. */
struct fhir_search {
    const char *type;      /* of the resources */
    const char *parameter; /* "identifier" */
    const char *value;     /* decoded */
    int32_t count;         /* resources of a page; 0: there are no pages */
    const char *next;      /* the cursor of the next page, a number; or NULL */
};

/*
 * Appends a Bundle part by part: its begin with `total` matches, of which this page has some or
 * not; each resource with its UUID; and its end.
 */
void fhir_bundle_begin(const struct fhir_search *search, size_t total, bool has_some,
                       struct strbuf *out);
void fhir_bundle_add(const char *uuid, struct view resource, bool first, struct strbuf *out);
void fhir_bundle_end(bool has_some, struct strbuf *out);

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
