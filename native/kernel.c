/*
 * Kernel calls that Node lacks, each a mode `monitor kernel NAME …` that does one thing, says what went wrong on stderr,
 * and ends with 0 or 1; and `monitor dial`, a connection made inside a network namespace.
 */
#include "monitor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

/* overlay DIRECTORY TARGET OPTIONS: paths in the options are relative to the directory, which keeps them short. */
static int overlay(char **a) {
  if (chdir(a[0])) return fail(a[0]);
  return mount("overlay", a[1], "overlay", 0, a[2]) ? fail("mount overlay") : 0;
}

static int tmpfs(char **a) {
  return mount("tmpfs", a[0], "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, a[1]) ? fail("mount tmpfs") : 0;
}

/* Takes off everything mounted at the path; nothing there is no error. */
static int unmount(char **a) {
  while (umount2(a[0], MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  return errno == EINVAL || errno == ENOENT ? 0 : fail(a[0]);
}

static int loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  int failed = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request);
  if (fd >= 0) close(fd);
  return failed ? fail("lo") : 0;
}

/* Keeps a namespace alive without a process, as `ip netns` does: its file is bound to a path. */
static int pin(const char *source, const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
  if (fd < 0) return fail(path);
  close(fd);
  return mount(source, path, "none", MS_BIND, NULL) ? fail(path) : 0;
}

static int write_sysctl(char *assignment) {
  char path[512] = "/proc/sys/";
  char *value = strchr(assignment, '=');
  if (!value || strlen(assignment) > 400) return errno = EINVAL, fail(assignment);
  *value++ = 0;
  size_t at = strlen(path);
  for (const char *c = assignment; *c; c++) path[at++] = *c == '.' ? '/' : *c == '/' ? '.' : *c;
  path[at] = 0;
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, value, strlen(value)) >= 0;
  if (fd >= 0) close(fd);
  return ok ? 0 : fail(path);
}

