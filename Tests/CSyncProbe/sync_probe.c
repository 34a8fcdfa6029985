#define _GNU_SOURCE
#include "sync_probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WATCHES 16
#define RECORDS 65536

static struct {
  char path[512];
  int used, delay, failing, count;
  int64_t begin[RECORDS], end[RECORDS];
} watches[WATCHES];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

int64_t sync_probe_now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

int sync_probe_watch(const char *path, int delay_microseconds) {
  int made = -1;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < WATCHES && made < 0; i++) {
    if (watches[i].used) continue;
    snprintf(watches[i].path, sizeof watches[i].path, "%s", path);
    watches[i].used = 1;
    watches[i].delay = delay_microseconds;
    watches[i].failing = watches[i].count = 0;
    made = i;
  }
  pthread_mutex_unlock(&mutex);
  return made;
}

void sync_probe_fail_next(int watch, int count) {
  pthread_mutex_lock(&mutex);
  watches[watch].failing = count;
  pthread_mutex_unlock(&mutex);
}

int sync_probe_count(int watch) {
  pthread_mutex_lock(&mutex);
  int count = watches[watch].count;
  pthread_mutex_unlock(&mutex);
  return count;
}

int64_t sync_probe_begin(int watch, int index) { return watches[watch].begin[index]; }
int64_t sync_probe_end(int watch, int index) { return watches[watch].end[index]; }

void sync_probe_forget(int watch) {
  pthread_mutex_lock(&mutex);
  watches[watch].used = 0;
  pthread_mutex_unlock(&mutex);
}

static int covers(const char *watched, const char *path) {
  size_t length = strlen(watched);
  return !strncmp(path, watched, length) && (path[length] == 0 || path[length] == '/');
}

static int find(int fd, int *delay, int *fails) {
  char link[64], path[1024];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return -1;
  path[length] = 0;
  int found = -1;
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < WATCHES && found < 0; i++) {
    if (!watches[i].used || !covers(watches[i].path, path)) continue;
    found = i;
    *delay = watches[i].delay;
    *fails = watches[i].failing > 0;
    if (*fails) watches[i].failing--;
  }
  pthread_mutex_unlock(&mutex);
  return found;
}

static int synced(int fd, const char *name) {
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  int delay = 0, fails = 0;
  int watch = find(fd, &delay, &fails);
  if (watch < 0) return real(fd);
  int64_t begin = sync_probe_now();
  int result;
  if (fails) {
    errno = EIO;
    result = -1;
  } else {
    result = real(fd);
  }
  int error = errno;
  if (delay > 0) usleep(delay);
  int64_t end = sync_probe_now();
  pthread_mutex_lock(&mutex);
  if (!fails && watches[watch].count < RECORDS) {
    watches[watch].begin[watches[watch].count] = begin;
    watches[watch].end[watches[watch].count] = end;
    watches[watch].count++;
  }
  pthread_mutex_unlock(&mutex);
  errno = error;
  return result;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
