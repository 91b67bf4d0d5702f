import Foundation

/// The folder in which `dev` keeps its database and keys; a lock lets one `dev` at a time use it.
package final class DevFolder: Sendable {
  let path: String
  let owner: DevOwner
  private let lock: Int32

  /// The server's data.
  var data: String { "\(path)/data" }
  /// The server's Unix socket.
  var socket: String { "\(path)/socket" }
  /// The server's log.
  var log: String { "\(path)/postgresql.log" }

  /// The folder where none is given.
  package static var standardPath: String {
    if geteuid() == 0 { return "/var/lib/notify-bridge-dev" }
    let environment = ProcessInfo.processInfo.environment
    let home = environment["HOME"] ?? NSHomeDirectory()
    return "\(home)/.local/share/notify-bridge-dev"
  }

  /// Makes the folder where it is missing, and locks it.
  ///
  /// - Parameters:
  ///   - path: its path; nil for the standard one.
  ///   - holdsServer: whether a private PostgreSQL is to run in it, whose user then owns it.
  /// - Throws: an error where another `dev` has locked it, or another user owns it.
  package init(path: String?, holdsServer: Bool) throws(DevError) {
    let path = path ?? Self.standardPath
    self.path = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    owner = try holdsServer ? DevOwner.current() : DevOwner(other: nil, prefix: [])
    try Self.make(self.path, owner)
    lock = try Self.take(self.path, owner)
  }

  deinit { close(lock) }

  /// Leaves process and URL in the lock, for the error of a second `dev`.
  package func announce(_ url: String) {
    Self.write("\(getpid())\n\(url)\n", toLock: lock)
  }

  /// A random secret that stays the same in this folder.
  package func secret(_ name: String) throws(DevError) -> String {
    let file = "\(path)/\(name)"
    if let text = try? String(contentsOfFile: file, encoding: .utf8).trimmingCharacters(in: .newlines), !text.isEmpty {
      return text
    }
    var generator = SystemRandomNumberGenerator()
    let secret = (0..<4).map { _ in
      let digits = String(generator.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
    try write(secret + "\n", to: file)
    return secret
  }

  /// Writes a file that only the owner can read.
  func write(_ text: String, to file: String) throws(DevError) {
    guard
      FileManager.default.createFile(atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
    else { throw DevError("\(file) can't be written", remedy: "Give another folder with --data-dir.") }
    owner.own(file)
  }

  /// Makes a folder that only the owner can enter.
  func makeFolder(_ folder: String) throws(DevError) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    owner.own(folder)
    guard chmod(folder, 0o700) == 0 else { throw DevError("\(folder) can't be made") }
  }

  private static func make(_ path: String, _ owner: DevOwner) throws(DevError) {
    let files = FileManager.default
    if let inside = try? files.contentsOfDirectory(atPath: path) {
      guard inside.isEmpty || inside.contains("lock") else {
        throw DevError(
          "\(path) is not empty, and was not made by notify-bridge dev",
          remedy: "Give an empty or a new folder with --data-dir.")
      }
    } else {
      do {
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw DevError("\(path) can't be made", remedy: "Give a folder that you may write in with --data-dir.")
      }
    }
    owner.own(path)
    guard chmod(path, 0o700) == 0, access(path, W_OK) == 0 else {
      throw DevError("\(path) belongs to another user", remedy: "Give another folder with --data-dir.")
    }
    guard owner.other != nil else { return }
    let entered = try? owner.run("/usr/bin/test", ["-w", path], in: "/", seconds: 5)
    guard entered?.status == 0 else {
      throw DevError(
        "PostgreSQL runs as the user postgres, which can't reach \(path)",
        remedy: "Give a folder outside of root's home with --data-dir, such as \(standardPath).")
    }
  }

  private static func take(_ path: String, _ owner: DevOwner) throws(DevError) -> Int32 {
    let file = "\(path)/lock"
    // Closed on exec: a server that outlives this process must not keep the lock.
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw DevError("\(file) can't be opened", remedy: "Give another folder with --data-dir.")
    }
    owner.own(file)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      let noted = ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
      let process = noted.first.map { " (process \($0))" } ?? ""
      let url = noted.count > 1 ? ": \(noted[1])" : ""
      throw DevError(
        "notify-bridge dev already runs in \(path)\(process)\(url)",
        remedy: "Use that one, or give another folder with --data-dir.")
    }
    write("\(getpid())\n", toLock: descriptor)
    return descriptor
  }

  private static func write(_ text: String, toLock lock: Int32) {
    ftruncate(lock, 0)
    lseek(lock, 0, SEEK_SET)
    try? FileHandle(fileDescriptor: lock, closeOnDealloc: false).write(contentsOf: Data(text.utf8))
  }
}
