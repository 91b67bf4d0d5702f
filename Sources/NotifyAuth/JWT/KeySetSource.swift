import Dispatch
import Foundation
import NotifyCore
import NotifyHTTPClient

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

  /// A disk may be slow: not on a thread of the cooperative pool.
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
      // One byte more than allowed shows that the file is too large.
      return .success(Array(try file.read(upToCount: Limits.keySetBytes + 1) ?? Data()))
    } catch {
      return .failure(KeySetError(detail: "can't be read: is the path right, and may the bridge read it?"))
    }
  }

  private static func fetch(_ url: URL) async throws(KeySetError) -> [UInt8] {
    let response: HTTPGet.Response
    do throws(HTTPGetError) {
      response = try await HTTPGet(
        url, maximumBytes: Limits.keySetBytes, timeout: .seconds(Limits.keySetFetchSeconds), userAgent: "notify-bridge"
      ).response()
    } catch .tooLarge {
      throw KeySetError(detail: "is larger than \(Limits.keySetBytes) bytes")
    } catch {
      throw KeySetError(detail: "can't be fetched: \(error)")
    }
    guard response.status == 200 else { throw KeySetError(detail: "is answered with status \(response.status)") }
    return response.body
  }
}
