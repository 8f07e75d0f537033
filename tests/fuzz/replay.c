/* Runs a harness over files and folders of files: the corpus as a test, without libFuzzer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"
#include "intake/core/text.h"

enum { INPUT_MAX = 4 * 1024 * 1024 };

static size_t inputs;

static void run_file(const char *path)
{
    char *data = NULL;
    size_t len = 0;
    struct err err = {0};
    if (json_read_file(path, INPUT_MAX, &data, &len, &err) != STATUS_OK) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
    /* A copy of its own size, so that AddressSanitizer sees a read past the end. */
    uint8_t *input = malloc(len == 0 ? 1 : len);
    if (input == NULL) {
        exit(2);
    }
    for (size_t i = 0; i < len; i++) {
        input[i] = (uint8_t)data[i];
    }
    (void)LLVMFuzzerTestOneInput(input, len);
    inputs++;
    free(input);
    free(data);
}

static void run_path(const char *path)
{
    struct stat info;
    DIR *folder = NULL;
    if (stat(path, &info) != 0) {
        perror(path);
        exit(2);
    }
    if (S_ISREG(info.st_mode)) {
        run_file(path);
        return;
    }
    folder = opendir(path);
    if (folder == NULL) {
        perror(path);
        exit(2);
    }
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (entry->d_name[0] != '.') {
            struct strbuf below = {0};
            strbuf_printf(&below, "%s/%s", path, entry->d_name);
            run_path(below.data);
            strbuf_finish(&below);
        }
    }
    closedir(folder);
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        run_path(argv[i]);
    }
    printf("%zu inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
