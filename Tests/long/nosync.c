// Preloaded into the server for a control: syncs of files whose names end in NOSYNC_SUFFIX do nothing, as under
// `synchronous=NORMAL`, or on a disk that lies about its cache. Nothing else can make Parley acknowledge unsynced rows.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int is_spared(int fd) {
  const char *suffix = getenv("NOSYNC_SUFFIX");
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (!suffix || length < 0) return 0;
  path[length] = 0;
  size_t end = strlen(suffix);
  return (size_t)length >= end && !strcmp(path + length - end, suffix);
}

static int synced(int fd, const char *name) {
  if (is_spared(fd)) return 0;
  int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  return real(fd);
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }
