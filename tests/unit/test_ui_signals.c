/* A stack that overflows is a crash as any other: the terminal is left first. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ui/ui.h"

#ifdef __SANITIZE_ADDRESS__
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

static volatile int depth = 1 << 30;

static int fall(int n)
{
    volatile char room[4096];

    room[0] = (char)n;
    return n > 0 ? fall(n - 1) + room[0] : 0;
}

static void *fall_in_thread(void *memory)
{
    ui_signals_stack(memory);
    fall(depth);
    return NULL;
}

/* A child overflows; what it sent to the terminal, and how it ended. */
static void check_fall(bool in_thread)
{
    static char memory[UI_SIGNAL_STACK];
    struct rlimit no_core = {0, 0};
    int ends[2], status = 0;
    char text[64] = "";

    if (IS_SANITIZED)
        skip(); /* which takes the signal itself */
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        pthread_t thread;
        setrlimit(RLIMIT_CORE, &no_core);
        for (int i = 1; i < 32; i++)
            signal(i, SIG_DFL); /* those of the test runner */
        ui_signals_install();
        ui_guard_screen(ends[1], "<left>");
        if (!in_thread)
            fall(depth);
        else if (pthread_create(&thread, NULL, fall_in_thread, memory) == 0)
            pthread_join(thread, NULL);
        _exit(0);
    }
    close(ends[1]);
    for (size_t n = 0; n + 1 < sizeof(text);) {
        ssize_t k = read(ends[0], text + n, sizeof(text) - 1 - n);
        if (k <= 0)
            break;
        n += (size_t)k;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(text, "<left>"));
}

static void signals__leaves_the_terminal__when_the_stack_overflows(void **state)
{
    (void)state;
    check_fall(false);
}

static void signals__leaves_the_terminal__when_a_threads_stack_overflows(void **state)
{
    (void)state;
    check_fall(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signals__leaves_the_terminal__when_the_stack_overflows),
        cmocka_unit_test(signals__leaves_the_terminal__when_a_threads_stack_overflows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
