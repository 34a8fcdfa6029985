// Preloaded in front of libfaketime, whose own `timerfd_settime` moves the timers of every clock by the jump, also those
// of CLOCK_MONOTONIC and CLOCK_BOOTTIME. No clock does that to a program, and the server's timers would come hours late.
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
  return (int)syscall(SYS_timerfd_settime, fd, flags, new, old);
}
