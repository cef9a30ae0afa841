/*
 * One process and whoever watches it: copies its output to the log and to subscribed clients, their input to it, and
 * reaps it. A client that reads slowly holds the process back (as with containerd); one that reads nothing for
 * STALL_MS is dropped, so that a forgotten attach cannot stop a container for ever.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
  MAX_CLIENTS = 32,
  CHUNK = 16384,            /* also the longest line of a log before it is split, as in containerd */
  HIGH_WATER = 256 * 1024,  /* bytes waiting for a client above which the process is held back */
  STALL_MS = 10000,
  DRAIN_QUIET_MS = 200,     /* after the process's end: how long its pipes may stay silent but open */
  FINISH_MS = 5000,
};

struct client {
  int fd;
  int mask;                 /* 1: stdout, 2: stderr, 4: stdin */
  char *waiting;            /* bytes to send */
  size_t waiting_length, waiting_room;
  int64_t stalled_since_ms; /* 0 when it took something lately */
  unsigned char input[5 + CHUNK];
  size_t input_length;
};

struct log_line {
  char text[CHUNK];
  size_t length;
};

static struct client *clients[MAX_CLIENTS];
static int client_count;
static int log_fd = -1;
static struct log_line lines[2];
static char stdin_waiting[CHUNK];
static size_t stdin_length, stdin_sent;
static bool stdin_closing;

static int64_t now_ms(void) {
  struct timespec ts;
  clock_gettime(CLOCK_MONOTONIC, &ts);
  return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- log ---- */

static void log_open(const char *path) {
  if (log_fd >= 0) close(log_fd);
  log_fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640) : -1;
}

/* Writes `length` bytes as one line: "<time> stdout F <text>\n"; tag P when more of the same line follows. */
static void log_write(int stream, char tag, const char *text, size_t length) {
  char buffer[CHUNK + 96];
  struct timespec ts;
  struct tm tm;
  if (log_fd < 0) return;
  clock_gettime(CLOCK_REALTIME, &ts);
  gmtime_r(&ts.tv_sec, &tm);
  size_t at = strftime(buffer, 40, "%Y-%m-%dT%H:%M:%S", &tm);
  at += (size_t)sprintf(buffer + at, ".%09ldZ %s %c ", ts.tv_nsec, stream == 1 ? "stdout" : "stderr", tag);
  memcpy(buffer + at, text, length);
  at += length;
  buffer[at++] = '\n';
  write_all(log_fd, buffer, at);
}

static void log_append(int stream, const char *data, size_t length) {
  struct log_line *line = &lines[stream - 1];
  if (log_fd < 0) return;
  while (length > 0) {
    const char *newline = memchr(data, '\n', length);
    size_t part = newline ? (size_t)(newline - data) : length;
    if (part > CHUNK - line->length) {
      part = CHUNK - line->length;
      newline = NULL;
    }
    memcpy(line->text + line->length, data, part);
    line->length += part;
    if (newline || line->length == CHUNK) {
      log_write(stream, newline ? 'F' : 'P', line->text, line->length);
      line->length = 0;
    }
    data += part + (newline ? 1 : 0);
    length -= part + (newline ? 1 : 0);
  }
}

/* What the process wrote last without a newline is a partial line, as containerd has it. */
static void log_flush(void) {
  for (int stream = 1; stream <= 2; stream++) {
    struct log_line *line = &lines[stream - 1];
    if (line->length > 0) log_write(stream, 'P', line->text, line->length);
    line->length = 0;
  }
}

/* ---- clients ---- */

static void client_drop(struct session *session, int index) {
  struct client *client = clients[index];
  if (session->stdin_once && (client->mask & 4)) stdin_closing = true;
  if (session->kill_on_leave && session->pid > 0) kill(session->pid, SIGKILL);
  close(client->fd);
  free(client->waiting);
  free(client);
  clients[index] = clients[--client_count];
}

static void client_queue(struct client *client, const void *data, size_t length) {
  if (client->waiting_length + length > client->waiting_room) {
    client->waiting_room = (client->waiting_length + length) * 2;
    client->waiting = realloc(client->waiting, client->waiting_room);
    if (!client->waiting) abort();
  }
  memcpy(client->waiting + client->waiting_length, data, length);
  client->waiting_length += length;
}

static void client_frame(struct client *client, int type, const void *data, uint32_t length) {
  unsigned char head[5] = {(unsigned char)type, length >> 24, length >> 16, length >> 8, length};
  client_queue(client, head, sizeof head);
  if (length > 0) client_queue(client, data, length);
}

/* Sends what the socket takes. Answers false when the client is gone. */
static bool client_flush(struct client *client) {
  if (client->waiting_length == 0) return true;
  ssize_t sent = send(client->fd, client->waiting, client->waiting_length, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EINTR) return false;
    if (client->stalled_since_ms == 0) client->stalled_since_ms = now_ms();
    return now_ms() - client->stalled_since_ms < STALL_MS;
  }
  client->stalled_since_ms = 0;
  client->waiting_length -= (size_t)sent;
  memmove(client->waiting, client->waiting + sent, client->waiting_length);
  return true;
}

