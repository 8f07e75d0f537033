/* The table of configuration keys: parsing, defaults and documentation follow from it. */
#ifndef INTAKE_CORE_CONFIG_KEYS_H
#define INTAKE_CORE_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>

enum key_type { KEY_TEXT, KEY_NUMBER, KEY_BOOLEAN, KEY_OFF_OR_REQUIRED, KEY_LOG_LEVEL };

struct config_key {
    const char *section;
    const char *name;
    enum key_type type;
    bool reloads; /* takes effect at SIGHUP */
    size_t offset;
    const char *standard; /* the default, as it is written in the file */
    long min;
    long max;
    const char *meaning;
};

extern const struct config_key config_keys[];
extern const size_t config_keys_count;

#endif
