// What the tests have a process do: one thing each, raw, as an attacker would do it. The first argument says which; what the kernel answered is
// written to standard output as decimal numbers (a negative errno where it refused), the last one first asked for. Never does more than that.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "evasion/memory.h"
#include "evasion/uring.h"
// It needs what stands above.
#include "evasion/races.h"

static long answer(long result) { return result < 0 ? -errno : result; }

// The process that is reached into: a child that waits.
static pid_t victim(void) {
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) pause();
    }
    return child;
}

static char memory[64] = "before";

static void reach(const char *how) {
    pid_t target = victim();
    long result = -1;
    struct iovec local = {memory, sizeof memory}, remote = {memory, sizeof memory};
    if (!strcmp(how, "attach")) {
        result = answer(ptrace(PTRACE_ATTACH, target, 0, 0));
    } else if (!strcmp(how, "seize")) {
        result = answer(ptrace(PTRACE_SEIZE, target, 0, 0));
    } else if (!strcmp(how, "poke")) {
        ptrace(PTRACE_ATTACH, target, 0, 0);
        waitpid(target, NULL, 0);
        for (int word = 0; word < 5; word++) result = answer(ptrace(PTRACE_POKEDATA, target, memory + 8 * word, 1));
    } else if (!strcmp(how, "vm_write")) {
        result = answer(process_vm_writev(target, &local, 1, &remote, 1, 0));
    } else if (!strcmp(how, "vm_read")) {
        result = answer(process_vm_readv(target, &local, 1, &remote, 1, 0));
    } else if (!strcmp(how, "memory_file")) {
        char path[64];
        snprintf(path, sizeof path, "/proc/%d/mem", target);
        result = answer(open(path, O_RDWR));
    } else if (!strcmp(how, "pidfd_getfd")) {
        int descriptor = syscall(SYS_pidfd_open, target, 0);
        result = answer(syscall(SYS_pidfd_getfd, descriptor, 1, 0));
    } else if (!strcmp(how, "kcmp")) {
        result = answer(syscall(SYS_kcmp, getpid(), target, 1 /* KCMP_VM */, 0, 0));
    }
    printf("%ld %d\n", result, target);
    fflush(stdout);
    kill(target, SIGKILL);
    waitpid(target, NULL, 0);
}

static int in_child(void *argument) {
    (void)argument;
    return 0;
}

// Executes itself from a file that nobody finds: in memory, or deleted.
static long execute_hidden(const char *path) {
    char copy[65536];
    int from = open("/proc/self/exe", O_RDONLY), to = *path ? open(path, O_CREAT | O_RDWR, 0700) : memfd_create("hidden", 0);
    for (ssize_t length; (length = read(from, copy, sizeof copy)) > 0;)
        if (write(to, copy, length) != length) return -errno;
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", to);
    // A file that is open for writing may not be executed.
    if (*path) {
        int again = open(path, O_RDONLY);
        unlink(path);
        close(to);
        snprintf(name, sizeof name, "/proc/self/fd/%d", again);
    }
    execl(name, "hidden", "executed", (char *)NULL);
    return -errno;
}

// A thread that is not the leader executes a program; the leader waits in vain.
static void *execute(void *program) {
    execl(program, "renamed", "executed", (char *)NULL);
    return NULL;
}

static long bpf(int command, union bpf_attr *attributes) {
    return answer(syscall(SYS_bpf, command, attributes, sizeof *attributes));
}

static long load(unsigned type) {
    struct bpf_insn code[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .imm = 0}, {.code = BPF_JMP | BPF_EXIT}};
    union bpf_attr attributes = {0};
    attributes.prog_type = type;
    attributes.insns = (uintptr_t)code;
    attributes.insn_cnt = 2;
    attributes.license = (uintptr_t) "GPL";
    strcpy(attributes.prog_name, "stimulus");
    return bpf(BPF_PROG_LOAD, &attributes);
}

struct ring {
    int descriptor;
    unsigned *tail, *mask, *array, *flags;
    struct io_uring_sqe *entries;
    unsigned setup, submitted;
};

static long make_ring(struct ring *ring, unsigned flags) {
    struct io_uring_params params = {.flags = flags, .sq_thread_idle = 1000};
    long result = answer(ring->descriptor = syscall(SYS_io_uring_setup, 8, &params));
    if (result < 0) return result;
    char *queue = mmap(0, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE, MAP_SHARED, ring->descriptor,
                       IORING_OFF_SQ_RING);
    ring->entries = mmap(0, params.sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED,
                         ring->descriptor, IORING_OFF_SQES);
    ring->tail = (unsigned *)(queue + params.sq_off.tail);
    ring->mask = (unsigned *)(queue + params.sq_off.ring_mask);
    ring->array = (unsigned *)(queue + params.sq_off.array);
    ring->setup = flags;
    ring->submitted = 0;
    return result;
}

