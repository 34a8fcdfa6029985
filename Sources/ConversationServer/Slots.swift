import ConversationModel
import Synchronization

/// Bounds how many of a kind run at one time, and how many of them one user may have: what is dear to all is not one's alone.
final class Slots: Sendable {
  private let most: Int
  private let each: Int
  private let held = Mutex<[Principal: Int]>([:])

  /// - Parameter each: Of one user; the service role may have all.
  init(_ most: Int, each: Int) {
    (self.most, self.each) = (most, each)
  }

  /// Held until it is let go of.
  final class Slot: Sendable {
    private let slots: Slots
    private let principal: Principal

    fileprivate init(_ slots: Slots, _ principal: Principal) {
      (self.slots, self.principal) = (slots, principal)
    }

    deinit {
      slots.held.withLock { held in
        let left = (held[principal] ?? 1) - 1
        held[principal] = left == 0 ? nil : left
      }
    }
  }

  /// - Throws: `.unavailable` if none is free.
  func take(_ name: String, for principal: Principal) throws(ConversationError) -> Slot {
    let refusal = held.withLock { held -> String? in
      guard held.values.reduce(0, +) < most else { return "Too many \(name) run at the moment; try again." }
      let own = held[principal] ?? 0
      guard own < each || principal == .service else { return "Too many of your \(name) run at the moment; try again." }
      held[principal] = own + 1
      return nil
    }
    if let refusal { throw ConversationError(.unavailable, refusal) }
    return Slot(self, principal)
  }

  /// Waits for one that becomes free.
  ///
  /// - Throws: `.unavailable` if none does in time.
  func wait(_ name: String, for principal: Principal, seconds: Int) async throws(ConversationError) -> Slot {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while true {
      do throws(ConversationError) {
        return try take(name, for: principal)
      } catch {
        guard ContinuousClock.now < deadline, (try? await Task.sleep(for: .milliseconds(50))) != nil else {
          throw error
        }
      }
    }
  }
}
