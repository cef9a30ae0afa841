/*
 * Kobune's monitor: the one program here that is not TypeScript, because Node can neither pass file descriptors, nor
 * reap processes that are not its own, nor enter namespaces. One static binary with several modes:
 *
 *   monitor launcher              started early by the engine; starts processes without the cost of forking Node
 *   monitor container --key value …  parent of one container: log, exit status, attach; lives on without the engine
 *   monitor exec --key value …    a further process in a container with its streams
 *   monitor dial …                a TCP connection inside a network namespace, relayed to a Unix socket
 *   monitor kernel …              mounts, namespaces, device nodes, extended attributes
 *
 * docs/layers/container-runtime.md describes the protocols. Containers get pipes or a terminal as stdio, never a
 * socket: programs reopen /dev/stdout, which a socket does not allow.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 32, CONSOLE_MS = 30000, CLIENT_MS = 30000 };

/* What `monitor container` and `monitor exec` are told. */
struct options {
  const char *id;
  const char *runtime;                    /* program, found on PATH */
  const char *globals[MAX_ARGUMENTS];     /* its arguments before the command, as --root DIR */
  int global_count;
  const char *bundle;                     /* container: OCI bundle */
  const char *process;                    /* exec: OCI process.json */
  const char *log, *exit_file, *oom_file; /* container */
  const char *socket;
  const char *pid_file;
  const char *cgroup_procs[MAX_ARGUMENTS]; /* files that move the monitor itself into its cgroup */
  int cgroup_procs_count;
  bool tty, stdin_open, stdin_once, hide_unified;
};

int fail(const char *what) {
  dprintf(2, "%s: %s\n", what, strerror(errno));
  return 1;
}

bool write_all(int fd, const void *data, size_t length) {
  const char *at = data;
  while (length > 0) {
    ssize_t written = write(fd, at, length);
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      struct pollfd writable = {fd, POLLOUT, 0};
      poll(&writable, 1, 1000);
      continue;
    }
    at += written;
    length -= (size_t)written;
  }
  return true;
}

int listen_unix(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  mode_t mask = umask(0177);
  int failed = bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8);
  umask(mask);
  if (!failed) return fd;
  close(fd);
  return -1;
}

void daemonize(void) {
  pid_t pid = fork();
  if (pid < 0) exit(fail("fork"));
  if (pid == 0) {
    setsid();
    return;
  }
  _exit(0); /* our starter waits for the end of the output, which the child holds */
}

void daemon_ready(void) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  close(null);
}

/* Ends a daemon that failed before it was ready: the exit status is nobody's, so the text says it. */
static int fail_ready(const char *what) {
  dprintf(1, "error %s: %s\n", what, strerror(errno));
  return 1;
}

static bool parse(int argc, char **argv, struct options *o) {
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *key = argv[i], *value = argv[i + 1];
    bool yes = strcmp(value, "1") == 0;
    if (!strcmp(key, "--id")) o->id = value;
    else if (!strcmp(key, "--runtime")) o->runtime = value;
    else if (!strcmp(key, "--global") && o->global_count < MAX_ARGUMENTS) o->globals[o->global_count++] = value;
    else if (!strcmp(key, "--bundle")) o->bundle = value;
    else if (!strcmp(key, "--process")) o->process = value;
    else if (!strcmp(key, "--log")) o->log = value;
    else if (!strcmp(key, "--exit-file")) o->exit_file = value;
    else if (!strcmp(key, "--oom-file")) o->oom_file = value;
    else if (!strcmp(key, "--socket")) o->socket = value;
    else if (!strcmp(key, "--pid-file")) o->pid_file = value;
    else if (!strcmp(key, "--cgroup-procs") && o->cgroup_procs_count < MAX_ARGUMENTS)
      o->cgroup_procs[o->cgroup_procs_count++] = value;
    else if (!strcmp(key, "--tty")) o->tty = yes;
    else if (!strcmp(key, "--stdin")) o->stdin_open = yes;
    else if (!strcmp(key, "--stdin-once")) o->stdin_once = yes;
    else if (!strcmp(key, "--hide-unified")) o->hide_unified = yes;
    else {
      dprintf(2, "unknown option %s\n", key);
      return false;
    }
  }
  return o->id && o->runtime && o->socket && o->pid_file;
}

/* Out of whatever cgroup the engine is in, so that a service manager that stops the engine leaves us alone. */
static void leave_cgroup(const struct options *o) {
  for (int i = 0; i < o->cgroup_procs_count; i++) {
    int fd = open(o->cgroup_procs[i], O_WRONLY | O_CLOEXEC);
    if (fd < 0) continue;
    if (write(fd, "0", 1) < 0) dprintf(2, "%s: %s\n", o->cgroup_procs[i], strerror(errno));
    close(fd);
  }
}

