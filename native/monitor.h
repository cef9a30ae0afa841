/*
 * Declarations shared by the parts of Kobune's monitor program (see monitor.c). Everything is plain C11 on Linux,
 * linked statically, without libraries beyond libc.
 */
#ifndef KOBUNE_MONITOR_H
#define KOBUNE_MONITOR_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Version of the frames on a monitor's socket; the first frame that a server sends carries it. */
#define PROTOCOL_VERSION 1

/* Frame types: [type:1][length:4, big endian][data]. Below 16 from the monitor, from 16 on to it. */
enum frame_type {
  FRAME_HELLO = 0,       /* data: protocol version, one byte */
  FRAME_STDOUT = 1,
  FRAME_STDERR = 2,
  FRAME_EXIT = 3,        /* data: the exit code in decimal */
  FRAME_ERROR = 4,       /* the process could not be started; data: what the runtime wrote */
  FRAME_DONE = 5,        /* the order of FRAME_REOPEN_LOG was carried out */
  FRAME_STDIN = 16,
  FRAME_STDIN_CLOSE = 17,
  FRAME_RESIZE = 18,     /* data: columns:2, rows:2, big endian */
  FRAME_SUBSCRIBE = 19,  /* data: one byte, 1 for stdout + 2 for stderr + 4 for stdin */
  FRAME_REOPEN_LOG = 20,
};

/* A process with its streams, served to clients on a socket until it has ended. See session.c. */
struct session {
  int listener;          /* listening socket, or -1 */
  int in;                /* writable end of the process's stdin, or -1 */
  int out, err;          /* readable ends; with a terminal `out` is the terminal and `err` is -1 */
  bool tty;
  bool stdin_once;       /* stdin is closed when the first client that asked for it leaves */
  bool kill_on_leave;    /* exec: the process is killed when its client leaves */
  const char *log_path;  /* log in CRI format, or NULL */
  const char *oom_file;  /* file of the cgroup that counts OOM kills, or NULL */
  pid_t pid;             /* the process whose end ends the session */
  int child_events;      /* signalfd for SIGCHLD */
};

struct session_end {
  int exit_code;
  int signal;            /* 0 when the process exited by itself */
  bool oom_killed;
  struct { int64_t seconds; long nanoseconds; } finished;
};

/* Serves until the process has ended and its output is read. */
struct session_end session_serve(struct session *session);
/* Tells every client how it ended, waits a bounded time until they have read it, closes everything. */
void session_finish(struct session *session, int exit_code);
/* Waits up to `timeout_ms` for the first client, greets it, until it says something. Answers false when none came. */
bool session_await_client(struct session *session, int timeout_ms);
/* Sends a frame to every client. */
void session_broadcast(int type, const void *data, uint32_t length);

int launcher_main(void);
int container_main(int argc, char **argv);
int exec_main(int argc, char **argv);
/* Kernel calls that Node lacks: mounts, namespaces, device nodes, extended attributes. Answers the exit status. */
int kernel_main(int argc, char **argv);
int dial_main(int argc, char **argv);

/* Mount namespace of its own in which the v2 cgroup mount of a hybrid host is covered: crun refuses hybrid otherwise. */
int hide_unified_cgroup(void);
bool write_all(int fd, const void *data, size_t length);
int listen_unix(const char *path);
/* Forks; the parent waits until the child calls daemon_ready or ends, then exits. Only the child returns. */
void daemonize(void);
/* Lets go of stdio, so that whoever started us sees its end. */
void daemon_ready(void);
/* What `ps` shows of this process: forked from the launcher, it would carry that one's arguments. Kept short. */
void set_title(const char *mode, const char *id);
/* Prints "what: strerror(errno)" on stderr and answers 1. */
int fail(const char *what);

#endif
