import Logging
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore

/// The settings of a run, each where the part that uses it takes it from.
///
/// The table (`Setting+Table.swift`) lists those that an operator can set, with their defaults.
struct Settings: Sendable {
  /// The log's settings.
  struct Log: Sendable, Equatable {
    /// The least important level that is written.
    var level = Logger.Level.info
    /// The form of lines; nil for text on a terminal, else JSON.
    var format: LogFormat?
  }

  /// The database to serve; nil where none is given.
  var databaseURL: Secret?
  /// The store's settings; its `url` is `databaseURL` once that is known to be there.
  var store = StoreSettings(url: Secret(""), version: Version.number, retentionDays: 30)
  /// The gateway's settings, before `gateway(descriptors:)` completes them.
  var gateway = GatewaySettings(version: Version.number)
  /// Sockets of this process; nil for as many as the descriptor limit allows.
  var connections: Int?
  /// Whether messages are compressed.
  var deflates = true
  /// The smallest message that is compressed, in bytes.
  var deflateFromBytes = 1_400
  /// JSON Web Tokens; its `publicKeyPEM` is the content of `jwtPublicKeyFile`.
  var jwt = JWTSettings()
  /// Path of a PEM file.
  var jwtPublicKeyFile: String?
  /// Sessions of Django.
  var django = DjangoSettings()
  /// Django's table of users; nil where the database is to find it.
  var djangoUserTable: String?
  /// Whether token keys of Django REST framework log in.
  var acceptsDRFTokens = false
  var log = Log()

  /// Where each setting that was given came from, by its id.
  var origins: [String: SettingOrigin] = [:]
}
