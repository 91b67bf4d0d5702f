import Foundation

/// Reads small files that settings name.
enum SettingFile {
  /// The largest file with a secret that is read.
  static let maximumSecretBytes = 64 << 10

  /// The file's text.
  ///
  /// - Parameter subject: the setting that names the file, for the error.
  static func read(_ path: String, maximumBytes: Int, subject: String) throws(ConfigurationError) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ConfigurationError("\(subject): there is no such file")
    }
    guard !isFolder.boolValue else { throw ConfigurationError("\(subject): that is a folder, not a file") }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw ConfigurationError("\(subject): the file can't be read by this user; see its permissions")
    }
    defer { try? handle.close() }
    guard let data = try? handle.read(upToCount: maximumBytes + 1) ?? Data() else {
      throw ConfigurationError("\(subject): the file can't be read")
    }
    guard data.count <= maximumBytes else {
      throw ConfigurationError("\(subject): the file is larger than \(maximumBytes) bytes")
    }
    guard let text = String(data: data, encoding: .utf8) else {
      throw ConfigurationError("\(subject): the file is not UTF-8 text")
    }
    return text
  }

  /// A text without the line's end that editors and `echo` leave behind it.
  static func withoutLineEnd(_ text: String) -> String {
    var text = text
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }

  /// The secret in a file, without the line's end that editors and `echo` leave behind it.
  static func readSecret(_ path: String, subject: String) throws(ConfigurationError) -> String {
    let text = withoutLineEnd(try read(path, maximumBytes: maximumSecretBytes, subject: subject))
    guard !text.isEmpty else { throw ConfigurationError("\(subject): the file is empty") }
    return text
  }
}
