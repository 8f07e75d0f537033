/* `intake link`: the link to a booking's questionnaire. Needs no database. */
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "intake/core/cleanup.h"
#include "intake/core/clock.h"
#include "intake/core/text.h"
#include "intake/domain/contact.h"
#include "intake/domain/date_time.h"
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

/* A time that is still to come, with its zone, in seconds since 1970. */
static bool read_until(const char *text, int64_t *ret_expires_s)
{
    struct date_time time;
    if (!date_time_read(text, strlen(text), &time) || !time.has_zone) {
        return false;
    }
    *ret_expires_s = date_time_first_ms(&time) / 1000;
    return *ret_expires_s > clock_wall_us() / 1000000;
}

int cmd_link(int argc, char **argv)
{
    static const struct option long_options[] = {
        {"config", required_argument, NULL, 'c'},
        {"days", required_argument, NULL, 'd'},
        {"until", required_argument, NULL, 'u'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    const char *config_path = NULL;
    long days = 0;
    int64_t expires_s = 0;
    bool valid = true;
    for (int option; (option = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            config_path = optarg;
            break;
        case 'd':
            valid = valid && text_to_long(optarg, 1, 3650, &days);
            break;
        case 'u':
            valid = valid && read_until(optarg, &expires_s);
            break;
        default:
            (void)command_usage(usage);
            return option == 'h' ? EXIT_DONE : EXIT_UNUSABLE;
        }
    }
    if (!valid || (days > 0 && expires_s > 0) || argc - optind != 1) {
        return command_usage(usage);
    }
    struct err err = {0};
    AUTO(config_finish) struct config config = {0};
    if (config_load(config_path, &config, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    if (expires_s == 0) {
        const int64_t day_s = 24 * INT64_C(3600);
        expires_s = clock_wall_us() / 1000000 + (days > 0 ? days : config.link.days) * day_s;
    }
    if (print(&config, argv[optind], expires_s, &err) != STATUS_OK) {
        return command_fail(&err);
    }
    return EXIT_DONE;
}
