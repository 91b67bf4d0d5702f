import Foundation
import Logging
import NIOSSL
import NotifyAuth
import NotifyCore
import NotifyGateway

/// The checks that need no database.
enum LocalChecks {
  /// Checks keys, certificate and limits.
  static func run(_ settings: Settings, _ report: inout CheckReport) async {
    await checkKeys(settings, &report)
    checkCertificate(settings, &report)
    checkDescriptors(settings, &report)
  }

  private static func checkKeys(_ settings: Settings, _ report: inout CheckReport) async {
    guard settings.hasLogin else {
      let names = [
        Setting.of(\.jwt.secret).variable, "…_JWT_PUBLIC_KEY_FILE", "…_JWT_JWKS_FILE", "…_JWT_JWKS_URL",
        "…_DJANGO_SECRET_KEY", "…_DRF_TOKENS",
      ]
      return report.fail(
        "logins", "no login method is configured, so nobody could connect",
        "Set \(names.joined(separator: ", ")) or …_SERVICE_KEY")
    }
    if settings.hasJWT { await checkJWT(settings, &report) }
    if let key = settings.gateway.serviceKey, key.exposed.utf8.count < 32 {
      report.warn(
        "logins", "\(settings.origin(\.gateway.serviceKey)) is shorter than 32 bytes: it may be guessed",
        "Make one: openssl rand -hex 32")
    }
  }

  private static func checkJWT(_ settings: Settings, _ report: inout CheckReport) async {
    let subject = "logins"
    do {
      let jwt = try settings.jwtWithKeyFile()
      let quiet = Logger(label: "check") { _ in SwiftLogNoOpLogHandler() }
      let authenticator = try await JWTAuthenticator(jwt, logger: quiet)
      let problems = await authenticator.problems()
      for problem in problems {
        report.fail(subject, problem, "Until it can be read, tokens signed with its keys are not accepted")
      }
      for warning in authenticator.warnings { report.warn(subject, warning, "") }
      if problems.isEmpty { report.ok(subject, "JWT: the key material loads") }
    } catch {
      let failure = CommandFailure(error)
      report.fail(subject, failure.message.split(separator: "\n").joined(separator: " "), failure.remedy)
    }
  }

  private static func checkCertificate(_ settings: Settings, _ report: inout CheckReport) {
    guard settings.gateway.certificateFile != nil || settings.gateway.keyFile != nil else { return }
    guard let certificate = settings.gateway.certificateFile, let key = settings.gateway.keyFile else {
      return report.fail("tls", "only one of certificate and key is set", "Set both, or none")
    }
    do {
      let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
      let privateKey = try NIOSSLPrivateKey(file: key, format: .pem)
      _ = try NIOSSLContext(
        configuration: .makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(privateKey)))
      report.ok("tls", "certificate and key load and belong together")
    } catch {
      report.fail(
        "tls", "\(certificate) and \(key) can't be used together",
        "Both must be PEM files that this user can read, and belong together")
    }
  }

  private static func checkDescriptors(_ settings: Settings, _ report: inout CheckReport) {
    let hard = DescriptorLimit.current.hard
    let possible = DescriptorLimit.connections(of: hard)
    if let wanted = settings.connections, wanted > possible {
      report.warn(
        "descriptors",
        "\(settings.origin(\.connections)) is \(wanted), and the limit of \(hard) allows \(possible)",
        "Raise the limit (ulimit -Hn, LimitNOFILE=, ulimits:)")
    } else if possible < 4_000 {
      report.warn(
        "descriptors", "a limit of \(hard) open files allows \(possible) connections",
        "Raise the limit (ulimit -Hn, LimitNOFILE=, ulimits:)")
    } else {
      report.ok("descriptors", "a limit of \(hard) open files allows \(possible) connections")
    }
  }
}
