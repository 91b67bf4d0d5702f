/// A socket in the connection log. Times are microseconds since 1970.
package struct ConnectionRecord: Sendable, Equatable {
  /// The end of a socket.
  package struct End: Sendable, Equatable {
    package let at: Int64
    /// The close code (RFC 6455, 7.4 and 7.1.5).
    package let code: UInt16
    /// The side that closed first: client, server or network.
    package let closedBy: String
    /// Rows that the socket took.
    package let rows: Int
    /// Bytes written to it.
    package let bytes: Int

    package init(at: Int64, code: UInt16, closedBy: String, rows: Int, bytes: Int) {
      self.at = at
      self.code = code
      self.closedBy = closedBy
      self.rows = rows
      self.bytes = bytes
    }
  }

  /// Names the socket in this process.
  package let number: UInt64
  package let user: UserID
  /// The client's address.
  package let address: String
  /// The header, printable and bounded; nil without one.
  package let userAgent: String?
  package let opened: Int64
  /// Nil while it is open.
  package let end: End?

  package init(number: UInt64, user: UserID, address: String, userAgent: String?, opened: Int64, end: End? = nil) {
    self.number = number
    self.user = user
    self.address = address
    self.userAgent = userAgent
    self.opened = opened
    self.end = end
  }

  /// The value of a header User-Agent as it is logged: without control characters, and at most `Limits.userAgentBytes` long.
  package static func loggable(userAgent: String) -> String {
    var text = ""
    var bytes = 0
    for scalar in userAgent.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7f {
      bytes += UTF8.width(scalar)
      if bytes > Limits.userAgentBytes { break }
      text.unicodeScalars.append(scalar)
    }
    return text
  }
}