static void submit(struct ring *ring, struct io_uring_sqe entry) {
    unsigned tail = *ring->tail, place = tail & *ring->mask;
    ring->entries[place] = entry;
    ring->array[place] = place;
    __atomic_store_n(ring->tail, tail + 1, __ATOMIC_RELEASE);
    unsigned wake = ring->setup & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0;
    // Nobody takes answers out, so as many are waited for as there were requests.
    syscall(SYS_io_uring_enter, ring->descriptor, 1, ++ring->submitted, IORING_ENTER_GETEVENTS | wake, NULL, 0);
}

static void request(const char *what, const char *name, unsigned flags) {
    struct ring ring;
    long made = make_ring(&ring, flags);
    if (made >= 0 && !strcmp(what, "nop")) {
        for (int time = 0; time < 5; time++) submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_NOP});
    } else if (made >= 0 && !strcmp(what, "openat")) {
        for (int time = 0; time < 2; time++)
            submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_OPENAT, .fd = AT_FDCWD, .addr = (uintptr_t)name});
    } else if (made >= 0 && !strcmp(what, "unlinkat")) {
        submit(&ring, (struct io_uring_sqe){.opcode = IORING_OP_UNLINKAT, .fd = AT_FDCWD, .addr = (uintptr_t)name});
    }
    printf("%ld\n", made);
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

static long xattr(const char *path) {
    if (syscall(SYS_setxattr, path, "trusted.mayfly", "abc", 3, 0)) return -errno;
    return answer(syscall(SYS_removexattr, path, "trusted.mayfly"));
}

static long map(const char *written, const char *read) {
    int target = open(written, O_RDWR), source = open(read, O_RDONLY);
    for (int twice = 0; twice < 2; twice++) {
        if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, target, 0) == MAP_FAILED) return -errno;
        if (mmap(0, 4096, PROT_READ, MAP_SHARED, source, 0) == MAP_FAILED) return -errno;
        if (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, source, 0) == MAP_FAILED) return -errno;
    }
    return 0;
}

static long handle(const char *path) {
    struct file_handle *taken = calloc(1, sizeof *taken + MAX_HANDLE_SZ);
    int mount = open(path, O_RDONLY), id;
    taken->handle_bytes = MAX_HANDLE_SZ;
    if (name_to_handle_at(AT_FDCWD, path, taken, &id, 0)) return -errno;
    return answer(open_by_handle_at(mount, taken, O_RDONLY));
}

