// What the thread sanitizer cannot see of a Swift `Mutex`, told to it. Config/sanitize links this file.
//
// A `Mutex` that is free is taken, and one that nobody waits for is given back, by an atomic exchange in our own code,
// which the sanitizer sees. One that is held is waited for in `_MutexHandle._lockSlow`, and given to whoever waits in
// `_unlockSlow`: they are inside libswiftSynchronization, which is built without the sanitizer. The order that they make is
// unseen, and what the lock guards looks unguarded. Two threads that take a free `Mutex` one after the other give no
// report, and one that waits for the other gives one:
//   let m = Mutex<[Int: String]>([:]);  a: m.withLock { $0[1] = "a"; usleep(100_000) };  b, 50 ms later: the same
//
// The linker (--wrap) leads every call of the slow ways here. The address of the handle, whose first word the fast ways
// exchange, stands for the lock.
#include <stdint.h>

void __tsan_acquire(void *address);
void __tsan_release(void *address);

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void really_lock(uint32_t thread, SELF) __asm__("__real_" LOCK);
SWIFT void lock(uint32_t thread, SELF) __asm__("__wrap_" LOCK);
SWIFT void really_unlock(SELF) __asm__("__real_" UNLOCK);
SWIFT void unlock(SELF) __asm__("__wrap_" UNLOCK);

SWIFT void lock(uint32_t thread, SELF) {
  really_lock(thread, self);
  __tsan_acquire(self);
}

SWIFT void unlock(SELF) {
  __tsan_release(self);
  really_unlock(self);
}
