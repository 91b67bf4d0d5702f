import Foundation

/// The number of files, mostly sockets, that this process may have open.
enum DescriptorLimit {
  /// Descriptors for uses other than sockets of browsers: the database, key files, refused requests.
  private static let reserved = 1_000

  /// The limit in force, and the one that it may be raised to.
  static var current: (soft: Int, hard: Int) {
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return (1_024, 1_024) }
    return (Int(clamping: limit.rlim_cur), Int(clamping: limit.rlim_max))
  }

  /// Raises the limit as far as this user may.
  ///
  /// - Returns: the limit in force afterwards.
  static func raise() -> Int {
    var limit = rlimit()
    if getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max {
      limit.rlim_cur = limit.rlim_max
      setrlimit(resource, &limit)
    }
    return current.soft
  }

  /// The number of sockets of browsers that fit into a limit.
  static func connections(of descriptors: Int) -> Int {
    descriptors > 2 * reserved ? min(descriptors - reserved, 1_000_000) : max(descriptors / 2, 1)
  }

  /// The number of sockets for HTTP and refusals that fit beside them: with the admin port's and the program's own files
  /// within the limit, so that accepting doesn't fail.
  static func spareSockets(of descriptors: Int, connections: Int) -> Int {
    min(max(descriptors - connections - 192, 16), 512)
  }

  #if canImport(Darwin)
    private static let resource = RLIMIT_NOFILE
  #else
    private static let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
  #endif
}
