// What the tests have a process do: one call each, raw, as an attacker would make it. The first argument says which; what came out is
// written to standard output as a decimal number (a negative errno where it failed). Never does more than that one thing.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/io_uring.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evasion/uring.h"
// It needs what stands above.
#include "evasion/races.h"

static long answer(long result) { return result < 0 ? -errno : result; }

static long userfault(void) { return answer(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */)); }

static long uring_setup(unsigned flags) {
    struct io_uring_params params = {.flags = flags};
    return answer(syscall(SYS_io_uring_setup, 8, &params));
}

// A process that ends at once with this code; with this number, where one is given. Its number, or a negative errno.
static long ends(pid_t number, int code) {
    struct clone_args wanted = {.exit_signal = SIGCHLD};
    if (number) {
        wanted.set_tid = (__u64)(unsigned long)&number;
        wanted.set_tid_size = 1;
    }
    long pid = syscall(SYS_clone3, &wanted, sizeof(wanted));
    if (pid == 0) _exit(code);
    if (pid < 0) return -errno;
    waitpid((pid_t)pid, NULL, 0);
    return pid;
}

// Two processes of one number: 7 and 8 are how they end.
static long reuse(void) {
    long first = ends(0, 7);
    long second = first < 0 ? first : ends((pid_t)first, 8);
    return second;
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "";
    long result;
    if (!strcmp(what, "userfault")) {
        result = userfault();
    } else if (!strcmp(what, "uring_setup")) {
        result = uring_setup(count > 2 ? (unsigned)atoi(arguments[2]) : 0);
    } else if (!strcmp(what, "reuse")) {
        result = reuse();
    } else if (!strcmp(what, "uring_open")) {
        result = uring_open(arguments[2], count > 3 ? (unsigned)atoi(arguments[3]) : 0);
    } else if (!strcmp(what, "uring_connect")) {
        result = uring_connect(atoi(arguments[2]));
    } else if (!strcmp(what, "uring_unlink")) {
        result = uring_unlink(arguments[2]);
    } else if (!strcmp(what, "uring_rename")) {
        result = uring_rename(arguments[2], arguments[3]);
    } else if (!strcmp(what, "uring_link")) {
        result = uring_link(arguments[2], arguments[3]);
    } else if (!strcmp(what, "uring_mkdir")) {
        result = uring_mkdir(arguments[2]);
    } else if (!strcmp(what, "flip_open")) {
        result = flip_open(arguments[2], arguments[3], atoi(arguments[4]));
    } else if (!strcmp(what, "flip_connect")) {
        result = flip_connect(atoi(arguments[2]), atoi(arguments[3]));
    } else if (!strcmp(what, "flip_exec")) {
        result = flip_exec(arguments[0]);
    } else if (!strcmp(what, "flipped")) {
        result = arguments[2][0] == 'a';
    } else {
        fprintf(stderr, "no such stimulus: %s\n", what);
        return 2;
    }
    printf("%ld\n", result);
    return 0;
}
