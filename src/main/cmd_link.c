/* `intake link`: the link to a booking's questionnaire. Needs no database. */
#include <stdint.h>
#include <stdio.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/domain/contact.h"
#include "intake/domain/link.h"

static const char usage[] =
    "link [--config FILE] [--days N | --until TIME] BOOKING_UID\n"
    "\n"
    "Prints the link with which the patient of that booking answers the\n"
    "questionnaire, comes back to what was not sent yet, and corrects what\n"
    "was. It is valid for N days ([link] days), or until TIME, best that of\n"
    "the consultation (2026-12-01T10:30:00+03:00). Who has it may read the\n"
    "answers: send it to the patient alone.";

static enum status print(const struct config *config, const char *booking_uid, int64_t expires_s,
                         struct err *err)
{
    enum status status = link_check_settings(config->link.secret, config->link.base_url, true, err);
    if (status != STATUS_OK) {
        return status;
    }
    if (!booking_uid_is_valid(booking_uid)) {
        return err_set(err, STATUS_INVALID,
                       "a booking UID has 1 to %d letters, digits, \"-\" or \"_\"",
                       BOOKING_UID_MAX);
    }
    char token[LINK_TOKEN_SIZE];
    link_print_token(config->link.secret, booking_uid, expires_s, token);
    struct strbuf link = {0};
    link_print(config->link.base_url, booking_uid, token, &link);
    AUTO_FREE char *text = strbuf_take(&link);
    if (text == NULL) {
        return err_no_memory(err);
    }
    puts(text);
    return STATUS_OK;
}

int cmd_link(int argc, char **argv)
{
    struct link_arguments arguments;
    const enum arguments_read read = link_arguments(argc, argv, &arguments);
    if (read != ARGUMENTS_READ) {
        return command_usage(usage, read);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    if (config_load(arguments.config, &config, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    int64_t expires_s = arguments.expires_s;
    if (expires_s == 0) {
        const int64_t days = arguments.days > 0 ? arguments.days : config.link.days;
        expires_s = clock_wall_us() / 1000000 + days * 24 * 3600;
    }
    if (print(&config, arguments.booking_uid, expires_s, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    return EXIT_DONE;
}
