/*
 * Starts processes for the engine: forking this small program takes a tenth of a millisecond, forking Node several.
 * Orders come on stdin as [length:4][id:4][argument NUL …], answers go to stdout as [length:4][id:4][status:4][output],
 * numbers big endian, `length` counting what follows it. Any number of orders may be under way. The first argument says
 * how:
 *   run PROGRAM ARGUMENT …      executes it
 *   hidden PROGRAM ARGUMENT …   the same, with the v2 cgroup mount of a hybrid host covered
 *   self MODE ARGUMENT …        another mode of this program, forked without exec
 * The answer comes when the process has ended and everything that holds its output has closed it; `output` is stdout and
 * stderr together. The end of stdin ends the launcher and nothing else.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sched.h>
#include <sys/signalfd.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_JOBS = 512, MAX_ARGS = 512, MAX_OUTPUT = 1 << 20, MAX_ORDER = 1 << 20 };

struct job {
  uint32_t id;
  pid_t pid;      /* 0 when it has ended */
  int output;     /* -1 when closed */
  int status;
  char *text;
  size_t length;
};

static struct job jobs[MAX_JOBS];
static int job_count;
static char *order;
static size_t order_length;

static uint32_t number(const char *at) {
  const unsigned char *b = (const unsigned char *)at;
  return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static void put_number(char *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (char)(value >> (24 - 8 * i));
}

static void answer(uint32_t id, int status, const char *text, size_t length) {
  char head[12];
  put_number(head, (uint32_t)length + 8);
  put_number(head + 4, id);
  put_number(head + 8, (uint32_t)status);
  if (!write_all(1, head, sizeof head) || !write_all(1, text, length)) exit(0);
}

int hide_unified_cgroup(void) {
  /* Only /sys/fs/cgroup becomes private: other mounts keep their propagation, which containers may have asked for. */
  if (unshare(CLONE_NEWNS)) return fail("unshare");
  if (mount("none", "/sys/fs/cgroup", NULL, MS_REC | MS_PRIVATE, NULL)) return fail("/sys/fs/cgroup");
  if (mount("none", "/sys/fs/cgroup/unified", "tmpfs", 0, "size=0")) return fail("/sys/fs/cgroup/unified");
  return 0;
}

static void child(int argc, char **argv, int output) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, 0);
  dup2(output, 1);
  dup2(output, 2);
  for (int i = 0; i < job_count; i++)
    if (jobs[i].output >= 0) close(jobs[i].output);
  close(output);
  if (!strcmp(argv[0], "self")) {
    static char *self[MAX_ARGS + 1];
    self[0] = "monitor";
    for (int i = 1; i < argc; i++) self[i] = argv[i];
    const char *mode = argc > 1 ? argv[1] : "";
    if (!strcmp(mode, "container")) exit(container_main(argc, self));
    if (!strcmp(mode, "exec")) exit(exec_main(argc, self));
    if (!strcmp(mode, "dial")) exit(dial_main(argc, self));
    exit(kernel_main(argc, self));
  }
  if (!strcmp(argv[0], "hidden") && hide_unified_cgroup()) _exit(126);
  execvp(argv[1], argv + 1);
  dprintf(2, "%s: %s\n", argv[1], strerror(errno));
  _exit(127);
}

static void start(uint32_t id, char *text, size_t length) {
  static char *argv[MAX_ARGS + 1];
  int argc = 0, output[2];
  for (size_t at = 0; at < length && argc < MAX_ARGS; at += strlen(text + at) + 1) argv[argc++] = text + at;
  argv[argc] = NULL;
  if (argc < 2) return answer(id, 2, "no program", 10);
  if (job_count == MAX_JOBS) return answer(id, 11, "too many processes under way", 28);
  if (pipe2(output, O_CLOEXEC)) return answer(id, 24, strerror(errno), strlen(strerror(errno)));
  pid_t pid = fork();
  if (pid < 0) {
    close(output[0]);
    close(output[1]);
    return answer(id, 11, strerror(errno), strlen(strerror(errno)));
  }
  if (pid == 0) child(argc, argv, output[1]);
  close(output[1]);
  jobs[job_count++] = (struct job){.id = id, .pid = pid, .output = output[0]};
}

/* Takes what came on stdin and starts every complete order. Answers false at its end. */
static bool read_orders(void) {
  ssize_t got = read(0, order + order_length, MAX_ORDER - order_length);
  if (got < 0) return errno == EINTR || errno == EAGAIN;
  if (got == 0) return false;
  order_length += (size_t)got;
  while (order_length >= 8) {
    size_t length = number(order);
    if (length < 4 || length + 5 > MAX_ORDER) return false;
    if (order_length < 4 + length) break;
    char last = order[4 + length]; /* belongs to the next order */
    order[4 + length] = 0;
    start(number(order + 4), order + 8, length - 4);
    order[4 + length] = last;
    order_length -= 4 + length;
    memmove(order, order + 4 + length, order_length);
  }
  return true;
}

static void read_output(struct job *job) {
  char buffer[16384];
  ssize_t got = read(job->output, buffer, sizeof buffer);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) {
    close(job->output);
    job->output = -1;
  } else if (job->length + (size_t)got <= MAX_OUTPUT) {
    char *text = realloc(job->text, job->length + (size_t)got);
    if (!text) abort();
    memcpy(text + job->length, buffer, (size_t)got);
    job->text = text;
    job->length += (size_t)got;
  }
}

static void reap_jobs(int signals) {
  struct signalfd_siginfo ignored;
  pid_t pid;
  int status;
  while (read(signals, &ignored, sizeof ignored) > 0) {
  }
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
    for (int i = 0; i < job_count; i++)
      if (jobs[i].pid == pid) {
        jobs[i].pid = 0;
        jobs[i].status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      }
}

int launcher_main(void) {
  sigset_t mask;
  prctl(PR_SET_NAME, "kobune-launcher");
  setsid(); /* Ctrl-C in the engine's terminal is for the engine */
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  signal(SIGPIPE, SIG_IGN);
  int signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
  order = malloc(MAX_ORDER + 1);
  if (!order) return 1;
  for (;;) {
    static struct pollfd polls[2 + MAX_JOBS];
    polls[0] = (struct pollfd){0, POLLIN, 0};
    polls[1] = (struct pollfd){signals, POLLIN, 0};
    for (int i = 0; i < job_count; i++) polls[2 + i] = (struct pollfd){jobs[i].output, POLLIN, 0};
    int count = job_count;
    if (poll(polls, 2 + (nfds_t)count, -1) < 0 && errno != EINTR) return 1;
    for (int i = 0; i < count; i++)
      if (polls[2 + i].revents) read_output(&jobs[i]);
    if (polls[1].revents) reap_jobs(signals);
    for (int i = job_count - 1; i >= 0; i--)
      if (jobs[i].pid == 0 && jobs[i].output < 0) {
        answer(jobs[i].id, jobs[i].status, jobs[i].text, jobs[i].length);
        free(jobs[i].text);
        jobs[i] = jobs[--job_count];
      }
    if (polls[0].revents && !read_orders()) return 0;
  }
}
