import Foundation

/// The folder in which `dev` keeps its database and keys; one `dev` at a time has it.
final class DevFolder: Sendable {
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
  static var standardPath: String {
    if geteuid() == 0 { return "/var/lib/notify-bridge-dev" }
    let environment = ProcessInfo.processInfo.environment
    let home = environment["HOME"] ?? NSHomeDirectory()
    return "\(home)/.local/share/notify-bridge-dev"
  }

  /// Makes the folder where it is missing, and takes it.
  ///
  /// - Throws: a failure where another `dev` has it, or it is somebody else's.
  init(path: String, owner: DevOwner) throws(Failure) {
    self.path = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
    self.owner = owner
    try Self.make(self.path, owner)
    lock = try Self.take(self.path, owner)
  }

  deinit { close(lock) }

  /// Says for the next `dev` who has the folder.
  func announce(_ url: String) {
    let text = Array("\(getpid())\n\(url)\n".utf8)
    ftruncate(lock, 0)
    lseek(lock, 0, SEEK_SET)
    FileOutput.write(text, to: lock)
  }

  /// A random secret that stays the same in this folder.
  func secret(_ name: String) throws(Failure) -> String {
    let file = "\(path)/\(name)"
    if let text = try? SettingFile.readSecret(file, subject: file) { return text }
    var generator = SystemRandomNumberGenerator()
    let secret = (0..<4).map { _ in
      let digits = String(generator.next(), radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
    try write(secret + "\n", to: file)
    return secret
  }

  /// Writes a file that only the owner can read.
  func write(_ text: String, to file: String) throws(Failure) {
    guard
      FileManager.default.createFile(atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
    else { throw Failure("\(file) can't be written", remedy: "Give another folder with --data-dir.") }
    owner.own(file)
  }

  /// Makes a folder that only the owner can enter.
  func makeFolder(_ folder: String) throws(Failure) {
    try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    owner.own(folder)
    guard chmod(folder, 0o700) == 0 else { throw Failure("\(folder) can't be made") }
  }

  private static func make(_ path: String, _ owner: DevOwner) throws(Failure) {
    let files = FileManager.default
    if let inside = try? files.contentsOfDirectory(atPath: path) {
      guard inside.isEmpty || inside.contains("lock") else {
        throw Failure(
          "\(path) is not empty, and was not made by notify-bridge dev",
          remedy: "Give an empty or a new folder with --data-dir.")
      }
    } else {
      do {
        try files.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw Failure("\(path) can't be made", remedy: "Give a folder that you may write in with --data-dir.")
      }
    }
    owner.own(path)
    guard chmod(path, 0o700) == 0, access(path, W_OK) == 0 else {
      throw Failure("\(path) belongs to somebody else", remedy: "Give another folder with --data-dir.")
    }
    guard owner.other != nil else { return }
    let entered = try? owner.run("/usr/bin/test", ["-w", path], in: "/", seconds: 5)
    guard entered?.status == 0 else {
      throw Failure(
        "PostgreSQL runs as the user postgres, who can't reach \(path)",
        remedy: "Give a folder outside of root's own with --data-dir, such as \(standardPath).")
    }
  }

  private static func take(_ path: String, _ owner: DevOwner) throws(Failure) -> Int32 {
    let file = "\(path)/lock"
    // Closed on exec: a server that outlives this process must not keep the lock.
    let descriptor = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw Failure("\(file) can't be opened", remedy: "Give another folder with --data-dir.")
    }
    owner.own(file)
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      close(descriptor)
      let said = ((try? String(contentsOfFile: file, encoding: .utf8)) ?? "").split(separator: "\n")
      let process = said.first.map { " (process \($0))" } ?? ""
      let url = said.count > 1 ? ": \(said[1])" : ""
      throw Failure(
        "notify-bridge dev already runs in \(path)\(process)\(url)",
        remedy: "Use that one, or give this one a folder of its own with --data-dir.")
    }
    ftruncate(descriptor, 0)
    FileOutput.write(Array("\(getpid())\n".utf8), to: descriptor)
    return descriptor
  }
}