static void clients_flush(struct session *session) {
  for (int i = client_count - 1; i >= 0; i--)
    if (!client_flush(clients[i])) client_drop(session, i);
}

static bool clients_full(void) {
  for (int i = 0; i < client_count; i++)
    if (clients[i]->waiting_length > HIGH_WATER) return true;
  return false;
}

static void client_accept(struct session *session) {
  int fd = accept4(session->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  struct client *client = client_count < MAX_CLIENTS ? calloc(1, sizeof *client) : NULL;
  if (!client) {
    close(fd);
    return;
  }
  unsigned char version = PROTOCOL_VERSION;
  client->fd = fd;
  clients[client_count++] = client;
  client_frame(client, FRAME_HELLO, &version, 1);
}

void session_broadcast(int type, const void *data, uint32_t length) {
  for (int i = 0; i < client_count; i++) {
    bool output = type == FRAME_STDOUT || type == FRAME_STDERR;
    if (!output || (clients[i]->mask & type)) client_frame(clients[i], type, data, length);
  }
}

static void client_command(struct session *session, struct client *client, int type, const unsigned char *data,
                           size_t length) {
  switch (type) {
    case FRAME_STDIN:
      if (session->in < 0 || length == 0) return;
      memcpy(stdin_waiting, data, length);
      stdin_length = length;
      stdin_sent = 0;
      return;
    case FRAME_STDIN_CLOSE:
      if (!session->tty) stdin_closing = true;
      return;
    case FRAME_RESIZE:
      if (session->tty && session->out >= 0 && length >= 4) {
        struct winsize size = {.ws_col = data[0] << 8 | data[1], .ws_row = data[2] << 8 | data[3]};
        ioctl(session->out, TIOCSWINSZ, &size);
      }
      return;
    case FRAME_SUBSCRIBE:
      if (length >= 1) client->mask = data[0];
      return;
    case FRAME_REOPEN_LOG:
      log_open(session->log_path);
      client_frame(client, FRAME_DONE, NULL, 0);
      return;
  }
}

/* Length of the first frame's data when it has come completely; -1 otherwise, -2 when it is longer than allowed. */
static long client_frame_length(const struct client *client) {
  const unsigned char *head = client->input;
  if (client->input_length < 5) return -1;
  size_t length = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
  if (length > CHUNK) return -2;
  return client->input_length < 5 + length ? -1 : (long)length;
}

/* Carries out the frames that came; stops while input for the process waits. Answers false when one makes no sense. */
static bool client_obey(struct session *session, struct client *client) {
  while (stdin_length == 0) {
    long length = client_frame_length(client);
    if (length == -2) return false;
    if (length < 0) break;
    client_command(session, client, client->input[0], client->input + 5, (size_t)length);
    client->input_length -= 5 + (size_t)length;
    memmove(client->input, client->input + 5 + length, client->input_length);
  }
  return true;
}

/* Answers false when the client is gone or out of its mind. */
static bool client_read(struct session *session, struct client *client) {
  ssize_t got = recv(client->fd, client->input + client->input_length, sizeof client->input - client->input_length,
                     MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
  if (got > 0) client->input_length += (size_t)got;
  return client_obey(session, client);
}

/* True when a complete frame waits for its turn, which nothing outside will tell us. */
static bool clients_pending(void) {
  for (int i = 0; stdin_length == 0 && i < client_count; i++)
    if (client_frame_length(clients[i]) != -1) return true;
  return false;
}

/* ---- the process ---- */

static void stdin_pump(struct session *session) {
  if (stdin_length > 0) {
    ssize_t sent = session->in < 0 ? -1 : write(session->in, stdin_waiting + stdin_sent, stdin_length - stdin_sent);
    if (sent > 0) stdin_sent += (size_t)sent;
    bool broken = session->in < 0 || (sent < 0 && errno != EAGAIN && errno != EINTR);
    if (broken || stdin_sent == stdin_length) stdin_length = stdin_sent = 0;
  }
  if (stdin_length == 0 && stdin_closing && session->in >= 0 && !session->tty) {
    close(session->in);
    session->in = -1;
  }
}

static void output_read(struct session *session, int *fd, int stream) {
  char buffer[CHUNK];
  ssize_t got = read(*fd, buffer, sizeof buffer);
  if (got > 0) {
    log_append(stream, buffer, (size_t)got);
    session_broadcast(stream, buffer, (uint32_t)got);
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    if (session->in == *fd) session->in = -1; /* the terminal is both */
    close(*fd);
    *fd = -1;
  }
}

/* True when the cgroup has seen a process killed for want of memory. The line is "oom_kill N" in both versions. */
static bool oom_seen(const char *path) {
  char line[128];
  unsigned long count = 0;
  FILE *file = path ? fopen(path, "re") : NULL;
  if (!file) return false;
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "oom_kill %lu", &count) == 1) break;
  fclose(file);
  return count > 0;
}

