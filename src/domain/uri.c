/* Whether a text can be a URI (RFC 3986), and whether a name is a FHIR R4 resource. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "intake/core/cleanup.h"
#include "intake/core/id.h"
#include "intake/domain/validate.h"

/* Characters that a URI may have; those beyond ASCII are let through, as in an IRI (RFC 3987). */
static bool is_uri_character(unsigned char c)
{
    return c >= 0x80 || isalnum(c) || (c != '\0' && strchr("-._~:/?#[]@!$&'()*+,;=%", c) != NULL);
}

static bool is_oid(const char *text)
{
    bool digit_before = false;
    for (; *text != '\0'; text++) {
        if (*text == '.' && digit_before) {
            digit_before = false;
        } else if (isdigit((unsigned char)*text)) {
            digit_before = true;
        } else {
            return false;
        }
    }
    return digit_before;
}

/* The length of `scheme` before a colon; 0 when there is none (a relative reference). */
static size_t scheme_length(const char *text, size_t len)
{
    size_t i = 0;
    if (len == 0 || !isalpha((unsigned char)text[0])) {
        return 0;
    }
    while (i < len && (isalnum((unsigned char)text[i]) || strchr("+-.", text[i]) != NULL)) {
        i++;
    }
    return i < len && text[i] == ':' ? i : 0;
}

bool uri_is_valid(const char *text, size_t len)
{
    if (len == 0 || strlen(text) != len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_uri_character((unsigned char)text[i])) {
            return false;
        }
        if (text[i] == '%' &&
            (!isxdigit((unsigned char)text[i + 1]) || !isxdigit((unsigned char)text[i + 2]))) {
            return false;
        }
    }
    if (strncasecmp(text, "urn:uuid:", 9) == 0) {
        return id_is_uuid(text + 9);
    }
    if (strncasecmp(text, "urn:oid:", 8) == 0) {
        return is_oid(text + 8);
    }
    const size_t scheme = scheme_length(text, len);
    if (scheme == 0) {
        /* A colon in the first segment would make it a scheme, and here it is a bad one. */
        const size_t colon = strcspn(text, ":");
        return text[colon] == '\0' || strcspn(text, "/?#") < colon;
    }
    if (scheme <= 5 &&
        (strncasecmp(text, "http:", 5) == 0 || strncasecmp(text, "https:", 6) == 0)) {
        const char *host = text + scheme + 1;
        return strncmp(host, "//", 2) == 0 && strcspn(host + 2, "/?#") > 0;
    }
    return text[scheme + 1] != '\0';
}

/* http://hl7.org/fhir/R4/resourcelist.html, sorted. */
static const char *const resources[] = {
    "Account",
    "ActivityDefinition",
    "AdverseEvent",
    "AllergyIntolerance",
    "Appointment",
    "AppointmentResponse",
    "AuditEvent",
    "Basic",
    "Binary",
    "BiologicallyDerivedProduct",
    "BodyStructure",
    "Bundle",
    "CapabilityStatement",
    "CarePlan",
    "CareTeam",
    "CatalogEntry",
    "ChargeItem",
    "ChargeItemDefinition",
    "Claim",
    "ClaimResponse",
    "ClinicalImpression",
    "CodeSystem",
    "Communication",
    "CommunicationRequest",
    "CompartmentDefinition",
    "Composition",
    "ConceptMap",
    "Condition",
    "Consent",
    "Contract",
    "Coverage",
    "CoverageEligibilityRequest",
    "CoverageEligibilityResponse",
    "DetectedIssue",
    "Device",
    "DeviceDefinition",
    "DeviceMetric",
    "DeviceRequest",
    "DeviceUseStatement",
    "DiagnosticReport",
    "DocumentManifest",
    "DocumentReference",
    "EffectEvidenceSynthesis",
    "Encounter",
    "Endpoint",
    "EnrollmentRequest",
    "EnrollmentResponse",
    "EpisodeOfCare",
    "EventDefinition",
    "Evidence",
    "EvidenceVariable",
    "ExampleScenario",
    "ExplanationOfBenefit",
    "FamilyMemberHistory",
    "Flag",
    "Goal",
    "GraphDefinition",
    "Group",
    "GuidanceResponse",
    "HealthcareService",
    "ImagingStudy",
    "Immunization",
    "ImmunizationEvaluation",
    "ImmunizationRecommendation",
    "ImplementationGuide",
    "InsurancePlan",
    "Invoice",
    "Library",
    "Linkage",
    "List",
    "Location",
    "Measure",
    "MeasureReport",
    "Media",
    "Medication",
    "MedicationAdministration",
    "MedicationDispense",
    "MedicationKnowledge",
    "MedicationRequest",
    "MedicationStatement",
    "MedicinalProduct",
    "MedicinalProductAuthorization",
    "MedicinalProductContraindication",
    "MedicinalProductIndication",
    "MedicinalProductIngredient",
    "MedicinalProductInteraction",
    "MedicinalProductManufactured",
    "MedicinalProductPackaged",
    "MedicinalProductPharmaceutical",
    "MedicinalProductUndesirableEffect",
    "MessageDefinition",
    "MessageHeader",
    "MolecularSequence",
    "NamingSystem",
    "NutritionOrder",
    "Observation",
    "ObservationDefinition",
    "OperationDefinition",
    "OperationOutcome",
    "Organization",
    "OrganizationAffiliation",
    "Parameters",
    "Patient",
    "PaymentNotice",
    "PaymentReconciliation",
    "Person",
    "PlanDefinition",
    "Practitioner",
    "PractitionerRole",
    "Procedure",
    "Provenance",
    "Questionnaire",
    "QuestionnaireResponse",
    "RelatedPerson",
    "RequestGroup",
    "ResearchDefinition",
    "ResearchElementDefinition",
    "ResearchStudy",
    "ResearchSubject",
    "RiskAssessment",
    "RiskEvidenceSynthesis",
    "Schedule",
    "SearchParameter",
    "ServiceRequest",
    "Slot",
    "Specimen",
    "SpecimenDefinition",
    "StructureDefinition",
    "StructureMap",
    "Subscription",
    "Substance",
    "SubstanceNucleicAcid",
    "SubstancePolymer",
    "SubstanceProtein",
    "SubstanceReferenceInformation",
    "SubstanceSourceMaterial",
    "SubstanceSpecification",
    "SupplyDelivery",
    "SupplyRequest",
    "Task",
    "TerminologyCapabilities",
    "TestReport",
    "TestScript",
    "ValueSet",
    "VerificationResult",
    "VisionPrescription",
};

static int compare_name(const void *key, const void *element)
{
    const struct view *name = key;
    const char *resource = *(const char *const *)element;
    const int order = strncmp(name->data, resource, name->len);
    return order != 0 ? order : -(resource[name->len] != '\0');
}

bool resource_is_known(const char *name, size_t len)
{
    const struct view key = {name, len};
    return len > 0 && bsearch(&key, resources, ARRAY_LENGTH(resources), sizeof resources[0],
                              compare_name) != NULL;
}
