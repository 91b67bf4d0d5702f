import Foundation
import NIOCore
import Synchronization

/// Counts the open sockets: bounds them, with a share for every address, and tells when all are closed.
///
/// A socket is *idle* until it is a WebSocket, which `Admission` counts. Nothing is known of its client but the address.
final class SocketCounter: Sendable {
  /// The address whose sockets are counted together: an IPv4 address, or an IPv6 network of 64 bits, which is one
  /// subscriber's.
  struct Peer: Hashable, Sendable {
    private let prefix: UInt64
    private let isIPv6: Bool

    /// Nil for a Unix socket.
    init?(_ address: SocketAddress?) {
      switch address {
      case .v4(let address):
        prefix = UInt64(address.address.sin_addr.s_addr)
        isIPv6 = false
      case .v6(let address):
        let (network, host) = withUnsafeBytes(of: address.address.sin6_addr) {
          ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        }
        // An IPv4 address on a socket for both stands in its mapped form, ::ffff:192.0.2.1.
        isIPv6 = network != 0 || UInt64(bigEndian: host) >> 32 != 0xffff
        prefix = isIPv6 ? network : UInt64(UInt32(truncatingIfNeeded: UInt64(bigEndian: host)).bigEndian)
      case .unixDomainSocket, nil:
        return nil
      }
    }
  }

  /// How many sockets there may be.
  struct Bounds: Sendable {
    /// Of all addresses.
    let total: Int
    /// Idle ones of one address.
    let idlePerPeer: Int
    /// Kept for addresses that have hardly any.
    let reserve: Int

    /// - Parameter perPeer: sockets of one address, where that is bounded; some more may be on their way.
    init(total: Int, perPeer: Int) {
      self.total = total
      let share = max(total / 2, GatewayLimits.idlePerPeer)
      idlePerPeer = perPeer > 0 ? min(share, perPeer + GatewayLimits.idlePerPeer) : share
      reserve = min(GatewayLimits.reservedSockets, total / 4)
    }
  }

  private struct State {
    var open = 0
    var idle: [Peer: Int] = [:]
    var waiting: EventLoopPromise<Void>?
  }

  private let bounds: Bounds
  private let state = Mutex(State())

  init(_ bounds: Bounds) { self.bounds = bounds }

  /// Counts a socket; false, without counting it, where it is one too many.
  ///
  /// - Parameters:
  ///   - peer: nil where it is not counted by address: it is a proxy's, or of the same machine.
  ///   - isAdmin: it is on the admin port, which has a reserve of its own.
  func opened(_ peer: Peer?, isAdmin: Bool = false) -> Bool {
    state.withLock { state in
      let room = bounds.total - state.open
      if isAdmin {
        guard room > -GatewayLimits.reservedSockets else { return false }
      } else {
        let idle = peer.map { state.idle[$0, default: 0] } ?? bounds.reserve
        guard room > 0, idle < bounds.idlePerPeer || peer == nil else { return false }
        guard room > bounds.reserve || peer == nil || idle < GatewayLimits.reservedPerPeer else { return false }
      }
      state.open += 1
      if let peer { state.idle[peer, default: 0] += 1 }
      return true
    }
  }

  /// A counted socket is a WebSocket, or closed.
  func leftIdle(_ peer: Peer?) {
    guard let peer else { return }
    state.withLock { state in
      let count = state.idle[peer, default: 0]
      state.idle[peer] = count > 1 ? count - 1 : nil
    }
  }

  /// A counted socket is closed.
  func closed() {
    let promise = state.withLock { state -> EventLoopPromise<Void>? in
      state.open -= 1
      guard state.open == 0 else { return nil }
      defer { state.waiting = nil }
      return state.waiting
    }
    promise?.succeed()
  }

  /// Completes when no socket is open, or at the deadline.
  func whenNone(on eventLoop: any EventLoop, within time: TimeAmount) -> EventLoopFuture<Void> {
    let promise = eventLoop.makePromise(of: Void.self)
    let isNone = state.withLock { state -> Bool in
      if state.open == 0 { return true }
      state.waiting = promise
      return false
    }
    if isNone {
      promise.succeed()
      return promise.futureResult
    }
    let timeout = eventLoop.scheduleTask(in: time) { [self] in
      state.withLock { state -> EventLoopPromise<Void>? in
        defer { state.waiting = nil }
        return state.waiting
      }?.succeed()
    }
    promise.futureResult.whenComplete { _ in timeout.cancel() }
    return promise.futureResult
  }
}
