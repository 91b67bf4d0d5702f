/// Where a setting's value came from, the later the stronger.
enum SettingOrigin: Sendable, Equatable {
  case standard
  case file(path: String, key: String, line: Int)
  case environment(variable: String)
  case flag(String)

  /// Flags win over the environment, the environment over the file, the file over the default.
  var rank: Int {
    switch self {
    case .standard: 0
    case .file: 1
    case .environment: 2
    case .flag: 3
    }
  }

  /// The name as the operator wrote it, and where.
  var description: String {
    switch self {
    case .standard: "the default"
    case .file(let path, let key, let line): "\(key) (in \(path), line \(line))"
    case .environment(let variable): "\(variable) (in the environment)"
    case .flag(let flag): "--\(flag) (on the command line)"
    }
  }
}