/* Reaps whatever ended; answers true when the session's own process did. */
static bool reap(struct session *session, struct session_end *end) {
  struct signalfd_siginfo ignored;
  bool ended = false;
  int status;
  pid_t pid;
  while (read(session->child_events, &ignored, sizeof ignored) > 0) {
  }
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != session->pid) continue;
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    ended = true;
    end->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    end->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + end->signal;
    end->finished.seconds = ts.tv_sec;
    end->finished.nanoseconds = ts.tv_nsec;
    session->pid = -1;
  }
  return ended;
}

static void poll_clients(struct session *session, struct pollfd *polls, int count, bool accepting) {
  for (int i = count - 1; i >= 0; i--) {
    if (stdin_length > 0) { /* everybody's turn comes when the process has taken it */
      if (session->kill_on_leave && (polls[i].revents & (POLLHUP | POLLERR))) client_drop(session, i);
      continue;
    }
    bool fine = polls[i].revents ? client_read(session, clients[i]) : client_obey(session, clients[i]);
    if (!fine) client_drop(session, i);
  }
  if (accepting) client_accept(session);
}

struct session_end session_serve(struct session *session) {
  struct session_end end = {0};
  bool ended = false;
  int64_t quiet_since_ms = 0;
  if (session->log_path) log_open(session->log_path);
  for (;;) {
    bool held = clients_full();
    struct pollfd polls[5 + MAX_CLIENTS] = {
        {session->child_events, POLLIN, 0},
        {session->listener, POLLIN, 0},
        {held ? -1 : session->out, POLLIN, 0},
        {held ? -1 : session->err, POLLIN, 0},
        {stdin_length > 0 ? session->in : -1, POLLOUT, 0},
    };
    int count = client_count;
    for (int i = 0; i < count; i++) {
      short wanted = (stdin_length == 0 ? POLLIN : 0) | (clients[i]->waiting_length > 0 ? POLLOUT : 0);
      /* While input waits, an exec's client is watched for leaving; another's hang-up would only wake us in vain. */
      bool watched = wanted != 0 || session->kill_on_leave;
      polls[5 + i] = (struct pollfd){watched ? clients[i]->fd : -1, wanted, 0};
    }
    int ready = poll(polls, 5 + (nfds_t)count, clients_pending() ? 0 : ended || held ? 50 : -1);
    if (ready < 0 && errno != EINTR) break;
    if (ready < 0) continue;
    bool output = false;
    if (polls[4].revents || stdin_closing || (stdin_length > 0 && session->in < 0)) stdin_pump(session);
    /* Clients first: what they subscribe to includes the output that came with it. */
    poll_clients(session, polls + 5, count, polls[1].revents != 0);
    if (polls[2].revents) output = true, output_read(session, &session->out, 1);
    if (polls[3].revents) output = true, output_read(session, &session->err, 2);
    stdin_pump(session);
    clients_flush(session);
    if (polls[0].revents && reap(session, &end)) {
      ended = true;
      end.oom_killed = oom_seen(session->oom_file);
    }
    if (!ended || held) continue;
    if (session->out < 0 && session->err < 0) break;
    if (output || quiet_since_ms == 0) quiet_since_ms = now_ms();
    else if (now_ms() - quiet_since_ms > DRAIN_QUIET_MS) break;
  }
  log_flush();
  return end;
}

bool session_await_client(struct session *session, int timeout_ms) {
  struct pollfd listening = {session->listener, POLLIN, 0};
  if (poll(&listening, 1, timeout_ms) != 1) return false;
  client_accept(session);
  clients_flush(session);
  if (client_count == 0) return false;
  struct pollfd speaking = {clients[0]->fd, POLLIN, 0};
  return poll(&speaking, 1, timeout_ms) == 1; /* read when there is a process to carry it out on */
}

void session_finish(struct session *session, int exit_code) {
  char text[16];
  int64_t deadline = now_ms() + FINISH_MS;
  session->pid = -1;
  session_broadcast(FRAME_EXIT, text, (uint32_t)sprintf(text, "%d", exit_code));
  for (clients_flush(session); client_count > 0 && now_ms() < deadline; clients_flush(session)) {
    struct pollfd polls[MAX_CLIENTS];
    int pending = 0;
    for (int i = 0; i < client_count; i++)
      if (clients[i]->waiting_length > 0) polls[pending++] = (struct pollfd){clients[i]->fd, POLLOUT, 0};
    if (pending == 0) break;
    poll(polls, (nfds_t)pending, 100);
  }
  while (client_count > 0) client_drop(session, client_count - 1);
  if (session->listener >= 0) close(session->listener);
}
