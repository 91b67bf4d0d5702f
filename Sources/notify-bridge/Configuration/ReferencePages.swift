/// The pages that are generated from the table of settings: the annotated YAML file and the reference.
enum ReferencePages {
  /// One of the pages.
  enum Page: String, CaseIterable, Sendable {
    case yaml
    case markdown

    /// Where it stands in the repository.
    var path: String {
      switch self {
      case .yaml: "Config/notify-bridge.yaml"
      case .markdown: "Documentation/configuration.md"
      }
    }

    /// Its text.
    var text: String {
      switch self {
      case .yaml: ReferencePages.yaml
      case .markdown: ReferencePages.markdown
      }
    }
  }

  /// The command that writes them anew, for people.
  static let command = "make configuration"

  /// `Config/notify-bridge.yaml`: every setting with its type, range, unit and default.
  static var yaml: String {
    var lines = [
      "# Every setting of notify-bridge, with its default. `notify-bridge serve --config FILE` reads it; the variable",
      "# \(Setting.fileVariable) names it too.",
      "#",
      "# A setting is also a flag and an environment variable: `http: port:` is --http-port is NOTIFY_BRIDGE_HTTP_PORT.",
      "# Flags win over the environment, the environment over this file. DATABASE_URL alone has no prefix.",
      "# An unknown key is an error. Lines that are commented out show the form; their values are no defaults.",
      "#",
      "# SIGHUP reads this file again and applies the settings marked (reload); the others need a restart.",
      "#",
      "# Generated from the table of settings: `\(command)` writes it anew.",
    ]
    var section: String?
    for setting in Setting.all {
      if setting.section != section || setting.section == nil { lines.append("") }
      if let name = setting.section, name != section {
        lines.append("\(name):")
        if let note = Setting.sectionNotes[name] { lines += ["  # \(note)", ""] }
      }
      section = setting.section
      let indent = section == nil ? "" : "  "
      lines += yaml(setting).map { indent + $0 }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func yaml(_ setting: Setting) -> [String] {
    let reload = setting.isReloadable ? " (reload)" : ""
    let value = "\(setting.key): \(setting.defaultText ?? setting.example)"
    return [
      "# \(setting.summary).",
      "# \(setting.form.name) · \(standard(setting))\(reload)",
      setting.defaultText == nil && !setting.isRequired ? "# \(value)" : value,
    ]
  }

  private static func standard(_ setting: Setting) -> String {
    setting.isRequired ? "required" : "default: \(setting.defaultText ?? "none")"
  }

  /// `Documentation/configuration.md`: the same with flags and variables, a table for each section.
  static var markdown: String {
    var lines = [
      "# Configuration", "",
      "A setting is a flag, an environment variable or a key of the YAML file that `--config` or the variable",
      "`\(Setting.fileVariable)` names. A flag is stronger than a variable, a variable is stronger than the file. Every",
      "command accepts all of them and needs only those that it uses. A name that is unknown and a value that is not",
      "allowed are errors, with exit status 78, before any network access. An empty value counts as not given.", "",
      "A secret can stand in a file instead: the setting of the same name with `_file` (`_FILE`, `-file`) names it.",
      "",
      "SIGHUP reads the file, the environment's secrets in files, keys and certificates again. It applies the settings",
      "with *yes* under *Reload*; a change of another one is logged and needs a restart.", "",
      "[Config/notify-bridge.yaml](../Config/notify-bridge.yaml) has all of them with their defaults. Both files are",
      "generated from the table of settings: `\(command)` writes them anew.",
    ]
    var section = ""
    for setting in Setting.all {
      let name = setting.section ?? "general"
      if name != section {
        section = name
        lines += ["", "## \(title(name))", ""]
        if let note = Setting.sectionNotes[name] { lines += [note, ""] }
        lines += ["| Setting | Type | Default | Reload | Meaning |", "|---|---|---|---|---|"]
      }
      lines.append(row(setting))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private static func title(_ section: String) -> String {
    switch section {
    case "http", "tls": section.uppercased()
    case "auth": "Logins"
    default: section.prefix(1).uppercased() + section.dropFirst()
    }
  }

  private static func row(_ setting: Setting) -> String {
    let key = setting.section.map { "\($0): \(setting.key):" } ?? "\(setting.key):"
    let names = "`\(key)`<br>`--\(setting.flag)`<br>`\(setting.variable)`"
    let standard = setting.isRequired ? "required" : setting.defaultText.map { "`\($0)`" } ?? "none"
    let type = setting.form.name.replacing("|", with: "\\|")
    return "| \(names) | \(type) | \(standard) | \(setting.isReloadable ? "yes" : "no") | \(setting.summary). |"
  }
}
