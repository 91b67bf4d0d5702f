import CMicroSupport
import Foundation
import NIOCore

/// Counts what the path of a row costs, and fails where that is more than the checked-in thresholds allow, or so much
/// less that they guard nothing any more.
@main
struct MicroBenchmarks {
  static let usage = """
    usage: micro-benchmarks [--thresholds FILE] [--update | --stacks NAME]
      --thresholds FILE  the checked-in thresholds; Benchmarks/Micro/thresholds.json where left out
      --update           writes what was measured, and a little more, as the new thresholds
      --stacks NAME      runs one benchmark and prints the call stack of each of its allocations

    """

  static func main() async {
    do {
      // Two on every machine: what a batch costs grows with the loops that it concerns.
      NIOSingletons.groupLoopCountSuggestion = 2
      let arguments = try Arguments(CommandLine.arguments.dropFirst())
      try SelfTest.run()
      if let name = arguments.stacks { return try await stacks(of: name) }
      let results = try await measureAll()
      if arguments.updates { return try Thresholds(allowing: results).write(to: arguments.file) }
      try judge(results, by: Thresholds(file: arguments.file), in: arguments.file)
    } catch {
      FileHandle.standardError.write(Data("micro-benchmarks: \(error)\n".utf8))
      exit(error is Arguments.Wrong ? 64 : 1)
    }
  }

  static var benchmarks: [Benchmark] { CoreBenchmarks.all + GatewayBenchmarks.all + IdleBenchmarks.all }

  private static func measureAll() async throws -> [Result] {
    var results: [Result] = []
    for benchmark in benchmarks {
      let result = Result(benchmark, try await benchmark.run(Probe()))
      print(result)
      results.append(result)
    }
    return results
  }

  private static func stacks(of name: String) async throws {
    guard let benchmark = benchmarks.first(where: { $0.name == name }) else {
      throw Arguments.Wrong(description: "no benchmark is called \(name); there are:\n" + names)
    }
    print(Result(benchmark, try await benchmark.run(Probe(keepsStacks: true))))
  }

  private static var names: String { benchmarks.map { "  \($0.name)" }.joined(separator: "\n") }

  private static func judge(_ results: [Result], by thresholds: Thresholds, in file: String) throws {
    let complaints = thresholds.complaints(about: results)
    guard complaints.isEmpty else {
      throw Failure(
        description: complaints.map { "\n  \($0)" }.joined()
          + "\nmicro-benchmarks --stacks NAME shows where allocations come from. If the change is meant, run"
          + " micro-benchmarks --update in the repository's root and commit \(file).")
    }
    print("micro benchmarks: \(results.count + SelfTest.count) passed")
  }
}

/// Something that can't go on; says what.
struct Failure: Error, CustomStringConvertible {
  let description: String
}

/// The program's arguments.
struct Arguments {
  /// Wrong usage.
  struct Wrong: Error, CustomStringConvertible {
    let description: String
  }

  private(set) var file = "Benchmarks/Micro/thresholds.json"
  private(set) var updates = false
  private(set) var stacks: String?

  init(_ arguments: ArraySlice<String>) throws(Wrong) {
    var rest = arguments
    while let argument = rest.popFirst() {
      switch argument {
      case "--update":
        updates = true
      case "--thresholds":
        guard let value = rest.popFirst() else { throw Wrong(description: MicroBenchmarks.usage) }
        file = value
      case "--stacks":
        guard let value = rest.popFirst() else { throw Wrong(description: MicroBenchmarks.usage) }
        stacks = value
      default:
        throw Wrong(description: MicroBenchmarks.usage)
      }
    }
  }
}
