/// One thing that `migrate` applies.
package enum MigrationStep: Sendable, Equatable, CustomStringConvertible {
  case schema(Migration)
  case functions(FunctionSet)
  /// `public.notification`.
  case ownTable

  /// For people: `0001_initial`, `functions 1`, `public.notification`.
  package var description: String {
    switch self {
    case .schema(let migration): migration.title
    case .functions(let functions): "functions \(functions.version)"
    case .ownTable: "public.notification"
    }
  }
}

/// A step and its state in the database.
package struct MigrationStatus: Sendable, Equatable, CustomStringConvertible {
  package enum State: Sendable, Equatable {
    case missing
    /// Applied at this instant, as text of the server.
    case applied(at: String)
    /// Other functions are installed, of this version, since this instant.
    case different(version: Int, at: String)
    /// Another table has the name of the own one.
    case foreign
  }

  package let step: MigrationStep
  package let state: State

  /// Whether `migrate` applies it.
  package var isPending: Bool {
    switch state {
    case .missing, .different: true
    case .applied, .foreign: false
    }
  }

  /// A line for people.
  package var description: String {
    switch state {
    case .missing: "\(step)  missing"
    case .applied(let at): "\(step)  applied \(at)"
    case .different(let version, let at): "\(step)  differs: functions \(version) were applied \(at)"
    case .foreign: "\(step)  not made by notify-bridge"
    }
  }
}