/* Process 1 of a pod whose containers share their processes: reaps orphans, ends on SIGTERM. */
static void pause_main(void) {
  sigset_t mask;
  prctl(PR_SET_NAME, "pause");
  set_title("pause", "");
  setsid();
  daemon_ready();
  if (chdir("/")) _exit(1);
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigaddset(&mask, SIGTERM);
  sigaddset(&mask, SIGINT);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  for (;;) {
    int signal = sigwaitinfo(&mask, NULL);
    if (signal == SIGTERM || signal == SIGINT) _exit(0);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}

/*
 * sandbox HOSTNAME NET IPC UTS PID [NAME=VALUE …]: makes the namespaces whose path is not "-" and pins them there; the
 * sysctls are set inside. Prints the process id of the pause process when a pid namespace was made.
 */
static int sandbox(int count, char **a) {
  const char *hostname = a[0], *net = a[1], *ipc = a[2], *uts = a[3], *pid = a[4];
  int flags = (strcmp(net, "-") ? CLONE_NEWNET : 0) | (strcmp(ipc, "-") ? CLONE_NEWIPC : 0) |
              (strcmp(uts, "-") ? CLONE_NEWUTS : 0) | (strcmp(pid, "-") ? CLONE_NEWPID : 0);
  if (unshare(flags)) return fail("unshare");
  if ((flags & CLONE_NEWUTS) && sethostname(hostname, strlen(hostname))) return fail("sethostname");
  if ((flags & CLONE_NEWNET) && (loopback_up() || pin("/proc/self/ns/net", net))) return 1;
  if ((flags & CLONE_NEWIPC) && pin("/proc/self/ns/ipc", ipc)) return 1;
  if ((flags & CLONE_NEWUTS) && pin("/proc/self/ns/uts", uts)) return 1;
  for (int i = 5; i < count; i++)
    if (write_sysctl(a[i])) return 1;
  if (!(flags & CLONE_NEWPID)) return 0;
  pid_t pause = fork();
  if (pause < 0) return fail("fork");
  if (pause == 0) pause_main();
  char source[64];
  snprintf(source, sizeof source, "/proc/%d/ns/pid", pause);
  dprintf(1, "%d\n", pause);
  return pin(source, pid);
}

static int from_hex(const char *hex, unsigned char *out, size_t room) {
  size_t length = strlen(hex) / 2;
  if (length > room) return -1;
  for (size_t i = 0; i < length; i++) {
    unsigned value;
    if (sscanf(hex + 2 * i, "%2x", &value) != 1) return -1;
    out[i] = (unsigned char)value;
  }
  return (int)length;
}

/*
 * files (node PATH MODE MAJOR MINOR | xattr PATH NAME HEX)…: what an image layer holds beside plain files. MODE is octal
 * with the file type. An attribute that the file system refuses is left out, as image tools do.
 */
static int files(int count, char **a) {
  umask(0);
  for (int i = 0; i < count;) {
    if (!strcmp(a[i], "node") && i + 4 < count) {
      mode_t mode = (mode_t)strtoul(a[i + 2], NULL, 8);
      if (mknod(a[i + 1], mode, makedev(strtoul(a[i + 3], NULL, 10), strtoul(a[i + 4], NULL, 10)))) return fail(a[i + 1]);
      i += 5;
    } else if (!strcmp(a[i], "xattr") && i + 3 < count) {
      unsigned char value[65536];
      int length = from_hex(a[i + 3], value, sizeof value);
      if (length < 0) return errno = EINVAL, fail(a[i + 1]);
      if (lsetxattr(a[i + 1], a[i + 2], value, (size_t)length, 0) && errno != ENOTSUP && errno != EPERM)
        return fail(a[i + 1]);
      i += 4;
    } else return errno = EINVAL, fail(a[i]);
  }
  return 0;
}

int kernel_main(int argc, char **argv) {
  const char *name = argc > 2 ? argv[2] : "";
  int count = argc - 3;
  char **a = argv + 3;
  if (!strcmp(name, "overlay") && count == 3) return overlay(a);
  if (!strcmp(name, "tmpfs") && count == 2) return tmpfs(a);
  if (!strcmp(name, "unmount") && count == 1) return unmount(a);
  if (!strcmp(name, "sandbox") && count >= 5) return sandbox(count, a);
  if (!strcmp(name, "files")) return files(count, a);
  dprintf(2, "unknown kernel call %s\n", name);
  return 2;
}

/* ---- dial ---- */

static int connect_loopback(uint16_t port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&v4, sizeof v4) == 0) return fd;
  int problem = errno;
  if (fd >= 0) close(fd);
  fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&v6, sizeof v6) == 0) return fd;
  if (fd >= 0) close(fd);
  errno = problem;
  return -1;
}

/* Copies both ways until both ends are done; each direction's end is passed on. */
static void relay(int a, int b) {
  int from[2] = {a, b}, to[2] = {b, a};
  char buffer[65536];
  while (from[0] >= 0 || from[1] >= 0) {
    struct pollfd polls[2] = {{from[0], POLLIN, 0}, {from[1], POLLIN, 0}};
    if (poll(polls, 2, -1) < 0 && errno != EINTR) return;
    for (int i = 0; i < 2; i++) {
      if (from[i] < 0 || !polls[i].revents) continue;
      ssize_t got = recv(from[i], buffer, sizeof buffer, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got > 0 && write_all(to[i], buffer, (size_t)got)) continue;
      if (got > 0) return;
      shutdown(to[i], SHUT_WR);
      from[i] = -1;
    }
  }
}

/* dial NETNS|- PORT SOCKET: connects to the port on the namespace's loopback, then serves one client of the socket. */
int dial_main(int argc, char **argv) {
  if (argc != 5) return 2;
  const char *namespace = argv[2];
  if (strcmp(namespace, "-")) {
    int fd = open(namespace, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) return fail(namespace);
    close(fd);
  }
  int connection = connect_loopback((uint16_t)atoi(argv[3]));
  if (connection < 0) return fail("connect");
  int listener = listen_unix(argv[4]);
  if (listener < 0) return fail(argv[4]);
  daemonize();
  prctl(PR_SET_NAME, "kobune-dial");
  set_title("dial", argv[3]);
  signal(SIGPIPE, SIG_IGN);
  daemon_ready();
  struct pollfd listening = {listener, POLLIN, 0};
  int client = poll(&listening, 1, 30000) == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
  unlink(argv[4]);
  close(listener);
  if (client < 0) return 1;
  relay(client, connection);
  return 0;
}