/* The runtime's pipes or console socket, and the session's ends of them. */
struct stdio {
  int in[2], out[2], err[2];
  int console;
  char console_path[108];
};

static bool stdio_open(struct stdio *io, const struct options *o) {
  *io = (struct stdio){{-1, -1}, {-1, -1}, {-1, -1}, -1, ""};
  if (o->tty) {
    snprintf(io->console_path, sizeof io->console_path, "%s.c", o->socket);
    return (io->console = listen_unix(io->console_path)) >= 0;
  }
  if (pipe2(io->out, O_CLOEXEC) || pipe2(io->err, O_CLOEXEC)) return false;
  if (o->stdin_open ? pipe2(io->in, O_CLOEXEC) != 0 : (io->in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
    return false;
  /* Users other than root may open /dev/stdout again. */
  if (io->in[1] >= 0) fchmod(io->in[0], 0666);
  fchmod(io->out[1], 0666);
  fchmod(io->err[1], 0666);
  return true;
}

/* Runs `<runtime> [globals] create|exec …`; the answer is its process id. */
static pid_t runtime_spawn(const struct options *o, const struct stdio *io) {
  const char *argv[MAX_ARGUMENTS + 16];
  int n = 0;
  argv[n++] = o->runtime;
  for (int i = 0; i < o->global_count; i++) argv[n++] = o->globals[i];
  if (o->process) {
    argv[n++] = "exec";
    argv[n++] = "--detach";
    argv[n++] = "--process";
    argv[n++] = o->process;
  } else {
    argv[n++] = "create";
    argv[n++] = "--bundle";
    argv[n++] = o->bundle;
  }
  argv[n++] = "--pid-file";
  argv[n++] = o->pid_file;
  if (o->tty) {
    if (o->process) argv[n++] = "--tty";
    argv[n++] = "--console-socket";
    argv[n++] = io->console_path;
  }
  argv[n++] = o->id;
  argv[n] = NULL;
  pid_t pid = fork();
  if (pid != 0) return pid;
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  signal(SIGPIPE, SIG_DFL);
  if (o->hide_unified && hide_unified_cgroup()) _exit(126);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(o->tty ? null : io->in[0], 0);
  dup2(o->tty ? null : io->out[1], 1);
  dup2(o->tty ? null : io->err[1], 2);
  execvp(o->runtime, (char **)argv);
  _exit(127);
}

/* The terminal's main end, passed over the console socket by the runtime; -1 when none came. */
static int receive_console(int listener, pid_t runtime) {
  for (int waited = 0; waited < CONSOLE_MS; waited += 20) {
    struct pollfd listening = {listener, POLLIN, 0};
    siginfo_t ended = {0};
    if (poll(&listening, 1, 20) != 1) {
      if (waitid(P_PID, (id_t)runtime, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid == runtime) return -1;
      continue;
    }
    int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char text[256], control[CMSG_SPACE(sizeof(int))];
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof control};
    int terminal = -1;
    if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) > 0) {
      struct cmsghdr *head = CMSG_FIRSTHDR(&message);
      if (head && head->cmsg_type == SCM_RIGHTS) memcpy(&terminal, CMSG_DATA(head), sizeof terminal);
    }
    close(connection);
    return terminal;
  }
  return -1;
}

static pid_t read_pid(const char *path) {
  int pid = -1;
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  if (fscanf(file, "%d", &pid) != 1) pid = -1;
  fclose(file);
  return pid;
}

/*
 * Starts the runtime, takes over the streams, waits until it has made the process. Answers false with what the runtime
 * wrote on its standard error in `problem`; the session's pid is the new process otherwise.
 */
static bool runtime_start(const struct options *o, struct session *session, char *problem, size_t room) {
  struct stdio io;
  int status = 0;
  problem[0] = 0;
  if (!stdio_open(&io, o)) {
    snprintf(problem, room, "stdio: %s", strerror(errno));
    return false;
  }
  pid_t runtime = runtime_spawn(o, &io);
  if (o->tty) {
    session->in = session->out = receive_console(io.console, runtime);
    close(io.console);
    unlink(io.console_path);
  } else {
    close(io.in[0]);
    close(io.out[1]);
    close(io.err[1]);
    session->in = io.in[1];
    session->out = io.out[0];
    session->err = io.err[0];
  }
  int descriptors[] = {session->in, session->out, session->err};
  for (int i = 0; i < 3; i++)
    if (descriptors[i] >= 0) fcntl(descriptors[i], F_SETFL, fcntl(descriptors[i], F_GETFL) | O_NONBLOCK);
  while (waitpid(runtime, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    session->pid = read_pid(o->pid_file);
    return session->pid > 0;
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) snprintf(problem, room, "cannot run %s", o->runtime);
  else if (session->err >= 0) {
    ssize_t got = read(session->err, problem, room - 1);
    problem[got > 0 ? got : 0] = 0;
  }
  return false;
}

static int child_signals(void) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGCHLD);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  return signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void write_exit_file(const char *path, const struct session_end *end) {
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  FILE *file = fopen(temporary, "we");
  if (!file) return;
  fprintf(file, "{\"exitCode\":%d,\"signal\":%d,\"oomKilled\":%s,\"finishedAtMs\":%lld}\n", end->exit_code, end->signal,
          end->oom_killed ? "true" : "false",
          (long long)end->finished.seconds * 1000 + end->finished.nanoseconds / 1000000);
  fclose(file); /* not synced: after a power cut the container counts as ended anyway */
  rename(temporary, path);
}

