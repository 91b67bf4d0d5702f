package import NotifyCore

/// The operator's settings for Django sessions.
package struct DjangoSettings: Sendable, Equatable {
  /// Django's `SECRET_KEY`; nil disables sessions.
  package var secretKey: Secret?
  /// Django's `SECRET_KEY_FALLBACKS`.
  package var fallbacks: [Secret] = []
  /// Django's `SESSION_COOKIE_NAME`.
  package var sessionCookie = "sessionid"
  /// Django's `SESSION_COOKIE_AGE`: how long a session that is kept in its cookie lasts.
  package var sessionAgeSeconds = 1_209_600

  package init() {}

  /// Finds impossible settings.
  func validate() throws(AuthConfigurationError) {
    guard !sessionCookie.isEmpty, sessionCookie.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x3B && $0 != 0x3D })
    else {
      throw AuthConfigurationError(
        .djangoSessionCookie, "is not the name of a cookie",
        remedy: "Set it to Django's SESSION_COOKIE_NAME, or leave it out.")
    }
    guard sessionAgeSeconds > 0 else {
      throw AuthConfigurationError(
        .djangoSessionAge, "must be at least 1", remedy: "Set it to Django's SESSION_COOKIE_AGE, or leave it out.")
    }
  }
}
