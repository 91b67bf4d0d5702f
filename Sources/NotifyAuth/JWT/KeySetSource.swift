import AsyncHTTPClient
import Dispatch
import Foundation
import NIOCore
import NIOFoundationCompat
import NotifyCore

/// Where a key set comes from.
enum KeySetSource: Sendable, Equatable {
  case file(String)
  case url(URL)

  /// The setting that names it.
  var setting: AuthSetting {
    switch self {
    case .file: .jwksFile
    case .url: .jwksURL
    }
  }

  /// Reads it.
  func read() async throws(KeySetError) -> [UInt8] {
    switch self {
    case .file(let path): try await Self.readFile(path)
    case .url(let url): try await Self.fetch(url)
    }
  }

  /// A disk may take long, so not on a thread that others wait for.
  private static func readFile(_ path: String) async throws(KeySetError) -> [UInt8] {
    let result: Result<[UInt8], KeySetError> = await withCheckedContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(returning: contents(of: path))
      }
    }
    return try result.get()
  }

  private static func contents(of path: String) -> Result<[UInt8], KeySetError> {
    do {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      // One byte more than is taken tells that there is more.
      return .success(Array(try file.read(upToCount: Limits.keySetBytes + 1) ?? Data()))
    } catch {
      return .failure(KeySetError(detail: "can't be read: is the path right, and may the bridge read it?"))
    }
  }

  /// One client for one fetch: there are few, minutes apart, and nothing is left to shut down.
  private static func fetch(_ url: URL) async throws(KeySetError) -> [UInt8] {
    var configuration = HTTPClient.Configuration()
    // A redirect could lead from https to http, and to whomever.
    configuration.redirectConfiguration = .disallow
    configuration.timeout.connect = .seconds(Limits.keySetFetchSeconds)
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    let result = await answer(client, url)
    try? await client.shutdown()
    return try result.get()
  }

  private static func answer(_ client: HTTPClient, _ url: URL) async -> Result<[UInt8], KeySetError> {
    do {
      let response = try await client.execute(
        HTTPClientRequest(url: url.absoluteString), timeout: .seconds(Limits.keySetFetchSeconds))
      // By its text, `200 OK`: the type's members are another module's, which nothing else here needs.
      let status = String(describing: response.status).prefix { $0.isNumber }
      guard status == "200" else { return .failure(KeySetError(detail: "is answered with status \(status)")) }
      let body = try await response.body.collect(upTo: Limits.keySetBytes)
      return .success(Array(body.readableBytesView))
    } catch is NIOTooManyBytesError {
      return .failure(KeySetError(detail: "is larger than \(Limits.keySetBytes) bytes"))
    } catch {
      // The kind of error, not its text: an address may hold what isn't for a log.
      return .failure(KeySetError(detail: "can't be fetched (\(type(of: error)))"))
    }
  }
}
