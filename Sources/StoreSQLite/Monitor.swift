import Glibc

/// State that threads change under a lock and wait for.
///
/// `Synchronization.Mutex` has no condition to wait on, hence the C handles. For threads that may
/// block only; tasks must not wait here.
// Sendable because `state` is touched only between lock and unlock of `mutex`.
final class Monitor<State>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>
  private var state: State

  init(_ state: State) {
    self.state = state
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  enum Waking { case nobody, one, all }

  /// Reads or changes the state; wakes those that wait for it.
  func withLock<Result>(waking: Waking = .nobody, _ body: (inout State) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    let result = body(&state)
    switch waking {
    case .nobody: break
    case .one: pthread_cond_signal(condition)
    case .all: pthread_cond_broadcast(condition)
    }
    return result
  }

  /// Waits until `ready` gives something, and returns it.
  func wait<Result>(until ready: (inout State) -> Result?) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let result = ready(&state) { return result }
      pthread_cond_wait(condition, mutex)
    }
  }

  /// Waits until `ready` is true, but not longer than the time.
  func wait(atMostMicroseconds limit: Int, until ready: (inout State) -> Bool) {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let nanoseconds = deadline.tv_nsec + limit * 1000
    deadline.tv_sec += nanoseconds / 1_000_000_000
    deadline.tv_nsec = nanoseconds % 1_000_000_000
    while !ready(&state) {
      if pthread_cond_timedwait(condition, mutex, &deadline) != 0 { return }
    }
  }
}
