// Watches, slows and breaks the syncs of files under a path. Linked into a test, it stands in front of
// the C library's fsync and fdatasync, for SQLite's library too.
#ifndef SYNC_PROBE_H
#define SYNC_PROBE_H

#include <stdint.h>

// Starts to watch a file, or the files below a directory. Returns the watch, or -1 when all are taken.
int sync_probe_watch(const char *path, int delay_microseconds);
// Lets the next `count` syncs fail with EIO.
void sync_probe_fail_next(int watch, int count);
// Syncs that ended so far.
int sync_probe_count(int watch);
// When sync `index` began and ended, in microseconds of the monotonic clock.
int64_t sync_probe_begin(int watch, int index);
int64_t sync_probe_end(int watch, int index);
void sync_probe_forget(int watch);
int64_t sync_probe_now(void);

#endif
