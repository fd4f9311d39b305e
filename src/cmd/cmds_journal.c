/* The evaluations kept on disk. */
#include "cmd/context.h"

#include <time.h>

#include "ranklab/journal.h"

const char *cmd_time(char buf[CMD_TIME_SIZE], int64_t seconds)
{
    time_t t = (time_t)seconds;
    struct tm parts;

    if (!gmtime_r(&t, &parts) ||
        strftime(buf, CMD_TIME_SIZE, "%Y-%m-%d %H:%M UTC", &parts) == 0)
        snprintf(buf, CMD_TIME_SIZE, "at an unknown time");
    return buf;
}
