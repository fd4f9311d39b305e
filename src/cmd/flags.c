/* The options of the program, read by its option parser, --help, the man page and shell
 * completion. */
#include "cmd/command.h"

const struct cmd_flag cmd_flags[] = {
    {'f', "file", "FILE", "run a script; - is the standard input (repeatable)"},
    {'e', "execute", "CMD", "run a command, in order with -f (repeatable)"},
    {'b', "batch", NULL, "no prompt; never asks a question"},
    {'i', "interactive", NULL, "stay at the prompt after -f and -e"},
    {'k', "keep-going", NULL, "go on after a failed command (still exits 1)"},
    {'q', "quiet", NULL, "tables, warnings and errors only"},
    {'x', "echo", NULL, "show each command before it runs"},
    {0, "format", "table|csv|json|md", "how tables are printed"},
    {0, "plain", NULL, "line mode even on a terminal"},
    {0, "no-init", NULL, "do not run init.rl"},
    {0, "safe", NULL, "start no external program"},
    {0, "seed", "N", "seed of everything drawn at random"},
    {0, "threads", "N", "threads that compute"},
    {0, "color", "auto|always|never", "colour of messages"},
    {0, "ascii", NULL, "nothing but ASCII in tables and plots"},
    {0, "size", "WxH", "panes of this size without a terminal, for tests"},
    {0, "keys", "FILE", "keys for the panes of --size"},
    {0, "version", NULL, "print the version and leave"},
    {0, "help", NULL, "print this and leave"},
};
const size_t cmd_n_flags = sizeof(cmd_flags) / sizeof(cmd_flags[0]);
