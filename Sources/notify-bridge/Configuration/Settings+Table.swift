extension Settings {
  /// The name by which a setting was given, and the place; its variable where it was not given.
  func origin(_ target: PartialKeyPath<Settings>) -> String {
    let setting = Setting.of(target)
    return origins[setting.id]?.description ?? setting.variable
  }

  /// The settings whose values differ in another set.
  func changes(to other: Settings) -> [Setting] {
    Setting.all.filter { setting in
      guard case .value(_, _, let differs) = setting.target else { return false }
      return differs(self, other)
    }
  }
}

extension Setting {
  /// The setting that sets a part of the settings.
  static func of(_ target: PartialKeyPath<Settings>) -> Setting {
    let found = all.first { setting in
      if case .value(let other, _, _) = setting.target { other == target } else { false }
    }
    guard let found else { preconditionFailure("no setting sets \(target)") }
    return found
  }
}
