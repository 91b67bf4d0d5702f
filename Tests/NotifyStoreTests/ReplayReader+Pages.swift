import NotifyCore

@testable import NotifyStore

extension ReplayReader {
  /// A page of one user.
  nonisolated func page(
    _ user: UserID, _ wanted: ReplayRequest.Wanted = .connecting(since: nil)
  ) async -> ReplayPage {
    await withCheckedContinuation { continuation in
      replay(ReplayRequest(user: user, wanted: wanted, cancellation: ReplayCancellation())) {
        continuation.resume(returning: $0)
      }
    }
  }

  /// The first pages of several users, requested at once; in no order.
  nonisolated func pages(_ users: [UserID]) async -> [ReplayPage] {
    let (stream, continuation) = AsyncStream.makeStream(of: ReplayPage.self)
    for user in users {
      replay(ReplayRequest(user: user, wanted: .connecting(since: nil), cancellation: ReplayCancellation())) {
        continuation.yield($0)
      }
    }
    var pages: [ReplayPage] = []
    for await page in stream {
      pages.append(page)
      if pages.count == users.count { break }
    }
    return pages
  }
}
