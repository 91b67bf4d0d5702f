import Foundation

/// The user that a private PostgreSQL runs as: PostgreSQL refuses to be root.
struct DevOwner: Sendable, Equatable {
  /// The ids of user and group where they differ from this process's.
  let other: (user: uid_t, group: gid_t)?
  /// The words before a command that make this user run it; empty for this process's user.
  let prefix: [String]

  /// This process's user, or `postgres` where that is root.
  static func current() throws(DevError) -> DevOwner {
    guard geteuid() == 0 else { return DevOwner(other: nil, prefix: []) }
    guard let entry = getpwnam("postgres") else {
      throw DevError(
        "PostgreSQL can't run as root, and there is no user postgres to run it as",
        remedy: "Run notify-bridge dev as an ordinary user, or install the server's package: apt install postgresql")
    }
    let ids = (user: entry.pointee.pw_uid, group: entry.pointee.pw_gid)
    let setpriv = [
      "--reuid=\(ids.user)", "--regid=\(ids.group)", "--init-groups", "--",
    ]
    if let program = find("setpriv") { return DevOwner(other: ids, prefix: [program] + setpriv) }
    if let program = find("runuser") { return DevOwner(other: ids, prefix: [program, "-u", "postgres", "--"]) }
    throw DevError(
      "PostgreSQL can't run as root, and neither setpriv nor runuser is here to run it as postgres",
      remedy: "Install util-linux, or run notify-bridge dev as an ordinary user.")
  }

  static func == (left: DevOwner, right: DevOwner) -> Bool {
    left.prefix == right.prefix && left.other?.user == right.other?.user && left.other?.group == right.other?.group
  }

  /// Runs a program as this user.
  func run(_ program: String, _ arguments: [String], in folder: String, seconds: Double) throws -> ChildProcess.Result {
    let command = prefix + [program] + arguments
    return try ChildProcess.run(command[0], Array(command.dropFirst()), in: folder, seconds: seconds)
  }

  /// Gives a file or folder to this user.
  func own(_ path: String) {
    guard let other else { return }
    chown(path, other.user, other.group)
  }

  private static func find(_ program: String) -> String? {
    ["/usr/bin", "/bin", "/usr/sbin", "/sbin"].map { "\($0)/\(program)" }.first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }
}
