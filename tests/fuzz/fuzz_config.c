/* A configuration file: understood as a whole, or refused with a reason. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "intake/core/config.h"
#include "intake/core/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct config untouched;
    char path[32];
    struct err err = {0};
    struct config config = {0};
    const int fd = memfd_create("config", 0);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (config_load(path, &config, &err) == STATUS_OK) {
        (void)config_log_level(&config);
        fuzz_assert(config_needs_restart(&config, &config) == NULL, "it is like itself", path);
        fuzz_assert(config.http.threads >= 1 && config.http.port <= 65535, "within range", path);
    } else {
        fuzz_assert(*err.message != '\0', "refused with a reason", path);
        fuzz_assert(config.http.address == untouched.http.address, "untouched", path);
    }
    config_finish(&config);
    close(fd);
    return 0;
}