/*
 * Waits a bounded time for what a runtime that failed left to us: a dead process that nobody asks about keeps its pid
 * namespace, and so its container, from ending.
 */
static void reap_leftovers(void) {
  for (int tries = 0; tries < 50; tries++) {
    pid_t pid = waitpid(-1, NULL, WNOHANG);
    if (pid < 0) return;
    if (pid == 0) poll(NULL, 0, 20);
  }
}

/* Answers "ok <pid>" or "error <text>" on stdout once the runtime has created the container, then serves it. */
int container_main(int argc, char **argv) {
  static char problem[8192];
  struct options o = {0};
  if (!parse(argc, argv, &o) || !o.bundle || !o.exit_file) return 2;
  daemonize();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "kobune-monitor");
  set_title("container", o.id);
  leave_cgroup(&o);
  struct session session = {.in = -1, .out = -1, .err = -1, .tty = o.tty, .stdin_once = o.stdin_once,
                            .log_path = o.log, .oom_file = o.oom_file};
  session.child_events = child_signals();
  if ((session.listener = listen_unix(o.socket)) < 0) return fail_ready(o.socket);
  if (!runtime_start(&o, &session, problem, sizeof problem)) {
    dprintf(1, "error %s", problem);
    unlink(o.socket);
    reap_leftovers();
    return 1;
  }
  dprintf(1, "ok %d %d\n", session.pid, getpid());
  daemon_ready();
  if (chdir("/")) return 1;
  struct session_end end = session_serve(&session);
  write_exit_file(o.exit_file, &end);
  session_finish(&session, end.exit_code);
  unlink(o.socket);
  return 0;
}

/* Answers "ok" on stdout when the socket listens; the process starts when a client has come and ends with it. */
int exec_main(int argc, char **argv) {
  static char problem[8192];
  struct options o = {0};
  if (!parse(argc, argv, &o) || !o.process) return 2;
  daemonize();
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "kobune-exec");
  set_title("exec", o.id);
  leave_cgroup(&o);
  struct session session = {.in = -1, .out = -1, .err = -1, .tty = o.tty, .kill_on_leave = true};
  session.child_events = child_signals();
  if ((session.listener = listen_unix(o.socket)) < 0) return fail_ready(o.socket);
  dprintf(1, "ok\n");
  daemon_ready();
  if (chdir("/")) return 1;
  int code = 128;
  bool came = session_await_client(&session, CLIENT_MS);
  close(session.listener);
  unlink(o.socket);
  session.listener = -1;
  if (!came) return 1;
  if (runtime_start(&o, &session, problem, sizeof problem)) {
    struct session_end end = session_serve(&session);
    code = end.exit_code;
  } else {
    session_broadcast(FRAME_ERROR, problem, (uint32_t)strlen(problem));
  }
  unlink(o.pid_file);
  session_finish(&session, code);
  reap_leftovers();
  return 0;
}

static char *title;
static size_t title_room;

void set_title(const char *mode, const char *id) {
  if (!title) return;
  memset(title, 0, title_room);
  snprintf(title, title_room, "kobune %s %.12s", mode, id);
}

int main(int argc, char **argv) {
  title = argv[0];
  title_room = (size_t)(argv[argc - 1] + strlen(argv[argc - 1]) - argv[0]);
  const char *mode = argc > 1 ? argv[1] : "";
  if (!strcmp(mode, "launcher")) return launcher_main();
  if (!strcmp(mode, "container")) return container_main(argc, argv);
  if (!strcmp(mode, "exec")) return exec_main(argc, argv);
  if (!strcmp(mode, "dial")) return dial_main(argc, argv);
  if (!strcmp(mode, "kernel")) return kernel_main(argc, argv);
  if (!strcmp(mode, "version")) return dprintf(1, "kobune-monitor protocol %d\n", PROTOCOL_VERSION) < 0;
  dprintf(2, "usage: monitor launcher | container | exec | dial | kernel | version (see docs/layers/container-runtime.md)\n");
  return 2;
}
