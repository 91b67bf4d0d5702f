import NIOSSL
import Synchronization

/// The certificate and key in use, read again on request.
final class TLSFiles: Sendable {
  private let current: Mutex<NIOSSLContext>

  /// Reads the files; nil where TLS isn't configured.
  ///
  /// - Throws: a configuration error that names the file.
  init?(_ settings: GatewaySettings) throws(GatewayError) {
    switch (settings.certificateFile, settings.keyFile) {
    case (nil, nil):
      return nil
    case (let certificate?, let key?):
      current = Mutex(try Self.load(certificate, key))
    case (_?, nil), (nil, _?):
      throw .configuration("TLS needs both a certificate file and a key file: set the one that is missing")
    }
  }

  /// The context of new connections.
  var context: NIOSSLContext { current.withLock { $0 } }

  /// Uses what others were read into.
  func use(_ other: TLSFiles) {
    let context = other.context
    current.withLock { $0 = context }
  }

  private static func load(_ certificateFile: String, _ keyFile: String) throws(GatewayError) -> NIOSSLContext {
    let certificates: [NIOSSLCertificate]
    do {
      certificates = try NIOSSLCertificate.fromPEMFile(certificateFile)
    } catch {
      throw .configuration(
        "can't read the TLS certificate \(certificateFile): a PEM file with the whole chain is needed")
    }
    let key: NIOSSLPrivateKey
    do {
      key = try NIOSSLPrivateKey(file: keyFile, format: .pem)
    } catch {
      throw .configuration(
        "can't read the TLS key \(keyFile): a PEM file with a private key and no passphrase is needed")
    }
    do {
      var configuration = TLSConfiguration.makeServerConfiguration(
        certificateChain: certificates.map { .certificate($0) }, privateKey: .privateKey(key))
      configuration.minimumTLSVersion = .tlsv12
      configuration.applicationProtocols = ["http/1.1"]
      return try NIOSSLContext(configuration: configuration)
    } catch {
      throw .configuration("the TLS certificate \(certificateFile) and the key \(keyFile) don't fit each other")
    }
  }
}
