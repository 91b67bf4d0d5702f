import Logging
import NIOCore
import NIOHTTP1
import NotifyCore

/// `/console`: the page, and the data and actions below `/console/api/`.
///
/// 401 without the key where one is needed, 403 for another origin, 403 for an action where actions are off.
struct ConsoleRoutes: Sendable {
  let console: Console
  let rules: ConsoleRules

  private var logger: Logger { console.dependencies.logger }
  private var hasActions: Bool { console.dependencies.settings.consoleActions }

  /// The lines of the table.
  var routes: [Route] {
    [
      page("/console", "text/html; charset=utf-8", ConsolePage.html),
      page("/console/console.css", "text/css; charset=utf-8", ConsolePage.css),
      page("/console/console.js", "text/javascript; charset=utf-8", ConsolePage.javascript),
      page("/console/chart.js", "text/javascript; charset=utf-8", ConsolePage.chart),
      page("/console/parts.js", "text/javascript; charset=utf-8", ConsolePage.parts),
      data("/console/api/state") { _ in .json(.ok, await console.state()) },
      data("/console/api/history") { request in
        let after = request.query("after").flatMap { Int($0) } ?? 0
        return .json(.ok, console.history.json(after: after))
      },
      data("/console/api/user") { request in
        guard let id = request.query("id").flatMap(ConsoleAction.checked).flatMap({ UserID($0) }) else {
          return Self.problem(.badRequest, "id is a user's id: a text of 1 to \(Limits.userIDBytes) bytes")
        }
        return .json(.ok, await console.user(id))
      },
      data("/console/api/timeline") { request in
        guard let source = request.query("source").flatMap(ConsoleAction.checked),
          let id = request.query("id").flatMap(ConsoleAction.checked)
        else { return Self.problem(.badRequest, "source and id name a row") }
        return Self.response(to: await console.database.ask(.timeline(source: source, id: id)))
      },
    ] + ConsoleAction.allCases.map(action)
  }

  private func page(_ path: String, _ type: String, _ bytes: [UInt8]) -> Route {
    Route(.GET, path) { request in
      do throws(ConsoleRefusal) {
        try rules.checkPage(request.headers)
      } catch {
        return refuse(error, request)
      }
      return Self.protected(HTTPResponse(.ok, ["Content-Type": type], body: ByteBuffer(bytes: bytes)))
    }
  }

  private func data(_ path: String, _ answer: @escaping @Sendable (HTTPRequest) async -> HTTPResponse) -> Route {
    Route(.GET, path) { request in
      do throws(ConsoleRefusal) {
        try rules.check(request.headers, isPost: false)
      } catch {
        return refuse(error, request)
      }
      return Self.protected(await answer(request))
    }
  }

  private func action(_ action: ConsoleAction) -> Route {
    Route(.POST, "/console/api/\(action.rawValue)") { request in
      do throws(ConsoleRefusal) {
        try rules.check(request.headers, isPost: true)
      } catch {
        return refuse(error, request)
      }
      return Self.protected(await perform(action, request))
    }
  }

  // MARK: Actions

  private func perform(_ action: ConsoleAction, _ request: HTTPRequest) async -> HTTPResponse {
    guard hasActions else {
      return Self.problem(.forbidden, "actions are off: NOTIFY_BRIDGE_CONSOLE_ACTIONS=true lets the console do this")
    }
    guard let question = action.question(request.body, tables: console.dependencies.status.catalog) else {
      return Self.problem(.badRequest, "the body does not name what to \(action.rawValue)")
    }
    let answer = await console.database.ask(question)
    log(action, question, answer, remote: request.remote)
    return Self.response(to: answer)
  }

  /// Every action is logged, also one that failed.
  private func log(_ action: ConsoleAction, _ question: ConsoleQuestion, _ answer: ConsoleAnswer, remote: String) {
    var metadata: Logger.Metadata = [LogKey.action: "\(action.rawValue)", LogKey.remote: "\(remote)"]
    switch question {
    case .resend(let source, let id):
      metadata[LogKey.source] = "\(source)"
      metadata[LogKey.rowID] = "\(id)"
    case .retry(let source, let id):
      metadata[LogKey.source] = "\(source)"
      metadata[LogKey.rowID] = id.map { "\($0)" }
    case .test(let user, let source):
      metadata[LogKey.user] = "\(user.text)"
      metadata[LogKey.source] = source.map { "\($0)" }
    case .disconnect(let user):
      metadata[LogKey.user] = "\(user.text)"
    case .overview, .rows, .timeline:
      break
    }
    let outcome: String =
      switch answer {
      case .json: "done"
      case .refused: "refused"
      case .unavailable: "unavailable"
      }
    metadata[LogKey.outcome] = "\(outcome)"
    logger.notice("console action", metadata: metadata)
  }

  // MARK: Responses

  private func refuse(_ refusal: ConsoleRefusal, _ request: HTTPRequest) -> HTTPResponse {
    logger.warning(
      "a request of the console was refused",
      metadata: [LogKey.remote: "\(request.remote)", LogKey.reason: "\(refusal.problem)"])
    let headers: HTTPHeaders = refusal.status == .unauthorized ? ["WWW-Authenticate": "Bearer"] : [:]
    return Self.protected(Self.problem(refusal.status, refusal.problem, headers))
  }

  private static func response(to answer: ConsoleAnswer) -> HTTPResponse {
    switch answer {
    case .json(let text): .json(.ok, text)
    case .refused(let why): problem(.badRequest, why)
    case .unavailable(let why): problem(.serviceUnavailable, why, ["Retry-After": "1"])
    }
  }

  private static func problem(_ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders = [:])
    -> HTTPResponse
  {
    .json(status, #"{"error":\#(JSONText.string(text))}"#, headers)
  }

  /// Adds the header fields that keep other sites out: the page loads nothing of theirs, and stands in none of their frames.
  private static func protected(_ response: HTTPResponse) -> HTTPResponse {
    var response = response
    for (name, value) in [
      ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"),
      ("Cross-Origin-Resource-Policy", "same-origin"),
      (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
          + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
      ),
    ] { response.headers.replaceOrAdd(name: name, value: value) }
    return response
  }
}