// One call, a datagram to each port of the loopback.
static long mmsg(int first, int second) {
    struct sockaddr_in to[2] = {{.sin_family = AF_INET, .sin_port = htons(first), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)},
                                {.sin_family = AF_INET, .sin_port = htons(second), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    struct iovec part = {"x", 1};
    struct mmsghdr messages[2] = {{.msg_hdr = {&to[0], sizeof to[0], &part, 1}}, {.msg_hdr = {&to[1], sizeof to[1], &part, 1}}};
    return answer(syscall(SYS_sendmmsg, socket(AF_INET, SOCK_DGRAM, 0), messages, 2, 0));
}

static long vsock(unsigned cid, unsigned port) {
    struct sockaddr_vm to = {.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
    return answer(connect(socket(AF_VSOCK, SOCK_STREAM, 0), (struct sockaddr *)&to, sizeof to));
}

int main(int count, char **arguments) {
    const char *what = count > 1 ? arguments[1] : "", *first = count > 2 ? arguments[2] : "";
    long number = atol(first), result = 0;
    if (!strcmp(what, "executed")) {
        result = getpid();
    } else if (!strcmp(what, "execute_hidden")) {
        result = execute_hidden(first);
    } else if (!strcmp(what, "reach")) {
        reach(first);
        return 0;
    } else if (!strcmp(what, "trace_me")) {
        result = answer(ptrace(PTRACE_TRACEME, 0, 0, 0));
    } else if (!strcmp(what, "setresuid")) {
        result = answer(syscall(SYS_setresuid, number, number, number));
    } else if (!strcmp(what, "become")) {
        // Somebody who may not become root tries to.
        syscall(SYS_setresuid, number, number, number);
        result = answer(syscall(SYS_setuid, 0));
    } else if (!strcmp(what, "exec_as")) {
        syscall(SYS_setresuid, number, number, number);
        execl(arguments[3], arguments[3], "executed", (char *)NULL);
        result = -errno;
    } else if (!strcmp(what, "unshare")) {
        result = answer(unshare(number));
    } else if (!strcmp(what, "setns")) {
        result = answer(setns(open(first, O_RDONLY), 0));
    } else if (!strcmp(what, "clone")) {
        static char stack[65536];
        pid_t child = clone(in_child, stack + sizeof stack, number | SIGCHLD, NULL);
        result = answer(child);
        waitpid(child, NULL, 0);
    } else if (!strcmp(what, "clone_parent")) {
        // A child whose parent is not the process that made it.
        result = answer(syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
        if (result == 0) return 0;
    } else if (!strcmp(what, "chroot")) {
        result = answer(chroot(first));
    } else if (!strcmp(what, "pivot_root")) {
        result = answer(syscall(SYS_pivot_root, first, first));
    } else if (!strcmp(what, "userfault")) {
        result = answer(syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */));
    } else if (!strcmp(what, "add_key")) {
        result = answer(syscall(SYS_add_key, "user", first, "secret", 6, KEY_SPEC_PROCESS_KEYRING));
    } else if (!strcmp(what, "init_module")) {
        result = answer(syscall(SYS_init_module, memory, sizeof memory, "option=1"));
    } else if (!strcmp(what, "finit_module")) {
        result = answer(syscall(SYS_finit_module, open(first, O_RDONLY), "option=1", 0));
    } else if (!strcmp(what, "delete_module")) {
        result = answer(syscall(SYS_delete_module, first, 0));
    } else if (!strcmp(what, "kexec")) {
        result = answer(syscall(SYS_kexec_load, 0, 0, NULL, 0));
    } else if (!strcmp(what, "bpf_load")) {
        result = load(BPF_PROG_TYPE_SOCKET_FILTER);
    } else if (!strcmp(what, "bpf_load_kprobe")) {
        result = load(BPF_PROG_TYPE_KPROBE);
    } else if (!strcmp(what, "bpf_program_by_id") || !strcmp(what, "bpf_map_by_id")) {
        union bpf_attr attributes = {0};
        attributes.prog_id = number;
        result = bpf(!strcmp(what, "bpf_map_by_id") ? BPF_MAP_GET_FD_BY_ID : BPF_PROG_GET_FD_BY_ID, &attributes);
    } else if (!strcmp(what, "perf_event")) {
        struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes, .config = 0};
        attributes.sample_period = 100000;
        result = answer(syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0));
    } else if (!strcmp(what, "uring_setup")) {
        struct ring ring;
        result = make_ring(&ring, number);
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
    } else if (!strcmp(what, "uring_register")) {
        struct ring ring;
        make_ring(&ring, 0);
        result = answer(syscall(SYS_io_uring_register, ring.descriptor, IORING_UNREGISTER_FILES, NULL, 0));
    } else if (!strcmp(what, "uring_restricted")) {
        result = uring_restricted();
    } else if (!strcmp(what, "uring_command")) {
        result = uring_command(first, (unsigned)atoi(arguments[3]));
    } else if (!strcmp(what, "uring")) {
        request(first, count > 3 ? arguments[3] : "", count > 4 ? atoi(arguments[4]) : 0);
        return 0;
    } else if (!strcmp(what, "mount")) {
        unshare(CLONE_NEWNS);
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
        result = answer(mount("stimulus", first, "tmpfs", MS_NOSUID, NULL));
        umount2(first, MNT_DETACH);
    } else if (!strcmp(what, "fsopen")) {
        result = answer(syscall(SYS_fsopen, first, 0));
    } else if (!strcmp(what, "kill")) {
        result = answer(kill(atoi(first), atoi(arguments[3])));
    } else if (!strcmp(what, "thread_exec")) {
        pthread_t thread;
        pthread_create(&thread, NULL, execute, arguments[0]);
        for (;;) pause();
    } else if (!strcmp(what, "vfork_exec")) {
        pid_t child = vfork();
        if (child == 0) {
            execl(arguments[0], "child", "executed", (char *)NULL);
            _exit(1);
        }
        waitpid(child, NULL, 0);
        result = child;
    } else if (!strcmp(what, "disguise")) {
        // Another name, and other arguments, after the start.
        prctl(PR_SET_NAME, "kworker/0:1");
        memset(arguments[0], 'x', strlen(arguments[0]));
        result = answer(open(first, O_CREAT | O_WRONLY, 0600));
    } else if (!strcmp(what, "executable_at_once") || !strcmp(what, "executable_later")) {
        result = executable_anonymous(!strcmp(what, "executable_at_once"), number);
    } else if (!strcmp(what, "executable_file")) {
        result = executable_file(first);
    } else if (!strcmp(what, "executable_nameless")) {
        result = executable_nameless(first);
    } else if (!strcmp(what, "executable_overwritten")) {
        result = executable_overwritten(first);
    } else if (!strcmp(what, "xattr") && count > 2) {
        result = xattr(arguments[2]);
    } else if (!strcmp(what, "map") && count > 3) {
        result = map(arguments[2], arguments[3]);
    } else if (!strcmp(what, "handle") && count > 2) {
        result = handle(arguments[2]);
    } else if (!strcmp(what, "sendmmsg") && count > 3) {
        result = mmsg(atoi(arguments[2]), atoi(arguments[3]));
    } else if (!strcmp(what, "vsock") && count > 3) {
        result = vsock((unsigned)atoi(arguments[2]), (unsigned)atoi(arguments[3]));
    } else {
        fprintf(stderr, "no such stimulus: %s\n", what);
        return 2;
    }
    printf("%ld\n", result);
    return 0;
}
