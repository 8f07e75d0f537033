/* JSON in: strict parsing of what a stranger sent, on top of jansson. */
#include "intake/core/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "intake/core/cleanup.h"
#include "json_memory.h"

/* Whether brackets nest deeper than JSON_DEPTH_MAX; text that is not JSON may give any answer. */
static bool is_too_deep(const char *data, size_t len)
{
    size_t depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < len; i++) {
        const char c = data[i];
        if (in_string) {
            if (c == '\\') {
                i++;
            } else if (c == '"') {
                in_string = false;
            }
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > JSON_DEPTH_MAX) {
                return true;
            }
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* What jansson found wrong, without the piece of the text that its own message quotes. */
static const char *parse_error(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        return "the text ends too early";
    case json_error_end_of_input_expected:
        return "there is more after the end";
    case json_error_invalid_utf8:
        return "the text is not UTF-8";
    case json_error_duplicate_key:
        return "a key occurs twice in one object";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_out_of_memory: /* json_memory_load() tells */
    case json_error_unknown:
    case json_error_stack_overflow:
    case json_error_invalid_argument:
    case json_error_cannot_open_file:
    case json_error_invalid_syntax:
    case json_error_invalid_format:
    case json_error_wrong_type:
    case json_error_null_character:
    case json_error_null_value:
    case json_error_null_byte_in_key:
    case json_error_item_not_found:
    case json_error_index_out_of_range:
        break;
    }
    return "the text is not valid JSON";
}

enum status json_parse(const char *data, size_t len, json_t **ret_root, struct err *err)
{
    if (is_too_deep(data, len)) {
        return err_set(err, STATUS_INVALID, "nested deeper than %d levels", JSON_DEPTH_MAX);
    }
    json_error_t error;
    json_t *root = NULL;
    if (!json_memory_load(data, len, &root, &error)) {
        return err_no_memory(err);
    }
    if (root == NULL) {
        return err_set(err, STATUS_INVALID, "line %d column %d: %s", error.line, error.column,
                       parse_error(&error));
    }
    *ret_root = root;
    return STATUS_OK;
}

/* What is in a descriptor that was opened for reading `path`. */
static enum status read_descriptor(int fd, const char *path, size_t max_bytes, char **ret_data,
                                   size_t *ret_len, struct err *err)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        return err_set(err, STATUS_INVALID, "%s: not a regular file", path);
    }
    if ((size_t)info.st_size > max_bytes) {
        return err_set(err, STATUS_INVALID, "%s: larger than %zu bytes", path, max_bytes);
    }
    const size_t size = (size_t)info.st_size;
    AUTO_FREE char *data = malloc(size + 1);
    if (data == NULL) {
        return err_no_memory(err);
    }
    size_t len = 0;
    while (len < size) {
        const ssize_t got = read(fd, data + len, size - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return err_set(err, STATUS_INVALID, "%s: %s", path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    data[len] = '\0';
    *ret_data = TAKE(data);
    *ret_len = len;
    return STATUS_OK;
}

enum status json_read_file(const char *path, size_t max_bytes, char **ret_data, size_t *ret_len,
                           struct err *err)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, errno == ENOENT ? STATUS_NOT_FOUND : STATUS_INVALID, "%s: %s", path,
                       strerror(errno));
    }
    const enum status status = read_descriptor(fd, path, max_bytes, ret_data, ret_len, err);
    (void)close(fd);
    return status;
}

enum status json_parse_file(const char *path, size_t max_bytes, json_t **ret_root, struct err *err)
{
    AUTO_FREE char *data = NULL;
    size_t len = 0;
    enum status status = json_read_file(path, max_bytes, &data, &len, err);
    if (status != STATUS_OK) {
        return status;
    }
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): AUTO_FREE frees it */
    status = json_parse(data, len, ret_root, err);
    return status == STATUS_OK ? status : err_prefix(err, "%s", path);
}

bool json_has_nul(const json_t *string)
{
    const size_t len = json_string_length(string);
    return memchr(json_string_value(string), '\0', len) != NULL;
}
